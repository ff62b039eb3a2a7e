"""Versions of a policy in a router: who decides which session, and a worse canary is taken back by itself."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from pointsman import NoFeasibleDeployment, Router
from pointsman.errors import ProviderError
from pointsman.observe.prometheus import PrometheusObserver
from pointsman.providers.scripted import Answer, Failure, ScriptedProvider
from pointsman.registry.arms import place_of
from pointsman.registry.policy_folder import PolicyFolder
from pointsman.registry.policy_set import PolicyVersion, version_of
from pointsman.router.canary import CanaryRules, RunningCanary, canary_file
from pointsman.store.rows import decision_rows

from ..gateway.conftest import PROVIDERS, config

pytestmark = pytest.mark.anyio

WORSE = {"models": ["nano"]}
RULES = CanaryRules(
    policy="default",
    version="default@2",
    against="default@1",
    share=0.3,
    since_s=0.0,
    margin=0.0,
    alpha=0.05,
    quality_value_usd=None,
)


@pytest.fixture
def anyio_backend():
    return "asyncio"


def place(folder, role, document, share=None):
    made = PolicyVersion(version=version_of("default", document), document=document, since_s=1.0, share=share)
    event = {"action": role, "version": made.version, "by": "ann", "at_s": 1.0, "why": None}
    folder.change(
        lambda policies: (
            policies.tried("default", made, event)
            if role == "canary"
            else policies.shadowed("default", made, event)
        )
    )
    return made.version


def router_of(folder, scripts=None, **sections):
    scripts = scripts or {}
    providers = {name: ScriptedProvider(name, scripts.get(name, [Answer("ok")])) for name in PROVIDERS}
    document = config() | {"promotion": {"path": str(folder.path)}} | sections
    document["policies"] = {**document["policies"], "default": {"models": ["middle"]}}
    return Router.from_config(document, providers=providers)


@pytest.fixture
def folder(tmp_path):
    return PolicyFolder(tmp_path / "policies")


async def graded(router, n, truth, first=0):
    """Ask in n sessions and say what each answer was worth; the arms that decided."""
    draws, arms = random.Random(first), []
    for index in range(first, first + n):
        answer = await router.complete("What is the capital of Norway?", session_id=f"s{index}")
        arms.append(answer.decision.arm)
        await router.feedback(answer.decision.decision_id, draws.random() < truth[answer.model])
    return arms


async def test_a_session_stays_with_its_version_and_the_share_is_right(folder):
    version = place(folder, "canary", WORSE, 0.25)
    async with router_of(folder) as router:
        decided = {f"s{i}": router.decide("Hello", session_id=f"s{i}") for i in range(800)}
        again = {session: router.decide("And now?", session_id=session) for session in decided}
    canaries = {session for session, decision in decided.items() if decision.arm == "canary"}
    assert canaries == {session for session, decision in again.items() if decision.arm == "canary"}
    assert canaries == {session for session in decided if place_of(version, None, session) < 0.25}
    assert abs(len(canaries) - 200) < 5 * (800 * 0.25 * 0.75) ** 0.5
    for decision in decided.values():
        is_canary = decision.arm == "canary"
        assert decision.policy_version.startswith(f"{version}+") == is_canary
        assert (decision.model == "nano") == is_canary


async def test_requests_without_a_session_are_drawn_one_by_one(folder):
    place(folder, "canary", WORSE, 0.5)
    async with router_of(folder) as router:
        arms = [router.decide("Hello").arm for _ in range(400)]
    assert abs(arms.count("canary") - 200) < 5 * 10


async def test_a_pinned_model_and_another_policy_have_no_canary(folder):
    place(folder, "canary", WORSE, 0.99)
    async with router_of(folder) as router:
        pinned = [router.decide("Hello", model="frontier", session_id=f"s{i}") for i in range(20)]
        other = [router.decide("Hello", model="auto:best", session_id=f"s{i}") for i in range(20)]
    assert {decision.arm for decision in pinned} == {"pinned"}
    assert {decision.model for decision in pinned} == {"frontier"}
    assert {decision.arm for decision in other} == {"main"}
    assert {decision.policy_version.partition("@")[0] for decision in other} == {"best"}


async def test_a_worse_canary_is_taken_back_by_itself_and_written_down(folder):
    version = place(folder, "canary", WORSE, 0.5)
    async with router_of(folder) as router:
        arms = await graded(router, 120, {"nano": 0.2, "middle": 0.9, "frontier": 0.9})
        router.promotions.settle()
        after = [router.decide("Hello", session_id=f"late{i}").arm for i in range(60)]
    assert "canary" in arms[:20]
    assert set(after) == {"main"}
    policies = folder.load()
    assert policies.state("default").canary is None
    event = policies.events[-1]
    assert (event["action"], event["by"], event["version"]) == ("rollback", "pointsman", version)
    assert event["why"].startswith("found worse by worth: 0.")
    served, canary = event["live"]["worth"]["mean"]
    assert canary < served


async def test_a_canary_whose_models_fail_is_taken_back_without_a_grade(folder):
    place(folder, "canary", WORSE, 0.5)
    broken = {"alpha": [Failure(400, error={"message": "no"})]}
    async with router_of(folder, broken) as router:
        for index in range(150):
            try:
                await router.complete("Hello", session_id=f"s{index}")
            except ProviderError:
                continue
        router.promotions.settle()
    assert folder.load().events[-1]["why"].startswith("found worse by answers: 0.000 of ")


async def test_a_canary_that_nobody_can_answer_is_taken_back(folder):
    place(folder, "canary", {"max_cost_usd": 0}, 0.5)
    async with router_of(folder) as router:
        for index in range(200):
            try:
                await router.complete("Hello", session_id=f"s{index}")
            except NoFeasibleDeployment:
                continue
        router.promotions.settle()
    assert folder.load().events[-1]["by"] == "pointsman"


async def test_an_equal_and_a_better_canary_stay(folder):
    place(folder, "canary", {"models": ["frontier"]}, 0.5)
    async with router_of(folder) as router:
        await graded(router, 150, {"middle": 0.5, "frontier": 0.9})
        live = router.promotions.standing()
    assert folder.load().state("default").canary is not None
    assert live["canary_e_value"]["default", "worth"] < 1
    assert sum(live["canary_sessions"].values()) == 150
    assert live["canary_share"] == {("default",): 0.5}


async def test_what_a_canary_showed_outlives_the_process(folder):
    place(folder, "canary", WORSE, 0.5)
    truth = {"nano": 0.6, "middle": 0.8}
    async with router_of(folder) as router:
        await graded(router, 20, truth)
        before = router.promotions.standing()["canary_e_value"]
    async with router_of(folder) as router:
        assert router.promotions.standing()["canary_e_value"] == before
    place(folder, "canary", WORSE, 0.25)  # another share is another canary
    async with router_of(folder) as router:
        assert set(router.promotions.standing()["canary_e_value"].values()) == {1.0}


async def test_a_disk_that_cannot_be_written_keeps_no_worse_canary_serving(folder, monkeypatch, caplog):
    place(folder, "canary", WORSE, 0.5)

    def full(*_):
        raise OSError(28, "No space left on device")

    async with router_of(folder) as router:
        monkeypatch.setattr("pointsman.registry.policy_folder.write_whole", full)
        await graded(router, 120, {"nano": 0.0, "middle": 1.0})
        router.promotions.settle()
        assert {router.decide("Hello", session_id=f"late{i}").arm for i in range(40)} == {"main"}
        assert "of this process only" in caplog.text
    monkeypatch.undo()
    async with router_of(folder) as router:  # what it showed was kept: the next start takes it back
        router.promotions.settle()
        assert folder.load().state("default").canary is None


async def test_a_grade_of_what_was_decided_before_the_canary_tells_nothing_of_it(folder):
    async with router_of(folder) as router:
        early = [await router.complete("Hello", session_id=f"s{i}") for i in range(30)]
        made = PolicyVersion(
            version=version_of("default", WORSE), document=WORSE, since_s=4e9, share=0.5
        )  # begins after all of them
        folder.change(lambda policies: policies.tried("default", made, {"action": "canary"}))
        await router.swap(type(router.registry)(**vars(router_of(folder).registry)))
        for answer in early:
            await router.feedback(answer.decision.decision_id, True)
        assert sum(router.promotions.standing()["canary_sessions"].values()) == 0


async def test_a_session_counts_once_however_often_it_is_graded(folder):
    place(folder, "canary", WORSE, 0.5)
    async with router_of(folder) as router:
        for _ in range(10):
            answer = await router.complete("Hello", session_id="same")
            await router.feedback(answer.decision.decision_id, True)
            await router.feedback(answer.decision.decision_id, False)
        assert sum(router.promotions.standing()["canary_sessions"].values()) == 1


async def test_metrics_tell_the_arms_apart_by_a_closed_set_of_labels(folder):
    version = place(folder, "canary", WORSE, 0.5)
    metrics = PrometheusObserver(dict)
    async with router_of(folder) as router:
        router.add_observer(metrics)
        canary = next(f"s{i}" for i in range(50) if place_of(version, None, f"s{i}") < 0.5)
        main = next(f"s{i}" for i in range(50) if place_of(version, None, f"s{i}") >= 0.5)
        for session, model in ((canary, "auto"), (main, "auto"), (main, "auto"), (main, "nano")):
            await router.complete("Hello", session_id=session, model=model)
    told = metrics.render("")[0].decode()
    for arm, n in (("canary", 1.0), ("main", 2.0), ("pinned", 1.0)):
        labels = f'arm="{arm}",outcome="answered",policy="default"'
        assert f"pointsman_policy_requests_total{{{labels}}} {n}" in told
    assert version not in told


async def test_what_signals_said_first_does_not_hide_what_people_say(folder):
    place(folder, "canary", WORSE, 0.5)
    async with router_of(folder, signals={"retry_window_s": 0}) as router:
        for index in range(120):
            answer = await router.complete("What is the capital of Norway?", session_id=f"s{index}")
            await router.signals.settle()
            await router.feedback(answer.decision.decision_id, answer.model != "nano", name="thumbs")
        router.promotions.settle()
    event = folder.load().events[-1]
    assert event["why"].startswith("found worse by worth: 0.000")
    assert sum(event["live"]["signals"]["n"]) > 0
    assert not event["live"]["signals"]["is_worse"]


# ---- the shadow


async def test_a_shadow_s_choice_stands_beside_the_served_one_and_serves_nobody(folder, tmp_path):
    version = place(folder, "shadow", {"models": ["frontier"]})
    log = str(tmp_path / "log.db")
    async with router_of(folder, store={"url": log}) as router:
        for index in range(5):
            answer = await router.complete("Hello", session_id=f"s{index}")
            assert answer.model == "middle"
        await router.complete("Hello", model="nano")
        assert router.store.flush()
        counts = router.promotions.standing()["shadow_requests"]
    rows = list(decision_rows(log))
    assert [row["arm"] for row in rows] == ["main"] * 5 + ["pinned"]
    assert rows[-1]["shadow"] is None
    for row in rows[:5]:
        shadow = row["shadow"]
        assert (shadow["version"], shadow["model"], shadow["is_same"]) == (version, "frontier", False)
        assert shadow["quality_difference"] > 0
        assert shadow["cost_difference_usd"] > 0
        assert shadow["decide_us"] > 0
    assert counts == {("default", "other"): 5.0}


async def test_a_shadow_that_cannot_choose_or_breaks_costs_nobody_an_answer(folder, tmp_path, monkeypatch):
    place(folder, "shadow", {"max_cost_usd": 0})
    log = str(tmp_path / "log.db")
    async with router_of(folder, store={"url": log}) as router:
        await router.complete("Hello")
        assert router.store.flush()

        def broken(*_):
            raise RuntimeError("no")

        monkeypatch.setattr("pointsman.router.shadow._beside", broken)
        await router.swap(replace_shadow(router, folder))
        await router.complete("Hello")
        assert router.store.flush()
        counts = router.promotions.standing()["shadow_requests"]
    errors = [row["shadow"]["error"] for row in decision_rows(log)]
    assert errors == ["no_feasible_deployment", "pointsman_internal"]
    assert counts == {("default", "infeasible"): 1.0, ("default", "failed"): 1.0}


def replace_shadow(router, folder):
    place(folder, "shadow", {"models": ["nano"]})
    return router_of(folder, store=router.registry.config.store.model_dump()).registry


# ---- the test of a canary, over many seeds


def is_taken_back(tmp_path, seed, quality, n=400):
    running = RunningCanary(replace(RULES, since_s=float(seed)), canary_file(tmp_path, f"p{seed}"))
    draws = random.Random(seed)
    for index in range(n):
        unit = f"{seed}-{index}"
        arm = "canary" if place_of("default@2", None, unit) < RULES.share else "main"
        is_good = draws.random() < quality[arm]
        grade = float(is_good)
        told = [running.graded(measure, unit, arm, grade, 0.001, 0.0) for measure in ("worth", "signals")]
        if running.answered(unit, arm, True, 0.0) or any(told):
            return True
    return False


def test_of_equal_canaries_at_most_alpha_is_taken_back(tmp_path):
    n_seeds = 300
    n_alarms = sum(is_taken_back(tmp_path, seed, {"main": 0.8, "canary": 0.8}) for seed in range(n_seeds))
    # Three standard errors of 300 streams above alpha.
    assert n_alarms <= n_seeds * 0.05 + 3 * (n_seeds * 0.05 * 0.95) ** 0.5


def test_of_canaries_that_are_twenty_points_worse_most_are_taken_back(tmp_path):
    n_alarms = sum(
        is_taken_back(tmp_path, seed, {"main": 0.9, "canary": 0.65}, n=1_000) for seed in range(60)
    )
    assert n_alarms >= 50


def test_a_canary_that_nobody_grades_is_not_judged_by_how_good_the_others_are(tmp_path):
    running = RunningCanary(replace(RULES, share=0.05), canary_file(tmp_path, "p"))
    told = [running.graded("worth", f"main{i}", "main", 1.0, 0.0, 0.0) for i in range(30_000)]
    assert running.tests["worth"].e_value > 3 / RULES.alpha  # alone they would speak against it
    assert not any(told)
    assert not running.figures()["is_worse"]


def test_costs_count_where_quality_has_a_price():
    rules = replace(RULES, quality_value_usd=0.01, margin=0.1)
    assert rules.utility(1.0, 0.0) == 1.0
    assert rules.utility(1.0, 0.01) == 0.5
    assert rules.utility(0.0, 10.0) == 0.0
    assert rules.margin_of_utility == 0.05
    assert RULES.utility(0.7, 10.0) == 0.7
