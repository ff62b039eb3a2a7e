"""Reading a chat request: what is the core's, what goes upstream, what is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.errors import RequestError
from pointsman.router.block import BLOCK_FIELDS
from pointsman.router.request import ChatRequest, chat_body
from pointsman.types import Constraints, ProviderPreferences

MESSAGES = [{"role": "user", "content": "hello"}]


class NoPolicy:
    constraints = Constraints()
    preferences = ProviderPreferences()
    allowed_models = None
    cache = "read-write"
    is_tolerance_default = False
    version = ""
    arm = "main"


class Strict(NoPolicy):
    constraints = Constraints(min_quality=0.9, max_cost_usd=0.5)
    preferences = ProviderPreferences(ignore=("slow",))
    allowed_models = ("a", "b")


def parse(body, headers=None, policy=NoPolicy):
    return ChatRequest.parse(body, headers or {}, lambda name: policy())


def body(**changes):
    return {"model": "auto", "messages": MESSAGES} | changes


def test_fields_we_do_not_know_go_upstream_and_ours_do_not():
    sent = body(
        temperature=0.5,
        some_new_field={"a": [1]},
        pointsman={"tags": ["x"]},
        models=["m"],
        provider={"sort": "price"},
    )
    chat = parse(sent)
    assert chat.body == {
        "model": "auto", "messages": MESSAGES, "temperature": 0.5, "some_new_field": {"a": [1]}
    }  # fmt: skip
    assert set(chat.request.parameters) == {"temperature", "some_new_field"}


def test_parameters_that_are_null_or_off_demand_nothing():
    assert parse(body(logprobs=False, seed=None, tools=[])).request.parameters == ("tools",)


def test_the_request_overrides_the_policy_field_by_field():
    chat = parse(body(pointsman={"min_quality": 0.2}), policy=Strict)
    assert chat.request.constraints == Constraints(min_quality=0.2, max_cost_usd=0.5)
    assert chat.request.preferences.ignore == ("slow",)
    assert chat.request.allowed_models == ("a", "b")


def test_a_null_field_of_the_block_leaves_the_policy_alone():
    assert parse(body(pointsman={"min_quality": None}), policy=Strict).request.constraints.min_quality == 0.9


class Dialled(NoPolicy):
    constraints = Constraints(quality_value_usd=0.02, min_quality=0.5)
    preferences = ProviderPreferences()
    allowed_models = None


def test_the_request_s_dial_takes_the_place_of_the_policy_s():
    chat = parse(body(pointsman={"within_best": 0.1}), policy=Dialled)
    assert chat.request.constraints == Constraints(within_best=0.1, min_quality=0.5)


def test_two_settings_of_the_dial_or_a_misspelt_one_are_refused():
    with pytest.raises(RequestError, match="within_best and quality_value_usd both say") as caught:
        parse(body(pointsman={"within_best": 0.1, "quality_value_usd": 1}))
    assert caught.value.param == "pointsman.quality_value_usd"
    with pytest.raises(RequestError, match="did you mean quality_value_usd"):
        parse(body(pointsman={"quality_value": 1}))


def test_a_whole_number_that_no_float_holds_is_refused():
    for name in ("max_cost_usd", "max_latency_ms", "deadline"):
        with pytest.raises(RequestError, match=f"pointsman.{name} must be a"):
            parse(body(pointsman={name: 10**400}))


def test_a_model_name_pins_it_before_the_list():
    assert parse(body(model="b", models=["a", "b"])).request.allowed_models == ("b", "a")
    assert parse(body(models=["a"])).request.allowed_models == ("a",)
    assert parse(body()).request.allowed_models is None


def test_every_block_field_is_also_a_header():
    headers = {
        "task": "t", "max-cost-usd": "0.1", "max-latency-ms": "100", "max-ttft-ms": "50", "min-quality": "0.5",
        "quality-like": "m", "strategy": "direct", "deadline": "24h", "session-id": "s", "cache": "off",
        "tags": "a, b", "explain": "true", "within-best": "0.1", "latency-value-usd-per-s": "0.001",
    }  # fmt: skip
    named = {name.replace("-", "_") for name in headers}
    assert named == set(BLOCK_FIELDS) - {"quality_value_usd"}  # The other setting of the same dial.
    chat = parse(body(), headers)
    assert chat.explain
    assert chat.request.constraints == Constraints(
        task="t", max_cost_usd=0.1, max_latency_ms=100, max_ttft_ms=50, min_quality=0.5, quality_like="m",
        strategy="direct", deadline_s=86400, session_id="s", tags=("a", "b"), within_best=0.1,
        latency_value_usd_per_s=0.001,
    )  # fmt: skip


def test_a_session_has_a_name_of_its_own_or_is_the_prompt_cache_key():
    def session(**fields):
        return parse(body(**fields)).request.constraints.session_id

    assert session() is None
    assert session(prompt_cache_key="k") == "k"
    assert session(prompt_cache_key="k", pointsman={"session_id": "s"}) == "s"
    assert session(prompt_cache_key="") is None
    keyed = parse(body(prompt_cache_key="k"), {"session-id": "s"})
    assert keyed.request.constraints.session_id == "s"
    assert keyed.body["prompt_cache_key"] == "k", "passed on, as the provider groups by it too"


def test_the_body_wins_over_a_header():
    chat = parse(body(pointsman={"min_quality": 0.7}), {"min-quality": "0.1"})
    assert chat.request.constraints.min_quality == 0.7


@pytest.mark.parametrize(
    ("deadline", "seconds"),
    [("24h", 86400), ("15m", 900), ("90s", 90), ("250ms", 0.25), ("1d", 86400), (30, 30)],
)
def test_deadlines_are_durations(deadline, seconds):
    assert parse(body(pointsman={"deadline": deadline})).request.constraints.deadline_s == seconds


def test_max_completion_tokens_wins_over_max_tokens():
    assert parse(body(max_tokens=5, max_completion_tokens=7)).request.max_output_tokens == 7


def test_openrouter_preferences_are_read_whole():
    chat = parse(
        body(
            provider={
                "order": ["a"], "only": ["a", "b"], "ignore": ["c"], "allow_fallbacks": False, "sort": "latency",
                "require_parameters": True, "data_collection": "deny", "max_price": {"prompt": 1, "completion": 2},
            }
        )
    )  # fmt: skip
    assert chat.request.preferences == ProviderPreferences(
        order=("a",), only=("a", "b"), ignore=("c",), allow_fallbacks=False, sort="latency",
        require_parameters=True, data_collection="deny", max_input_price_usd_per_mtok=1,
        max_output_price_usd_per_mtok=2,
    )  # fmt: skip


@given(
    st.one_of(
        st.floats(), st.integers(), st.text(max_size=5), st.booleans(), st.lists(st.integers(), max_size=2)
    )
)
def test_a_quality_floor_is_a_number_in_0_1_or_an_error(value):
    is_good = (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and 0 <= value <= 1
    )
    if is_good:
        assert parse(body(pointsman={"min_quality": value})).request.constraints.min_quality == value
    elif not isinstance(value, str):
        with pytest.raises(RequestError, match=r"\[0, 1\]"):
            parse(body(pointsman={"min_quality": value}))


def test_errors_do_not_repeat_long_values():
    secret = "the prompt " * 10
    with pytest.raises(RequestError) as caught:
        parse(body(messages=secret))
    assert "the prompt" not in str(caught.value)


class TestLibraryArguments:
    def test_a_string_is_one_user_message(self):
        assert chat_body("hi", "auto", stream=False, arguments={})["messages"] == [
            {"role": "user", "content": "hi"}
        ]

    def test_constraints_parameters_and_extras_find_their_place(self):
        built = chat_body(
            MESSAGES, "m", stream=True, arguments={"min_quality": 0.5, "seed": 1, "extra_body": {"new": True}}
        )
        assert built == {
            "model": "m", "messages": MESSAGES, "stream": True, "pointsman": {"min_quality": 0.5}, "seed": 1,
            "new": True,
        }  # fmt: skip

    def test_a_typo_names_the_nearest_argument(self):
        with pytest.raises(RequestError, match="did you mean max_cost_usd"):
            chat_body("hi", "auto", stream=False, arguments={"max_cost_us": 1})
