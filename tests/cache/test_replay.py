"""A stored answer replayed as a stream, and a stream put together: each undoes the other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.cache.replay import StreamRecorder, is_whole, replayed

CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": "Oslo"}'}}
USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}


def answer(finish_reason="stop", **message):
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": None} | message,
        "finish_reason": finish_reason,
    }
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 9, "model": "nano"}
    return {**head, "choices": [choice], "usage": USAGE}


def recorded(chunks):
    recorder = StreamRecorder()
    for chunk in chunks:
        recorder.add(chunk)
    return recorder.body()


@given(text=st.text(min_size=1, max_size=200), reasoning=st.none() | st.text(min_size=1, max_size=60))
def test_recording_a_replay_gives_the_answer_back(text, reasoning):
    body = answer(content=text) if reasoning is None else answer(content=text, reasoning_content=reasoning)
    assert recorded(replayed(body)) == body


def test_tool_calls_and_logprobs_survive():
    body = answer("tool_calls", content="", tool_calls=[CALL, {**CALL, "id": "c2"}])
    body["choices"][0]["logprobs"] = {"content": [{"token": "a", "logprob": -1.0}], "refusal": None}
    assert recorded(replayed(body)) == body


def test_several_choices_survive():
    body = answer(content="a")
    body["choices"].append(
        {**body["choices"][0], "index": 1, "message": {"role": "assistant", "content": "b"}}
    )
    assert recorded(replayed(body)) == body


def test_a_replay_has_the_shape_of_a_live_stream():
    chunks = list(replayed(answer(content="word " * 20)))
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert {(chunk["id"], chunk["model"]) for chunk in chunks} == {("chatcmpl-1", "nano")}
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    ends = [chunk["choices"][0]["finish_reason"] for chunk in chunks if chunk["choices"]]
    assert ends == [None] * (len(ends) - 1) + ["stop"]
    assert len(ends) > 4
    assert chunks[-1] == {
        "id": "chatcmpl-1", "created": 9, "model": "nano", "object": "chat.completion.chunk", "choices": [],
        "usage": USAGE,
    }  # fmt: skip


def test_calls_in_pieces_are_joined():
    pieces = [
        {"index": 0, "id": "c1", "type": "function", "function": {"name": "look", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"at": '}},
        {"index": 0, "function": {"arguments": '"Oslo"}'}},
    ]
    chunks = [{"choices": [{"index": 0, "delta": {"tool_calls": [piece]}}]} for piece in pieces]
    assert recorded(chunks)["choices"][0]["message"]["tool_calls"] == [CALL]


NOT_WHOLE = {
    "cut by its limit": answer("length", content="a"),
    "withheld": answer("content_filter", content="a"),
    "no end": answer(None, content="a"),
    "empty": answer(content=""),
    "refused": answer(content="a", refusal="no"),
    "calls tools": answer("tool_calls", tool_calls=[CALL]),
    "an error": {**answer(content="a"), "error": {"message": "x"}},
    "no choices": {**answer(content="a"), "choices": []},
}


@pytest.mark.parametrize("name", NOT_WHOLE)
def test_an_answer_that_is_not_whole_is_not_stored(name):
    assert not is_whole(NOT_WHOLE[name], with_tool_calls=False)


def test_a_whole_answer_is_stored_and_tool_calls_by_wish():
    assert is_whole(answer(content="a"), with_tool_calls=False)
    assert is_whole(NOT_WHOLE["calls tools"], with_tool_calls=True)
