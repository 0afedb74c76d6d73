"""What a lab node serves a model with, offered by this computer: registry, mirror, engine, model.

stand      the verbs: start, stop
offer      what is offered now, and under which addresses
daemons    the registry and the mirror of models: docker-registry and nginx on 127.0.0.1
engine     llama-server as a container image, from Debian's own packages

Nodes reach this computer's loopback as 10.0.2.2, QEMU's user network. Nothing listens elsewhere.
"""

from flightline.lab.serving.offer import Offer, offered

__all__ = ["Offer", "offered"]
