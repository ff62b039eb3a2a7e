"""The library face, under asyncio and trio."""

import orjson
import pytest

from pointsman import (
    NoFeasibleDeployment,
    PointsmanError,
    ProvidersExhausted,
    ProviderTimeout,
    RequestError,
    Router,
)
from pointsman.config import parse_config
from pointsman.providers.scripted import Answer, BrokenStream, Failure, Hang, ScriptedProvider
from pointsman.registry import registry_from_config
from pointsman.types import Outcome, Usage

from ..gateway.conftest import PROVIDERS, config

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


def router_with(**scripts):
    providers = {name: ScriptedProvider(name, scripts.get(name, [Answer("ok")])) for name in PROVIDERS}
    return Router.from_config(config(), providers=providers), providers


async def test_complete_answers_with_decision_and_costs():
    router, _ = router_with(alpha=[Answer("yes", usage=Usage(n_input_tokens=100, n_output_tokens=1))])
    async with router:
        answer = await router.complete("Is water wet? yes or no", model="nano")
    assert (answer.text, answer.model, answer.deployment) == ("yes", "nano", "nano@alpha")
    assert answer.cost_usd == pytest.approx(101 * 0.04e-6)
    assert answer.baseline_cost_usd == pytest.approx(101 * 6.2e-6)
    assert answer.decision.deployment == "nano@alpha"
    assert 0 < answer.overhead_us < answer.latency_ms * 1e3


LONG = [{"role": "user", "content": "The loan of the astrolabe to Ghent. " * 600}]


def two_equals():
    """Two models as good as each other; "b" is 10 % cheaper, and both read from cache at a tenth."""
    price = {"input": 1.0, "cached_input": 0.1, "output": 1.0}
    cheaper = {"input": 0.9, "cached_input": 0.09, "output": 0.9}
    return {
        "providers": {name: {"base_url": "http://127.0.0.1:1"} for name in PROVIDERS},
        "models": {name: {"quality": 0.8, "context_window": 100_000} for name in "ab"},
        "deployments": [
            {"name": "a@alpha", "model": "a", "provider": "alpha", "price_usd_per_mtok": price},
            {"name": "b@beta", "model": "b", "provider": "beta", "price_usd_per_mtok": cheaper},
        ],
    }


async def test_a_conversation_stays_where_its_prompt_is_cached():
    usage = Usage(n_input_tokens=5000, n_cached_input_tokens=0, n_output_tokens=10)
    providers = {name: ScriptedProvider(name, [Answer("ok", usage=usage)]) for name in PROVIDERS}
    async with Router.from_config(two_equals(), providers=providers) as router:
        assert (await router.complete(LONG, model="a", session_id="s")).deployment == "a@alpha"
        longer = [*LONG, {"role": "assistant", "content": "ok"}, {"role": "user", "content": "Since when?"}]
        decision = router.decide(longer, session_id="s")
        assert decision.deployment == "a@alpha"
        stay, leave = orjson.loads(decision.to_json())["candidates"]
        assert 3000 < stay["n_cached_input_tokens"] < stay["n_input_tokens"]
        assert leave["n_cached_input_tokens"] == 0
        assert stay["cost_usd"] < leave["cost_usd"]
        assert router.decide(longer, session_id="t").deployment == "b@beta"
        assert router.decide(longer).deployment == "b@beta"


async def test_a_provider_that_caches_nothing_keeps_nobody():
    usage = Usage(n_input_tokens=5000, n_cached_input_tokens=0, n_output_tokens=10)
    providers = {name: ScriptedProvider(name, [Answer("ok", usage=usage)]) for name in PROVIDERS}
    async with Router.from_config(two_equals(), providers=providers) as router:
        for _ in range(25):
            await router.complete(LONG, model="a", session_id="s")
        assert router.decide(LONG, session_id="s").deployment == "b@beta"


async def test_cached_and_written_and_reasoning_tokens_reach_the_cost():
    settings = two_equals()
    settings["deployments"][0]["price_usd_per_mtok"] = {
        "input": 1, "cached_input": 0.1, "cache_write": 1.25, "output": 2, "reasoning": 4,
    }  # fmt: skip
    usage = Usage(
        n_input_tokens=1000, n_cached_input_tokens=500, n_cache_write_tokens=400,
        n_output_tokens=50, n_reasoning_tokens=30,
    )  # fmt: skip
    providers = {name: ScriptedProvider(name, [Answer("ok", usage=usage)]) for name in PROVIDERS}
    async with Router.from_config(settings, providers=providers) as router:
        answer = await router.complete("hi", model="a")
        async with router.stream("hi", model="a") as stream:
            async for _ in stream:
                pass
    # 100 x 1 + 500 x 0.1 + 400 x 1.25 + 20 x 2 + 30 x 4 = 100 + 50 + 500 + 40 + 120 = 810 micro-dollars.
    assert answer.cost_usd == pytest.approx(810e-6)
    assert stream.cost_usd == pytest.approx(810e-6)
    assert answer.usage == usage


async def test_stream_yields_chunks_and_settles_cost():
    router, _ = router_with(alpha=[Answer("a b c", usage=Usage(n_input_tokens=10, n_output_tokens=3))])
    async with router:
        stream = router.stream("count", model="nano")
        texts = [
            chunk["choices"][0]["delta"].get("content") or "" async for chunk in stream if chunk["choices"]
        ]
    assert "".join(texts) == "a b c"
    assert stream.cost_usd == pytest.approx(13 * 0.04e-6)
    assert stream.usage.n_output_tokens == 3


async def test_leaving_a_stream_early_closes_it_and_estimates_what_was_used():
    router, providers = router_with(alpha=[Hang(after_chunks=2)])
    async with router:
        async with router.stream("count", model="nano") as stream:
            async for _ in stream:
                break
        assert providers["alpha"].n_cancelled == 1
    assert stream.usage.is_estimated
    assert stream.cost_usd > 0


async def test_fallback_to_the_next_feasible_deployment():
    router, providers = router_with(alpha=[Failure(status=503)])
    async with router:
        answer = await router.complete("hello", model="auto:cheap")
    assert [attempt.error_code for attempt in answer.attempts] == ["provider_unavailable", None]
    assert answer.deployment == answer.attempts[1].deployment != "nano@alpha"
    assert len(providers["alpha"].calls) == 1


async def test_exhausted_names_every_attempt():
    router, _ = router_with(**{name: [Failure(status=500)] for name in PROVIDERS})
    async with router:
        with pytest.raises(
            ProvidersExhausted, match=r"all 3 feasible deployments failed in 3 calls \(nano@alpha: provider_"
        ) as caught:
            await router.complete("hello", model="auto:cheap")
    assert len(caught.value.attempts) == 3


async def test_exhausted_counts_deployments_and_calls_apart():
    router, _ = router_with(alpha=[Failure(status=500)])
    async with router:
        with pytest.raises(ProvidersExhausted, match="the only feasible deployment failed in 3 calls"):
            await router.complete("hello", model="nano", provider={"only": ["alpha"]})


async def test_stream_broken_before_commit_falls_back():
    router, _ = router_with(alpha=[BrokenStream(after_chunks=0)], beta=[Answer("b")], gamma=[Answer("b")])
    async with router, router.stream("hello", model="auto:cheap") as stream:
        texts = [
            chunk["choices"][0]["delta"].get("content") or "" async for chunk in stream if chunk["choices"]
        ]
    assert "".join(texts) == "b"
    assert stream.target.deployment != "nano@alpha"


async def test_swap_routes_on_the_new_registry_and_keeps_unchanged_providers():
    router, _ = router_with()
    async with router:
        before = router.registry.catalog.version
        changed = config()
        changed["models"]["nano"]["quality"] = 0.99
        await router.swap(registry_from_config(parse_config(changed, source="test")))
        assert router.registry.catalog.version != before
        answer = await router.complete("hello", min_quality=0.97)
    assert answer.model == "nano"


async def test_infeasible_is_raised_with_its_report():
    router, _ = router_with()
    async with router:
        with pytest.raises(NoFeasibleDeployment, match="latency_sla") as caught:
            await router.complete("hello", max_latency_ms=1)
    assert caught.value.infeasible.code == "latency_sla"


def test_decide_is_synchronous():
    router, providers = router_with()
    decision = router.decide("hello", min_quality=0.9)
    assert decision.deployment == "frontier@gamma"
    assert not providers["gamma"].calls


def test_typo_in_an_argument_is_named():
    router, _ = router_with()
    with pytest.raises(RequestError, match="did you mean min_quality"):
        router.decide("hello", min_qualty=0.9)


def test_a_block_in_extra_body_does_not_make_a_limit_vanish():
    router, _ = router_with()
    with pytest.raises(NoFeasibleDeployment):
        router.decide("hello", max_latency_ms=1, extra_body={"pointsman": {"task": "t"}})


async def test_a_stream_is_answered_by_the_config_it_was_decided_on():
    router, _ = router_with(alpha=[Answer("old")])
    async with router:
        stream = router.stream("hello", model="nano")
        changed = config()
        changed["deployments"] = [each for each in changed["deployments"] if each["model"] != "nano"]
        changed["models"].pop("nano")
        await router.swap(registry_from_config(parse_config(changed, source="test")))
        texts = [
            chunk["choices"][0]["delta"].get("content") or "" async for chunk in stream if chunk["choices"]
        ]
    assert "".join(texts) == "old"
    assert stream.cost_usd > 0


async def test_a_closed_router_and_a_closed_stream_take_nothing_more():
    router, providers = router_with()
    stream = router.stream("hello", model="nano")
    await stream.aclose()
    with pytest.raises(PointsmanError, match="closed"):
        await anext(stream)
    await router.aclose()
    with pytest.raises(PointsmanError, match="closed"):
        await router.complete("hello")
    assert not providers["alpha"].calls


async def test_a_tool_call_without_usage_is_not_free():
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "x" * 4000}}
    router, _ = router_with(alpha=[Answer(tool_calls=(call,), usage=None)])
    async with router:
        answer = await router.complete("hello", model="nano")
    assert answer.usage.is_estimated
    assert answer.usage.n_output_tokens >= 1000


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_deadline_ends_the_waiting_for_providers(is_stream):
    promising = config()
    for deployment in promising["deployments"]:  # predicted fast, so that the deadline is feasible
        deployment["latency"] = {"ttft_p50_ms": 1, "ttft_p95_ms": 2, "tokens_per_s": 100_000}
    providers = {name: ScriptedProvider(name, [Hang()]) for name in PROVIDERS}
    async with Router.from_config(promising, providers=providers) as router:
        arguments = {"models": ["nano", "frontier"], "deadline": 0.2}
        asked = anext(router.stream("hi", **arguments)) if is_stream else router.complete("hi", **arguments)
        with pytest.raises(ProviderTimeout, match=r"deadline of 0.2 s"):
            await asked
    assert providers["alpha"].n_cancelled == 1
    assert not providers["gamma"].calls


async def test_a_stream_without_a_token_is_a_failure():
    router, _ = router_with(
        alpha=[Answer("", n_chunks=1, finish_reason="")], beta=[Answer("b")], gamma=[Answer("b")]
    )
    async with router, router.stream("hello", model="auto:cheap") as stream:
        assert stream.target.deployment != "nano@alpha"
        assert stream.attempts.made[0].error_code == "provider_malformed"


async def test_what_answers_cost_and_take_is_learned_whole_and_streamed():
    long = Answer("x", usage=Usage(n_input_tokens=10, n_output_tokens=1500))
    router, _ = router_with(alpha=[long])
    async with router:
        before = router.decide("hello", model="nano")
        for _ in range(30):
            await router.complete("hello", model="nano")
        whole = router.decide("hello", model="nano")
        async for _ in router.stream("hello", model="nano"):
            pass
        streamed = router.decide("hello", model="nano")
    assert whole.predicted_cost_usd > 2 * before.predicted_cost_usd
    assert whole.predicted_ttft_p95_ms < before.predicted_ttft_p95_ms
    assert streamed.predicted_cost_usd != whole.predicted_cost_usd


async def test_nonsense_of_an_upstream_costs_no_answer():
    router, _ = router_with(alpha=[Answer("ok", usage=Usage(n_input_tokens=1, n_output_tokens=10**13))])
    async with router:
        assert (await router.complete("hello", model="nano")).text == "ok"


async def test_a_grade_that_comes_later_is_learned():
    router, _ = router_with()
    async with router:
        decision = router.decide("hello", model="auto:cheap")
        graded = Outcome(
            deployment=decision.deployment,
            domain=decision.domain,
            complexity=decision.complexity,
            structure=decision.structure,
            reward=0.0,
        )
        for _ in range(50):
            router.observe(graded)
        after = router.decide("hello", model=decision.model)
    assert after.predicted_quality < decision.predicted_quality - 0.2


async def test_a_policy_explores_only_if_the_config_says_so():
    settings = config()
    settings["policies"]["curious"] = {"quality_tolerance": 1.0, "exploration": True}
    async with Router.from_config(settings) as router:
        plain = {router.decide("hello", model="auto:cheap").propensity for _ in range(100)}
        curious = [router.decide("hello", model="auto:curious").propensity for _ in range(100)]
        with pytest.raises(RequestError, match="exploration"):
            router.decide("hello", exploration=True)
    assert plain == {1.0}
    assert max(curious) < 1


async def test_a_budget_is_priced_by_what_was_spent_and_a_request_cannot_undo_it():
    settings = config()
    settings["policies"]["paced"] = {"budget": [{"usd_per_request": 1e-9}, {"usd": 1e-9, "window_s": 60}]}
    usage = Usage(n_input_tokens=100, n_output_tokens=50)
    providers = {name: ScriptedProvider(name, [Answer("ok", usage=usage)]) for name in PROVIDERS}
    async with Router.from_config(settings, providers=providers) as router:

        def price() -> float:
            return router.parse(
                {"model": "auto:paced", "messages": [{"role": "user", "content": "hi"}]}, {}
            ).request.constraints.budget_price

        assert price() == 0
        for _ in range(20):
            await router.complete("hello", model="auto:paced")
        stream = router.stream("hello", model="auto:paced")
        async for _ in stream:
            pass
        assert price() > 10
        with pytest.raises(RequestError, match="would undo the policy's budget"):
            router.decide("hello", model="auto:paced", quality_value_usd=1e9)
        before = price()
        await router.swap(router.registry)
        assert price() == before


async def test_what_is_learned_is_learned_at_the_time_of_the_routers_clock():
    # Speeds are those of the last minutes: learned at another time, these would be long forgotten.
    settings = parse_config(config(), source="mapping")
    router = Router(registry_from_config(settings), clock=lambda: 4e9)
    before = router.decide("hello", model="nano")
    slow = Outcome(
        deployment=before.deployment,
        domain=before.domain,
        complexity=before.complexity,
        structure=before.structure,
        n_output_tokens=10,
        latency_ms=30_000.0,
        ttft_ms=29_000.0,
    )
    for _ in range(100):
        router.observe(slow)
    after = router.decide("hello", model="nano")
    assert after.predicted_ttft_p95_ms > 5 * before.predicted_ttft_p95_ms
