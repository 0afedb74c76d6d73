"""Ports of this computer that nobody uses."""

from __future__ import annotations

import socket


def free_tcp() -> int:
    """Return a TCP port of 127.0.0.1 that is free now; only the program that binds it makes sure."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as end:
        end.bind(("127.0.0.1", 0))
        port: int = end.getsockname()[1]
        return port


def free_udp() -> int:
    """Return a UDP port that is free now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind(("127.0.0.1", 0))
        port: int = end.getsockname()[1]
        return port
