"""What the core takes and refuses: every refusal names the place, the value and the remedy."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from pointsman._native import (
    Catalog,
    Core,
    InvalidInput,
    NoFeasibleDeployment,
    PointsmanError,
    UnknownName,
)
from pointsman.types import Constraints, ProviderPreferences, Request

from .conftest import NOW_S, ask, catalog_document, catalog_of

HI = [{"role": "user", "content": "hi"}]
REFUSED: list[tuple[dict[str, Any], type[PointsmanError], str]] = [
    ({"messages": []}, InvalidInput, "messages is empty"),
    ({"messages": "hi"}, InvalidInput, "messages is of type str: give a list"),
    ({"messages": None}, InvalidInput, "messages is of type NoneType"),
    ({"messages": ["hi"]}, InvalidInput, "messages[0] is of type str: give an object"),
    ({"messages": [*HI, {"content": "x"}]}, InvalidInput, "messages[1].role is missing"),
    (
        {"messages": [{"role": "narrator"}]},
        InvalidInput,
        'messages[0].role is "narrator": give one of system',
    ),
    ({"messages": [{"role": 3}]}, InvalidInput, "messages[0].role is of type int"),
    ({"messages": [{"role": "user", "content": 5}]}, InvalidInput, "messages[0].content is of type int"),
    (
        {"messages": [{"role": "user", "content": ["x"]}]},
        InvalidInput,
        "messages[0].content[0] is of type str",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        InvalidInput,
        "content[0].text is missing",
    ),
    ({"messages": [{"role": "user", "content": "\ud800"}]}, InvalidInput, "messages[0].content is text that"),
    (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a\udfff"}]}]},
        InvalidInput,
        "messages[0].content[0].text is text that",
    ),
    ({"tools": [{"name": "\ud800"}]}, InvalidInput, "tools is text that is not valid Unicode"),
    ({"tools": 3}, InvalidInput, "tools"),
    ({"tools": [{"x": object()}]}, InvalidInput, "tools is of type object: give plain JSON values"),
    ({"response_format": {}}, InvalidInput, "response_format.type is missing"),
    ({"response_format": 3}, InvalidInput, "response_format is of type int"),
    ({"max_output_tokens": 0}, InvalidInput, "max_output_tokens is 0: give at least 1"),
    ({"max_output_tokens": -1}, InvalidInput, "max_output_tokens"),
    ({"max_output_tokens": "9"}, InvalidInput, "max_output_tokens"),
    ({"n_choices": 0}, InvalidInput, "n_choices is 0"),
    ({"allowed_models": ()}, InvalidInput, "allowed_models is empty"),
    ({"allowed_models": ("m9",)}, UnknownName, 'allowed_models: no model named "m9"'),
    ({"constraints": Constraints(quality_like="m77")}, UnknownName, 'quality_like: no model named "m77"'),
    (
        {"preferences": ProviderPreferences(only=("p9",))},
        UnknownName,
        'provider.only: no provider named "p9"',
    ),
    (
        {"constraints": Constraints(min_quality=1.5)},
        InvalidInput,
        "min_quality is 1.5: give a number in [0, 1]",
    ),
    ({"constraints": Constraints(max_cost_usd=-1)}, InvalidInput, "max_cost_usd is -1"),
    ({"constraints": Constraints(max_ttft_ms=float("nan"))}, InvalidInput, "max_ttft_ms is NaN"),
    ({"constraints": Constraints(max_latency_ms=float("inf"))}, InvalidInput, "max_latency_ms is inf"),
    ({"constraints": Constraints(deadline_s=0)}, InvalidInput, "deadline_s is 0"),
    ({"constraints": Constraints(quality_tolerance=(0.1, 2, 0))}, InvalidInput, "quality_tolerance is 2"),
    ({"constraints": Constraints(strategy="magic")}, InvalidInput, 'strategy is "magic"'),  # type: ignore[arg-type]
    ({"preferences": ProviderPreferences(sort="luck")}, InvalidInput, 'provider.sort is "luck"'),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("fields", "kind", "message"), REFUSED, ids=[message for _, _, message in REFUSED])
def test_a_malformed_request_is_refused_by_name(
    core: Core, fields: dict[str, Any], kind: type[PointsmanError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        core.decide(Request(**{"messages": HI, **fields}), now_s=NOW_S, seed=1)
    assert message in str(caught.value)
    with pytest.raises(kind) as caught:
        core.decide_many([ask(), Request(**{"messages": HI, **fields})], now_s=NOW_S, seed=1)
    assert str(caught.value).startswith("requests[1].")


def test_what_is_no_request_is_refused_by_its_place(core: Core) -> None:
    with pytest.raises(InvalidInput, match=r"^request is of type int: give a pointsman\.types\.Request$"):
        core.decide(3, now_s=NOW_S, seed=0)  # type: ignore[arg-type]
    with pytest.raises(
        InvalidInput, match=r"^requests\[1\] is of type dict: give a pointsman\.types\.Request$"
    ):
        core.decide_many([ask("hi"), {"messages": HI}], now_s=NOW_S, seed=0)  # type: ignore[list-item]


def test_the_exceptions_have_two_bases() -> None:
    assert issubclass(InvalidInput, PointsmanError)
    assert issubclass(InvalidInput, ValueError)
    assert issubclass(UnknownName, KeyError)
    assert InvalidInput.__module__ == "pointsman._native"


@pytest.mark.parametrize(
    "content",
    [
        "a\x00b",
        "x " * 5_000_000,
        "",
        None,
        [{"type": "hologram", "data": 1}, {"type": "text", "text": "hi"}],
        ({"type": "text", "text": "hi"},),
    ],
    ids=["nul", "10 MB", "empty", "null", "unknown part", "tuple"],
)
def test_odd_but_fine_content_is_decided(core: Core, content: object) -> None:
    request = Request(messages=[{"role": "user", "content": content}])
    try:
        assert core.decide(request, now_s=NOW_S, seed=1).decision_id.startswith("dec_")
    except NoFeasibleDeployment as error:
        assert error.infeasible.code == "context_window"  # noqa: PT017


def test_any_mapping_is_a_message_and_tool_traffic_is_read(core: Core) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    messages = [
        MappingProxyType({"role": "user", "content": "Use the tool."}),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "42"},
    ]
    schema: dict[str, Any] = {"x": {}}
    for _ in range(500):
        schema = {"properties": schema}
    tools = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
    bare = core.decide(Request(messages=messages), now_s=NOW_S, seed=1)
    full = core.decide(Request(messages=messages, tools=tools), now_s=NOW_S, seed=1)
    assert full.n_input_tokens > bare.n_input_tokens
    assert full.decision_id != bare.decision_id


BROKEN: list[tuple[str, Any, str]] = [
    ("models.0.colour", "red", "catalog at models[0].colour: unknown field `colour`"),
    ("models.0.contxt_window", 1, "did you mean `context_window`?"),
    ("models.0.quality", {"default": 1.2}, "models[0].quality.default: is 1.2: give a quality in [0, 1]"),
    ("models.0.quality", {}, "models[0].quality.default: is missing"),
    ("models.0.quality", {"default": 0.5, "cod": 0.5}, 'did you mean "code"?'),
    ("models.0.capabilities", ["tool"], "did you mean `tools`?"),
    ("models.0.context_window", 0, "models[0].context_window: is 0"),
    ("models.0.name", "m1", '"m1" is already models[0]'),
    ("deployments.0.model", "m99", 'deployments[0].model: no model named "m99"'),
    ("deployments.0.price_nano_usd_per_mtok.input", -1, "deployments[0].price_nano_usd_per_mtok.input"),
    ("deployments.0.price_nano_usd_per_mtok.input", 1.5, "deployments[0].price_nano_usd_per_mtok.input"),
    ("deployments.0.price_nano_usd_per_mtok.batch_input", 5, "give both or none"),
    ("deployments.0.price_nano_usd_per_mtok.cached_input", 10**15, "give at most the price of input"),
    ("deployments.0.price_nano_usd_per_mtok.cache_write", 10**16, ".cache_write: is 10000000000000000"),
    ("deployments.0.price_nano_usd_per_mtok.batch_cached_input", 5, "give batch_input and batch_output too"),
    (
        "deployments.0.price_nano_usd_per_mtok.long_context",
        [{"above_tokens": 0, "input": 1, "output": 1}],
        "long_context[0].above_tokens: is 0: give a number of input tokens above 0",
    ),
    (
        "deployments.0.price_nano_usd_per_mtok.long_context",
        [{"above_tokens": 9, "input": 1, "output": 1}] * 2,
        "long_context[1].above_tokens: is 9: give a number of input tokens above 9",
    ),
    ("deployments.0.price_nano_usd_per_mtok.above_tokens", 9, "give it in long_context only"),
    ("models.0.tokenizer", "o200", "give one of o200k, cl100k, llama3"),
    (
        "providers.0.prompt_cache",
        {"ttl_s": -1},
        "providers[0].prompt_cache.ttl_s: is -1: give a finite number",
    ),
    ("providers.0.prompt_cache", {"min_tokens": 0}, "providers[0].prompt_cache.min_tokens: is 0"),
    ("deployments.0.latency.tokens_per_s", 0, "deployments[0].latency.tokens_per_s: is 0"),
    ("deployments.0.latency.ttft_p95_ms", 1, "give at least ttft_p50_ms 100"),
    ("deployments.0.tier", "gold", "deployments[0].tier"),
    ("deployments", [], "deployments: is empty"),
    ("baseline_model", "m99", 'baseline_model: no model named "m99"'),
]


@pytest.mark.parametrize(("path", "value", "message"), BROKEN, ids=[f"{p}={v}" for p, v, _ in BROKEN])
def test_a_broken_catalog_is_refused_with_its_path(path: str, value: Any, message: str) -> None:
    document = catalog_document(2)
    *parents, last = path.split(".")
    place: Any = document
    for step in parents:
        place = place[int(step)] if step.isdigit() else place[step]
    place[last] = value
    with pytest.raises(InvalidInput) as caught:
        catalog_of(document)
    assert message in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b"{} trailing"])
def test_what_is_no_catalog_document_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="catalog"):
        Catalog.from_json(data)


def test_what_is_not_said_is_read_as_its_defaults_are(core: Core) -> None:
    """Shared constants are not read: what they stand for must be what a fresh object says."""
    silent = Request(messages=[{"role": "user", "content": "Who wrote Faust?"}])
    spelled_out = replace(silent, constraints=Constraints(), preferences=ProviderPreferences())
    assert spelled_out.constraints is not silent.constraints
    decisions = [core.decide(request, now_s=NOW_S, seed=7) for request in (silent, spelled_out)]
    assert decisions[0].to_json() == decisions[1].to_json()  # with the id, a hash of all that was asked
