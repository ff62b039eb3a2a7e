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


def server_settings(app: ASGIApp, host: str, port: int, *, n_keys: int = 0) -> uvicorn.Config:
    """Uvicorn's settings for the gateway.

    Args:
        app: The gateway.
        host: Address to bind.
        port: Port to bind.
        n_keys: How many keys callers may use.

    Raises:
        ConfigError: `host` is not loopback, and there are no keys to guard it.
    """
    if not _is_loopback(host) and not n_keys:
        raise ConfigError(
            [
                f"server.host: {host!r} is not a loopback address, and there are no keys to guard it; add "
                "`keys: {path: pointsman-keys}` to the config and run `pointsman keys create --tenant NAME`, "
                "or use 127.0.0.1"
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
