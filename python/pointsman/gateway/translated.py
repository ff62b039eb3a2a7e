"""Endpoints of other protocols than chat: translate to a chat body, route as chat, translate back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pointsman.gateway.asgi import (
    ClientWatch,
    end_events,
    send_json,
    send_named_events,
    start_events,
)
from pointsman.gateway.chat import explained_answer, explained_stream
from pointsman.gateway.endpoint import Exchange, RoutedEndpoint
from pointsman.gateway.failure import Failure
from pointsman.gateway.headers import completion_headers, stream_headers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pointsman._native import Decision
    from pointsman.router import ChatRequest, CompletionStream
    from pointsman.types import Usage

Event = tuple[str, dict[str, Any]]


class Translator(Protocol):
    """Turns the chunks of one answer into the events of a protocol."""

    def feed(self, chunk: Mapping[str, Any]) -> Iterable[Event]:
        """The events that a chunk stands for."""

    def finish(self, usage: Mapping[str, Any]) -> list[Event]:
        """The events that end the answer; `usage` is the chat usage where no chunk had one."""

    def fail(self, failure: Failure) -> Iterable[Event]:
        """The events that end the answer because it broke."""


class TranslatedEndpoint(RoutedEndpoint):
    """An endpoint whose requests run as chat; subclasses know the protocol."""

    def to_chat(self, body: Any) -> dict[str, Any]:
        """The chat body of a request.

        Raises:
            RequestError: It is none, or asks for what chat has no concept of.
        """
        raise NotImplementedError

    def from_chat(self, completion: dict[str, Any], asked: Any) -> dict[str, Any]:
        """The answer that a chat completion with a usage is; `asked` is the request's body."""
        raise NotImplementedError

    def translator(self, decision: Decision, asked: Any) -> Translator:
        """What turns chunks into events, for one answer."""
        raise NotImplementedError

    async def answer(self, exchange: Exchange) -> None:
        """Translate, decide, call, and answer whole or as a stream."""
        asked: Any = None

        def to_chat(body: Any) -> dict[str, Any]:
            nonlocal asked
            asked = body
            return self.to_chat(body)

        chat, decision = await exchange.decide(to_chat)
        if not chat.request.stream:
            await self._complete(exchange, chat, decision, asked)
            return
        stream = exchange.router.run_stream(chat, decision, exchange.started_s)
        with ClientWatch(exchange.receive):
            async with stream:
                await self._relay(exchange, chat, stream, self.translator(decision, asked))

    async def _complete(self, exchange: Exchange, chat: ChatRequest, decision: Decision, asked: Any) -> None:
        with ClientWatch(exchange.receive):
            answer = await exchange.router.run(chat, decision, exchange.started_s)
        completion = {**answer.body, "usage": answer.body.get("usage") or chat_usage(answer.usage)}
        body = self.from_chat(completion, asked)
        if chat.explain:
            body["pointsman_metadata"] = explained_answer(answer, chat.key)
        await send_json(exchange.send, 200, body, completion_headers(answer))

    async def _relay(
        self, exchange: Exchange, chat: ChatRequest, stream: CompletionStream, translator: Translator
    ) -> None:
        overhead_us = stream.overhead_us
        exchange.has_begun = True
        await start_events(exchange.send, stream_headers(stream, overhead_us))
        try:
            async for chunk in stream:
                await send_named_events(exchange.send, translator.feed(chunk))
        except Exception as error:  # the head is sent: only an event can still tell the client
            failure = Failure.of(error, stream.decision.decision_id)
            await send_named_events(exchange.send, translator.fail(failure))
        else:
            events = translator.finish(chat_usage(stream.usage))
            if chat.explain:
                events[-1][1]["pointsman_metadata"] = explained_stream(stream, overhead_us, chat.key)
            await send_named_events(exchange.send, events)
        await end_events(exchange.send, done=False)


def chat_usage(usage: Usage) -> dict[str, Any]:
    """Tokens used, in OpenAI's shape."""
    return {
        "prompt_tokens": usage.n_input_tokens,
        "completion_tokens": usage.n_output_tokens,
        "total_tokens": usage.n_input_tokens + usage.n_output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.n_cached_input_tokens,
            "cache_write_tokens": usage.n_cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.n_reasoning_tokens or 0},
    }
