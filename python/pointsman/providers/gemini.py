"""The adapter for Gemini's generateContent."""

from __future__ import annotations

import re
import time
from secrets import token_hex
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from pointsman.protocols.gemini_answers import (
    FAILURES,
    ChunksOfResponses,
    candidates_of,
    completion_of_response,
)
from pointsman.protocols.gemini_requests import generate_content_of_chat
from pointsman.providers.answers import embedded_error, error_of, parsed, passed_on, usage_of
from pointsman.providers.event_stream import EventStream
from pointsman.providers.http_provider import HttpProvider
from pointsman.providers.provider import ProviderReply, written
from pointsman.providers.transport import HttpCall, malformed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from pointsman.errors import ProviderError
    from pointsman.providers.provider import ProviderCall
    from pointsman.providers.transport import HttpStream

_DELAY = re.compile(r"(\d+(?:\.\d+)?)s")
# A page of the list of models.
_MAX_MODELS = 1000


class GeminiProvider(HttpProvider):
    """Google's Gemini API, or a server that speaks it."""

    async def complete(self, call: ProviderCall) -> ProviderReply:
        """Get a whole answer."""
        reply = await self._sent(self._http_call(call, "generateContent"))
        response = self._checked(reply.status, reply.body)
        if not candidates_of(response):
            raise malformed(self.name, "answered without `candidates`; check base_url and kind", status=200)
        answer = completion_of_response(response, int(time.time()), token_hex(8))
        return ProviderReply(body=answer, usage=usage_of(answer), headers=passed_on(reply.headers))

    def stream(self, call: ProviderCall) -> _GeminiStream:
        """Get an answer as a stream; leaving closes the upstream connection."""
        http_call = self._http_call(call, "streamGenerateContent?alt=sse")
        return _GeminiStream(self, self._transport().stream(http_call))

    async def list_models(self) -> list[str]:
        """Return the names of the models that generate content, sorted."""
        url = f"{self._base_url}/models?pageSize={_MAX_MODELS}"
        return sorted(_served(await self._listed(url, "models")))

    def _http_call(self, call: ProviderCall, verb: str) -> HttpCall:
        body = generate_content_of_chat(call.body, call.upstream_model)
        if call.service_tier is not None:
            body["serviceTier"] = call.service_tier
        model = quote(call.upstream_model.removeprefix("models/"), safe="")
        url = f"{self._base_url}/models/{model}:{verb}"
        return HttpCall("POST", url, call.headers, written(body), self.settings.timeouts)

    def _checked(self, status: int, body: bytes) -> dict[str, Any]:
        """A response, or part of a stream's: candidates are objects, and none failed."""
        response = parsed(self.name, status, body)
        if response.get("error"):
            raise embedded_error(self.name, response["error"], self._secrets)
        candidates = response.get("candidates") or []
        if not isinstance(candidates, list) or not all(map(_is_candidate, candidates)):
            raise malformed(self.name, "answered with `candidates` that are not candidates", status=status)
        for candidate in candidates:
            if candidate.get("finishReason") in FAILURES:
                reason = candidate["finishReason"]
                raise malformed(self.name, f"the model gave no usable answer ({reason})", status=status)
        return response

    def _error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        details = list(_details(body))
        # Gemini calls a bad key a bad request.
        if status == 400 and any(detail.get("reason") == "API_KEY_INVALID" for detail in details):
            status = 401
        error = error_of(self.name, status, headers, body, secrets=self._secrets)
        if error.retryable and error.retry_after_s is None:
            error.retry_after_s = _retry_delay_s(details)
        return error


def _served(models: Iterable[Any]) -> Iterator[str]:
    for model in models:
        if isinstance(model, dict) and isinstance(model.get("name"), str):
            methods = model.get("supportedGenerationMethods")
            if methods is None or "generateContent" in methods:
                yield model["name"].removeprefix("models/")


def _is_candidate(candidate: Any) -> bool:
    if not isinstance(candidate, dict):
        return False
    content = candidate.get("content") or {}
    if not isinstance(content, dict):
        return False
    parts = content.get("parts") or []
    return isinstance(parts, list) and all(isinstance(part, dict) for part in parts)


def _details(body: bytes) -> Iterator[dict[str, Any]]:
    """The details of an error body, as Google's APIs give them."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return
    error = document.get("error") if isinstance(document, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    yield from (detail for detail in details or () if isinstance(detail, dict))


def _retry_delay_s(details: Iterable[Mapping[str, Any]]) -> float | None:
    """What `google.rpc.RetryInfo` asks to wait, in seconds."""
    for detail in details:
        if found := _DELAY.fullmatch(str(detail.get("retryDelay", ""))):
            return float(found[1])
    return None


class _GeminiStream(EventStream):
    """A streamed answer as chat chunks."""

    END = "a finishReason"

    def __init__(self, provider: GeminiProvider, context: AbstractAsyncContextManager[HttpStream]) -> None:
        super().__init__(provider.name, context, provider._error, provider._checked)
        self._checked = provider._checked
        self._translator = ChunksOfResponses(int(time.time()), token_hex(8))

    def _translate(self, payload: bytes) -> Iterable[dict[str, Any]]:
        chunks = self._translator.feed(self._checked(200, payload))
        if self._translator.usage is not None:
            self.usage = usage_of({"usage": self._translator.usage})
        return chunks

    def _ended(self) -> None:
        # Gemini's streams have no end of their own: the usage may come after the last finishReason.
        for payload in self._parser.flush():
            self._chunks.extend(self._translate(payload))
        if not self._translator.is_finished:
            raise self._broken()
        self._chunks.append(self._translator.last())
