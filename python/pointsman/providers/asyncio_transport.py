"""The transport of the hot path: HTTP/1.1 over asyncio, parsed by httptools.

Why there is one beside pyreqwest and httpx: it has no threads that could outlive the interpreter or be lost
in a fork, and cancelling a call closes its connection at once, which pyreqwest cannot do before the
answer's headers are there. It costs about the CPU of bare pyreqwest or less, and less than half of
`PyreqwestTransport` (`benches/bench_http_clients.py`). It speaks what a chat API needs and no more: no
HTTP/2, no proxies, no redirects. `default_transport` uses httpx for those.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from pointsman.providers._http1 import Connection, ConnectionLostError, NotHttpError, PhaseTimeoutError
from pointsman.providers.transport import (
    FINISH_S,
    Body,
    Sender,
    begin,
    check_header,
    closing,
    forget_closed_loops,
    malformed,
    raise_timeout,
    tls_context,
    unreachable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    from pointsman.providers.transport import HttpCall, TransportSettings

_MAX_IDLE_S = 60.0
"""Age at which an idle connection is not used again; middleboxes forget idle ones after some minutes."""


_MAX_HEADS = 64
"""Request heads kept; an adapter has one for each of its few URLs."""

_ALPN = ("http/1.1",)


class _Origin(NamedTuple):
    """A URL taken apart."""

    host: str
    port: int
    is_tls: bool
    authority: str
    path: str


class AsyncioTransport(Sender):
    """HTTP/1.1 with keep-alive. Use from asyncio; any number of loops, each with its own connections."""

    def __init__(self, settings: TransportSettings) -> None:
        super().__init__(settings)
        self._heads: dict[tuple[str, str], bytes] = {}
        self._pools: dict[asyncio.AbstractEventLoop, _Pool] = {}

    def stream(self, call: HttpCall) -> _Exchange:
        """Send a request; entering waits for status and headers, leaving closes."""
        return _Exchange(self, call)

    async def aclose(self) -> None:
        """Close the idle connections of the running loop; calls under way keep theirs until they end."""
        pool = self._pools.get(asyncio.get_running_loop())
        if pool is not None:
            await pool.aclose()

    def _pool(self) -> _Pool:
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            forget_closed_loops(self._pools)
            pool = self._pools[loop] = _Pool(self)
        return pool

    def _request(self, call: HttpCall, origin: _Origin) -> bytes:
        """The request's bytes. What does not change between calls is put together once."""
        if call.headers:
            head = self._head(call.method, origin, {**self.settings.headers, **call.headers}, call.headers)
        else:
            key = (call.method, call.url)
            head = self._heads.get(key) or self._head(call.method, origin, self.settings.headers, {})
            if len(self._heads) < _MAX_HEADS:
                self._heads[key] = head
        body = call.body
        if body is None:
            return head + b"\r\n"
        return b"%scontent-length: %d\r\n\r\n%s" % (head, len(body), body)

    def _head(
        self, method: str, origin: _Origin, headers: Mapping[str, str], unchecked: Mapping[str, str]
    ) -> bytes:
        for name, value in unchecked.items():
            check_header(name, value)
        lower = {"host": origin.authority, **{name.lower(): value for name, value in headers.items()}}
        lines = "".join(f"{name}: {value}\r\n" for name, value in lower.items())
        return f"{method} {origin.path} HTTP/1.1\r\n{lines}".encode("ascii")


class _Pool:
    """Idle connections of one loop, newest last."""

    def __init__(self, owner: AsyncioTransport) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._idle: dict[tuple[str, int, bool], list[Connection]] = {}
        self._is_closed = False
        self._at_end = begin(closing(self._close))

    def take(self, origin: _Origin) -> Connection | None:
        """Return the connection that has been idle for the shortest time, if one is usable."""
        idle = self._idle.get(origin[:3])
        while idle:
            connection = idle.pop()
            if connection.is_closing:
                continue
            if self._loop.time() - connection.idle_since_s < _MAX_IDLE_S:
                return connection
            # The others have been idle for longer still.
            for stale in (connection, *idle):
                stale.abort()
            idle.clear()
        return None

    async def connect(self, call: HttpCall, origin: _Origin, deadline_s: float) -> Connection:
        """Open a connection."""
        settings = self._owner.settings
        connect_s = call.timeouts.connect_s
        limit_s = self._loop.time() + connect_s
        try:
            async with asyncio.timeout_at(min(limit_s, deadline_s)):
                _, connection = await self._loop.create_connection(
                    lambda: Connection(lambda lost: self._forget(origin, lost)),
                    origin.host,
                    origin.port,
                    ssl=tls_context(settings.ca_file, _ALPN) if origin.is_tls else None,
                )
        except TimeoutError:
            if limit_s <= deadline_s:
                raise_timeout(settings, "connect", connect_s)
            raise_timeout(settings, "total", call.timeouts.total_s)
        except (OSError, UnicodeError) as error:
            raise unreachable(settings, call.url, f"no connection: {_said(error)}") from None
        return connection

    def give_back(self, origin: _Origin, connection: Connection) -> None:
        """Keep a connection whose answer was read to its end; close any other."""
        if self._is_closed or not connection.is_reusable:
            connection.abort()
            return
        connection.rest()
        connection.idle_since_s = self._loop.time()
        self._idle.setdefault(origin[:3], []).append(connection)

    async def aclose(self) -> None:
        """Close what is idle; what is given back later is closed then."""
        await self._at_end.aclose()

    async def _close(self) -> None:
        self._owner._pools.pop(self._loop, None)
        self._is_closed = True
        for idle in self._idle.values():
            for connection in idle:
                connection.abort()
        self._idle = {}

    def _forget(self, origin: _Origin, connection: Connection) -> None:
        idle = self._idle.get(origin[:3])
        if idle and connection in idle:
            idle.remove(connection)


class _Exchange(Body):
    """One request and its answer: the async context manager, and the `HttpStream` it gives."""

    def __init__(self, owner: AsyncioTransport, call: HttpCall) -> None:
        self._owner = owner
        self.settings = owner.settings
        self._call = call
        self._connection: Connection | None = None

    async def __aenter__(self) -> Self:
        call = self._call
        self._origin = _taken_apart(call.url)
        self._pool = self._owner._pool()
        self._loop = asyncio.get_running_loop()
        self._deadline_s = self._loop.time() + call.timeouts.total_s
        request = self._owner._request(call, self._origin)
        used = self._pool.take(self._origin)
        if used is None or not await self._ask(used, request, is_used=True):
            fresh = await self._pool.connect(call, self._origin, self._deadline_s)
            await self._ask(fresh, request, is_used=False)
        return self

    async def _ask(self, connection: Connection, request: bytes, *, is_used: bool) -> bool:
        """Send and wait for the head.

        False: an idle connection turned out to be closed, as seen from no byte coming back. A provider that
        closes an idle connection just then has not begun to work on the request.
        """
        first_byte_s = self._call.timeouts.first_byte_s
        try:
            connection.start(request)
            await connection.head(min(self._loop.time() + first_byte_s, self._deadline_s))
        except BaseException as error:
            connection.abort()
            if is_used and not connection.has_received and isinstance(error, ConnectionLostError):
                return False
            self._explain(error, "first_byte", first_byte_s)
            raise
        self._connection = connection
        self.status = connection.status
        self.headers = connection.headers
        return True

    def _explain(self, error: BaseException, phase: str, limit_s: float) -> None:
        """Raise the connection's error in the words of the interface."""
        settings = self.settings
        if isinstance(error, PhaseTimeoutError):
            if self._loop.time() + 1e-3 >= self._deadline_s:
                raise_timeout(settings, "total", self._call.timeouts.total_s)
            raise_timeout(settings, phase, limit_s)
        if isinstance(error, ConnectionLostError):
            reason = "the connection broke before the answer was complete"
            raise unreachable(settings, self._call.url, reason) from None
        if isinstance(error, NotHttpError):
            raise malformed(settings.provider, f"the answer is {error}") from None

    async def next_chunk(self) -> bytes | None:
        """Return what has arrived of the body."""
        connection = self._connection
        if connection is None:
            return None
        idle_s = self._call.timeouts.idle_s
        try:
            return await connection.chunk(min(self._loop.time() + idle_s, self._deadline_s))
        except (PhaseTimeoutError, ConnectionLostError, NotHttpError) as error:
            self._explain(error, "idle", idle_s)
            raise

    async def finish(self) -> None:
        """Wait a moment for the end of the body."""
        connection = self._connection
        if connection is None or connection.is_complete:
            return
        with suppress(PhaseTimeoutError, ConnectionLostError, NotHttpError):
            deadline_s = self._loop.time() + FINISH_S
            while await connection.chunk(deadline_s) is not None:
                pass

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.give_back(self._origin, connection)


@lru_cache(maxsize=256)
def _taken_apart(url: str) -> _Origin:
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    host = parts.hostname or ""
    if not host.isascii():
        host = host.encode("idna").decode()
    port = parts.port or (443 if is_tls else 80)
    shown = f"[{host}]" if ":" in host else host
    authority = shown if parts.port is None else f"{shown}:{port}"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _Origin(host, port, is_tls, authority, path)


def _said(error: Exception) -> str:
    """What the operating system or TLS says, without addresses and numbers of theirs."""
    said = getattr(error, "verify_message", None) or getattr(error, "reason", None)
    return str(said or getattr(error, "strerror", None) or type(error).__name__)
