"""The adapter for servers that speak OpenAI's chat completions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pointsman.protocols.plain import may_have_extensions, plain_chat
from pointsman.providers.answers import (
    checked_chunk,
    checked_completion,
    parsed,
    passed_on,
    usage_of,
)
from pointsman.providers.event_stream import EventStream
from pointsman.providers.http_provider import HttpProvider, ids_of
from pointsman.providers.provider import ProviderReply, written
from pointsman.providers.transport import HttpCall, malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from pointsman.providers.provider import ProviderCall, ProviderSettings
    from pointsman.providers.transport import HttpStream, Transport

_DONE = b"[DONE]"


class OpenAIProvider(HttpProvider):
    """Any OpenAI-compatible server."""

    def __init__(self, settings: ProviderSettings, transport: Callable[[], Transport]) -> None:
        super().__init__(settings, transport)
        self._chat_url = f"{self._base_url}/chat/completions"
        self._embeddings_url = f"{self._base_url}/embeddings"

    async def complete(self, call: ProviderCall) -> ProviderReply:
        """Get a whole answer."""
        body = _body_of(call)
        body.pop("stream", None)
        body.pop("stream_options", None)
        reply = await self._sent(self._http_call(call, body))
        answer = self._checked(reply.status, reply.body)
        return ProviderReply(body=answer, usage=usage_of(answer), headers=passed_on(reply.headers))

    def stream(self, call: ProviderCall) -> _OpenAIStream:
        """Get an answer as a stream; leaving closes the upstream connection."""
        options = call.body.get("stream_options")
        body = _body_of(call)
        body["stream"] = True
        body["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
        return _OpenAIStream(self, self._transport().stream(self._http_call(call, body)))

    async def embed(self, call: ProviderCall) -> ProviderReply:
        """Get embeddings; body and answer are OpenAI's for `/embeddings`. Errors as `complete`."""
        body = {**call.body, "model": call.upstream_model}
        http_call = HttpCall(
            "POST", self._embeddings_url, call.headers, written(body), self.settings.timeouts
        )
        reply = await self._sent(http_call)
        answer = parsed(self.name, reply.status, reply.body)
        data = answer.get("data")
        if not isinstance(data, list) or not data or not all(isinstance(item, dict) for item in data):
            raise malformed(self.name, "answered embeddings without `data`; check base_url", status=200)
        return ProviderReply(body=answer, usage=usage_of(answer), headers=passed_on(reply.headers))

    async def list_models(self) -> list[str]:
        """Return the names of the models the server serves, sorted."""
        return sorted(ids_of(await self._listed(f"{self._base_url}/models", "data")))

    def _http_call(self, call: ProviderCall, body: Mapping[str, Any]) -> HttpCall:
        data = written(body)
        if not self.settings.extensions and may_have_extensions(data):
            data = written(plain_chat(body))
        return HttpCall("POST", self._chat_url, call.headers, data, self.settings.timeouts)

    def _checked(self, status: int, body: bytes) -> dict[str, Any]:
        return checked_completion(self.name, status, body, self._secrets)


def _body_of(call: ProviderCall) -> dict[str, Any]:
    """The caller's body for this deployment: its model, and its tier or none."""
    body = {**call.body, "model": call.upstream_model}
    body.pop("service_tier", None)
    if call.service_tier is not None:
        body["service_tier"] = call.service_tier
    return body


class _OpenAIStream(EventStream):
    """A streamed answer; its chunks are passed on as they are."""

    END = "[DONE] or a finish reason"

    def __init__(self, provider: OpenAIProvider, context: AbstractAsyncContextManager[HttpStream]) -> None:
        super().__init__(provider.name, context, provider._error, provider._checked)
        self._secrets = provider._secrets
        self._is_finished = False
        """A finish reason was seen: only usage and `[DONE]` may follow."""

    async def __anext__(self) -> dict[str, Any]:
        while not self._payloads:
            if self._is_over:
                raise StopAsyncIteration
            await self._read()
        payload = self._payloads.popleft()
        if payload == _DONE:
            await self._finish()
            raise StopAsyncIteration
        return self._chunk(payload)

    def _ended(self) -> None:
        if self._is_finished:
            return
        last = self._parser.flush()
        if last == [_DONE]:
            return
        if last and last[0].startswith(b'{"error"'):
            self._payloads.extend(last)
            return
        raise self._broken()

    def _chunk(self, payload: bytes) -> dict[str, Any]:
        chunk = checked_chunk(self._name, payload, self._secrets)
        for choice in chunk.get("choices") or ():
            if choice.get("finish_reason"):
                self._is_finished = True
        if chunk.get("usage"):
            self.usage = usage_of(chunk) or self.usage
        return chunk
