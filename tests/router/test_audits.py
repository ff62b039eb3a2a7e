"""Floors certified by live traffic: declared graders, random audits, cascades, feedback, judges, pairs, alarms."""

from __future__ import annotations

import json
import random

import pytest

from pointsman import ConfigError, Router
from pointsman.providers.scripted import Answer, Failure, ScriptedProvider
from pointsman.router.audits import is_drawn

from ..gateway.conftest import PROVIDERS, config

pytestmark = pytest.mark.anyio
JSON = {"type": "json_object"}
GOOD, BAD = Answer('{"town": "Oslo"}'), Answer("The town is Oslo.")
ASKED = "Give me the capital of Norway as JSON."
GATE = {"verdicts": [{"task": "town", "grader": "json", "audit_share": 0.5}]}


@pytest.fixture
def anyio_backend():
    return "asyncio"


def answers(risk, n=4_000, seed=1):
    draws = random.Random(seed)
    return [BAD if draws.random() < risk else GOOD for _ in range(n)]


def routed(signals, policy=None, **scripts):
    providers = {name: ScriptedProvider(name, scripts.get(name, [GOOD])) for name in PROVIDERS}
    document = config() | {"signals": signals, "policies": {"default": policy or {}}}
    document["deployments"] = [one for one in document["deployments"] if "tier" not in one]
    # So dear that no pressure of a busy machine on the others makes it the cheapest.
    document["deployments"][-1]["price_usd_per_mtok"] = {"input": 5_000, "output": 5_000}
    router = Router.from_config(document, providers=providers)
    told, pairs = [], []
    observe, pair = router.signals._observe, router.signals.audits._pair
    router.signals._observe = lambda outcome: (told.append(outcome), observe(outcome))
    router.signals.audits._pair = lambda models, **seen: (pairs.append((models, seen)), pair(models, **seen))
    return router, told, pairs


async def ask(router, n=1, **arguments):
    asked = {"task": "town", "response_format": JSON} | arguments
    answered = [await router.complete(ASKED, **asked) for _ in range(n)]
    await router.signals.settle()
    return answered


def floor_of(router, deployment):
    return next((floor for floor in router.floors() if floor["deployment"] == deployment), None)


def verdicts(told):
    return [outcome for outcome in told if outcome.audit_share is not None]


async def test_a_good_deployment_is_certified_by_its_traffic_and_a_bad_one_is_not():
    router, _, _ = routed(GATE, alpha=answers(0.15), beta=answers(0.01))
    async with router:
        for _ in range(16):
            await ask(router, 50, model="nano")
            await ask(router, 50, model="middle")
        good, bad = floor_of(router, "middle@beta"), floor_of(router, "nano@alpha")
        assert 330 <= good["n_graded"] <= 470
        assert (good["grader"], good["audit_share"], good["n_unanswered"]) == ("json", 0.5, 0)
        held = {one.min_quality: one for one in router.certificates() if one.deployment == "middle@beta"}
        assert (held[0.9].grader, held[0.9].delta, held[0.9].task) == ("json", 0.05, "town")
        assert held[0.9].alpha == pytest.approx(0.1)
        assert 100 < held[0.9].n < good["n_graded"]
        assert bad["n_graded"] > 300
        assert max((one["min_quality"] for one in bad["certificates"]), default=0.0) < 0.85
        decision = router.decide(ASKED, task="town", response_format=JSON, min_quality=0.9)
        assert decision.deployment == "middle@beta"
        assert decision.is_certified
        assert "floor certified at 0.9" in decision.reason


async def test_a_certified_deployment_that_degrades_is_noticed_and_left():
    worse = [*answers(0.01, n=900), *answers(0.35, seed=2)]
    router, _, _ = routed(GATE, beta=worse)
    async with router:
        await ask(router, 900, model="middle")
        await ask(router, 300, model="frontier")
        assert {one.min_quality for one in router.certificates()} >= {0.9}
        asked = {"task": "town", "response_format": JSON, "min_quality": 0.9}
        assert router.decide(ASKED, **asked).deployment == "middle@beta"
        # Of the traffic half is pinned to it, and goes on being served and audited.
        served = []
        for _ in range(150):
            await ask(router, model="middle")
            served += [answer.deployment for answer in await ask(router, min_quality=0.9)]
        assert served[0] == "middle@beta"
        assert set(served[-50:]) == {"frontier@gamma"}
        alarms = floor_of(router, "middle@beta")["alarms"]
        assert {0.95, 0.98, 0.99} <= {alarm["min_quality"] for alarm in alarms}
        record = json.loads(router.decide(ASKED, **asked).to_json())
        middle = next(one for one in record["candidates"] if one["deployment"] == "middle@beta")
        assert not middle["floor"]["met"]


async def test_who_is_audited_is_known_before_the_answer_and_told_with_its_probability():
    router, told, _ = routed(GATE, alpha=answers(0.5))
    async with router:
        answered = await ask(router, 60, model="nano")
        drawn = [one for one in answered if is_drawn(one.decision.decision_id, 0.5)]
        assert 15 < len(drawn) < 45
        assert [outcome.decision.decision_id for outcome in verdicts(told)] == [
            one.decision.decision_id for one in drawn
        ]
        assert [outcome.verdict for outcome in verdicts(told)] == [
            float(one.text.startswith("{")) for one in drawn
        ]
        assert {outcome.audit_share for outcome in verdicts(told)} == {0.5}


async def test_what_signals_make_of_an_answer_is_no_verdict():
    router, told, _ = routed({}, alpha=answers(0.5))
    async with router:
        await ask(router, 60, model="nano")
        assert any(outcome.reward is not None for outcome in told)
        assert router.floors() == []


async def test_a_grader_that_does_not_apply_and_another_slice_are_no_audits():
    router, told, _ = routed({"verdicts": [{"task": "town", "grader": "json_schema", "audit_share": 1}]})
    async with router:
        await ask(router, 3)
        await ask(router, 3, task="other")
        assert verdicts(told) == []
        assert router.floors() == []


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_the_answers_that_a_cascade_did_not_keep_are_graded_too_and_make_pairs(anyio_backend):
    signals = {"verdicts": [{"grader": "json", "audit_share": 1.0}]}
    router, told, pairs = routed(signals, {"min_quality": 0.9}, alpha=[BAD])
    async with router:
        (answer,) = await ask(router, strategy="cascade")
        rejected = [one.deployment for one in answer.attempts if one.is_rejected]
        seen = {outcome.deployment: outcome.verdict for outcome in verdicts(told)}
    assert seen == {rejected[0]: 0.0} | dict.fromkeys([*rejected[1:], answer.deployment], 1.0)
    assert pairs[0][0] == ("nano", answer.decision.model_of(answer.decision.steps[1][0]))
    assert pairs[0][1]["rewards"] == (0.0, 1.0)
    assert all(0 < quality < 1 for quality in pairs[0][1]["predicted"])


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_a_judge_grades_its_share_whatever_else_is_said_and_its_errors_are_told(anyio_backend):
    judge = {"model": "frontier", "rate": 0.0, "tpr": 0.9, "fpr": 0.2}
    signals = {"judge": judge, "verdicts": [{"grader": "judge", "audit_share": 1.0}]}
    router, told, _ = routed(signals, alpha=[BAD], gamma=[Answer("good"), Answer("bad")])
    async with router:
        # The first fails a gate, and is judged all the same.
        await ask(router, model="nano")
        await ask(router, model="nano", response_format=None)
        floor = floor_of(router, "nano@alpha")
    seen = [(outcome.verdict, outcome.grader_tpr, outcome.grader_fpr) for outcome in verdicts(told)]
    assert seen == [(1.0, 0.9, 0.2), (0.0, 0.9, 0.2)]
    assert floor["grader"] == "judge frontier"


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_a_judge_grades_what_a_cascade_did_not_keep_too(anyio_backend):
    judge = {"model": "middle", "rate": 0.0, "tpr": 0.9, "fpr": 0.2}
    signals = {"judge": judge, "verdicts": [{"grader": "judge", "audit_share": 1.0}]}
    policy = {"min_quality": 0.9, "models": ["nano", "frontier", "middle"]}
    router, told, pairs = routed(signals, policy, alpha=[BAD], beta=[Answer("bad")])
    async with router:
        (answer,) = await ask(router, strategy="cascade")
        seen = {outcome.deployment: outcome.verdict for outcome in verdicts(told)}
    assert answer.attempts[0].deployment == "nano@alpha"
    assert (seen["nano@alpha"], seen[answer.deployment]) == (0.0, 0.0)
    assert pairs == [], "a verdict that may be wrong says too little of two answers"


async def test_a_verdict_stands_in_the_log_with_its_probability_and_weighs_nothing_there(tmp_path):
    signals = {"verdicts": [{"grader": "json", "audit_share": 0.999}]}
    store = {"url": str(tmp_path / "log.db"), "flush_every_s": 0}
    providers = {name: ScriptedProvider(name, [BAD if name == "alpha" else GOOD]) for name in PROVIDERS}
    document = config() | {"signals": signals, "store": store, "policies": {"default": {"min_quality": 0.9}}}
    async with Router.from_config(document, providers=providers) as router:
        (answer,) = await ask(router, strategy="cascade")
        assert is_drawn(answer.decision.decision_id, 0.999)
        router.store.flush(5)
        rows = router.store.feedback_on(answer.decision.decision_id)
    audits = {row["source"]: (row["value"], row["weight"]) for row in rows if "audit" in row["source"]}
    rejected = [one.deployment for one in answer.attempts if one.is_rejected]
    assert audits[f"audit 0.999 of {rejected[0]}"] == (0.0, 0.0)
    assert audits[f"audit 0.999 of {answer.deployment}"] == (1.0, 0.0)
    assert {row["tenant"] for row in rows} == {"default"}


async def test_a_judge_that_is_away_brings_no_verdict_and_no_alarm():
    judge = {"model": "frontier", "rate": 0.0, "tpr": 0.9, "fpr": 0.2}
    signals = {"judge": judge, "verdicts": [{"grader": "judge", "audit_share": 1.0}]}
    router, _, _ = routed(signals, gamma=[Failure(status=500)])
    async with router:
        await ask(router, 5, model="nano")
        floor = floor_of(router, "nano@alpha")
    assert (floor["n_graded"], floor["n_unanswered"], floor["alarms"]) == (0, 5, [])


TESTS = {"verdicts": [{"grader": "feedback", "name": "tests", "audit_share": 0.5, "wait_s": 60}]}


async def test_feedback_is_a_verdict_where_it_was_asked_for_once_and_by_its_name():
    router, told, _ = routed(TESTS)
    async with router:
        answered = await ask(router, 40, model="nano")
        asked_for = [one for one in answered if one.audit == "tests"]
        assert 8 < len(asked_for) < 32
        assert all(is_drawn(one.decision.decision_id, 0.5) for one in asked_for)
        for one in answered:
            await router.feedback(one.decision.decision_id, False, name="thumbs")
            await router.feedback(one.decision.decision_id, True, name="tests")
            await router.feedback(one.decision.decision_id, False, name="tests")
        floor = floor_of(router, "nano@alpha")
    assert [outcome.verdict for outcome in verdicts(told)] == [1.0] * len(asked_for)
    assert (floor["n_graded"], floor["risk"]) == (len(asked_for), 0.0)
    assert floor["grader"] == "feedback tests"


async def test_feedback_that_is_quicker_than_the_router_counts_all_the_same():
    router, told, _ = routed(TESTS)
    async with router:
        for _ in range(20):
            answer = await router.complete(ASKED, task="town", model="nano")
            await router.feedback(answer.decision.decision_id, True, name="tests")
            await router.signals.settle()
        floor = floor_of(router, "nano@alpha")
    assert floor["n_graded"] == len(verdicts(told)) > 3
    assert floor["n_unanswered"] == 0


async def test_feedback_that_stays_out_is_no_praise():
    router, told, _ = routed(TESTS)
    async with router:
        answered = await ask(router, 20, model="nano")
        n = sum(one.audit is not None for one in answered)
        router.signals.expire(now_s=9e9)
        assert [outcome.verdict for outcome in verdicts(told)] == [None] * n
        await router.feedback(answered[0].decision.decision_id, True, name="tests")
        assert len(verdicts(told)) == n
        assert router.signals.counts["audits_unanswered"] == n


async def test_a_router_that_ends_waits_for_nothing():
    router, told, _ = routed(TESTS)
    async with router:
        answered = await ask(router, 20, model="nano")
    assert len(verdicts(told)) == sum(one.audit is not None for one in answered)


async def test_another_grader_starts_the_floors_anew():
    router, _, _ = routed({"verdicts": [{"grader": "json", "audit_share": 1.0}]})
    async with router:
        await ask(router, 5, model="nano")
        assert floor_of(router, "nano@alpha")["n_graded"] == 5
        settings = router.registry.signals
        entry = settings.verdicts[0].model_copy(update={"grader": "empty"})
        router.signals.use(settings.model_copy(update={"verdicts": (entry,)}))
        await ask(router, 2, model="nano")
        floor = floor_of(router, "nano@alpha")
    assert (floor["grader"], floor["n_graded"]) == ("empty", 2)


@pytest.mark.parametrize(
    ("signals", "said"),
    [
        ({"verdicts": [{"grader": "jason", "audit_share": 0.1}]}, "jason"),
        ({"verdicts": [{"grader": "json"}]}, "audit_share"),
        ({"verdicts": [{"grader": "json", "audit_share": 0}]}, "audit_share"),
        ({"verdicts": [{"grader": "json", "audit_share": 1, "wait_s": 5}]}, "only `grader: feedback` takes"),
        ({"verdicts": [{"grader": "judge", "audit_share": 1}]}, "measured `tpr` and `fpr`"),
        (
            {"judge": {"model": "nano"}, "verdicts": [{"grader": "judge", "audit_share": 1}]},
            "measured `tpr` and `fpr`",
        ),
        (
            {
                "judge": {"model": "nano", "tpr": 0.5, "fpr": 0.45},
                "verdicts": [{"grader": "judge", "audit_share": 1}],
            },
            "hardly tells good from bad",
        ),
    ],
)
def test_wrong_settings_are_named(signals, said):
    with pytest.raises(ConfigError, match=said):
        Router.from_config(config() | {"signals": signals})
