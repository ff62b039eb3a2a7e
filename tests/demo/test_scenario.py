"""The demo's requests and fleet: well-formed before anything is started."""

from __future__ import annotations

import inspect
import json

import openai
import pytest
from openai.resources.chat.completions import Completions

from pointsman.cli.demo.fleet import BASELINE_MODEL, NANO, OTHERS, gateway_config
from pointsman.cli.demo.scenario import REQUESTS
from pointsman.router import load_registry

MODELS = [NANO, *OTHERS]
CREATE_PARAMETERS = set(inspect.signature(Completions.create).parameters)


def test_there_are_at_least_a_dozen_and_titles_are_unique():
    assert len(REQUESTS) >= 12
    assert len({request.title for request in REQUESTS}) == len(REQUESTS)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.title)
def test_request_is_accepted_by_the_openai_client(request_):
    keywords = request_.keywords()
    assert set(keywords) <= CREATE_PARAMETERS
    assert json.loads(json.dumps(keywords)) == keywords
    assert all(message["content"] for message in keywords["messages"])
    assert keywords["max_tokens"] > 0
    assert keywords["extra_body"]["pointsman"]["explain"] is True


def test_keywords_do_not_change_the_request():
    request = next(request for request in REQUESTS if request.pointsman)
    assert request.keywords() == request.keywords()
    assert "explain" not in request.pointsman


def test_exactly_one_request_is_impossible():
    assert [request.title for request in REQUESTS if not request.is_feasible] == [REQUESTS[-1].title]


def test_varied_kinds_are_covered():
    arguments = [request.arguments for request in REQUESTS]
    assert any(argument.get("stream") for argument in arguments)
    assert any("tools" in argument for argument in arguments)
    assert any("response_format" in argument for argument in arguments)
    assert any(argument["messages"][-1]["content"] == "yes, do it" for argument in arguments)
    fields = {field for request in REQUESTS for field in request.pointsman}
    assert fields >= {"max_latency_ms", "min_quality", "max_cost_usd"}


def test_config_of_the_fleet_is_a_valid_pointsman_config():
    registry = load_registry(
        gateway_config(MODELS, {model.provider: "http://127.0.0.1:9/v1" for model in MODELS})
    )
    assert len(registry.catalog) == len(MODELS)


def test_prices_and_latencies_are_the_nominal_ones():
    assert [(model.name, model.price_usd_per_mtok, model.ttft_p50_ms) for model in MODELS] == [
        ("nano-extract-v3", 0.04, 120),
        ("code-specialist-7b", 0.12, 180),
        ("general-mid-32b", 0.80, 340),
        (BASELINE_MODEL, 6.20, 1_100),
    ]


def test_real_model_keeps_name_and_price_and_takes_the_measured_latency():
    real = NANO.answered_by_real_model(ttft_p50_ms=500, tokens_per_s=40)
    assert (real.name, real.price_usd_per_mtok, real.is_real) == (NANO.name, NANO.price_usd_per_mtok, True)
    assert (real.ttft_p50_ms, real.tokens_per_s) == (500, 40)
    assert not any(model.is_real for model in MODELS)


def test_openai_client_is_the_stock_one():
    assert int(openai.__version__.split(".")[0]) >= 2


def test_simulated_providers_say_so_in_their_names():
    assert all(model.provider.startswith("simulated-") for model in MODELS)
    assert "simulated" not in NANO.answered_by_real_model(ttft_p50_ms=1, tokens_per_s=1).provider
