"""Pick TCP ports on the loopback address."""

import secrets
import socket
from contextlib import closing

from services.platform.embedded.errors import EmbeddedServerError

LOOPBACK = "127.0.0.1"
# Below the kernel's range for outgoing connections (32768 up), so that a port stays ours between runs.
PORT_MIN, PORT_MAX = 15_000, 32_000


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def pick_free_port() -> int:
    """A port nobody listens on. Another process may still take it first: the caller tries again."""
    for _ in range(200):
        port = PORT_MIN + secrets.randbelow(PORT_MAX - PORT_MIN)
        if is_free(port):
            return port
    raise port_in_use_error(f"between {PORT_MIN} and {PORT_MAX}")


def port_in_use_error(port: object) -> EmbeddedServerError:
    """Somebody else listens there."""
    return EmbeddedServerError(
        code="port_in_use",
        message=f"Port {port} on {LOOPBACK} is taken by another program.",
        cure="Stop that program, or give another port.",
    )
