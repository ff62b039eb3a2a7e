"""Cascades through the router: who is asked, what is kept, what it costs, what leaves and when."""

from dataclasses import replace

import anyio
import orjson
import pytest

from pointsman import NoFeasibleDeployment, ProvidersExhausted, Router
from pointsman.providers.scripted import Answer, BrokenStream, Failure, Hang, ScriptedProvider
from pointsman.router.plans import StepJudge
from pointsman.router.request import chat_body
from pointsman.types import Outcome, Usage

from ..gateway.conftest import PROVIDERS, config

pytestmark = pytest.mark.anyio
JSON = {"type": "json_object"}
GOOD, BAD = '{"town": "Oslo"}', "The town is Oslo."
USAGE = Usage(n_input_tokens=1000, n_output_tokens=100)
ASKED = "Give me the capital of Norway as JSON."


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


def routed(policies=None, signals=None, **scripts):
    providers = {
        name: ScriptedProvider(name, scripts.get(name, [Answer(GOOD, usage=USAGE)])) for name in PROVIDERS
    }
    document = config() | {"policies": policies or {"default": {"min_quality": 0.9}}}
    if signals is not None:
        document["signals"] = signals
    return Router.from_config(document, providers=providers), providers


def calls(providers):
    return {name: len(provider.calls) for name, provider in providers.items() if provider.calls}


def ask(router, **arguments):
    return router.complete(ASKED, response_format=JSON, strategy="cascade", **arguments)


async def read(stream):
    return [chunk async for chunk in stream]


def text_of(chunks):
    choices = [choice for chunk in chunks for choice in chunk.get("choices") or ()]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


async def test_the_decision_holds_the_steps_with_their_thresholds():
    router, _ = routed()
    async with router:
        decision = router.decide(ASKED, response_format=JSON, strategy="cascade")
    record = orjson.loads(decision.to_json())
    steps = record["plan"]["steps"]
    assert (decision.strategy, record["strategy"]) == ("cascade", "cascade")
    assert 2 <= len(steps) <= 3
    assert steps[0]["deployment"].startswith("nano")
    assert all(0.9 <= step["accept_threshold"] <= 1.0 for step in steps[:-1])
    assert (steps[-1]["deployment"], steps[-1]["accept_threshold"]) == ("frontier@gamma", None)
    assert decision.ranking[: len(steps)] == [name for name, _ in decision.steps]
    assert record["predicted"]["quality"] >= 0.9
    assert "cascade" in decision.reason
    assert decision.propensity == record["propensity"] == 1.0


async def test_a_failed_gate_goes_on_and_both_calls_are_paid_for():
    router, providers = routed(alpha=[Answer(BAD, usage=USAGE)], beta=[Answer(BAD, usage=USAGE)])
    async with router:
        answer = await ask(router)
        alone = await router.complete(ASKED, model="frontier", response_format=JSON)
    assert (answer.text, answer.model) == (GOOD, "frontier")
    assert answer.cost_usd > alone.cost_usd
    assert [attempt.is_rejected for attempt in answer.attempts] == [True] * (len(answer.attempts) - 1) + [
        False
    ]
    assert all(attempt.error_code is None for attempt in answer.attempts)
    assert answer.baseline_cost_usd == alone.baseline_cost_usd
    assert providers["alpha"].calls


async def test_an_answer_that_is_likely_enough_to_be_good_is_kept():
    router, providers = routed({"default": {"quality_value_usd": 1e-6}})
    async with router:
        answer = await ask(router)
    assert (answer.model, calls(providers)) == ("nano", {"alpha": 1})
    assert answer.decision.strategy == "cascade"


async def test_a_floor_sends_on_what_is_not_likely_enough():
    router, _ = routed()
    async with router:
        answer = await ask(router)
    assert answer.attempts[0].is_rejected, "0.6 after a passed gate is far from 0.9"
    assert answer.model != "nano"


async def test_graded_answers_teach_what_a_gate_is_worth():
    router, providers = routed()
    async with router:
        for _ in range(400):
            router.planner.observe_verdict("json", "nano", 1.0, 1.0)
            router.planner.observe_verdict("json", "nano", 0.0, 0.0)
        answer = await ask(router)
    assert (answer.model, calls(providers)) == ("nano", {"alpha": 1})


async def test_a_step_that_fails_is_passed_over():
    router, _ = routed(alpha=[Failure(status=503)])
    async with router:
        answer = await ask(router)
    assert answer.text == GOOD
    assert answer.attempts[0].error_code == "provider_unavailable"


async def test_a_good_answer_serves_when_every_later_step_fails():
    policies = {"default": {"quality_value_usd": 1.0}}
    router, _ = routed(policies, beta=[Failure(status=503)], gamma=[Failure(status=503)])
    async with router:
        answer = await ask(router)
    assert (answer.text, answer.model) == (GOOD, "nano")
    assert answer.cost_usd == pytest.approx(
        router.registry.catalog.cost_nano_usd(answer.deployment, n_input_tokens=1000, n_output_tokens=100)
        / 1e9
    )


@pytest.mark.parametrize("first", [BAD, GOOD])
async def test_a_bad_answer_or_one_below_the_floor_never_serves_instead(first):
    failing = [Failure(status=503)]
    policies = {"default": {"min_quality": 0.9 if first == GOOD else 0.0, "quality_value_usd": 1.0}}
    router, _ = routed(policies, alpha=[Answer(first, usage=USAGE)], beta=failing, gamma=failing)
    async with router:
        with pytest.raises(Exception, match="503") as caught:
            await ask(router)
    assert isinstance(caught.value, ProvidersExhausted) or caught.value.code.startswith("provider")
    assert any(attempt.is_rejected for attempt in caught.value.attempts)


async def test_nothing_of_a_rejected_stream_leaves():
    router, providers = routed(alpha=[Answer(BAD, usage=USAGE, n_chunks=4)], beta=[Answer(BAD, n_chunks=3)])
    async with router:
        stream = router.stream(ASKED, response_format=JSON, strategy="cascade")
        chunks = await read(stream)
    assert text_of(chunks) == GOOD
    assert {chunk["model"] for chunk in chunks} == {"frontier"}
    assert stream.attempts.made[0].is_rejected
    assert stream.cost_usd > 0
    assert all(provider.n_cancelled == 0 for provider in providers.values())


async def test_a_kept_stream_is_whole_and_told_once():
    router, _ = routed(
        {"default": {"quality_value_usd": 1e-6}}, alpha=[Answer(GOOD, usage=USAGE, n_chunks=5)]
    )
    async with router:
        stream = router.stream(ASKED, response_format=JSON, strategy="cascade")
        chunks = await read(stream)
    assert text_of(chunks) == GOOD
    assert (stream.target.model, stream.usage) == ("nano", USAGE)


async def test_with_a_buffer_a_long_answer_is_sent_on_as_it_comes():
    policies = {"default": {"quality_value_usd": 1e-6, "cascade_buffer_tokens": 3}}
    router, _ = routed(policies, alpha=[Hang(after_chunks=6)])
    async with router, router.stream("Tell me a story", strategy="cascade") as stream:
        seen = [await anext(stream) for _ in range(6)]
    assert text_of(seen) == "word " * 6


async def test_a_stream_that_breaks_while_it_is_held_back_is_replaced():
    router, _ = routed(alpha=[BrokenStream(after_chunks=2)])
    async with router:
        stream = router.stream(ASKED, response_format=JSON, strategy="cascade")
        assert text_of(await read(stream)) == GOOD


async def test_a_caller_that_leaves_closes_the_step_under_way():
    router, providers = routed(alpha=[Hang(after_chunks=2)])
    async with router:
        with anyio.move_on_after(0.03):
            await read(router.stream(ASKED, response_format=JSON, strategy="cascade"))
    assert providers["alpha"].n_cancelled == 1


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_rejected_answer_teaches_of_the_one_who_gave_it(is_stream):
    router, _ = routed(alpha=[Answer(BAD, usage=USAGE)], signals={})
    async with router:
        before = router.decide(ASKED, model="nano", min_quality=0.0, response_format=JSON).predicted_quality
        for _ in range(60):
            if is_stream:
                await read(router.stream(ASKED, response_format=JSON, strategy="cascade"))
            else:
                await ask(router)
        await router.signals.settle()
        after = router.decide(ASKED, model="nano", min_quality=0.0, response_format=JSON).predicted_quality
    assert after < before - 0.15


async def test_auto_cascades_only_where_the_policy_allows_and_it_pays():
    plain, _ = routed({"default": {"min_quality": 0.9}})
    allowed, _ = routed({"default": {"min_quality": 0.9, "cascade": True}})
    cheap, _ = routed({"default": {"quality_value_usd": 1e-6, "cascade": True}})
    for router in (plain, allowed, cheap):
        for _ in range(400):
            router.planner.observe_verdict("json", "nano", 1.0, 1.0)
            router.planner.observe_verdict("json", "nano", 0.0, 0.0)
    strategies = [router.decide(ASKED, response_format=JSON).strategy for router in (plain, allowed, cheap)]
    assert strategies == ["direct", "cascade", "direct"]
    for router in (plain, allowed, cheap):
        await router.aclose()


async def test_what_is_drawn_to_explore_is_carried_out_as_drawn():
    policy = {"quality_value_usd": 1.0, "exploration": True, "cascade": True}
    router, _ = routed({"default": policy})
    async with router:
        decisions = [router.decide(ASKED, response_format=JSON) for _ in range(50)]
    assert {decision.strategy for decision in decisions} == {"direct"}


async def test_a_limit_that_no_two_steps_keep_leaves_one_call():
    router, _ = routed({"default": {}})
    async with router:
        decision = router.decide(ASKED, strategy="cascade", max_latency_ms=6000)
        with pytest.raises(NoFeasibleDeployment):
            router.decide(ASKED, strategy="cascade", max_cost_usd=0.0)
    assert decision.strategy == "direct"


async def test_logprobs_that_only_verifiers_wanted_do_not_leave():
    router, providers = routed({"default": {"quality_value_usd": 1e-6}})
    async with router:
        answer = await ask(router)
        assert providers["alpha"].calls[0].body["logprobs"] is True
        asked = await ask(router, logprobs=True)
    assert "logprobs" not in answer.body["choices"][0]
    assert asked.decision.strategy == "cascade"


def judged(router, worth_usd):
    """The threshold of the first step, and what its answer comes to by the mean and by the lower bound."""
    decision = router.decide(
        ASKED, response_format=JSON, strategy="cascade", quality_value_usd=worth_usd, max_tokens=100
    )
    deployment, threshold = decision.steps[0]
    said = [(name, 1.0) for name in ("empty", "truncation", "refusal", "json")]
    beliefs = decision.quality_of(deployment), decision.quality_lcb_of(deployment)
    return decision, threshold, *(router.planner.posterior("nano", belief, said) for belief in beliefs)


async def test_an_ungraded_models_answer_is_not_kept_on_the_mean_alone():
    router, _ = routed({"default": {}})
    async with router:
        worths_usd = [1e-6 * 1.3**i for i in range(60)]
        worth_usd = next(
            worth_usd
            for worth_usd in worths_usd
            for _, threshold, mean, least in [judged(router, worth_usd)]
            if least + 0.05 < threshold < mean - 0.05
        )
        answer = await ask(router, quality_value_usd=worth_usd, max_tokens=100)
        assert answer.attempts[0].is_rejected, "nobody has graded it"
        decision, *_ = judged(router, worth_usd)
        graded = Outcome(
            deployment=decision.steps[0][0],
            domain=decision.domain,
            complexity=decision.complexity,
            structure=decision.structure,
            decision=decision,
        )
        for i in range(600):
            router.observe(replace(graded, reward=float(i % 5 < 3)))
        _, threshold, _, least = judged(router, worth_usd)
        assert least > threshold
        answer = await ask(router, quality_value_usd=worth_usd, max_tokens=100)
    assert not answer.attempts[0].is_rejected, "now 600 were, and six in ten were good"


async def test_json_that_follows_its_schema_is_one_witness():
    schema = {"type": "json_schema", "json_schema": {"name": "t", "schema": {"type": "object"}}}
    router, _ = routed()
    async with router:
        body = chat_body(
            ASKED, "auto", stream=False, arguments={"strategy": "cascade", "response_format": schema}
        )
        chat = router.parse(body, {})
        decision = router.decide_request(chat)
        judge = StepJudge(router.planner, router._wirings.now, chat, decision)
        answer = {"choices": [{"message": {"content": GOOD}, "finish_reason": "stop"}]}
        seen = judge.look(0, answer, is_whole=True).p_good
        said = [(name, 1.0) for name in ("empty", "truncation", "refusal", "json_schema")]
        belief = decision.quality_of(decision.steps[0][0])
        assert seen == pytest.approx(router.planner.posterior("nano", belief, said))
