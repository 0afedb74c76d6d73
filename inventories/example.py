"""An inventory: who. Copy it to inventories/prod.py and name your nodes.

    cp inventories/example.py inventories/prod.py
    flightline plan inventories/prod.py

A list is a group of nodes; its name is the group's name, and group_data/<name>.py holds what the
group's nodes become. Hardware and place are good groups: `h200_sxm`, `site_basel`. A node may be in
several groups: the last one declared here wins, setting by setting. Do not name a group like this
file: pyinfra makes a group of the file's name, and lets it win over all others.

A node is its name in DNS, or a pair of a name and what SSH needs to know.
"""

gpu_nodes = [
    # By name alone: user, port, key and jump host then come from ~/.ssh/config.
    "gpu-01.example.org",
    (
        "gpu-02.example.org",
        {
            # Where to connect, when the name above is not the address.
            "ssh_hostname": "192.0.2.12",
            "ssh_port": 22,
            # The account that Flightline uses. Not root: `_sudo` below makes it root where needed.
            "ssh_user": "flightline",
            # Its private key. Without one, the SSH agent and the keys in ~/.ssh are tried.
            "ssh_key": "~/.ssh/id_ed25519",
            # Host keys are always verified. Where the site keeps its own list, name it here:
            "ssh_known_hosts_file": "~/.ssh/known_hosts",
            # Become root through sudo. The account needs `NOPASSWD: ALL` in sudoers.
            "_sudo": True,
            # Where gateways on other nodes reach this one's engines: an address on a network of
            # the nodes' own. Without it, only a gateway on this node reaches them.
            "serving_address": "10.20.0.12",
        },
    ),
]
