"""Budgets and rate limits around the calls of a router: never passed, settled by what came, released by what did not."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.config.values import DEFAULT_QUALITY_TOLERANCE
from pointsman.errors import LimitExceeded, ProviderError
from pointsman.keys import Key
from pointsman.providers import Answer, Failure, ScriptedProvider
from pointsman.router import Router
from pointsman.router import admission as admission_module
from pointsman.spend import Allowance, Window
from pointsman.types import Usage

from ..gateway.conftest import PROVIDERS, config

DAY = Window(period="day")
TEXT = "Prove that the square root of two is irrational."


def routed(script=None, budgets=None, **sections):
    answers = script or [Answer("ok", usage=Usage(n_input_tokens=20, n_output_tokens=10))]
    providers = {name: ScriptedProvider(name, answers) for name in PROVIDERS}
    settings = config() | ({"budgets": budgets} if budgets else {}) | sections
    return Router.from_config(settings, providers=providers), providers


def key(usd=None, tenant="a", **fields):
    budgets = (Allowance(usd, DAY),) if usd is not None else ()
    return Key(key_id=f"{tenant}1", digest=bytes(32), tenant=tenant, budgets=budgets, **fields)


def body(model="auto:best", **changes):
    return {"model": model, "messages": [{"role": "user", "content": TEXT}], "max_tokens": 50} | changes


async def ask(router, of=None, **changes):
    chat = router.parse(body(**changes), {}, key=of)
    return await router.run(chat, router.decide_request(chat), 0.0)


def used(router, of=None):
    return {each["scope"]: round(each["used_usd"] * 1e9) for each in router.admission.status(of)}


@given(
    usages=st.lists(st.tuples(st.integers(0, 24), st.integers(0, 50)), min_size=64, max_size=64),
    limit_usd=st.floats(1e-7, 0.02),
    n_failing=st.integers(0, 5),
)
@settings(max_examples=10, deadline=None)
def test_64_tasks_never_pass_the_budget_by_a_nano_dollar(usages, limit_usd, n_failing):
    """Every call reaches its provider before any is settled: a check without a reservation would let all in."""
    script = [
        Answer("x", usage=Usage(n_input_tokens=i, n_output_tokens=o), latency_s=0.001) for i, o in usages
    ]
    script[:n_failing] = [Failure(500)] * n_failing

    async def check():
        router, _ = routed(script, {"total": {"usd": limit_usd, "period": "day"}})
        answers, refused, failed = [], [], []

        async def one():
            try:
                answers.append(await ask(router))
            except LimitExceeded as error:
                refused.append(error)
            except ProviderError as error:
                failed.append(error)

        async with anyio.create_task_group() as tasks:
            for _ in range(64):
                tasks.start_soon(one)
        spent = sum(round(answer.cost_usd * 1e9) for answer in answers)
        assert len(answers) + len(refused) + len(failed) == 64
        assert used(router) == {"total": spent}
        assert spent <= round(limit_usd * 1e9)
        assert all(error.status == 402 and error.code == "policy_budget" for error in refused)

    anyio.run(check)


async def test_a_full_budget_asks_the_cheaper_first_and_then_nobody():
    router, providers = routed(budgets={"total": {"usd": 0.0002, "period": "day"}})
    models, refusal = [], None
    while refusal is None:
        try:
            answer = await ask(router)
        except LimitExceeded as error:
            refusal = error
        else:
            models.append(answer.model)
    assert "the budget of total (day)" in str(refusal)
    assert models[0] == "middle"  # the dearest, frontier, was too dear from the start
    assert set(models) == {"middle", "nano"}
    assert models == sorted(models)  # once the dearer does not fit, it never does again
    budget = refusal.budget
    assert budget["limit_usd"] == 0.0002
    assert budget["spent_usd"] <= 0.0002
    assert budget["resets_at"].endswith("T00:00:00Z")
    assert 0 < refusal.retry_after_s <= 86_400
    assert not providers["gamma"].calls


async def test_a_deployment_that_does_not_fit_is_no_fallback():
    router, providers = routed([Failure(500)], {"total": {"usd": 0.0002, "period": "day"}})
    with pytest.raises(ProviderError):
        await ask(router)
    assert [len(providers[name].calls) for name in PROVIDERS] == [1, 2, 0]  # the first once more, at last


async def read(router):
    return [chunk async for chunk in streamed(router)]


@pytest.mark.parametrize("way", [ask, read])
async def test_failures_release_what_was_held(way):
    router, _ = routed([Failure(500)], {"total": {"usd": 1, "period": "day"}})
    with pytest.raises(ProviderError):
        await way(router)
    assert used(router) == {"total": 0}


def streamed(router, of=None):
    chat = router.parse(body(stream=True), {}, key=of)
    return router.run_stream(chat, router.decide_request(chat), 0.0)


async def test_a_stream_is_settled_by_what_it_cost_whole_or_left():
    usage = Usage(n_input_tokens=20, n_output_tokens=10)
    router, _ = routed([Answer("one two three four", usage=usage)], {"total": {"usd": 1, "period": "day"}})
    whole = streamed(router)
    async for _ in whole:
        pass
    assert used(router) == {"total": round(whole.cost_usd * 1e9)} != {"total": 0}
    left = streamed(router)
    async with left as chunks:
        await anext(chunks)
        assert router.admission.accounts.account("total", DAY).held_nano_usd > 0
    assert left.cost_usd > 0
    assert used(router) == {"total": round((whole.cost_usd + left.cost_usd) * 1e9)}
    assert router.admission.accounts.account("total", DAY).held_nano_usd == 0


async def test_a_caller_who_leaves_is_charged_what_was_expected():
    router, _ = routed([Answer("late", latency_s=5)], {"total": {"usd": 1, "period": "day"}})
    with anyio.move_on_after(0.02):
        await ask(router)
    chat = router.parse(body(), {})
    assert used(router) == {"total": round(router.decide_request(chat).predicted_cost_usd * 1e9)}


async def test_key_tenant_and_total_are_held_together():
    budgets = {"total": {"usd": 1, "period": "month"}, "tenants": {"a": {"usd": 0.5, "window_s": 3600}}}
    router, _ = routed(budgets=budgets)
    of = key(0.25, is_admin=True)
    answer = await ask(router, of)
    cost = round(answer.cost_usd * 1e9)
    assert used(router, of) == {"key:a1": cost, "tenant:a": cost, "total": cost}
    await ask(router, key(tenant="b"))
    assert used(router, of) == {"key:a1": cost, "tenant:a": cost, "total": 2 * cost}
    # What all tenants spend together is not a tenant's to know.
    assert used(router, key(tenant="b")) == {}


async def test_an_answer_from_the_cache_is_free_and_its_audit_is_not():
    router, _ = routed(
        [Answer("ok", usage=Usage(n_input_tokens=20, n_output_tokens=10))],
        {"total": {"usd": 1, "period": "day"}},
        cache={"audit_rate": 0},
    )
    first = await ask(router, model="nano")
    cost = round(first.cost_usd * 1e9)
    assert (await ask(router, model="nano")).cache.is_hit
    assert used(router) == {"total": cost}
    chat = router.parse(body("nano"), {})
    await router._carrier.answer_afresh(chat, router.decide_request(chat))
    assert used(router) == {"total": 2 * cost}
    await router.aclose()


async def test_spending_survives_a_restart(tmp_path):
    budgets = {"path": str(tmp_path), "total": {"usd": 1, "period": "month"}}
    router, _ = routed(budgets=budgets)
    answer = await ask(router)
    await router.aclose()
    again, _ = routed(budgets=budgets)
    assert used(again) == {"total": round(answer.cost_usd * 1e9)}
    await again.aclose()


async def test_a_changed_budget_keeps_what_was_spent():
    router, _ = routed(budgets={"total": {"usd": 1, "period": "day"}})
    spent = round((await ask(router)).cost_usd * 1e9)
    changed, _ = routed(budgets={"total": {"usd": spent / 1e9, "period": "day"}})
    await router.swap(changed.registry)
    with pytest.raises(LimitExceeded):
        await ask(router)
    assert used(router) == {"total": spent}


def test_a_tight_budget_makes_cheaper_deployments_acceptable():
    """Spending at ten times the pace raises the price; the choice moves down before the hard stop."""
    router, _ = routed(budgets={"total": {"usd": 0.1, "period": "day"}})
    limits = router.admission._limits_of(None)
    chosen = []
    for _ in range(300):
        decision = router.decide_request(router.parse(body("auto:best"), {}))
        chosen.append(decision.model)
        for limit in limits:
            limit.pace.observe(0.01 if decision.model == "frontier" else 1e-6, router.admission.clock())
    assert chosen[0] == "frontier"
    assert set(chosen[-50:]) != {"frontier"}


def test_a_price_of_dollars_is_added_to_the_policys():
    policies = {"value": {"quality_value_usd": 0.01}, "near": {"within_best": 0.05}, "default": {}}
    router, _ = routed(budgets={"total": {"usd": 0.001, "period": "day"}}, policies=policies)
    before = {name: router.parse(body(f"auto:{name}"), {}).request.constraints for name in policies}
    for limit in router.admission._limits_of(None):
        for _ in range(20):
            limit.pace.observe(0.0005, router.admission.clock())
    after = {name: router.parse(body(f"auto:{name}"), {}).request.constraints for name in policies}
    assert before["value"].budget_price is None
    assert after["value"].budget_price > 0
    assert after["near"].within_best > before["near"].within_best == 0.05
    assert after["near"].budget_price is None
    assert all(x > y for x, y in zip(after["default"].quality_tolerance, (0.2, 0.1, 0.02), strict=True))
    # A request that sets the dial itself is taken at its word; the hard stop holds all the same.
    asked = router.parse(body("auto", pointsman={"within_best": 0.01}), {}).request.constraints
    assert (asked.within_best, asked.quality_tolerance) == (0.01, None)

    # So is one that names a floor: the default tolerance, widened or not, gives way to it.
    floored = router.parse(body("auto", pointsman={"min_quality": 0.9}), {}).request.constraints
    assert (floored.min_quality, floored.quality_tolerance) == (0.9, None)


def test_a_budget_does_not_put_a_tolerance_beside_a_policys_floor():
    policies = {"floor": {"min_quality": 0.7}, "both": {"min_quality": 0.7, "quality_tolerance": 0.05}}
    router, _ = routed(budgets={"total": {"usd": 0.001, "period": "day"}}, policies=policies)
    for limit in router.admission._limits_of(None):
        for _ in range(20):
            limit.pace.observe(0.0005, router.admission.clock())
    asked = {name: router.parse(body(f"auto:{name}"), {}).request.constraints for name in policies}
    assert asked["floor"].quality_tolerance is None
    assert min(asked["both"].quality_tolerance) > 0.05


def test_the_default_tolerance_is_the_configs():
    assert tuple(DEFAULT_QUALITY_TOLERANCE.values()) == admission_module._DEFAULT_TOLERANCE


async def test_requests_a_minute_are_counted_before_anything_is_decided():
    router, _ = routed()
    router.admission.monotonic = lambda: 100.0
    of = key(requests_per_min=3)
    for _ in range(3):
        await ask(router, of)
    with pytest.raises(LimitExceeded, match="3 requests a minute") as caught:
        await ask(router, of)
    assert (caught.value.status, caught.value.code) == (429, "caller_rate_limited")
    assert caught.value.retry_after_s == 20.0
    await ask(router, key(tenant="b", requests_per_min=3))
    left = dict(router.admission.rates_left(of))
    assert left["x-ratelimit-limit-requests"] == "3"
    assert left["x-ratelimit-remaining-requests"] == "0"
    assert left["x-ratelimit-reset-requests"] == "60.000s"


async def test_tokens_a_minute_are_held_and_then_settled():
    router, _ = routed([Answer("ok", usage=Usage(n_input_tokens=20, n_output_tokens=10), latency_s=0.02)])
    router.admission.monotonic = lambda: 100.0
    of = key(tokens_per_min=200)
    admission = router.admission

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, router, of)
        await anyio.sleep(0.005)
        # About 30 tokens in and 50 out are held while the call is under way.
        assert 100 < int(dict(admission.rates_left(of))["x-ratelimit-remaining-tokens"]) < 150
    assert dict(admission.rates_left(of))["x-ratelimit-remaining-tokens"] == "170"
    for _ in range(3):
        await ask(router, of)
    with pytest.raises(LimitExceeded, match="200 tokens a minute"):
        await ask(router, of)
    assert dict(admission.rates_left(of))["x-ratelimit-remaining-tokens"] == "80"


async def test_tokens_that_are_refused_hold_no_money():
    router, _ = routed(budgets={"total": {"usd": 1, "period": "day"}})
    of = key(tokens_per_min=1)
    await ask(router, of)
    with pytest.raises(LimitExceeded):
        await ask(router, of)
    assert router.admission.accounts.account("total", DAY).held_nano_usd == 0
