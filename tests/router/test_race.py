"""Races and hedges through the router: who wins, who is cancelled, what it costs, and how many are extra."""

import anyio
import orjson
import pytest

from pointsman import Router
from pointsman.execution.race import HedgeBudget
from pointsman.providers.scripted import Answer, Failure, Hang, ScriptedProvider
from pointsman.types import Usage

from ..gateway.conftest import PROVIDERS, config

pytestmark = pytest.mark.anyio
USAGE = Usage(n_input_tokens=1000, n_output_tokens=100)
POLICIES = {"default": {"quality_tolerance": 1.0}}
TOOL = {"type": "function", "function": {"name": "pay", "parameters": {}}}


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


def routed(policies=None, budget=10.0, **scripts):
    """Alpha is asked first. Where it is late, it is so by its latency's prior: 100 ms."""
    document = config() | {"policies": policies or POLICIES}
    for deployment in document["deployments"]:
        deployment["latency"] = {"ttft_p50_ms": 40, "ttft_p95_ms": 50, "tokens_per_s": 100000}
    providers = {
        name: ScriptedProvider(name, scripts.get(name, [Answer(name, usage=USAGE)])) for name in PROVIDERS
    }
    router = Router.from_config(document, providers=providers)
    router._plans._hedges._left = budget
    return router, providers


def n_calls(providers):
    return {name: len(provider.calls) for name, provider in providers.items() if provider.calls}


async def read(stream):
    return [chunk async for chunk in stream]


async def test_the_decision_says_who_races_and_when():
    router, _ = routed()
    async with router:
        decision = router.decide("Hello", strategy="race")
        hurried = router.decide("Hello", strategy="race", max_latency_ms=80)
    record = orjson.loads(decision.to_json())
    assert record["strategy"] == "race"
    assert record["plan"]["hedge_after_ms"] >= 50
    first, second = (step["deployment"] for step in record["plan"]["steps"])
    assert first.startswith("nano")
    assert decision.provider_of(second) != decision.provider
    assert hurried.hedge_after_ms == 0.0


async def test_a_quick_first_answer_is_the_only_call():
    router, providers = routed()
    async with router:
        answer = await router.complete("Hello", strategy="race")
    assert (answer.text, n_calls(providers)) == ("alpha", {"alpha": 1})


@pytest.mark.parametrize("late", [Hang(), Answer("late", latency_s=30)])
async def test_a_late_first_loses_and_is_cancelled_at_once(late):
    router, providers = routed(alpha=[late])
    async with router:
        answer = await router.complete("Hello", strategy="race")
        assert providers["alpha"].n_cancelled == 1
    assert answer.text != "late"
    assert len(n_calls(providers)) == 2
    assert answer.decision.strategy == "race"


async def test_the_loser_is_charged_for():
    quick, _ = routed(alpha=[Hang()])
    async with quick:
        raced = await quick.complete("Hello there", strategy="race")
        alone = quick.registry.catalog.cost_nano_usd(
            raced.deployment, n_input_tokens=1000, n_output_tokens=100
        )
        lost = quick.registry.catalog.cost_nano_usd(
            raced.decision.deployment, n_input_tokens=raced.decision.n_input_tokens, n_output_tokens=0
        )
    assert raced.cost_usd == pytest.approx((alone + lost) / 1e9)
    assert lost > 0


async def test_of_two_streams_the_first_token_wins_and_the_other_is_closed():
    router, providers = routed(alpha=[Hang()])
    async with router:
        chunks = await read(router.stream("Hello", strategy="race"))
        assert providers["alpha"].n_cancelled == 1
    texts = [choice["delta"].get("content") for chunk in chunks for choice in chunk.get("choices") or ()]
    assert "".join(filter(None, texts)) in ("beta", "gamma")


async def test_a_caller_that_leaves_cancels_both():
    router, providers = routed(alpha=[Hang()], beta=[Hang()], gamma=[Hang()])
    async with router:
        with anyio.move_on_after(0.3):
            await router.complete("Hello", strategy="race")
    assert sum(provider.n_cancelled for provider in providers.values()) == 2


async def test_an_answer_that_cannot_be_used_does_not_win():
    router, providers = routed(
        alpha=[Answer("no json", usage=USAGE)], beta=[Answer("{}")], gamma=[Answer("{}")]
    )
    async with router:
        answer = await router.complete("Hello", strategy="race", response_format={"type": "json_object"})
    assert answer.text == "{}"
    assert len(n_calls(providers)) == 2


async def test_without_a_usable_answer_the_first_one_serves():
    router, providers = routed(alpha=[Answer("a")], beta=[Answer("b")], gamma=[Answer("c")])
    async with router:
        answer = await router.complete("Hello", strategy="race", response_format={"type": "json_object"})
    assert answer.text == "a"
    assert len(n_calls(providers)) == 2


async def test_a_first_that_fails_is_replaced_without_a_hedge():
    router, _ = routed(budget=0.0, alpha=[Failure(status=500)])
    async with router:
        answer = await router.complete("Hello", strategy="race")
    assert answer.text in ("beta", "gamma")
    assert answer.attempts[0].error_code == "provider_unavailable"


async def test_a_fault_of_the_caller_ends_the_race():
    router, providers = routed(alpha=[Failure(status=400)])
    async with router:
        with pytest.raises(Exception, match="400"):
            await router.complete("Hello", strategy="race")
    assert n_calls(providers) == {"alpha": 1}


async def test_without_a_budget_nobody_is_asked_twice():
    router, providers = routed(budget=0.0, alpha=[Answer("late", latency_s=0.3)])
    async with router:
        answer = await router.complete("Hello", strategy="race")
    assert (answer.text, n_calls(providers)) == ("late", {"alpha": 1})


@pytest.mark.parametrize(
    "arguments", [{"tools": [TOOL]}, {"store": True}, {"web_search_options": {}, "tools": [TOOL]}]
)
async def test_what_does_more_when_asked_twice_is_asked_once(arguments):
    router, _ = routed()
    async with router:
        assert router.decide("Hello", strategy="race", **arguments).strategy == "direct"


async def test_tools_without_side_effects_may_be_declared():
    router, _ = routed({"default": {"quality_tolerance": 1.0, "hedge_tools": True}})
    async with router:
        assert router.decide("Hello", strategy="race", tools=[TOOL]).strategy == "race"


async def test_auto_hedges_where_the_policy_says_so():
    router, _ = routed({"default": {"quality_tolerance": 1.0, "hedge": True}})
    async with router:
        assert router.decide("Hello").strategy == "race"
        assert router.decide("Hello", strategy="direct").strategy == "direct"


def test_extra_requests_stay_a_twentieth_of_all():
    budget, n_extra = HedgeBudget(), 0
    for _ in range(10_000):
        budget.earn()
        n_extra += budget.spend()
    assert 495 <= n_extra <= 500


def test_a_quiet_time_saves_only_so_many():
    budget = HedgeBudget()
    for _ in range(10_000):
        budget.earn()
    assert sum(budget.spend() for _ in range(100)) == 10
