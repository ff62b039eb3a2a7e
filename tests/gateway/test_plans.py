"""Cascades and races over HTTP: what headers, metadata and streams say of them."""

import httpx
import pytest

from pointsman.providers.scripted import Answer, Hang
from pointsman.types import Usage

from .conftest import scripted_gateway, was_cancelled

BODY = {
    "model": "auto",
    "messages": [{"role": "user", "content": "Give me the capital of Norway as JSON."}],
    "response_format": {"type": "json_object"},
}
USAGE = Usage(n_input_tokens=1000, n_output_tokens=100)


def post(gateway, **block):
    body = BODY | {"pointsman": {"explain": True, **block}}
    return httpx.post(f"{gateway.url}/v1/chat/completions", json=body, timeout=10)


@pytest.fixture(scope="module")
def cascading():
    good, bad = Answer('{"town": "Oslo"}', usage=USAGE), Answer("Oslo, I think.", usage=USAGE)
    with scripted_gateway({"alpha": [bad], "beta": [bad], "gamma": [good]}) as served:
        yield served


def test_a_cascade_says_who_was_asked_and_what_all_calls_cost(cascading):
    answer = post(cascading, strategy="cascade", min_quality=0.9)
    headers, metadata = answer.headers, answer.json()["pointsman_metadata"]
    assert (headers["x-pointsman-strategy"], headers["x-pointsman-model"]) == ("cascade", "frontier")
    assert int(headers["x-pointsman-attempts"]) == len(metadata["attempts"]) >= 2
    assert [call["is_rejected"] for call in metadata["attempts"]][-1] is False
    assert metadata["attempts"][0]["is_rejected"] is True
    assert metadata["plan"]["steps"][0]["accept_threshold"] >= 0.9
    assert float(headers["x-pointsman-cost-usd"]) == pytest.approx(metadata["cost_usd"])
    assert float(headers["x-pointsman-cost-usd"]) > float(headers["x-pointsman-baseline-cost-usd"])
    assert "fallback" not in headers["x-pointsman-reason"]


def test_nothing_of_a_rejected_step_reaches_a_stream(cascading):
    body = BODY | {"stream": True, "pointsman": {"strategy": "cascade", "min_quality": 0.9}}
    answer = httpx.post(f"{cascading.url}/v1/chat/completions", json=body, timeout=10)
    assert "think" not in answer.text
    assert "town" in answer.text
    assert answer.headers["x-pointsman-model"] == "frontier"
    assert answer.text.rstrip().endswith("[DONE]")


def test_a_race_names_the_winner_and_leaves_the_loser():
    with scripted_gateway({"alpha": [Hang()]}) as served:
        answer = httpx.post(
            f"{served.url}/v1/chat/completions",
            json={
                "model": "auto",
                "messages": BODY["messages"],
                "pointsman": {"strategy": "race", "within_best": 1.0, "max_latency_ms": 8_000},
            },
            timeout=20,
        )
        assert answer.headers["x-pointsman-strategy"] == "race"
        assert answer.headers["x-pointsman-model"] != "nano"
        assert was_cancelled(served.providers["alpha"], within_s=1)
