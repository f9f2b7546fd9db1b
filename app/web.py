"""The web process: a socket of our own, so that a taken port is one clear sentence, and uvicorn on it."""

from __future__ import annotations

import os
import socket
from ipaddress import ip_address

import structlog
import uvicorn

from app.settings import Settings

log = structlog.get_logger("app.web")

#: How ``scrapersky up`` hands its listening socket to the web process.
LISTEN_FD = "SCRAPERSKY_LISTEN_FD"


class CannotServe(ValueError):
    """The web process cannot start as asked; the message says what to do."""


def check_development_host(settings: Settings) -> None:
    """Development opens the default tenant to everybody who can connect, so it is refused where others can.

    Raises:
        CannotServe: ENVIRONMENT=development on an address that is not loopback.
    """
    if settings.environment != "development" or is_loopback(settings.host) or settings.published_on_loopback:
        return
    raise CannotServe(
        f"ENVIRONMENT=development leaves the door open and is refused on {settings.host}: listen on 127.0.0.1, "
        "or unset it and make a token with `scrapersky token create NAME`"
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to ``host``."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def open_listener(settings: Settings) -> socket.socket:
    """A listening socket on HOST and PORT.

    Raises:
        CannotServe: the port is taken or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host.strip("[]"), settings.port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise CannotServe(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}): choose another with --port"
        ) from error
    listener.set_inheritable(True)
    return listener


def inherited_listener() -> socket.socket | None:
    """The socket that ``scrapersky up`` opened for us; None where we were started alone."""
    fd = os.environ.pop(LISTEN_FD, None)
    return None if fd is None else socket.socket(fileno=int(fd))


def address_of(listener: socket.socket) -> str:
    """``http://host:port`` of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def run_web(settings: Settings, listener: socket.socket | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the exit code.

    Raises:
        CannotServe: before anything was served.
    """
    from app.api import create_app

    check_development_host(settings)
    listener = listener or open_listener(settings)
    config = uvicorn.Config(
        create_app(settings),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=64 * 1024,
    )
    server = uvicorn.Server(config)
    log.info("web_started", url=address_of(listener), environment=settings.environment)
    server.run(sockets=[listener])
    return 0 if server.started else 1
