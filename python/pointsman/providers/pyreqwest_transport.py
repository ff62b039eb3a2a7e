"""A transport over pyreqwest (Rust's reqwest). asyncio only; not the default, for what is written here.

Measured on pyreqwest 0.15.1 (`tests/providers/test_pyreqwest_soundness.py` keeps the findings current):

* Streaming waits for 64 KiB or the end of the body before it gives the first byte, unless
  `streamed_read_buffer_limit(0)` is set. It is, here.
* Cancelling a call before the answer's headers are there detaches the request instead of aborting it: the
  provider works on, and is paid. Only the total time limit, enforced inside reqwest here, ends it. After the
  headers, cancelling closes the connection at once.
* A process that used it may die of SIGABRT when it exits: 7 of 80 that left inside a stream, 3 of 80 that
  had closed their client (`tests/providers/exit_stress.py`); of 120 that left the bare client in flight, 14.
* It answers cancellation with a `CancelledError` of its own, which breaks anyio's cancel scopes unless each
  step runs in a task of its own. It does, here.
* Its runtime cannot be used in a child forked after the first use; it says so instead of hanging.

It speaks HTTP/2 and costs a quarter of httpx or less, so it stays for those who name it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pyreqwest.client import ClientBuilder
from pyreqwest.exceptions import (
    ConnectError,
    PyreqwestError,
    RequestTimeoutError,
)
from pyreqwest.proxy import ProxyBuilder

from pointsman.errors import ProviderError
from pointsman.providers.transport import (
    FINISH_S,
    Body,
    Sender,
    check_header,
    raise_timeout,
    unreachable,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from types import TracebackType
    from typing import Self

    from pyreqwest.client import Client
    from pyreqwest.response import Response, ResponseBodyReader

    from pointsman.providers.transport import HttpCall, TransportSettings

_T = TypeVar("_T")

_MAX_IDLE = timedelta(seconds=60)


class PyreqwestTransport(Sender):
    """pyreqwest behind the `Transport` interface; the first call makes the client, and with it a thread."""

    def __init__(self, settings: TransportSettings) -> None:
        super().__init__(settings)
        self._client: Client | None = None

    def stream(self, call: HttpCall) -> _Exchange:
        """Send a request; entering waits for status and headers, leaving closes."""
        return _Exchange(self, call)

    async def aclose(self) -> None:
        """Close all connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def client(self) -> Client:
        """Return the client, made on first use. Its connect limit is `settings.connect_s`."""
        if self._client is None:
            try:
                self._client = self._build()
            except (PyreqwestError, RuntimeError, OSError) as error:
                raise unreachable(self.settings, "", f"no client: {error}") from None
        return self._client

    def _build(self) -> Client:
        settings = self.settings
        builder = (
            ClientBuilder()
            .default_headers(settings.headers)
            .follow_redirects(False)
            .referer(False)
            .tcp_nodelay(True)
            .connect_timeout(timedelta(seconds=settings.connect_s))
            .pool_idle_timeout(_MAX_IDLE)
            .http2(settings.http2)
            .no_proxy()
        )
        if settings.proxy:
            builder = builder.proxy(ProxyBuilder.all(settings.proxy))
        if settings.ca_file:
            builder = builder.add_root_certificate_pem(Path(settings.ca_file).read_bytes())
        return builder.build()


class _Exchange(Body):
    """One request and its answer: the async context manager, and the `HttpStream` it gives."""

    def __init__(self, owner: PyreqwestTransport, call: HttpCall) -> None:
        self.settings = owner.settings
        self._client = owner.client()
        self._call = call

    async def __aenter__(self) -> Self:
        call = self._call
        for name, value in call.headers.items():
            check_header(name, value)
        total_s = call.timeouts.total_s
        builder = (
            self._client.request(call.method, call.url)
            .timeout(timedelta(seconds=total_s))
            .streamed_read_buffer_limit(0)
        )
        if call.headers:
            builder = builder.headers(call.headers)
        if call.body is not None:
            builder = builder.body_bytes(call.body)
        self._request = builder.build_streamed()
        self._deadline_s = asyncio.get_running_loop().time() + total_s
        self._response: Response = await self._waited(self._request.__aenter__(), "first_byte")
        self._reader: ResponseBodyReader = self._response.body_reader
        self.status: int = self._response.status
        self.headers = dict(self._response.headers.items())
        return self

    async def _waited(self, step: Awaitable[_T], phase: str) -> _T:
        """Await a step of pyreqwest under the limit of its phase and of the whole call."""
        timeouts = self._call.timeouts
        limit_s = timeouts.idle_s if phase == "idle" else timeouts.first_byte_s
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        # In a task of its own: pyreqwest raises a `CancelledError` of its making, which anyio's cancel scopes
        # do not recognise as theirs. Ours, raised by `wait`, is the one that was sent.
        task = loop.create_task(_coroutine(step))
        try:
            await asyncio.wait((task,), timeout=max(0.0, min(limit_s, self._deadline_s - started_s)))
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))
        if task.cancelled():
            if loop.time() + 1e-2 >= self._deadline_s:
                raise_timeout(self.settings, "total", timeouts.total_s)
            raise_timeout(self.settings, phase, limit_s)
        try:
            return task.result()
        except RequestTimeoutError:
            # reqwest reports its own total limit as one of connecting, before the headers are there.
            if loop.time() + 1e-2 >= self._deadline_s:
                raise_timeout(self.settings, "total", timeouts.total_s)
            raise_timeout(self.settings, "connect", self.settings.connect_s)
        except PyreqwestError as error:
            raise unreachable(self.settings, self._call.url, _said(error)) from None

    async def next_chunk(self) -> bytes | None:
        """Return what has arrived of the body."""
        while (piece := await self._waited(self._reader.read_chunk(), "idle")) is not None:
            if len(piece):
                return piece.to_bytes()
        return None

    async def finish(self) -> None:
        """Wait a moment for the end of the body."""
        self._deadline_s = min(self._deadline_s, asyncio.get_running_loop().time() + FINISH_S)
        with suppress(ProviderError):
            while await self.next_chunk() is not None:
                pass

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(PyreqwestError):
            await self._request.__aexit__(kind, error, trace)


async def _coroutine(step: Awaitable[_T]) -> _T:
    """`create_task` takes coroutines of Python only."""
    return await step


def _said(error: PyreqwestError) -> str:
    """The kind of the failure. pyreqwest's own text may quote the URL."""
    if isinstance(error, ConnectError):
        return "no connection (refused, unknown host or TLS)"
    return f"the connection broke or the answer is not HTTP ({type(error).__name__})"
