"""OpenAI's chat completions as Gemini's generateContent, and its answers back, in the shapes Google documents."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pointsman.cache.replay import StreamRecorder
from pointsman.errors import RequestError
from pointsman.protocols.gemini_answers import ChunksOfResponses, completion_of_response
from pointsman.protocols.gemini_requests import generate_content_of_chat
from pointsman.protocols.messages_requests import chat_of_messages
from pointsman.providers.answers import usage_of
from tests.protocols import anthropic_shapes as shapes
from tests.protocols.anthropic_shapes import PNG

CREATED_S = 1_700_000_000
few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Current weather",
        "parameters": {"type": "object", "properties": {"location": {"type": "string"}}},
    },
}
LOOP: list[dict[str, Any]] = [
    {"role": "system", "content": "You are terse."},
    {"role": "user", "content": "Weather in Paris and Rome?"},
    {
        "role": "assistant",
        "content": "Let me look.",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"location": "Paris"}'}},
            {"id": "c2", "type": "function", "function": {"name": "get_time", "arguments": ""}},
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "15 degrees"},
    {"role": "tool", "tool_call_id": "c2", "content": "timed out", "is_error": True},
    {"role": "user", "content": "And?"},
]  # fmt: skip
RESPONSE: dict[str, Any] = {
    "candidates": [
        {
            "content": {
                "parts": [
                    {"text": "Two cities.", "thought": True},
                    {"text": "I'll check "},
                    {"text": "the weather.", "thoughtSignature": "c2ln"},
                    {
                        "functionCall": {"name": "get_weather", "args": {"location": "Paris"}},
                        "thoughtSignature": "CiQB",
                    },
                    {"functionCall": {"id": "own", "name": "get_time", "args": {}}},
                ],
                "role": "model",
            },
            "finishReason": "STOP",
            "index": 0,
        }
    ],
    "usageMetadata": {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 64,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 30,
        "totalTokenCount": 150,
    },
    "modelVersion": "gemini-3-pro",
    "responseId": "mAitaLmk",
}


def test_a_conversation_is_what_gemini_calls_one():
    body = generate_content_of_chat({"messages": LOOP, "tools": [WEATHER]}, "gemini-2.5-flash")
    assert body["systemInstruction"] == {"parts": [{"text": "You are terse."}]}
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "Weather in Paris and Rome?"}]},
        {
            "role": "model",
            "parts": [
                {"text": "Let me look."},
                {"functionCall": {"id": "c1", "name": "get_weather", "args": {"location": "Paris"}}},
                {"functionCall": {"id": "c2", "name": "get_time", "args": {}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "c1", "name": "get_weather", "response": {"output": "15 degrees"}}},
                {"functionResponse": {"id": "c2", "name": "get_time", "response": {"error": "timed out"}}},
                {"text": "And?"},
            ],
        },
    ]  # fmt: skip
    declared = body["tools"][0]["functionDeclarations"][0]
    assert declared["parametersJsonSchema"] == WEATHER["function"]["parameters"]
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "AUTO"}}


def test_the_third_generation_gets_its_calls_signed():
    def signatures(messages: list[dict[str, Any]]) -> list[str | None]:
        body = generate_content_of_chat({"messages": messages}, "gemini-3.8-flash")
        parts = [part for content in body["contents"] for part in content["parts"]]
        return [part.get("thoughtSignature") for part in parts if "functionCall" in part]

    assert signatures(LOOP) == ["skip_thought_signature_validator", None]
    completion = completion_of_response(RESPONSE, CREATED_S, "a")
    own = [LOOP[1], completion["choices"][0]["message"]]
    assert signatures(own) == ["CiQB", None]
    body = generate_content_of_chat({"messages": own}, "gemini-2.5-flash")
    assert body["contents"][1]["parts"][0] == {"text": "I'll check the weather.", "thoughtSignature": "c2ln"}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}, {"inlineData": {"mimeType": "image/png", "data": PNG}}),
        ({"type": "image_url", "image_url": {"url": "https://e.com/a.jpg?x=1"}}, {"fileData": {"fileUri": "https://e.com/a.jpg?x=1", "mimeType": "image/jpeg"}}),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0="}}, {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}}),
    ],
)  # fmt: skip
def test_media_are_sent_along(part, expected):
    body = generate_content_of_chat({"messages": [{"role": "user", "content": [part]}]})
    assert body["contents"][0]["parts"] == [expected]


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"temperature": 0.2, "top_p": 0.9, "top_k": 5, "seed": 1}, {"temperature": 0.2, "topP": 0.9, "topK": 5, "seed": 1}),
        ({"max_tokens": 9, "stop": "x", "n": 2}, {"candidateCount": 2, "maxOutputTokens": 9, "stopSequences": ["x"]}),
        ({"max_completion_tokens": 7, "max_tokens": 9}, {"maxOutputTokens": 7}),
        ({"logprobs": True, "top_logprobs": 3}, {"responseLogprobs": True, "logprobs": 3}),
        ({"response_format": {"type": "json_object"}}, {"responseMimeType": "application/json"}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}},
            {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
        ),
        ({"reasoning_effort": "medium"}, {"thinkingConfig": {"thinkingBudget": 8192}}),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": 2000}}),
        ({"thinking": {"type": "disabled"}}, {"thinkingConfig": {"thinkingBudget": 0}}),
    ],
)  # fmt: skip
def test_parameters_have_their_counterparts(fields, expected):
    chat = {"messages": [{"role": "user", "content": "hi"}], **fields}
    assert generate_content_of_chat(chat, "gemini-2.5-pro")["generationConfig"] == expected


def test_the_third_generation_thinks_in_levels():
    chat = {"messages": [{"role": "user", "content": "hi"}], "reasoning_effort": "low"}
    config = generate_content_of_chat(chat, "gemini-3-pro")["generationConfig"]
    assert config == {"thinkingConfig": {"thinkingLevel": "LOW"}}


STRICT = {**WEATHER, "function": {**WEATHER["function"], "strict": True}}
ALLOWED = {"mode": "required", "tools": [{"type": "function", "function": {"name": "get_weather"}}]}


@pytest.mark.parametrize(
    ("choice", "tool", "expected"),
    [
        (None, STRICT, {"mode": "VALIDATED"}),
        ("required", WEATHER, {"mode": "ANY"}),
        ("none", WEATHER, {"mode": "NONE"}),
        ({"type": "function", "function": {"name": "get_weather"}}, WEATHER, {"mode": "ANY", "allowedFunctionNames": ["get_weather"]}),
        ({"type": "allowed_tools", "allowed_tools": ALLOWED}, WEATHER, {"mode": "ANY", "allowedFunctionNames": ["get_weather"]}),
    ],
)  # fmt: skip
def test_the_choice_of_tools_is_kept(choice, tool, expected):
    body = generate_content_of_chat({"messages": LOOP, "tools": [tool], "tool_choice": choice})
    assert body["toolConfig"]["functionCallingConfig"] == expected


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"logit_bias": {"1": 1}}, "logit_bias"),
        ({"verbosity": "low"}, "verbosity"),
        ({"parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"reasoning_effort": "max"}, "reasoning_effort"),
        ({"tools": [{"type": "custom"}]}, "tools[0].type"),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "user", "content": [{"type": "video_url"}]}]}, "messages[0].content[0].type"),
    ],
)
def test_what_gemini_has_no_concept_of_is_refused(fields, param):
    with pytest.raises(RequestError) as caught:
        generate_content_of_chat({"messages": [{"role": "user", "content": "hi"}], **fields})
    assert caught.value.param == param


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [each for item in value.items() for part in item for each in strings(part)]
    return [each for item in value for each in strings(item)] if isinstance(value, list) else []


@few
@given(shapes.requests())
def test_nothing_an_anthropic_client_says_is_lost(body):
    known: set[str] = set()
    for turn in body["messages"]:
        blocks = [block for block in turn["content"] if isinstance(block, dict)]
        asked = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
        if not asked <= known:
            return  # A result before its call is refused.
        known |= {block["id"] for block in blocks if block["type"] == "tool_use"}
    chat = chat_of_messages(body)
    sent = generate_content_of_chat(chat, "gemini-3-pro")
    said = "".join(strings(sent))
    for turn in body["messages"]:
        for block in [turn["content"]] if isinstance(turn["content"], str) else turn["content"]:
            if isinstance(block, str):
                assert block in said
            elif block["type"] == "text":
                assert block["text"] in said
            elif block["type"] == "tool_use":
                calls = [part["functionCall"] for content in sent["contents"] for part in content["parts"] if "functionCall" in part]  # fmt: skip
                assert {"id": block["id"], "name": block["name"], "args": block["input"]} in calls


# ---- answers


def test_an_answer_is_what_openai_calls_one():
    completion = completion_of_response(RESPONSE, CREATED_S, "fallback")
    assert completion["id"] == "mAitaLmk"
    choice = completion["choices"][0]
    message = choice["message"]
    assert (message["content"], message["reasoning_content"]) == ("I'll check the weather.", "Two cities.")
    first, second = message["tool_calls"]
    assert first["function"] == {"name": "get_weather", "arguments": '{"location":"Paris"}'}
    assert first["extra_content"] == {"google": {"thought_signature": "CiQB"}}
    assert second["id"] == "own"
    assert first["id"] not in ("", None, "own")
    assert choice["finish_reason"] == "tool_calls"
    usage = usage_of(completion)
    assert usage is not None
    assert (usage.n_input_tokens, usage.n_cached_input_tokens) == (100, 64)
    assert (usage.n_output_tokens, usage.n_reasoning_tokens) == (50, 30)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("STOP", "stop"), ("MAX_TOKENS", "length"), ("SAFETY", "content_filter"), ("OTHER", "stop")],
)
def test_why_it_stopped_is_told(reason, finish):
    candidate = {"content": {"parts": [{"text": "x"}]}, "finishReason": reason}
    choice = completion_of_response({"candidates": [candidate]}, CREATED_S, "a")["choices"][0]
    assert (choice["finish_reason"], choice["native_finish_reason"]) == (finish, reason)


def test_a_blocked_prompt_is_an_answer_that_was_withheld():
    blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
    choice = completion_of_response(blocked, CREATED_S, "a")["choices"][0]
    assert choice["finish_reason"] == "content_filter"
    assert choice["native_finish_reason"] == "PROHIBITED_CONTENT"


def test_log_probabilities_are_openais():
    result = {
        "chosenCandidates": [{"token": "é", "logProbability": -0.1}],
        "topCandidates": [{"candidates": [{"token": "é", "logProbability": -0.1}]}],
    }
    candidate = {"content": {"parts": [{"text": "é"}]}, "finishReason": "STOP", "logprobsResult": result}
    logprobs = completion_of_response({"candidates": [candidate]}, CREATED_S, "a")["choices"][0]["logprobs"]
    one = {"token": "é", "logprob": -0.1, "bytes": [195, 169]}
    assert logprobs["content"] == [{**one, "top_logprobs": [one]}]


def recorded(responses: list[dict[str, Any]]) -> dict[str, Any]:
    translator, recorder = ChunksOfResponses(CREATED_S, "a"), StreamRecorder()
    for response in responses:
        for chunk in translator.feed(response):
            recorder.add(json.loads(json.dumps(chunk)))
    assert translator.is_finished
    recorder.add(translator.last())
    return recorder.body()


parts = st.one_of(
    st.builds(lambda text: {"text": text}, shapes.texts),
    st.builds(lambda text: {"text": text, "thought": True}, shapes.texts),
    st.builds(lambda name, args: {"functionCall": {"name": name, "args": args}}, shapes.names, shapes.inputs),
)


@few
@given(st.lists(parts, min_size=1, max_size=6), st.integers(0, 100), st.sampled_from(["STOP", "MAX_TOKENS"]))
def test_a_stream_amounts_to_the_whole_answer(said, n_tokens, reason):
    usage = {"promptTokenCount": n_tokens, "candidatesTokenCount": n_tokens, "totalTokenCount": 2 * n_tokens}
    head = {"responseId": "r", "modelVersion": "m"}
    ending = {"finishReason": reason, "index": 0}
    whole = {**head, "candidates": [{"content": {"parts": said}, **ending}], "usageMetadata": usage}
    pieces = [{**head, "candidates": [{"content": {"parts": [part]}, "index": 0}]} for part in said]
    pieces.append({**head, "candidates": [ending], "usageMetadata": usage})
    expected = completion_of_response(whole, CREATED_S, "a")
    streamed = recorded(pieces)
    assert streamed["usage"] == expected["usage"]
    ours, theirs = streamed["choices"][0], expected["choices"][0]
    assert ours["finish_reason"] == theirs["finish_reason"]
    assert (ours["message"]["content"] or None) == theirs["message"]["content"]
    assert ours["message"].get("reasoning_content") == theirs["message"].get("reasoning_content")
    assert ours["message"].get("tool_calls") == theirs["message"].get("tool_calls")


def test_several_candidates_are_several_choices():
    def response(index: int, text: str, **rest: Any) -> dict[str, Any]:
        return {"candidates": [{"index": index, "content": {"parts": [{"text": text}]}, **rest}]}

    translator = ChunksOfResponses(CREATED_S, "a")
    translator.feed(response(0, "one", finishReason="STOP"))
    translator.feed(response(1, "two"))
    assert not translator.is_finished
    chunks = translator.feed(response(1, "!", finishReason="STOP"))
    assert translator.is_finished
    assert {chunk["choices"][0]["index"] for chunk in chunks} == {1}
