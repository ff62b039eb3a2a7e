"""Serves the gateway: uvicorn on uvloop and httptools.

The cheapest combination per request that we measured: `benches/bench_asgi_servers.py`.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pointsman.errors import ConfigError

if TYPE_CHECKING:
    import asyncio

    from starlette.types import ASGIApp

# Seconds that answers under way get to finish after SIGTERM.
_DRAIN_S = 30


class NoDelayProtocol(HttpToolsProtocol):
    """HTTP/1.1 with TCP_NODELAY on the accepted socket.

    Without it Nagle's algorithm and the client's delayed ACK hold a stream's small writes back by 40 ms.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Switch Nagle's algorithm off, then go on as usual."""
        accepted = transport.get_extra_info("socket")
        if accepted is not None and accepted.family in (socket.AF_INET, socket.AF_INET6):
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)


def server_settings(app: ASGIApp, host: str, port: int) -> uvicorn.Config:
    """Uvicorn's settings for the gateway.

    Raises:
        ConfigError: `host` is not loopback, which needs keys, and keys are not there yet.
    """
    if not _is_loopback(host):
        raise ConfigError(
            [
                f"server.host: {host!r} is not a loopback address, and this version has no keys to guard it; "
                "use 127.0.0.1 and put an authenticating proxy in front"
            ]
        )
    settings: dict[str, Any] = {"http": NoDelayProtocol, "loop": "uvloop", "lifespan": "on", "ws": "none"}
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_level="warning",
        timeout_graceful_shutdown=_DRAIN_S,
        **settings,
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
