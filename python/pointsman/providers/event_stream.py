"""What streamed answers of all protocols share: the connection, its head, and events cut from bytes."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from pointsman.errors import ProviderError
from pointsman.providers.answers import passed_on
from pointsman.providers.sse import EventTooLargeError, SseParser
from pointsman.providers.transport import malformed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType
    from typing import Self

    from pointsman.providers.transport import HttpStream
    from pointsman.types import Usage


class EventStream:
    """One streamed answer: the async context manager, and the `ProviderStream` it gives.

    An iterator of its own rather than an async generator: it may be left half read, and be read from another
    task than the one that opened it. Subclasses turn payloads of events into chunks.

    Args:
        name: Name of the provider.
        context: The HTTP call.
        error: Makes the error of an answer that is none, of its status, headers and body.
        check_whole: Raises if the body of a 200 that is JSON, not a stream, holds an error.
    """

    END = "an end"
    """What a whole answer ends with, for the error."""

    def __init__(
        self,
        name: str,
        context: AbstractAsyncContextManager[HttpStream],
        error: Callable[[int, dict[str, str], bytes], Exception],
        check_whole: Callable[[int, bytes], object],
    ) -> None:
        self._name = name
        self._context = context
        self._error = error
        self._check_whole = check_whole
        self._parser = SseParser()
        self._payloads: deque[bytes] = deque()
        self._chunks: deque[dict[str, Any]] = deque()
        self._is_done = False
        """All that was asked for is there, though the body may go on."""
        self._is_over = False
        self.headers: dict[str, str] = {}
        self.usage: Usage | None = None

    async def __aenter__(self) -> Self:
        self._http = await self._context.__aenter__()
        try:
            await self._check_head(self._http)
        except BaseException as error:
            await self._context.__aexit__(type(error), error, error.__traceback__)
            raise
        self.headers = passed_on(self._http.headers)
        self._pieces = self._http.chunks()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._context.__aexit__(kind, error, trace)

    async def _check_head(self, http: HttpStream) -> None:
        if http.status != 200:
            raise self._error(http.status, dict(http.headers), await http.read())
        content_type = http.headers.get("content-type", "text/event-stream").partition(";")[0].strip().lower()
        if content_type == "text/event-stream":
            return
        if content_type == "application/json":
            self._check_whole(http.status, await http.read())
        shown = content_type if content_type.isascii() and content_type.isprintable() else "?"
        raise malformed(
            self._name, f"answered a stream with content-type {shown[:60]!r}; check base_url", status=200
        )

    def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        return self

    async def __anext__(self) -> dict[str, Any]:
        while not self._chunks:
            if self._is_done and not self._is_over:
                await self._finish()
            elif self._payloads:
                self._chunks.extend(self._translate(self._payloads.popleft()))
            elif self._is_over:
                raise StopAsyncIteration
            else:
                await self._read()
        return self._chunks.popleft()

    async def _read(self) -> None:
        """Take the next piece of the body, or notice its end."""
        piece = await anext(self._pieces, None)
        if piece is not None:
            try:
                self._payloads.extend(self._parser.feed(piece))
            except EventTooLargeError as error:
                raise malformed(self._name, f"the stream cannot be read: {error}") from None
            return
        self._is_over = True
        self._ended()

    async def _finish(self) -> None:
        """Let the connection be used again."""
        self._is_over = True
        self._payloads.clear()
        await self._http.finish()

    def _broken(self) -> ProviderError:
        return ProviderError(
            f"provider {self._name!r}: the stream ended without {self.END}",
            provider=self._name,
            code="provider_stream_broken",
            status=200,
        )

    def _ended(self) -> None:
        """Raise, unless the answer is whole: the body has ended, perhaps within an event."""
        for payload in self._parser.flush():
            self._chunks.extend(self._translate(payload))
        if not self._is_done:
            raise self._broken()

    def _translate(self, payload: bytes) -> Iterable[dict[str, Any]]:
        """The chunks that an event stands for; sets `_is_done` at the last one."""
        raise NotImplementedError
