"""How bytes reach a provider: a small interface that adapters speak, and every HTTP client can implement.

A transport belongs to one provider. It raises `ProviderTimeout` and `ProviderUnreachable` itself; any HTTP
status is an answer, not an error. A call left early, cancelled or out of a stream's `async with`, closes its
connection at once (`PyreqwestTransport` documents where it cannot).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn, Protocol
from urllib.parse import urlsplit

from anyio import CancelScope

from pointsman.errors import ProviderError, ProviderTimeout, ProviderUnreachable, RequestError
from pointsman.quick import quick

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

MAX_BODY_BYTES = 64 * 2**20
"""Largest answer read whole; a chat completion with images is a few MB."""

MAX_HEAD_BYTES = 128 * 2**10
"""Largest status line and headers; h11 refuses more than 100 KiB, hyper more than about 400 KiB."""

FINISH_S = 0.05
"""How long the end of a complete answer is waited for, so that its connection can be used again."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long each phase of a call may take, seconds.

    Attributes:
        connect_s: Until a connection stands, TLS included.
        first_byte_s: From the request sent until the answer's headers.
        idle_s: Between two chunks of the answer.
        total_s: The whole call, connecting included.
    """

    connect_s: float = 5.0
    first_byte_s: float = 120.0
    idle_s: float = 60.0
    total_s: float = 600.0


DEFAULT_TIMEOUTS = Timeouts()


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """What a transport needs to know once, when its client is built.

    Attributes:
        provider: Name of the provider, for error messages.
        headers: Headers of every request, credentials included; never printed.
        connect_s: Time limit of connecting, for clients that take it only when built.
        http2: Whether to offer HTTP/2 (by ALPN, so only over TLS).
        proxy: URL of an HTTP proxy; `None`: connect directly.
        ca_file: PEM file of further root certificates to trust.
    """

    provider: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    connect_s: float = 5.0
    http2: bool = False
    proxy: str | None = field(default=None, repr=False)
    ca_file: str | None = None


@quick
@dataclass(frozen=True, slots=True)
class HttpCall:
    """One request. `headers` come on top of the transport's own and win over them."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    timeouts: Timeouts = DEFAULT_TIMEOUTS


@quick
@dataclass(frozen=True, slots=True)
class HttpReply:
    """A whole answer. Header names are lower-case; of a repeated header the last value stands."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class HttpStream(Protocol):
    """An answer whose status and headers are there, and whose body is still coming."""

    @property
    def status(self) -> int:
        """HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers, lower-case names."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives, never an empty chunk. May be iterated once."""

    async def read(self) -> bytes:
        """Return what is left of the body, at most `MAX_BODY_BYTES`."""

    async def finish(self) -> None:
        """Wait `FINISH_S` at most for the end of a body that holds nothing more of interest."""


class Body:
    """The reading half of an `HttpStream`, for transports to build on: they give `next_chunk`.

    An iterator of its own rather than an async generator, which trio refuses to see left half read.
    """

    settings: TransportSettings

    async def next_chunk(self) -> bytes | None:
        """Return the next piece of the body, never an empty one; `None` at its end."""
        raise NotImplementedError

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives."""
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = await self.next_chunk()
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def read(self) -> bytes:
        """Return what is left of the body."""
        pieces: list[bytes] = []
        n_bytes = 0
        while (piece := await self.next_chunk()) is not None:
            pieces.append(piece)
            n_bytes += len(piece)
            if n_bytes > MAX_BODY_BYTES:
                reason = f"the answer is larger than {MAX_BODY_BYTES} bytes"
                raise malformed(self.settings.provider, reason)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class Transport(Protocol):
    """Sends requests to one provider."""

    async def send(self, call: HttpCall) -> HttpReply:
        """Send a request and read the whole answer.

        Raises:
            ProviderTimeout: A phase took longer than `call.timeouts` allows.
            ProviderUnreachable: No connection, or it broke before the answer was complete.
            ProviderError: The answer is not HTTP, or larger than `MAX_BODY_BYTES`.
        """

    def stream(self, call: HttpCall) -> AbstractAsyncContextManager[HttpStream]:
        """Send a request; entering waits for status and headers, leaving closes. Errors as `send`."""

    async def aclose(self) -> None:
        """Close all connections. Safe to call twice; a later call opens new ones."""


class Sender:
    """What the transports have in common: checked headers, and whole answers read from streamed ones."""

    def __init__(self, settings: TransportSettings) -> None:
        for name, value in settings.headers.items():
            check_header(name, value)
        self.settings = settings

    async def send(self, call: HttpCall) -> HttpReply:
        """Send a request and read the whole answer."""
        async with self.stream(call) as answer:
            return HttpReply(answer.status, answer.headers, await answer.read())

    def stream(self, call: HttpCall) -> AbstractAsyncContextManager[HttpStream]:
        """Send a request; entering waits for status and headers, leaving closes."""
        raise NotImplementedError


async def closing(close: Callable[[], Awaitable[None]]) -> AsyncGenerator[None]:
    """Call `close` when the running loop shuts down, before it is closed.

    asyncio and trio end the async generators they have seen begin; that is the one moment, after the last
    task, at which connections can still be closed. Keep the generator: it closes too when it is lost.
    """
    try:
        yield
    finally:
        with CancelScope(shield=True):
            await close()


def begin(generator: AsyncGenerator[None]) -> AsyncGenerator[None]:
    """Run a generator to its first `yield`, which it reaches without waiting; the loop knows it then."""
    with suppress(StopIteration):
        generator.__anext__().__await__().__next__()
    return generator


def forget_closed_loops(by_loop: dict[Any, Any]) -> None:
    """Take out what belongs to asyncio loops that are closed.

    It does not go by itself, whatever kind the references to the loop are: connections hold their loop. Once
    out, the garbage collector closes what a loop left open that was closed without being shut down.
    """
    # A copy in one step: another thread's loop may be added meanwhile.
    for loop in list(by_loop):
        if isinstance(loop, asyncio.AbstractEventLoop) and loop.is_closed():
            by_loop.pop(loop, None)


def raise_timeout(settings: TransportSettings, phase: str, limit_s: float) -> NoReturn:
    """Raise the error of a phase that took too long."""
    raise ProviderTimeout(
        f"provider {settings.provider!r}: {phase} took longer than {limit_s:g} s; "
        f"raise timeouts.{phase}_s or try again",
        provider=settings.provider,
        phase=phase,
    )


def unreachable(settings: TransportSettings, url: str, reason: str) -> ProviderUnreachable:
    """The error of a connection that could not be made or broke; names scheme, host and port only."""
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
    return ProviderUnreachable(
        f"provider {settings.provider!r}: {where}: {reason}", provider=settings.provider
    )


def malformed(provider: str, reason: str, *, status: int | None = None) -> ProviderError:
    """The error of an answer that cannot be understood."""
    return ProviderError(
        f"provider {provider!r}: {reason}", provider=provider, code="provider_malformed", status=status
    )


def check_header(name: str, value: str) -> None:
    """Refuse a header that would break out of its line (or that no client can encode).

    Raises:
        RequestError: Names the header, not the value: it may be a secret.
    """
    if not name or not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
        raise RequestError(f"header name {name!r} is not a token; use letters, digits and '-'", param=name)
    if not value.isprintable() or not value.isascii():
        raise RequestError(
            f"header {name!r}: the value holds a control or non-ASCII character; remove it", param=name
        )


@lru_cache(maxsize=32)
def tls_context(ca_file: str | None, protocols: tuple[str, ...]) -> ssl.SSLContext:
    """Return the TLS context of all connections that trust these roots and offer these protocols.

    Roots are httpx's, certifi's or SSL_CERT_FILE's, so that asyncio and httpx trust the same. Reading them
    takes some 20 ms; it is done once, and not on import.
    """
    from httpx import create_ssl_context

    context = create_ssl_context()
    context.set_alpn_protocols(list(protocols))
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    return context


def running_loop() -> object:
    """Return what connections belong to: the running asyncio loop, or trio's token.

    Raises:
        RuntimeError: Called outside of both.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        from trio.lowlevel import current_trio_token

        return current_trio_token()
