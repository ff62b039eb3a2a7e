"""`POST /v1/messages` and `POST /v1/messages/count_tokens`: Anthropic's Messages API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pointsman.gateway.asgi import send_json
from pointsman.gateway.endpoint import Exchange, RoutedEndpoint
from pointsman.gateway.headers import decision_headers
from pointsman.gateway.translated import TranslatedEndpoint
from pointsman.protocols.messages_answers import EventsOfChunks, message_of_completion, messages_error
from pointsman.protocols.messages_requests import chat_of_messages

if TYPE_CHECKING:
    from pointsman._native import Decision
    from pointsman.gateway.failure import Failure
    from pointsman.gateway.translated import Event


def shaped(failure: Failure) -> dict[str, Any]:
    """A failure in Anthropic's shape."""
    return messages_error(failure.status, failure.body["error"])


class MessagesEndpoint(TranslatedEndpoint):
    """Anthropic's messages, answered by the deployment that was decided on."""

    def to_chat(self, body: Any) -> dict[str, Any]:
        """The chat body of a request."""
        return chat_of_messages(body)

    def from_chat(self, completion: dict[str, Any], asked: Any) -> dict[str, Any]:
        """The message that a chat completion is."""
        return message_of_completion(completion)

    def translator(self, decision: Decision, asked: Any) -> _Events:
        """What turns chunks into events."""
        return _Events(decision.n_input_tokens)

    def shape(self, failure: Failure) -> dict[str, Any]:
        """The body of an error."""
        return shaped(failure)


class _Events(EventsOfChunks):
    def fail(self, failure: Failure) -> list[Event]:
        return [("error", shaped(failure))]


class CountTokensEndpoint(RoutedEndpoint):
    """How many tokens a request's input has, as the core counts them."""

    async def answer(self, exchange: Exchange) -> None:
        """Decide, which counts them, and call nobody."""
        _, decision = await exchange.decide(chat_of_messages)
        headers = decision_headers(decision, exchange.elapsed_us)
        await send_json(exchange.send, 200, {"input_tokens": decision.n_input_tokens}, headers)

    def shape(self, failure: Failure) -> dict[str, Any]:
        """The body of an error."""
        return shaped(failure)
