"""From a request to the reply that is due: reads bodies of either dialect, and lets the provider draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

import orjson

from pointsman.simulate.answers import Answer, answer, counted, text_of
from pointsman.simulate.provider import Ask, Call, SimulatedProvider
from pointsman.simulate.wire import (
    AnthropicDialect,
    OpenAIDialect,
    Reply,
    json_reply,
    make_reply,
    refusal,
)
from pointsman.simulate.wire.anthropic import as_chat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.simulate.simulation import Simulation
    from pointsman.simulate.wire import Dialect

CHARACTERS_PER_TOKEN = 4
"""Rough average of English text; the simulation counts input tokens with it."""
_UNREADABLE = (KeyError, TypeError, AttributeError, ValueError, IndexError, RecursionError)
_N_EMBEDDING = 8


@dataclass(frozen=True, slots=True)
class Exchange:
    """A reply that is due, and the call it answers at its provider; `None` where no model was asked."""

    reply: Reply
    call: Call | None = None
    provider: SimulatedProvider | None = None


def begin(simulation: Simulation, path: str, headers: Mapping[str, str], body: bytes) -> Exchange:
    """Take in a POST to `/PROVIDER/v1/...`; a path that starts with `/v1` is for the first provider.

    Args:
        simulation: Whose providers are asked.
        path: Path of the request.
        headers: Request headers, lower-case names.
        body: The body.
    """
    provider, endpoint = find_provider(simulation, path)
    dialect: Dialect = OpenAIDialect(simulation.created_s)
    if endpoint == "v1/messages":
        dialect = AnthropicDialect()
    if provider is None:
        known = ", ".join(simulation.providers)
        return Exchange(refusal(404, f"{path[:60]!r}: the simulated providers are {known}", dialect))
    try:
        document = orjson.loads(body)
        if endpoint == "v1/embeddings":
            return Exchange(json_reply(_embeddings(document)))
        if endpoint not in ("v1/chat/completions", "v1/messages"):
            return Exchange(refusal(404, f"POST {path[:60]!r} is not simulated", dialect))
        chat = document if endpoint == "v1/chat/completions" else as_chat(document)
        said = answer(chat, str(document["model"]))
        ask = _ask(document, chat, headers, None if _is_counted(provider, chat) else len(said.pieces))
    except _UNREADABLE as error:
        why = f"simulated provider cannot read the request: {type(error).__name__}: {error}"
        return Exchange(refusal(400, why, dialect))
    if ask.model not in provider.script.models:
        known = ", ".join(provider.script.models)
        return Exchange(refusal(404, f"simulated: no model {ask.model!r:.60}; there are {known}", dialect))
    return begin_call(simulation, provider, ask, said, dialect)


def begin_call(
    simulation: Simulation, provider: SimulatedProvider, ask: Ask, said: Answer, dialect: Dialect
) -> Exchange:
    """Let a call arrive that has been read; `said` gives way to a counted answer where one is due."""
    call = provider.arrive(simulation.now_s, ask)
    if ask.n_output_tokens is None:
        said = counted(call.course.n_tokens, call.number)
    return Exchange(make_reply(call, said, dialect), call, provider)


def find_provider(simulation: Simulation, path: str) -> tuple[SimulatedProvider | None, str]:
    """The provider a path is for, and the endpoint behind it: `v1/...`."""
    name, _, endpoint = path.strip("/").partition("/")
    if name == "v1":
        return next(iter(simulation.providers.values())), path.strip("/")
    return simulation.providers.get(name), endpoint


def _is_counted(provider: SimulatedProvider, chat: Mapping[str, Any]) -> bool:
    is_plain = not chat.get("tools") and not chat.get("response_format")
    return provider.script.answer.kind == "counted" and is_plain


def _ask(
    body: Mapping[str, Any], chat: Mapping[str, Any], headers: Mapping[str, str], n_output: int | None
) -> Ask:
    return Ask(
        model=body["model"],
        n_input_tokens=sum(len(text_of(each)) // CHARACTERS_PER_TOKEN + 4 for each in chat["messages"]),
        n_output_tokens=n_output,
        max_tokens=chat.get("max_completion_tokens") or chat.get("max_tokens"),
        is_stream=bool(body.get("stream")),
        headers=headers,
        body=body,
    )


def _embeddings(body: Mapping[str, Any]) -> dict[str, Any]:
    """Embeddings that depend on the text alone."""
    given = body["input"]
    texts = [str(each) for each in given] if isinstance(given, list) else [str(given)]
    n_tokens = sum(len(text) // CHARACTERS_PER_TOKEN + 1 for text in texts)
    rows = [
        {
            "object": "embedding",
            "index": index,
            "embedding": [crc32(f"{at}/{text}".encode()) / 2**31 - 1 for at in range(_N_EMBEDDING)],
        }
        for index, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": n_tokens, "total_tokens": n_tokens}
    return {"object": "list", "data": rows, "model": body.get("model"), "usage": usage}
