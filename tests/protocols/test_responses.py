"""OpenAI's Responses API and its chat completions, translated both ways: nothing is lost on the way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from pointsman.errors import RequestError
from pointsman.protocols.responses_answers import ResponseEvents, response_of_completion
from pointsman.protocols.responses_requests import chat_of_responses
from tests.protocols import anthropic_shapes as shapes

few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
EVENT = TypeAdapter(ResponseStreamEvent)
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "d",
    "parameters": SCHEMA,
    "strict": True,
}
LOOP: list[dict[str, Any]] = [
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]},
    {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": "Let me look.", "annotations": []}]},
    {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "get_weather", "arguments": '{"a":"x"}'},
    {"type": "function_call", "call_id": "call_2", "name": "get_weather", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_1", "output": "15 degrees"},
    {"type": "function_call_output", "call_id": "call_2", "output": [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "https://e.com/a.png"}]},
    {"role": "user", "content": "And?"},
]  # fmt: skip


def messages_of(items: Any, **rest: Any) -> list[dict[str, Any]]:
    return chat_of_responses({"model": "auto", "input": items, **rest})["messages"]


def test_a_text_is_a_message_and_instructions_come_first():
    assert messages_of("hi", instructions="Be kind.") == [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": "hi"},
    ]


def test_a_tool_loop_is_what_chat_calls_one():
    user, assistant, first, second, last = messages_of(LOOP)
    assert user == {"role": "user", "content": "Weather?"}
    assert assistant["content"] == "Let me look."
    assert assistant["reasoning_content"] == "hm"
    assert [call["id"] for call in assistant["tool_calls"]] == ["call_1", "call_2"]
    assert assistant["tool_calls"][0]["function"] == {"name": "get_weather", "arguments": '{"a":"x"}'}
    assert first == {"role": "tool", "tool_call_id": "call_1", "content": "15 degrees"}
    assert second["content"][1] == {"type": "image_url", "image_url": {"url": "https://e.com/a.png"}}
    assert last == {"role": "user", "content": "And?"}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}}),
        ({"type": "input_file", "file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"}, {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"}}),
        ({"type": "input_file", "file_url": "https://e.com/a.pdf"}, {"type": "file", "file": {"file_data": "https://e.com/a.pdf"}}),
        ({"type": "input_text", "text": "x", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}),
    ],
)  # fmt: skip
def test_content_has_its_counterpart(part, expected):
    assert messages_of([{"role": "user", "content": [part]}])[0]["content"] == [expected]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"max_output_tokens": 9, "temperature": 0.5, "top_p": 0.9}, {"max_completion_tokens": 9, "temperature": 0.5, "top_p": 0.9}),
        ({"store": True, "metadata": {"a": "b"}, "user": "u"}, {"store": True, "metadata": {"a": "b"}, "user": "u"}),
        ({"reasoning": {"effort": "low", "summary": "auto"}}, {"reasoning_effort": "low"}),
        ({"text": {"format": {"type": "text"}, "verbosity": "low"}}, {"verbosity": "low"}),
        ({"text": {"format": {"type": "json_object"}}}, {"response_format": {"type": "json_object"}}),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}}},
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}}},
        ),
        ({"top_logprobs": 2}, {"top_logprobs": 2, "logprobs": True}),
        ({"include": ["message.output_text.logprobs"]}, {"logprobs": True}),
        ({"include": ["reasoning.encrypted_content"], "truncation": "disabled", "tool_choice": "auto"}, {}),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "function", "name": "get_weather"}, "parallel_tool_calls": False},
            {
                "tools": [{"type": "function", "function": {k: v for k, v in WEATHER.items() if k != "type"}}],
                "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
                "parallel_tool_calls": False,
            },
        ),
        (
            {"tools": [{"type": "custom", "name": "sh", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}}]},
            {"tools": [{"type": "custom", "custom": {"name": "sh", "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "x"}}}}]},
        ),
    ],
)  # fmt: skip
def test_parameters_have_their_counterparts(fields, expected):
    base = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
    assert chat_of_responses({"model": "auto", "input": "hi", **fields}) == base | expected


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"background": True}, "background"),
        ({"truncation": "auto"}, "truncation"),
        ({"moderation": {"model": "m"}}, "moderation"),
        ({"include": ["file_search_call.results"]}, "include[0]"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [WEATHER], "tool_choice": {"type": "file_search"}}, "tool_choice.type"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].type"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}, "input[0].content[0].file_id"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
        ({"input": 7}, "input"),
        ({"text": {"format": {"type": "regex"}}}, "text.format.type"),
    ],
)  # fmt: skip
def test_what_needs_a_store_or_runs_at_openai_is_refused(fields, param):
    with pytest.raises(RequestError) as caught:
        chat_of_responses({"model": "auto", "input": "hi", **fields})
    assert (caught.value.param, caught.value.status) == (param, 400)


# ---- answers

USAGE = {
    "prompt_tokens": 81,
    "completion_tokens": 1035,
    "total_tokens": 1116,
    "prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 832},
}
TOKEN = {"token": "Let", "logprob": -0.1, "bytes": [76], "top_logprobs": []}
COMPLETION: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1741476542,
    "model": "gpt",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Let me look.",
                "reasoning_content": "hm",
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"a":1}'}},
                    {"id": "call_2", "type": "custom", "custom": {"name": "sh", "input": "ls -l"}},
                ],
            },
            "logprobs": {"content": [TOKEN]},
            "finish_reason": "tool_calls",
        }
    ],
    "usage": USAGE,
}  # fmt: skip


def test_an_answer_is_a_response():
    asked = {"model": "auto", "input": "hi", "instructions": "Be kind.", "store": True, "tools": [WEATHER]}
    body = response_of_completion(COMPLETION, asked)
    response = Response.model_validate(body, strict=False)
    assert (body["id"], body["status"], body["created_at"]) == ("resp_1", "completed", 1741476542)
    assert [item.type for item in response.output] == [
        *("reasoning", "message", "function_call", "custom_tool_call")
    ]
    assert response.output_text == "Let me look."
    assert response.output[1].content[0].logprobs[0].token == "Let"
    assert (response.output[2].call_id, response.output[2].arguments) == ("call_1", '{"a":1}')
    assert response.output[3].input == "ls -l"
    assert body["instructions"] == "Be kind."
    assert body["store"] is False
    assert response.usage.input_tokens_details.cached_tokens == 64
    assert response.usage.output_tokens_details.reasoning_tokens == 832


@pytest.mark.parametrize(
    ("finish", "status", "reason"),
    [
        ("stop", "completed", None),
        ("length", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
    ],
)
def test_why_it_stopped_is_told(finish, status, reason):
    choice = {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": finish}
    body = response_of_completion({"id": "c", "choices": [choice]}, {})
    assert body["status"] == status
    assert (body["incomplete_details"] or {}).get("reason") == reason


# ---- random answers, and their way back as input

calls = st.builds(
    lambda n, name, arguments: {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}},
    st.integers(0, 999), shapes.names, shapes.inputs,
)  # fmt: skip
signed = st.builds(
    lambda text, signature: {"type": "reasoning.text", "text": text, "signature": signature, "format": "f"},
    shapes.texts, shapes.texts,
)  # fmt: skip
secrets = st.builds(lambda data: {"type": "reasoning.encrypted", "data": data, "format": "f"}, shapes.texts)


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": draw(shapes.texts)}
    details = draw(st.lists(signed | secrets, max_size=2))
    if details:
        message["reasoning_details"] = [{**detail, "index": place} for place, detail in enumerate(details)]
    elif draw(st.booleans()):
        message["reasoning_content"] = draw(shapes.texts)
    if made := draw(st.lists(calls, max_size=3)):
        message["tool_calls"] = made
        message["content"] = draw(st.sampled_from([message["content"], None]))
    return message


def completion_of(message: dict[str, Any]) -> dict[str, Any]:
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "chatcmpl-1", "created": 1, "model": "m", "choices": [choice], "usage": USAGE}


@few
@given(messages())
def test_an_answer_sent_back_is_the_message_it_was(message):
    output = json.loads(json.dumps(response_of_completion(completion_of(message), {})["output"]))
    assert messages_of(output) == [message]


def chunks_of(message: dict[str, Any], draw: st.DrawFn) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_details": [detail]} for detail in message.get("reasoning_details", [])]
    for name in ("reasoning_content", "content"):
        deltas += [{name: piece} for piece in shapes.cut(message.get(name) or "", draw)]
    for index, call in enumerate(message.get("tool_calls", [])):
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        begun = {**call, "index": index, "function": {"name": name, "arguments": ""}}
        deltas.append({"tool_calls": [begun]})
        for piece in shapes.cut(arguments, draw):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    head = {"id": "chatcmpl-1", "created": 1, "model": "m"}
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return [*chunks, {**head, "choices": [], "usage": USAGE}]


def events_of(chunks: list[dict[str, Any]], asked: Any = None) -> list[dict[str, Any]]:
    translator = ResponseEvents(asked or {}, 1)
    named = [event for chunk in chunks for event in translator.feed(chunk)] + translator.finish({})
    assert all(name == data["type"] for name, data in named)
    assert [data["sequence_number"] for _, data in named] == list(range(len(named)))
    return [data for _, data in named]


@few
@given(st.data())
def test_a_stream_amounts_to_the_whole_response(data):
    message = data.draw(messages())
    whole = response_of_completion(completion_of(message), {"metadata": {"a": "b"}})
    chunks = data.draw(st.composite(lambda draw: chunks_of(message, draw))())
    events = json.loads(json.dumps(events_of(chunks, {"metadata": {"a": "b"}})))
    assert events[-1]["type"] == "response.completed"
    assert events[-1]["response"] == whole
    for event in events:
        EVENT.validate_python(event)


def test_the_events_of_an_item_come_in_the_documented_order():
    def chunk(delta: dict[str, Any]) -> dict[str, Any]:
        return {"id": "c", "choices": [{"index": 0, "delta": delta}]}

    call = {"index": 0, "id": "call_1", "function": {"name": "f", "arguments": "{}"}}
    events = events_of([chunk({"content": "a"}), chunk({"content": "b"}), chunk({"tool_calls": [call]})])
    assert [event["type"].removeprefix("response.") for event in events] == [
        *("created", "in_progress"),
        *("output_item.added", "content_part.added", "output_text.delta", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done"),
        *("output_item.added", "function_call_arguments.delta", "function_call_arguments.done"),
        *("output_item.done", "completed"),
    ]
    text_done = events[6]
    assert (text_done["text"], text_done["output_index"], text_done["content_index"]) == ("ab", 0, 0)
    assert events[9]["item"]["status"] == "in_progress"
    assert events[12]["item"] == events[-1]["response"]["output"][1]


def test_log_probabilities_ride_on_the_text():
    choice = {"index": 0, "delta": {"content": "Let"}, "logprobs": {"content": [TOKEN]}}
    events = events_of([{"id": "c", "choices": [choice]}])
    said = next(event for event in events if event["type"] == "response.output_text.delta")
    assert said["logprobs"] == [TOKEN]
    assert events[-1]["response"]["output"][0]["content"][0]["logprobs"] == [TOKEN]


def test_a_broken_stream_fails_with_what_came():
    translator = ResponseEvents({"model": "m"}, 1)
    translator.feed({"id": "c", "choices": [{"index": 0, "delta": {"content": "a"}}]})
    events = translator.failed({"code": "provider_stream_broken", "message": "broke", "param": None})
    assert [name for name, _ in events] == ["error", "response.failed"]
    assert events[0][1]["code"] == "provider_stream_broken"
    assert events[1][1]["response"]["status"] == "failed"
    for _, data in events:
        EVENT.validate_python(data)
