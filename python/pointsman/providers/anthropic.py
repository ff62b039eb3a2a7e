"""The adapter for Anthropic's Messages API."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import orjson

from pointsman.protocols.anthropic_answers import ChunksOfEvents, completion_of_message
from pointsman.protocols.anthropic_requests import messages_of_chat
from pointsman.protocols.fields import refused
from pointsman.providers.answers import embedded_error, error_of, parsed, passed_on, usage_of
from pointsman.providers.event_stream import EventStream
from pointsman.providers.http_provider import HttpProvider, ids_of
from pointsman.providers.provider import ProviderReply, written
from pointsman.providers.transport import HttpCall, malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractAsyncContextManager

    from pointsman.errors import ProviderError, RequestError
    from pointsman.providers.provider import ProviderCall, ProviderSettings
    from pointsman.providers.transport import HttpStream, Transport

API_VERSION = "2023-06-01"
"""The `anthropic-version` that is sent unless the provider's `headers` say another; later ones take no
`temperature`, `top_p` and `top_k` from any model."""

# Of errors within a stream, which have no status of their own.
_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
# What newer models say of parameters that older ones take.
_UNSUPPORTED = re.compile(
    r"\b(temperature|top_p|top_k)\b[^.]*\b(?:deprecated|permitted|supported|unsupported)"
)
# A page of the list of models.
_MAX_MODELS = 1000


class AnthropicProvider(HttpProvider):
    """Anthropic, or a server that speaks its Messages API."""

    def __init__(self, settings: ProviderSettings, transport: Callable[[], Transport]) -> None:
        super().__init__(settings, transport)
        self._messages_url = f"{self._base_url}/messages"

    async def complete(self, call: ProviderCall) -> ProviderReply:
        """Get a whole answer."""
        reply = await self._sent(self._http_call(call, is_stream=False))
        answer = completion_of_message(self._checked(reply.status, reply.body), int(time.time()))
        return ProviderReply(body=answer, usage=usage_of(answer), headers=passed_on(reply.headers))

    def stream(self, call: ProviderCall) -> _AnthropicStream:
        """Get an answer as a stream; leaving closes the upstream connection."""
        return _AnthropicStream(self, self._transport().stream(self._http_call(call, is_stream=True)))

    async def list_models(self) -> list[str]:
        """Return the names of the models the server serves, sorted."""
        return sorted(ids_of(await self._listed(f"{self._base_url}/models?limit={_MAX_MODELS}", "data")))

    def _http_call(self, call: ProviderCall, *, is_stream: bool) -> HttpCall:
        body = messages_of_chat(call.body, call.max_output_tokens)
        body.pop("stream", None)
        if is_stream:
            body["stream"] = True
        if call.service_tier == "priority":
            # Capacity that was bought where there is some, else the standard one.
            body["service_tier"] = "auto"
        body["model"] = call.upstream_model
        return HttpCall("POST", self._messages_url, call.headers, written(body), self.settings.timeouts)

    def _checked(self, status: int, body: bytes) -> dict[str, Any]:
        """A 200's message: its content is a list of objects."""
        message = parsed(self.name, status, body)
        if message.get("type") == "error":
            raise self._embedded(message.get("error"))
        content = message.get("content")
        if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
            raise malformed(
                self.name, "answered without a `content` of blocks; check base_url and kind", status=status
            )
        return message

    def _embedded(self, error: object) -> ProviderError:
        if isinstance(error, dict) and error.get("type") in _STATUSES:
            error = {**error, "status": _STATUSES[error["type"]]}
        return embedded_error(self.name, error, self._secrets)

    def _error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError | RequestError:
        error = error_of(self.name, status, headers, body, secrets=self._secrets)
        said = _UNSUPPORTED.search(str((error.body or {}).get("message"))) if status == 400 else None
        if said is None:
            return error
        # Another deployment may take it, as with what no model of Anthropic's does.
        return refused(said[1], "this model takes none; drop it, or choose a model elsewhere")


class _AnthropicStream(EventStream):
    """A streamed message as chat chunks."""

    END = "message_stop"

    def __init__(self, provider: AnthropicProvider, context: AbstractAsyncContextManager[HttpStream]) -> None:
        super().__init__(provider.name, context, provider._error, provider._checked)
        self._embedded = provider._embedded
        self._translator = ChunksOfEvents(int(time.time()))

    def _translate(self, payload: bytes) -> Iterable[dict[str, Any]]:
        try:
            event = orjson.loads(payload)
        except orjson.JSONDecodeError:
            event = None
        if not isinstance(event, dict):
            raise malformed(self._name, "an event of the stream is not a JSON object", status=200)
        if event.get("type") == "error":
            raise self._embedded(event.get("error"))
        chunks = self._translator.feed(event)
        self._is_done = self._translator.is_finished
        if self._is_done:
            self.usage = usage_of(chunks[-1])
        return chunks
