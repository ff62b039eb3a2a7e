"""The adapter for servers that speak OpenAI's chat completions."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import orjson

from pointsman.errors import ProviderError, RequestError
from pointsman.providers.answers import (
    checked_chunk,
    checked_completion,
    error_of,
    parsed,
    passed_on,
    secrets_of,
    usage_of,
)
from pointsman.providers.provider import ProviderReply
from pointsman.providers.sse import EventTooLargeError, SseParser
from pointsman.providers.transport import HttpCall, malformed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType
    from typing import Self

    from pointsman.providers.provider import ProviderCall, ProviderSettings
    from pointsman.providers.transport import HttpStream, Transport
    from pointsman.types import Usage

_DONE = b"[DONE]"


class OpenAIProvider:
    """Any OpenAI-compatible server.

    Args:
        settings: Where it is and how to reach it.
        transport: Returns the transport to use in the running async library, the same one every time.
    """

    def __init__(self, settings: ProviderSettings, transport: Callable[[], Transport]) -> None:
        self.settings = settings
        self._secrets = secrets_of(settings)
        self._transport = transport
        base_url = settings.base_url.rstrip("/")
        self._chat_url = f"{base_url}/chat/completions"
        self._models_url = f"{base_url}/models"

    @property
    def name(self) -> str:
        """Name of the provider in the catalog."""
        return self.settings.name

    async def complete(self, call: ProviderCall) -> ProviderReply:
        """Get a whole answer."""
        body = _body_of(call)
        body.pop("stream", None)
        body.pop("stream_options", None)
        reply = await self._transport().send(self._http_call(call, body))
        if reply.status != 200:
            raise self._error(reply.status, reply.headers, reply.body)
        answer = checked_completion(self.name, reply.status, reply.body, self._secrets)
        return ProviderReply(body=answer, usage=usage_of(answer), headers=passed_on(reply.headers))

    def stream(self, call: ProviderCall) -> _OpenAIStream:
        """Get an answer as a stream; leaving closes the upstream connection."""
        options = call.body.get("stream_options")
        body = _body_of(call)
        body["stream"] = True
        body["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
        return _OpenAIStream(self, self._transport().stream(self._http_call(call, body)))

    async def list_models(self) -> list[str]:
        """Return the names of the models the server serves, sorted."""
        call = HttpCall("GET", self._models_url, timeouts=self.settings.timeouts)
        reply = await self._transport().send(call)
        if reply.status != 200:
            raise self._error(reply.status, reply.headers, reply.body)
        models = parsed(self.name, reply.status, reply.body).get("data")
        if not isinstance(models, list):
            raise malformed(self.name, "the list of models has no `data`; check base_url", status=200)
        return sorted(
            model["id"] for model in models if isinstance(model, dict) and isinstance(model.get("id"), str)
        )

    async def aclose(self) -> None:
        """Close all connections of the running async library."""
        await self._transport().aclose()

    def __repr__(self) -> str:
        return f"OpenAIProvider({self.settings!r})"

    def _http_call(self, call: ProviderCall, body: Mapping[str, Any]) -> HttpCall:
        try:
            data = orjson.dumps(body)
        except TypeError as error:
            # orjson names the reason, not the value.
            raise RequestError(f"the request cannot be written as JSON: {error}") from None
        return HttpCall("POST", self._chat_url, call.headers, data, self.settings.timeouts)

    def _error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        return error_of(self.name, status, headers, body, secrets=self._secrets)


def _body_of(call: ProviderCall) -> dict[str, Any]:
    """The caller's body for this deployment: its model, and its tier or none."""
    body = {**call.body, "model": call.upstream_model}
    body.pop("service_tier", None)
    if call.service_tier is not None:
        body["service_tier"] = call.service_tier
    return body


class _OpenAIStream:
    """One streamed answer: the async context manager, and the `ProviderStream` it gives.

    An iterator of its own rather than an async generator: it may be left half read, and be read from another
    task than the one that opened it.
    """

    def __init__(self, provider: OpenAIProvider, context: AbstractAsyncContextManager[HttpStream]) -> None:
        self._provider = provider
        self._context = context
        self._parser = SseParser()
        self._payloads: deque[bytes] = deque()
        self._is_finished = False
        """A finish reason was seen: only usage and `[DONE]` may follow."""
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
        self._chunks = self._http.chunks()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._context.__aexit__(kind, error, trace)

    async def _check_head(self, http: HttpStream) -> None:
        provider = self._provider
        if http.status != 200:
            raise provider._error(http.status, http.headers, await http.read())
        content_type = http.headers.get("content-type", "text/event-stream").partition(";")[0].strip().lower()
        if content_type == "text/event-stream":
            return
        if content_type == "application/json":
            checked_completion(provider.name, http.status, await http.read(), provider._secrets)
        shown = content_type if content_type.isascii() and content_type.isprintable() else "?"
        raise malformed(
            provider.name, f"answered a stream with content-type {shown[:60]!r}; check base_url", status=200
        )

    def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        return self

    async def __anext__(self) -> dict[str, Any]:
        while not self._payloads:
            if self._is_over:
                raise StopAsyncIteration
            await self._read()
        payload = self._payloads.popleft()
        if payload == _DONE:
            self._is_over = True
            self._payloads.clear()
            await self._http.finish()
            raise StopAsyncIteration
        return self._chunk(payload)

    async def _read(self) -> None:
        """Take the next piece of the body, or notice its end."""
        piece = await anext(self._chunks, None)
        if piece is not None:
            try:
                self._payloads.extend(self._parser.feed(piece))
            except EventTooLargeError as error:
                raise malformed(self._provider.name, f"the stream cannot be read: {error}") from None
            return
        self._is_over = True
        if self._is_finished:
            return
        last = self._parser.flush()
        if last == [_DONE]:
            return
        if last and last[0].startswith(b'{"error"'):
            self._payloads.extend(last)
            return
        raise ProviderError(
            f"provider {self._provider.name!r}: the stream ended without [DONE] or a finish reason",
            provider=self._provider.name,
            code="provider_stream_broken",
            status=200,
        )

    def _chunk(self, payload: bytes) -> dict[str, Any]:
        chunk = checked_chunk(self._provider.name, payload, self._provider._secrets)
        for choice in chunk.get("choices") or ():
            if choice.get("finish_reason"):
                self._is_finished = True
        if chunk.get("usage"):
            self.usage = usage_of(chunk) or self.usage
        return chunk
