"""The cache's identity: every field that changes the answer parts two requests, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.cache.identity import NEVER_SERVED, PARTITION_BYTES, Question, read_question
from pointsman.types import Constraints, ProviderPreferences, Request

TEXT = "What is the capital of Norway?"
BODY = {
    "model": "auto",
    "messages": [
        {"role": "system", "content": "You are terse."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": TEXT},
    ],
    "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
    "response_format": {"type": "json_object"},
    "temperature": 0.2,
    "top_p": 0.9,
    "max_tokens": 100,
    "seed": 3,
    "stop": ["\n"],
}


def question(body=BODY, constraints=None, scope="tenant", **of_request):
    request = Request(messages=body["messages"], constraints=constraints or Constraints(), **of_request)
    return read_question(body, request, scope)


def with_message(index, **changes):
    messages = [dict(message) for message in BODY["messages"]]
    messages[index] |= changes
    return {**BODY, "messages": messages}


DIFFERENT = {
    "scope": question(scope="other"),
    "model": question({**BODY, "model": "auto:cheap"}),
    "models": question({**BODY, "models": ["nano"]}),
    "system prompt": question(with_message(0, content="You are long-winded.")),
    "earlier turn": question(with_message(1, content="Hi")),
    "earlier role": question(with_message(0, role="developer")),
    "name of the asker": question(with_message(3, name="Ada")),
    "no system prompt": question({**BODY, "messages": BODY["messages"][1:]}),
    "tools": question({**BODY, "tools": []}),
    "response_format": question({**BODY, "response_format": {"type": "text"}}),
    "temperature": question({**BODY, "temperature": 0.3}),
    "top_p": question({**BODY, "top_p": 0.8}),
    "max_tokens": question({**BODY, "max_tokens": 101}),
    "seed": question({**BODY, "seed": 4}),
    "stop": question({**BODY, "stop": ["."]}),
    "logit_bias": question({**BODY, "logit_bias": {"50256": -100}}),
    "reasoning_effort": question({**BODY, "reasoning_effort": "high"}),
    "logprobs": question({**BODY, "logprobs": True}),
    "a field of tomorrow": question({**BODY, "verve": 11}),
    "models that may answer": question(allowed_models=("nano",)),
    "providers that may": question(preferences=ProviderPreferences(only=("local",))),
    "providers that keep no prompts": question(preferences=ProviderPreferences(data_collection="deny")),
    "task": question(constraints=Constraints(task="invoices")),
    "min_quality": question(constraints=Constraints(min_quality=0.9)),
    "quality_like": question(constraints=Constraints(quality_like="big")),
    "quality_tolerance": question(constraints=Constraints(quality_tolerance=(0.1, 0.1, 0.1))),
    "within_best": question(constraints=Constraints(within_best=0.1)),
    "quality_value_usd": question(constraints=Constraints(quality_value_usd=0.1)),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_field_that_changes_the_answer_parts_the_requests(name):
    other = DIFFERENT[name]
    assert other.text == TEXT
    assert other.partition != question().partition
    assert len(other.partition) == PARTITION_BYTES


def test_every_difference_has_a_partition_of_its_own():
    assert len({other.partition for other in DIFFERENT.values()}) == len(DIFFERENT)


@pytest.mark.parametrize(
    "changes",
    [
        {"stream": True, "stream_options": {"include_usage": True}},
        {"user": "u1"},
        {"metadata": {"a": "b"}, "store": True},
        {"service_tier": "flex"},
        {"prompt_cache_key": "k", "safety_identifier": "s"},
        {"pointsman": {"explain": True}},
    ],
)
def test_a_field_that_does_not_change_the_answer_parts_nothing(changes):
    assert question({**BODY, **changes}) == question()


def test_limits_of_time_and_money_part_nothing():
    assert question(constraints=Constraints(max_cost_usd=1.0, max_ttft_ms=9.0, session_id="s")) == question()


def test_the_order_of_fields_parts_nothing():
    assert question(dict(reversed(BODY.items()))) == question()


def test_only_the_last_text_is_left_out_of_the_partition():
    other = question(with_message(3, content="And of Sweden?"))
    assert other.partition == question().partition
    assert other.text == "And of Sweden?"


def test_text_parts_are_joined():
    parts = [{"type": "text", "text": "What is"}, {"type": "text", "text": "this?"}]
    assert question(with_message(3, content=parts)).text == "What is\nthis?"


NEVER = {
    "no_user_text": [
        with_message(3, role="assistant"),
        with_message(3, content=""),
        with_message(3, content=[]),
        with_message(3, content=None),
    ],
    "attachments": [
        with_message(1, content=[{"type": "image_url", "image_url": {"url": "x"}}]),
        with_message(3, content=[{"type": "text", "text": "see"}, {"type": "file", "file": {}}]),
        with_message(3, content=[{"type": "text"}]),
    ],
    "tool_results": [with_message(1, role="tool"), with_message(1, role="function")],
    "temperature": [{**BODY, "temperature": 1.2}],
    "several_answers": [{**BODY, "n": 2}],
    "web_search": [{**BODY, "web_search_options": {}}],
    "audio": [{**BODY, "modalities": ["text", "audio"]}, {**BODY, "audio": {"voice": "x"}}],
}


@pytest.mark.parametrize("rule", NEVER_SERVED)
def test_a_rule_names_what_is_never_served(rule):
    assert [question(body) for body in NEVER[rule]] == [rule] * len(NEVER[rule])


@pytest.mark.parametrize("value", [2**70, "\ud800", object()])
def test_what_is_not_json_is_never_served(value):
    assert question({**BODY, "verve": value}) == "unreadable"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(field=st.sampled_from(sorted(BODY.keys() - {"messages"})), value=JSON)
def test_any_other_value_of_any_field_parts(field, value):
    asked = question({**BODY, field: value})
    if isinstance(asked, Question):
        # Equal by JSON, not by Python: there 1 == True == 1.0.
        same = repr(value) == repr(BODY[field])
        assert (asked.partition == question().partition) == same


@given(earlier=st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text(max_size=9)), max_size=4))
def test_other_earlier_turns_part(earlier):
    messages = [{"role": role, "content": text} for role, text in earlier]
    asked = question({**BODY, "messages": [*messages, BODY["messages"][-1]]})
    assert (asked.partition == question().partition) == (messages == BODY["messages"][:-1])
