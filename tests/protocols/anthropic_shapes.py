"""Bodies and events of Anthropic's Messages API, in the shapes its public documentation shows; and random ones."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WEATHER = {
    "name": "get_weather",
    "description": "Get the current weather in a given location",
    "input_schema": {
        "type": "object",
        "properties": {"location": {"type": "string"}},
        "required": ["location"],
    },
}
EPHEMERAL = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}

REQUESTS: dict[str, dict[str, Any]] = {
    "hello": {"max_tokens": 1024, "messages": [{"role": "user", "content": "Hello, Claude"}]},
    "several turns": {
        "max_tokens": 1024,
        "system": "You are terse.",
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "stop_sequences": ["###"],
        "metadata": {"user_id": "13803d75-b4b5"},
        "messages": [
            {"role": "user", "content": "Hello there."},
            {"role": "assistant", "content": "Hi, I'm Claude. How can I help you?"},
            {"role": "user", "content": "Can you explain LLMs in plain English?"},
        ],
    },
    "prefill": {
        "max_tokens": 1,
        "messages": [
            {"role": "user", "content": "What's the Greek name for Sun? (A) Sol (B) Helios (C) Sun"},
            {"role": "assistant", "content": "The answer is ("},
        ],
    },
    "images and a document": {
        "max_tokens": 1024,
        "messages": [
            {
                "role": "user",
                "content": [
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                    },
                    {"type": "image", "source": {"type": "url", "url": "https://example.com/ant.jpg"}},
                    {
                        "type": "document",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
                        "title": "report.pdf",
                        "context": "a report",
                        "cache_control": EPHEMERAL,
                    },
                    {
                        "type": "document",
                        "source": {"type": "text", "media_type": "text/plain", "data": "Grüße, Welt"},
                    },
                    {"type": "text", "text": "What is in these?"},
                ],
            }
        ],
    },
    "prompt caching": {
        "max_tokens": 1024,
        "system": [
            {"type": "text", "text": "You analyse contracts."},
            {"type": "text", "text": "<the contract>", "cache_control": HOUR},
        ],
        "tools": [WEATHER, {**WEATHER, "name": "get_time", "strict": True, "cache_control": EPHEMERAL}],
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": "Key terms?", "cache_control": EPHEMERAL}],
            }
        ],
    },
    "tool loop": {
        "max_tokens": 1024,
        "tools": [WEATHER],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "messages": [
            {"role": "user", "content": "What's the weather in Paris and Rome?"},
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "thinking",
                        "thinking": "Two cities.",
                        "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3h",
                    },
                    {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix/LafPsn4a"},
                    {"type": "text", "text": "Let me look."},
                    {
                        "type": "tool_use",
                        "id": "toolu_01",
                        "name": "get_weather",
                        "input": {"location": "Paris"},
                    },
                    {
                        "type": "tool_use",
                        "id": "toolu_02",
                        "name": "get_weather",
                        "input": {"location": "Rome"},
                        "cache_control": EPHEMERAL,
                    },
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_01", "content": "15 degrees"},
                    {
                        "type": "tool_result",
                        "tool_use_id": "toolu_02",
                        "is_error": True,
                        "cache_control": EPHEMERAL,
                        "content": [
                            {"type": "text", "text": "timed out"},
                            {
                                "type": "image",
                                "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                            },
                        ],
                    },
                    {"type": "text", "text": "Try again?"},
                ],
            },
        ],
    },
    "thinking between words": {
        "max_tokens": 4096,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "messages": [
            {"role": "user", "content": "Go on"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "first", "signature": "a"},
                    {"type": "text", "text": "One."},
                    {"type": "thinking", "thinking": "second", "signature": "b"},
                    {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1"}]},
        ],
    },
    "structured output": {
        "max_tokens": 1024,
        "thinking": {"type": "adaptive"},
        "output_config": {
            "effort": "high",
            "format": {"type": "json_schema", "schema": {"type": "object", "additionalProperties": False}},
        },
        "tools": [WEATHER],
        "tool_choice": {"type": "tool", "name": "get_weather"},
        "messages": [{"role": "user", "content": "Extract."}],
    },
    "any tool, cached automatically": {
        "max_tokens": 10,
        "cache_control": EPHEMERAL,
        "tools": [WEATHER],
        "tool_choice": {"type": "any"},
        "messages": [{"role": "user", "content": "Now."}],
    },
}

MESSAGE: dict[str, Any] = {
    "id": "msg_01Aq9w938a90dw8q",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5-5",
    "content": [
        {"type": "thinking", "thinking": "The user asks for the weather.", "signature": "EqQBCgIYAhIM1g=="},
        {"type": "text", "text": "I'll check the current weather."},
        {
            "type": "tool_use",
            "id": "toolu_01A09q90qw90lq917835lq9",
            "name": "get_weather",
            "input": {"location": "San Francisco, CA"},
        },
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 21,
        "cache_creation_input_tokens": 188086,
        "cache_read_input_tokens": 1000,
        "cache_creation": {"ephemeral_5m_input_tokens": 188086, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 393,
        "output_tokens_details": {"thinking_tokens": 120},
    },
}

# The documented example of a streamed tool call.
EVENTS: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": {
            **MESSAGE,
            "content": [],
            "stop_reason": None,
            "usage": {**MESSAGE["usage"], "output_tokens": 2, "output_tokens_details": None},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "The user asks "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "for the weather."}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "EqQBCgIYAhIM1g=="}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "I'll check the "}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "current weather."}},
    {"type": "content_block_stop", "index": 1},
    {
        "type": "content_block_start",
        "index": 2,
        "content_block": {
            "type": "tool_use",
            "id": "toolu_01A09q90qw90lq917835lq9",
            "name": "get_weather",
            "input": {},
        },
    },
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": ""}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"location":'}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": ' "San Francisco, CA"}'}},
    {"type": "content_block_stop", "index": 2},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 393, "output_tokens_details": {"thinking_tokens": 120}},
    },
    {"type": "message_stop"},
]  # fmt: skip


def sse(events: list[dict[str, Any]]) -> list[bytes]:
    """The events as Anthropic sends them."""
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]


def accumulated(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that a client makes of events, which must come in the documented order."""
    assert events[0]["type"] == "message_start"
    assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
    message = json.loads(json.dumps(events[0]["message"]))
    blocks: list[dict[str, Any]] = message["content"]
    arguments: dict[int, str] = {}
    is_open = False
    for event in events[1:-2]:
        kind = event["type"]
        if kind == "content_block_start":
            assert not is_open
            assert event["index"] == len(blocks)
            blocks.append(dict(event["content_block"]))
            is_open = True
        elif kind == "content_block_stop":
            assert is_open
            assert event["index"] == len(blocks) - 1
            is_open = False
        elif kind == "content_block_delta":
            assert is_open
            assert event["index"] == len(blocks) - 1
            said = event["delta"]
            if said["type"] == "input_json_delta":
                arguments[event["index"]] = arguments.get(event["index"], "") + said["partial_json"]
            else:
                name = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
                field = name[said["type"]]
                blocks[-1][field] += said[field]
        else:
            assert kind == "ping"
    assert not is_open
    for index, text in arguments.items():
        blocks[index]["input"] = json.loads(text) if text else {}
    counts = {name: count for name, count in events[-2]["usage"].items() if count is not None}
    return message | events[-2]["delta"] | {"usage": message["usage"] | counts}


# ---- random ones, in the normal form that translations give

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
names = st.from_regex(r"[a-zA-Z_]{1,12}", fullmatch=True)
markers = st.sampled_from([{}, {}, {"cache_control": EPHEMERAL}, {"cache_control": HOUR}])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
inputs = st.dictionaries(names, values, max_size=3)


def block(kind: str, **fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    known = {name: value for name, value in fields.items() if isinstance(value, st.SearchStrategy)}
    return st.fixed_dictionaries({"type": st.just(kind), **known})


def marked(blocks: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(blocks, markers).map(lambda pair: pair[0] | pair[1])


text_blocks = block("text", text=texts)
thoughts = block("thinking", thinking=texts, signature=texts) | block("redacted_thinking", data=texts)
sources = st.one_of(
    st.builds(lambda data: {"type": "base64", "media_type": "image/png", "data": data}, st.just(PNG)),
    st.builds(lambda path: {"type": "url", "url": f"https://example.com/{path}.png"}, names),
)
images = block("image", source=sources)
documents = block(
    "document", source=texts.map(lambda text: {"type": "text", "media_type": "text/plain", "data": text})
)
ids = st.integers(0, 10**6).map(lambda n: f"toolu_{n}")
calls = block("tool_use", id=ids, name=names, input=inputs)


def simplest(blocks: list[dict[str, Any]]) -> Any:
    """The normal form of content."""
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        return blocks[0]["text"]
    return blocks


@st.composite
def results(draw: st.DrawFn) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "tool_result", "tool_use_id": draw(ids)}
    if content := draw(st.lists(marked(text_blocks) | marked(images), max_size=2)):
        made["content"] = simplest(content)
    if draw(st.booleans()):
        made["is_error"] = True
    return made | draw(markers)


@st.composite
def answers(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Blocks of an assistant's turn: it thinks, speaks, thinks again, and calls tools at last."""
    blocks: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(0, 2))):
        blocks += draw(st.lists(thoughts, max_size=2)) + draw(
            st.lists(marked(text_blocks), min_size=1, max_size=2)
        )
    blocks += draw(st.lists(thoughts, max_size=1))
    blocks += draw(st.lists(marked(calls), min_size=0 if blocks else 1, max_size=3))
    return blocks


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    turns: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 3))):
        users = draw(st.lists(results(), max_size=2)) if turns else []
        users += draw(
            st.lists(marked(text_blocks | images | documents), min_size=0 if users else 1, max_size=3)
        )
        turns.append({"role": "user", "content": simplest(users)})
        turns.append({"role": "assistant", "content": simplest(draw(answers()))})
    body = {"max_tokens": draw(st.integers(1, 10**5)), "messages": turns}
    if system := draw(st.lists(marked(text_blocks), max_size=2)):
        body["system"] = simplest(system)
    tools = st.fixed_dictionaries({"name": names, "description": texts, "input_schema": inputs.map(lambda it: {"type": "object", **it})})  # fmt: skip
    if offered := draw(st.lists(marked(tools), max_size=2)):
        body["tools"] = offered
    return body


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    """An answer whose texts and thoughts each come in one block, as a chat message can hold."""
    n_cached, n_written, n_output = (draw(st.integers(0, 10**6)) for _ in range(3))
    content = draw(st.lists(thoughts, max_size=2)) + draw(st.lists(text_blocks, max_size=1))
    content += draw(st.lists(calls, max_size=3))
    return {
        "id": f"msg_{draw(st.integers(0, 10**6))}",
        "type": "message",
        "role": "assistant",
        "model": draw(names),
        "content": content,
        "stop_reason": draw(st.sampled_from(["end_turn", "max_tokens", "tool_use", "refusal", "pause_turn"])),
        "stop_sequence": None,
        "usage": {
            "input_tokens": draw(st.integers(0, 10**6)),
            "cache_creation_input_tokens": n_written,
            "cache_read_input_tokens": n_cached,
            "output_tokens": n_output,
            "output_tokens_details": {"thinking_tokens": draw(st.integers(0, n_output))},
        },
    }


def cut(text: str, draw: st.DrawFn) -> list[str]:
    """A text in random pieces."""
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True) if text[a:b]]


@st.composite
def streams(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A message, and the events that amount to it."""
    message = draw(messages())
    usage = message["usage"]
    start = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1, "output_tokens_details": None}}  # fmt: skip
    events: list[dict[str, Any]] = [{"type": "message_start", "message": start}]
    for index, whole in enumerate(message["content"]):
        said: list[dict[str, Any]] = []
        if whole["type"] == "text":
            begun = {"type": "text", "text": ""}
            said = [{"type": "text_delta", "text": piece} for piece in cut(whole["text"], draw)]
        elif whole["type"] == "thinking":
            begun = {"type": "thinking", "thinking": "", "signature": ""}
            said = [{"type": "thinking_delta", "thinking": piece} for piece in cut(whole["thinking"], draw)]
            said.append({"type": "signature_delta", "signature": whole["signature"]})
        elif whole["type"] == "tool_use":
            begun = {**whole, "input": {}}
            pieces = cut(json.dumps(whole["input"]), draw) if whole["input"] else []
            said = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces]]
        else:
            begun = whole
        events.append({"type": "content_block_start", "index": index, "content_block": begun})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in said]
        events.append({"type": "content_block_stop", "index": index})
        events += draw(st.sampled_from([[], [{"type": "ping"}]]))
    ending = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    counts = {
        "output_tokens": usage["output_tokens"],
        "output_tokens_details": usage["output_tokens_details"],
    }
    events.append({"type": "message_delta", "delta": ending, "usage": counts})
    return message, [*events, {"type": "message_stop"}]
