"""TCP ports of this machine: is one free, and which one can be taken."""

import socket


class PortTakenError(RuntimeError):
    """A port that a part must listen on is taken; the text is one sentence that says what to do."""


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """True if a server could listen on the port now.

    Asked with SO_REUSEADDR as servers do, so connections that linger after a restart do not count as a listener."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)  # two sockets may bind with SO_REUSEADDR, but only one may listen
        except OSError:
            return False
    return True


def require_free_port(port: int, setting: str, host: str = "127.0.0.1") -> None:
    """Refuse a taken port before anything is started.

    `setting` is the environment variable that moves the part to another port.
    Raises PortTakenError when something else listens on the port, or it may not be used."""
    if not is_free(port, host):
        raise PortTakenError(
            f"port {port} on {host} is taken or not allowed; stop what listens there, or set {setting} to a free port"
        )


def free_port_near(port: int, host: str = "127.0.0.1") -> int:
    """The first free port after `port`.

    Not one that the kernel picks: those lie in the range of outgoing connections, where a client may hold the port at
    the moment when the server starts again.
    Raises PortTakenError when none of the next 100 is free."""
    for candidate in range(port + 1, min(port + 101, 65536)):
        if is_free(candidate, host):
            return candidate
    raise PortTakenError(f"none of the 100 ports after {port} on {host} is free; choose another port")
