"""Listening sockets."""

import errno
import socket


def listen(port: int) -> socket.socket:
    """On all addresses: IPv6 and IPv4, or IPv4 alone where there is no other. Raises OSError."""
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise
    return socket.create_server(("", port), backlog=64)
