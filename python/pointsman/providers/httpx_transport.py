"""A transport over httpx: for trio, for proxies, for a client of your own, and for mocking.

Costs some 20 to 80 times the CPU of the asyncio transport, so nothing hot runs on it where it can be helped.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import anyio
import httpx

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
    running_loop,
    tls_context,
    unreachable,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from types import TracebackType
    from typing import Self

    from pointsman.providers.transport import HttpCall, TransportSettings

_T = TypeVar("_T")

_Made: TypeAlias = "tuple[httpx.AsyncClient, AsyncGenerator[None]]"
"""A client, and the generator that closes it with its loop."""

_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=256, keepalive_expiry=60.0)


class HttpxTransport(Sender):
    """httpx behind the `Transport` interface, under asyncio and trio.

    Args:
        settings: Headers, TLS and proxy. With a `client` of yours only the headers are used.
        client: A client of yours. It is never closed here.
    """

    def __init__(self, settings: TransportSettings, client: httpx.AsyncClient | None = None) -> None:
        super().__init__(settings)
        self._given = client
        # Connections belong to the loop they were made in; a second loop gets a client of its own.
        self._made: dict[object, _Made] = {}

    def stream(self, call: HttpCall) -> _Exchange:
        """Send a request; entering waits for status and headers, leaving closes."""
        return _Exchange(self, call)

    async def aclose(self) -> None:
        """Close the connections of the running loop, but not a client that was given."""
        made = self._made.get(running_loop())
        if made is not None:
            await made[1].aclose()

    def client(self) -> httpx.AsyncClient:
        """Return the client to use in the running loop."""
        if self._given is not None:
            return self._given
        loop = running_loop()
        made = self._made.get(loop)
        if made is None:
            forget_closed_loops(self._made)
            client = self._build()

            async def close() -> None:
                self._made.pop(loop, None)
                await client.aclose()

            made = self._made[loop] = client, begin(closing(close))
        return made[0]

    def _build(self) -> httpx.AsyncClient:
        settings = self.settings
        # httpx sets the protocols itself, so those that offer HTTP/2 have a context apart.
        protocols = ("http/1.1", "h2") if settings.http2 else ("http/1.1",)
        return httpx.AsyncClient(
            verify=tls_context(settings.ca_file, protocols),
            http2=settings.http2,
            proxy=settings.proxy,
            limits=_LIMITS,
            follow_redirects=False,
            trust_env=False,
        )


class _Exchange(Body):
    """One request and its answer: the async context manager, and the `HttpStream` it gives.

    No cancel scope stays open between two steps, so the steps may run in different tasks.
    """

    def __init__(self, owner: HttpxTransport, call: HttpCall) -> None:
        self._owner = owner
        self.settings = owner.settings
        self._call = call

    async def __aenter__(self) -> Self:
        call = self._call
        for name, value in call.headers.items():
            check_header(name, value)
        client = self._owner.client()
        self._deadline_s = anyio.current_time() + call.timeouts.total_s
        request = client.build_request(
            call.method,
            call.url,
            headers={**self.settings.headers, **call.headers},
            content=call.body,
            # Reading is limited step by step below; httpx has one limit for the first byte and the rest.
            timeout=httpx.Timeout(None, connect=call.timeouts.connect_s),
        )

        async def sent() -> httpx.Response:
            return await client.send(request, stream=True, follow_redirects=False)

        self._response = await self._waited(sent, "first_byte", call.timeouts.first_byte_s)
        self._body = self._response.aiter_bytes()
        self.status = self._response.status_code
        self.headers = {name.lower(): value for name, value in self._response.headers.items()}
        return self

    async def _waited(self, step: Callable[[], Awaitable[_T]], phase: str, limit_s: float) -> _T:
        """Await a step of httpx under the limit of its phase and of the whole call."""
        settings = self.settings
        try:
            with anyio.fail_after(min(limit_s, max(0.0, self._deadline_s - anyio.current_time()))):
                return await step()
        except httpx.ConnectTimeout:
            raise_timeout(settings, "connect", self._call.timeouts.connect_s)
        except TimeoutError:
            if anyio.current_time() + 1e-3 >= self._deadline_s:
                raise_timeout(settings, "total", self._call.timeouts.total_s)
            raise_timeout(settings, phase, limit_s)
        except httpx.DecodingError:
            raise malformed(settings.provider, "the answer is a body that cannot be decompressed") from None
        except (httpx.TransportError, anyio.ClosedResourceError) as error:
            raise self._explained(error) from None

    def _explained(self, error: Exception) -> Exception:
        if isinstance(error, httpx.ConnectError | httpx.ProxyError):
            return unreachable(self.settings, self._call.url, "no connection (refused, unknown host or TLS)")
        if isinstance(error, httpx.UnsupportedProtocol):
            return unreachable(self.settings, self._call.url, "not an http:// or https:// URL")
        return unreachable(
            self.settings,
            self._call.url,
            f"the connection broke or the answer is not HTTP ({type(error).__name__})",
        )

    async def next_chunk(self) -> bytes | None:
        """Return what has arrived of the body."""
        idle_s = self._call.timeouts.idle_s
        while (piece := await self._waited(self._piece, "idle", idle_s)) is not None:
            if piece:
                return piece
        return None

    async def _piece(self) -> bytes | None:
        return await anext(self._body, None)

    async def finish(self) -> None:
        """Wait a moment for the end of the body."""
        with anyio.move_on_after(FINISH_S):
            try:
                while await anext(self._body, None) is not None:
                    pass
            except httpx.TransportError:
                return

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # One more read, cancelled before it begins, ends httpx's nested generators from the innermost out:
        # trio minds generators that are left half read.
        with anyio.CancelScope() as scope, suppress(StopAsyncIteration, httpx.HTTPError, httpx.StreamError):
            scope.cancel()
            while True:
                await anext(self._body)
        # Shielded: a cancelled task could not close its connection otherwise.
        with anyio.CancelScope(shield=True):
            await self._response.aclose()
