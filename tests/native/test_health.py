"""Health through the binding: leave to call, ends of calls, limits learned, settings."""

import json
import threading

import pytest

from pointsman._native import Catalog, Core, Refusal, Ticket
from pointsman.errors import InvalidInput, UnknownName

from .conftest import NOW_S

DOCUMENT = {
    "models": [{"name": "m", "context_window": 8000, "quality": {"default": 0.7}}],
    "providers": [{"name": "p"}],
    "deployments": [
        {
            "name": name,
            "model": "m",
            "provider": "p",
            "price_nano_usd_per_mtok": {"input": 1, "output": 1},
            "latency": {"ttft_p50_ms": 400, "ttft_p95_ms": 900, "tokens_per_s": 80},
            "limits": {"requests_per_min": 100},
        }
        for name in ("one", "two")
    ],
}


@pytest.fixture
def core():
    return Core(Catalog.from_json(json.dumps(DOCUMENT).encode()))


def states(core, now_s=NOW_S):
    return {state["deployment"]: state for state in json.loads(core.health(now_s=now_s))}


def fail(core, name, now_s=NOW_S):
    return core.end(core.begin(name, n_tokens=1, now_s=now_s), "failed", now_s=now_s, latency_ms=1.0)


def test_calls_are_counted_and_a_ticket_counts_once(core):
    ticket = core.begin("one", n_tokens=10, now_s=NOW_S)
    assert isinstance(ticket, Ticket)
    assert (ticket.deployment, ticket.is_probe) == ("one", False)
    assert states(core)["one"]["n_pending"] == 1
    assert core.end(ticket, "answered", now_s=NOW_S, ttft_ms=100.0) is None
    assert core.end(ticket, "failed", now_s=NOW_S) is None
    state = states(core)["one"]
    assert (state["n_pending"], state["failure_rate"], state["usual_ttft_ms"]) == (0, 0.0, 100.0)
    assert state["requests"] == {"limit": 100.0, "remaining": 99.0, "reset_s": pytest.approx(0.6)}


def test_a_breaker_opens_and_one_probe_closes_it(core):
    assert [fail(core, "one") for _ in range(5)] == [None] * 4 + ["open"]
    refusal = core.begin("one", n_tokens=1, now_s=NOW_S)
    assert isinstance(refusal, Refusal)
    assert (refusal.cause, refusal.limit) == ("breaker", 0.0)
    assert refusal.value == refusal.ends_in_s
    assert 30 <= refusal.ends_in_s <= 37.5
    assert states(core)["one"]["state"] == "open"
    probe = core.begin("one", n_tokens=1, now_s=NOW_S + 40)
    assert probe.is_probe
    assert states(core, NOW_S + 40)["one"]["state"] == "half_open"
    assert core.end(probe, "answered", now_s=NOW_S + 40) == "closed"


def test_a_long_answer_in_one_piece_does_not_look_slow(core):
    for n_output_tokens in (10, 100, 1000):
        ticket = core.begin("one", n_tokens=1, now_s=NOW_S)
        latency_ms = 400 + 1000 * n_output_tokens / 80
        core.end(ticket, "answered", now_s=NOW_S, latency_ms=latency_ms, n_output_tokens=n_output_tokens)
    assert states(core)["one"]["peak_ttft_ms"] == pytest.approx(400)


def test_limits_are_learned(core):
    core.learn_limits("one", requests=(50.0, 0.0, 10.0), tokens=(None, None, None), now_s=NOW_S)
    refusal = core.begin("one", n_tokens=1, now_s=NOW_S)
    # Five a second by the provider, but the config allows 100 a minute.
    assert (refusal.cause, refusal.ends_in_s) == ("requests_per_min", pytest.approx(0.6))


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda core: core.begin("three", n_tokens=1, now_s=NOW_S), UnknownName),
        (lambda core: core.begin("one", n_tokens=1, now_s=float("nan")), InvalidInput),
        (lambda core: core.end(core.begin("one", n_tokens=1, now_s=0.0), "gone", now_s=0.0), InvalidInput),
        (lambda core: core.configure_health(b'{"min_calls": -1}'), InvalidInput),
        (lambda core: core.configure_health(b'{"unknown": 1}'), InvalidInput),
        (
            lambda core: core.learn_limits(
                "one", requests=(-1.0, None, None), tokens=(None, None, None), now_s=0.0
            ),
            InvalidInput,
        ),
    ],
)
def test_nonsense_is_refused(core, call, error):
    with pytest.raises(error):
        call(core)


def test_threads_never_exceed_a_limit(core):
    begun = []

    def ask():
        for _ in range(50):
            ticket = core.begin("one", n_tokens=1, now_s=NOW_S)
            if isinstance(ticket, Ticket):
                begun.append(ticket)
                core.end(ticket, "answered", now_s=NOW_S)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(begun) == 100
    assert states(core)["one"]["n_pending"] == 0
