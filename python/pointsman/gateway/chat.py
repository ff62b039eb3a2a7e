"""`POST /v1/chat/completions` and `POST /v1/route`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson

from pointsman.gateway.asgi import ClientWatch, end_events, send_event, send_json, start_events
from pointsman.gateway.endpoint import Exchange, RoutedEndpoint
from pointsman.gateway.failure import Failure
from pointsman.gateway.guard import known_to
from pointsman.gateway.headers import completion_headers, decision_headers, stream_headers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pointsman._native import Decision
    from pointsman.keys import Key
    from pointsman.router import ChatRequest, CompletionStream
    from pointsman.types import AnsweredBy, Attempt, Completion, Usage


class RouteEndpoint(RoutedEndpoint):
    """A decision without a call."""

    async def answer(self, exchange: Exchange) -> None:
        """Answer with the Decision and all its candidates, as it would be carried out now."""
        chat, decision = await exchange.decide()
        decision = exchange.router.foreseen(chat, decision)
        overhead_us = exchange.elapsed_us
        body: Any = orjson.Fragment(decision.to_json(overhead_us))
        if chat.key is not None:
            body = decided(decision, overhead_us, chat.key)
        await send_json(exchange.send, 200, body, decision_headers(decision, overhead_us))


class ChatEndpoint(RoutedEndpoint):
    """OpenAI's chat completions, answered by the deployment that was decided on."""

    async def answer(self, exchange: Exchange) -> None:
        """Decide, call, and answer whole or as a stream."""
        chat, decision = await exchange.decide()
        if chat.request.stream:
            await self._stream(exchange, chat, decision)
        else:
            await self._complete(exchange, chat, decision)

    async def _complete(self, exchange: Exchange, chat: ChatRequest, decision: Decision) -> None:
        with ClientWatch(exchange.receive):
            answer = await exchange.router.run(chat, decision, exchange.started_s)
        body = answer.body
        if chat.explain:
            body["pointsman_metadata"] = explained_answer(answer, chat.key)
        await send_json(exchange.send, 200, body, completion_headers(answer))

    async def _stream(self, exchange: Exchange, chat: ChatRequest, decision: Decision) -> None:
        stream = exchange.router.run_stream(chat, decision, exchange.started_s)
        with ClientWatch(exchange.receive):
            async with stream:
                await self._relay(exchange, chat, stream)

    async def _relay(self, exchange: Exchange, chat: ChatRequest, stream: CompletionStream) -> None:
        overhead_us = stream.overhead_us
        exchange.has_begun = True
        await start_events(exchange.send, stream_headers(stream, overhead_us))
        try:
            async for chunk in stream:
                if chunk.get("choices") or chat.wants_usage:
                    await send_event(exchange.send, _as_asked(chunk, chat.wants_usage))
        except Exception as error:  # the head is sent: only an event can still tell the client
            await send_event(exchange.send, Failure.of(error, stream.decision.decision_id).body)
            await end_events(exchange.send, done=False)
            return
        if chat.explain:
            await send_event(exchange.send, _explanation_chunk(stream, overhead_us, chat.key))
        await end_events(exchange.send, done=True)


def _as_asked(chunk: dict[str, Any], wants_usage: bool) -> dict[str, Any]:
    """The chunk without the `usage` that we asked for and the caller did not."""
    if not wants_usage:
        chunk.pop("usage", None)
    return chunk


def _explanation_chunk(stream: CompletionStream, overhead_us: float, key: Key | None) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{stream.decision.decision_id}",
        "object": "chat.completion.chunk",
        "created": int(stream.created_s),
        "model": stream.target.model,
        "choices": [],
        "pointsman_metadata": explained_stream(stream, overhead_us, key),
    }


def explained_answer(answer: Completion, key: Key | None) -> dict[str, Any]:
    """The `pointsman_metadata` of a whole answer."""
    return explained(
        answer.decision,
        key,
        answered_by=answer,
        attempts=answer.attempts,
        usage=answer.usage,
        cost_usd=answer.cost_usd,
        baseline_cost_usd=answer.baseline_cost_usd,
        overhead_us=answer.overhead_us,
    )


def explained_stream(stream: CompletionStream, overhead_us: float, key: Key | None) -> dict[str, Any]:
    """The `pointsman_metadata` of a stream that has ended."""
    return explained(
        stream.decision,
        key,
        answered_by=stream.target,
        attempts=stream.attempts.made,
        usage=stream.usage,
        cost_usd=stream.cost_usd,
        baseline_cost_usd=stream.baseline_cost_usd,
        overhead_us=overhead_us,
    )


def decided(decision: Decision, overhead_us: float, key: Key | None) -> dict[str, Any]:
    """The Decision, with the candidates that the caller's key may use."""
    document: dict[str, Any] = orjson.loads(decision.to_json(overhead_us))
    document["candidates"] = known_to(key, document["candidates"])
    return document


def explained(
    decision: Decision,
    key: Key | None,
    *,
    answered_by: AnsweredBy,
    attempts: Sequence[Attempt],
    usage: Usage,
    cost_usd: float,
    baseline_cost_usd: float,
    overhead_us: float,
) -> dict[str, Any]:
    """The `pointsman_metadata` object: the Decision, and what came of it."""
    metadata = decided(decision, overhead_us, key)
    metadata["answered_by"] = {
        "deployment": answered_by.deployment,
        "model": answered_by.model,
        "provider": answered_by.provider,
    }
    metadata["attempts"] = [asdict(attempt) for attempt in attempts]
    metadata["usage"] = asdict(usage)
    metadata["cost_usd"] = cost_usd
    metadata["baseline_cost_usd"] = baseline_cost_usd
    return metadata
