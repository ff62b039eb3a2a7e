"""`POST /v1/responses`: OpenAI's Responses API, without a store of conversations."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pointsman.gateway.translated import TranslatedEndpoint
from pointsman.protocols.responses_answers import ResponseEvents, response_of_completion
from pointsman.protocols.responses_requests import chat_of_responses

if TYPE_CHECKING:
    from pointsman._native import Decision
    from pointsman.gateway.failure import Failure
    from pointsman.gateway.translated import Event


class ResponsesEndpoint(TranslatedEndpoint):
    """OpenAI's responses, answered by the deployment that was decided on."""

    def to_chat(self, body: Any) -> dict[str, Any]:
        """The chat body of a request."""
        return chat_of_responses(body)

    def from_chat(self, completion: dict[str, Any], asked: Any) -> dict[str, Any]:
        """The response that a chat completion is."""
        return response_of_completion(completion, asked)

    def translator(self, decision: Decision, asked: Any) -> _Events:
        """What turns chunks into events."""
        return _Events(asked, int(time.time()))


class _Events(ResponseEvents):
    def fail(self, failure: Failure) -> list[Event]:
        return self.failed(failure.body["error"])
