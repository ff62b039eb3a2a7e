"""Anthropic's Messages API and OpenAI's chat completions, translated both ways: nothing is lost on the way."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from pointsman.cache.replay import StreamRecorder
from pointsman.errors import ProviderError, RequestError
from pointsman.protocols.anthropic_answers import ChunksOfEvents, completion_of_message
from pointsman.protocols.anthropic_requests import DEFAULT_MAX_TOKENS, messages_of_chat
from pointsman.protocols.messages_answers import EventsOfChunks, message_of_completion
from pointsman.protocols.messages_requests import chat_of_messages
from pointsman.providers.answers import usage_of
from tests.protocols import anthropic_shapes as shapes
from tests.protocols.anthropic_shapes import EPHEMERAL, EVENTS, MESSAGE, PNG, REQUESTS, accumulated

CREATED_S = 1_700_000_000
few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def chunks_of(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    translator = ChunksOfEvents(CREATED_S)
    chunks = [chunk for event in events for chunk in translator.feed(event)]
    assert translator.is_finished
    return chunks


def events_of(chunks: list[dict[str, Any]], n_input_tokens: int = 7) -> list[dict[str, Any]]:
    translator = EventsOfChunks(n_input_tokens)
    named = [event for chunk in chunks for event in translator.feed(chunk)] + translator.finish({})
    assert all(name == data["type"] for name, data in named)
    return [data for _, data in named]


# ---- requests


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_survives_the_way_through_chat(name):
    body = REQUESTS[name]
    seen = copy.deepcopy(body)
    assert messages_of_chat(chat_of_messages(body)) == body
    assert body == seen, "the caller's body was changed"


@few
@given(shapes.requests())
def test_any_request_survives_the_way_through_chat(body):
    assert messages_of_chat(json.loads(json.dumps(chat_of_messages(body)))) == body


def test_a_tool_loop_is_what_openai_calls_one():
    chat = chat_of_messages(REQUESTS["tool loop"])
    roles = [message["role"] for message in chat["messages"]]
    assert roles == ["user", "assistant", "tool", "tool", "user"]
    call = chat["messages"][1]["tool_calls"][0]
    assert call["function"] == {"name": "get_weather", "arguments": '{"location":"Paris"}'}
    assert chat["messages"][2] == {"role": "tool", "tool_call_id": "toolu_01", "content": "15 degrees"}
    assert chat["tools"][0]["function"]["parameters"] == shapes.WEATHER["input_schema"]
    assert chat["tool_choice"] == "auto"
    assert chat["parallel_tool_calls"] is False


def test_system_messages_are_hoisted_and_turns_merged():
    body = messages_of_chat(
        {
            "messages": [
                {"role": "system", "content": "Be kind."},
                {"role": "user", "content": "One"},
                {"role": "developer", "content": [{"type": "text", "text": "Be brief.", "cache_control": EPHEMERAL}]},
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]},
                {"role": "assistant", "content": "", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]},
                {"role": "tool", "tool_call_id": "a", "content": "1"},
                {"role": "user", "content": "and?"},
            ]
        },
        8192,
    )  # fmt: skip
    assert body["max_tokens"] == 8192
    assert body["system"] == [
        {"type": "text", "text": "Be kind."},
        {"type": "text", "text": "Be brief.", "cache_control": EPHEMERAL},
    ]
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    assert [block["type"] for block in body["messages"][0]["content"]] == ["text", "image"]
    assert body["messages"][1]["content"] == [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]
    assert [block["type"] for block in body["messages"][2]["content"]] == ["tool_result", "text"]


CHAT = {"messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"max_tokens": DEFAULT_MAX_TOKENS}),
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"max_completion_tokens": 6, "max_tokens": 5}, {"max_tokens": 6}),
        ({"stop": "x"}, {"stop_sequences": ["x"]}),
        ({"user": "u"}, {"metadata": {"user_id": "u"}}),
        ({"reasoning_effort": "minimal"}, {"output_config": {"effort": "low"}}),
        ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        ({"n": 1, "logprobs": False, "presence_penalty": 0, "seed": None}, {}),
        ({"metadata": {"a": "b"}, "store": True, "prompt_cache_key": "k", "stream_options": {}}, {}),
        ({"response_format": {"type": "text"}}, {}),
        ({"tool_choice": "none"}, {}),
    ],
)  # fmt: skip
def test_parameters_of_chat_have_their_counterparts(fields, expected):
    base = {"max_tokens": DEFAULT_MAX_TOKENS, "messages": CHAT["messages"]}
    assert messages_of_chat(CHAT | fields) == base | expected


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"seed": 7}, "seed"),
        ({"temperature": 1.5}, "temperature"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"logit_bias": {"50256": -100}}, "logit_bias"),
        ({"verbosity": "low"}, "verbosity"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"never_heard_of": 1}, "never_heard_of"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type"),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]}, "messages[0].content[0].file"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{"}}]}]},
            "messages[0].tool_calls[0].function.arguments",
        ),
    ],
)  # fmt: skip
def test_what_anthropic_has_no_concept_of_is_refused(fields, param):
    with pytest.raises(RequestError) as caught:
        messages_of_chat(CHAT | fields)
    assert caught.value.param == param
    assert caught.value.status == 400
    assert str(caught.value).startswith(param)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"container": "c"}, "container"),
        ({"mcp_servers": []}, "mcp_servers"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "search_result"}]}]}, "messages[0].content[0].type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}]},
            "messages[0].content[0].source.type",
        ),
        ({"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}, "context_management.edits[0]"),
        ({"output_config": {"format": {"type": "regex"}}}, "output_config.format.type"),
    ],
)  # fmt: skip
def test_what_chat_has_no_concept_of_is_refused(fields, param):
    with pytest.raises(RequestError) as caught:
        chat_of_messages(REQUESTS["hello"] | {"model": "auto"} | fields)
    assert caught.value.param == param


def test_an_unsigned_thought_is_not_sent_to_anthropic():
    thought = {"type": "reasoning.text", "text": "another model's", "index": 0}
    signed = {**thought, "signature": "s", "format": "google-gemini-v1"}
    turn = {"role": "assistant", "content": "ok", "reasoning_details": [thought, signed]}
    assert messages_of_chat({"messages": [turn]})["messages"] == [{"role": "assistant", "content": "ok"}]


# ---- answers


def test_an_answer_is_what_openai_calls_one():
    completion = completion_of_message(MESSAGE, CREATED_S)
    choice = completion["choices"][0]
    assert completion["object"] == "chat.completion"
    assert completion["created"] == CREATED_S
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] == "I'll check the current weather."
    assert choice["message"]["reasoning_content"] == "The user asks for the weather."
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"location":"San Francisco, CA"}'
    usage = usage_of(completion)
    assert usage is not None
    assert (usage.n_input_tokens, usage.n_cached_input_tokens) == (21 + 188086 + 1000, 1000)
    assert (usage.n_cache_write_tokens, usage.n_output_tokens, usage.n_reasoning_tokens) == (188086, 393, 120)


def test_an_answer_survives_the_way_through_chat():
    assert message_of_completion(completion_of_message(MESSAGE, CREATED_S)) == MESSAGE


@few
@given(shapes.messages())
def test_any_answer_survives_the_way_through_chat(message):
    completion = json.loads(json.dumps(completion_of_message(message, CREATED_S)))
    assert message_of_completion(completion) == message


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        ({"stop_reason": "end_turn"}, "stop"),
        ({"stop_reason": "stop_sequence", "stop_sequence": "###"}, "stop"),
        ({"stop_reason": "max_tokens"}, "length"),
        ({"stop_reason": "model_context_window_exceeded"}, "length"),
        ({"stop_reason": "tool_use"}, "tool_calls"),
        (
            {"stop_reason": "refusal", "stop_details": {"type": "refusal", "category": "bio"}},
            "content_filter",
        ),
        ({"stop_reason": "invented_tomorrow"}, "stop"),
    ],
)
def test_why_it_stopped_is_told(stop, finish):
    completion = completion_of_message(MESSAGE | stop, CREATED_S)
    assert completion["choices"][0]["finish_reason"] == finish
    told = message_of_completion(completion)
    expected = {"stop_reason": "tool_use"} if stop["stop_reason"].startswith("invented") else stop
    assert told | expected == told


@pytest.mark.parametrize(
    ("finish", "stop"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("tool_calls", "tool_use"),
        ("content_filter", "refusal"),
    ],
)
def test_an_openai_answer_stops_for_anthropics_reason(finish, stop):
    choice = {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": finish}
    assert message_of_completion({"id": "chatcmpl-1", "choices": [choice]})["stop_reason"] == stop


def test_a_call_stops_for_a_tool_whatever_openai_says():
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    choice = {"index": 0, "message": {"content": None, "tool_calls": [call]}, "finish_reason": "stop"}
    assert message_of_completion({"id": "c", "choices": [choice]})["stop_reason"] == "tool_use"


def test_content_in_parts_is_text():
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "yes"}]
    choice = {"index": 0, "message": {"content": parts}, "finish_reason": "stop"}
    assert message_of_completion({"id": "c", "choices": [choice]})["content"] == [
        {"type": "text", "text": "yes"}
    ]


def test_arguments_that_are_no_object_are_no_message():
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{broken"}}
    choice = {"message": {"content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}
    with pytest.raises(ProviderError, match="'f' with arguments that are not a JSON object"):
        message_of_completion({"choices": [choice]})


# ---- streams


def test_a_stream_is_what_openai_calls_one():
    chunks = chunks_of(EVENTS)
    assert {chunk["id"] for chunk in chunks} == {MESSAGE["id"]}
    assert chunks[-1]["choices"] == []
    recorder = StreamRecorder()
    for chunk in chunks:
        recorder.add(chunk)
    streamed = recorder.body()
    whole = completion_of_message(MESSAGE, CREATED_S)
    assert streamed["usage"] == whole["usage"]
    message, expected = streamed["choices"][0]["message"], whole["choices"][0]["message"]
    assert message["content"] == expected["content"]
    assert message["reasoning_content"] == expected["reasoning_content"]
    assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"location": "San Francisco, CA"}
    assert streamed["choices"][0]["finish_reason"] == "tool_calls"


def test_a_stream_survives_the_way_through_chat():
    message = accumulated(events_of(chunks_of(EVENTS)))
    assert message == MESSAGE


@few
@given(shapes.streams())
def test_any_stream_survives_the_way_through_chat(stream):
    message, events = stream
    assert accumulated(events) == message
    assert accumulated(events_of(json.loads(json.dumps(chunks_of(events))))) == message


def test_events_start_with_an_estimate_of_the_input():
    chunk = {
        "id": "c",
        "model": "m",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": "x"}}],
    }
    events = events_of([chunk], 7)
    assert events[0]["message"]["usage"]["input_tokens"] == 7
    assert events[0]["message"]["id"] == "msg_c"


def call(index: int, arguments: str, **head: Any) -> dict[str, Any]:
    function = {"arguments": arguments, **({"name": head.pop("name")} if "name" in head else {})}
    return {
        "choices": [{"index": 0, "delta": {"tool_calls": [{"index": index, **head, "function": function}]}}]
    }


def test_calls_whose_arguments_come_in_turns_are_put_in_order():
    chunks = [
        call(0, "", id="a", name="f"),
        call(1, '{"y"', id="b", name="g"),
        call(0, '{"x"'),
        call(1, ":2}"),
        call(0, ":1}"),
        {"choices": [{"index": 0, "delta": {"content": "after"}, "finish_reason": "tool_calls"}]},
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}},
    ]
    message = accumulated(events_of(chunks))
    assert message["content"] == [
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "g", "input": {"y": 2}},
        {"type": "text", "text": "after"},
    ]
    assert message["usage"]["input_tokens"] == 3


def test_what_an_openai_model_thought_is_a_thought():
    deltas = [{"reasoning_content": "hm"}, {"reasoning_content": "m"}, {"content": "yes"}]
    message = accumulated(events_of([{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]))
    assert message["content"] == [
        {"type": "thinking", "thinking": "hmm", "signature": ""},
        {"type": "text", "text": "yes"},
    ]
