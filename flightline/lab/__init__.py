"""Real nodes on this computer: virtual machines built from Debian packages, reached by SSH.

fleet       the verbs: up, reset, down
image       a bare Debian server as a disk, built by mmdebstrap and cached
recipe      what is in it and how it is built (image.sh, disk.sh)
template    that server booted once and saved with its memory; clones start where it stood
identity    what makes a clone a node of its own
machine     the QEMU process; monitor: what is said to it (QMP); accelerator: KVM or emulation
state       the nodes there are; inventory: the same as pyinfra hosts
shell, keys, ports, places, programs, mirror    what these stand on
light       nodes that share this computer's kernel
serving     what nodes serve a model with: registry, mirror, engine; tiny_model: the model

Bookworm's nodes are node-1, node-2, ... (10.88.0.11, .12, ... on the second network); trixie's are
trixie-1, trixie-2, ... (10.88.0.111, ...). FLIGHTLINE_LAB_STATE names another, separate lab;
FLIGHTLINE_LAB_NODES limits inventories/lab.py; FLIGHTLINE_LAB_MIRROR is the Debian mirror where the
computer's own apt names none.
"""
