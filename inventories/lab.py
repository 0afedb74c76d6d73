"""The nodes of the running lab: `flightline lab up` starts them."""

from flightline.lab.inventory import running_nodes

lab_nodes = running_nodes()
