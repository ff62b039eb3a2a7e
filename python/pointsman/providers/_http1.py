"""One HTTP/1.1 connection under asyncio, parsed by httptools (llhttp)."""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from typing import TYPE_CHECKING, cast

import httptools

from pointsman.providers.transport import MAX_BODY_BYTES, MAX_HEAD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

_PAUSE_AT_BYTES = 256 * 2**10
"""Unread body at which the socket is no longer read, until the reader has caught up."""

_ANY_ZLIB = 47
"""zlib's window bits for: gzip or zlib, told apart by the header."""


class PhaseTimeoutError(Exception):
    """The time of a phase ran out."""


class ConnectionLostError(Exception):
    """The connection ended before the answer was complete."""


class NotHttpError(Exception):
    """What came is not an HTTP/1.1 response, or larger than we take."""


class Connection(asyncio.Protocol):
    """A connection and the response under way on it. At most one task waits at a time."""

    def __init__(self, on_lost: Callable[[Connection], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_lost = on_lost
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at_s = 0.0
        self._deadline_s = 0.0
        self._is_lost = False
        self.idle_since_s = 0.0
        self._parser = httptools.HttpResponseParser(self)
        self._reset()

    def _reset(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self._chunks: deque[bytes] = deque()
        self._n_unread = 0
        self._n_head_bytes = 0
        self._is_paused = False
        self._is_keep_alive = False
        self._error: Exception | None = None
        self._inflate: zlib._Decompress | None = None
        self.has_head = False
        self.is_complete = False
        self.has_received = False

    # ---- the caller's side

    def start(self, request: bytes) -> None:
        """Send a request; forgets the response before."""
        if self.status:
            self._reset()
        self._transport.write(request)

    async def head(self, deadline_s: float) -> None:
        """Wait for status and headers, until the loop's clock shows `deadline_s`."""
        while not self.has_head:
            await self._wait(deadline_s)

    async def chunk(self, deadline_s: float) -> bytes | None:
        """Return what has arrived of the body; `None` at its end."""
        while not self._chunks:
            if self.is_complete:
                return None
            await self._wait(deadline_s)
        chunks = self._chunks
        data = chunks.popleft() if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self._n_unread = 0
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        return data

    @property
    def is_reusable(self) -> bool:
        """Whether the connection may carry another request."""
        return self.is_complete and self._is_keep_alive and not self.is_closing

    @property
    def is_closing(self) -> bool:
        """Whether the connection is gone or going."""
        return self._is_lost or self._transport.is_closing()

    def rest(self) -> None:
        """Stop the timer: the response is read."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self.rest()
        self._transport.abort()

    async def _wait(self, deadline_s: float) -> None:
        """Wait until something arrives. Raises what went wrong."""
        if self._error is not None:
            raise self._error
        if self._is_lost:
            raise ConnectionLostError
        self._arm(deadline_s)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _arm(self, deadline_s: float) -> None:
        """Move the deadline. The timer is left alone while it rings no later: it looks again when it does."""
        self._deadline_s = deadline_s
        if self._timer is not None:
            if self._timer_at_s <= deadline_s:
                return
            self._timer.cancel()
        self._timer_at_s = deadline_s
        self._timer = self._loop.call_at(deadline_s, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() + 1e-3 < self._deadline_s:
            self._arm(self._deadline_s)
        else:
            self._waiter.set_exception(PhaseTimeoutError())

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        self._transport.abort()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(self._error)

    # ---- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio sets TCP_NODELAY)."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse; the callbacks below fill in the response."""
        self.has_received = True
        if not self.has_head:
            self._n_head_bytes += len(data)
        if self.is_complete:
            # Bytes after the end of a response: nothing we asked for.
            self._is_keep_alive = False
            self._transport.abort()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            cause = error.__context__
            self._fail(cause if isinstance(cause, NotHttpError) else NotHttpError(_reason(error)))
            return
        if not self.has_head and self._n_head_bytes > MAX_HEAD_BYTES:
            self._fail(NotHttpError(f"headers of more than {MAX_HEAD_BYTES} bytes"))
            return
        if self._n_unread > _PAUSE_AT_BYTES and not self._is_paused and not self.is_complete:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """A response without length ends with the connection; any other is cut short."""
        if self.has_head and not self.is_complete and self._ends_with_connection():
            self.is_complete = True
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the waiter and the pool."""
        self._is_lost = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(self._error or ConnectionLostError())
        self.rest()
        self._on_lost(self)
        del self._parser  # it holds this connection

    def _ends_with_connection(self) -> bool:
        headers = self.headers
        return "content-length" not in headers and "transfer-encoding" not in headers

    # ---- the parser's side

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep one header; of a second response, which nobody asked for, none."""
        if self.is_complete:
            self._is_keep_alive = False
            return
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Status and headers are there; those of a 1xx are not the answer's."""
        status = self._parser.get_status_code()
        if status < 200 or self.is_complete:
            return
        self.status = status
        self.has_head = True
        self._is_keep_alive = self._parser.should_keep_alive()
        if self._n_head_bytes > MAX_HEAD_BYTES and sum(map(len, self.headers.values())) > MAX_HEAD_BYTES:
            raise NotHttpError(f"headers of more than {MAX_HEAD_BYTES} bytes")
        encoding = self.headers.get("content-encoding", "identity").lower()
        if encoding in ("gzip", "x-gzip", "deflate"):
            self._inflate = zlib.decompressobj(_ANY_ZLIB)
        elif encoding != "identity":
            raise NotHttpError(f"content-encoding {encoding[:20]!r}, which was not asked for")

    def on_body(self, data: bytes) -> None:
        """Keep a piece of the body."""
        if self.is_complete:
            return
        if self._inflate is not None:
            try:
                data = self._inflate.decompress(data, MAX_BODY_BYTES)
            except zlib.error:
                raise NotHttpError("a body that cannot be decompressed") from None
            if self._inflate.unconsumed_tail:
                raise NotHttpError(f"a body that inflates to more than {MAX_BODY_BYTES} bytes")
            if not data:
                return
        self._chunks.append(data)
        self._n_unread += len(data)

    def on_message_complete(self) -> None:
        """The response is whole; that of a 1xx makes way for the answer."""
        if self.has_head:
            self.is_complete = True
        else:
            self.headers = {}


def _reason(error: Exception) -> str:
    """What the parser says of the protocol, which never quotes the bytes."""
    if isinstance(error, httptools.HttpParserUpgrade):
        return "an upgrade to another protocol"
    return f"what is not an HTTP/1.1 response ({error})"
