"""Light nodes: containers that boot systemd and share this computer's kernel, at native speed.

For what an emulated machine is too slow for, such as building a driver for the kernels that the
node has installed. Not for kernel work: no modules, no huge pages, no kernel command line.

fleet      the verbs: up, reset, down
root       a bare Debian server as a folder, built by mmdebstrap and cached (root.sh)
node       the nodes there are
container  systemd-nspawn over an overlay of the root (supervise.sh)
packages   the downloaded packages that the nodes of a suite share

Nodes are light-1, light-2, ... on bookworm, light-trixie-1, ... on trixie. They use this computer's
network; sshd listens on 127.0.0.1 alone, on a port of the node's own. Needs root, and nothing else
of this computer: no bridge, no firewall rule, no service.
"""
