"""Quality floors through the binding: uncertified at first, certified by audits, taken back by the monitor."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest

from pointsman._native import Core, Decision, InvalidInput
from pointsman.router.certificates import certificates
from pointsman.types import Constraints, Outcome

from .conftest import NOW_S, ask, catalog_document, catalog_of

QUESTION = ask("What is the capital of France?")


@pytest.fixture
def core() -> Core:
    """`cheap` at 0.75 and `dear` at 0.9, by the registry."""
    document = catalog_document(2)
    for index, (name, quality) in enumerate((("cheap", 0.75), ("dear", 0.9))):
        document["models"][index] |= {"name": name, "quality": {"default": quality}}
        document["deployments"][index] |= {"name": name, "model": name}
    return Core(catalog_of(document))


def decide(core: Core, **constraints: Any) -> Decision:
    return core.decide(replace(QUESTION, constraints=Constraints(**constraints)), now_s=NOW_S, seed=1)


def grade(
    core: Core, deployment: str, n: int, risk: float, *, share: float | None = 1.0, seed: int = 1
) -> None:
    """Grade `n` answers, of which the share `risk` fails."""
    decision, draws = decide(core), random.Random(seed)
    for _ in range(n):
        outcome = Outcome(
            deployment=deployment,
            domain=decision.domain,
            complexity=decision.complexity,
            structure=decision.structure,
            decision=decision,
            reward=float(draws.random() >= risk),
            audit_share=share,
        )
        core.observe(outcome, now_s=NOW_S)


def test_a_decision_without_a_floor_says_nothing_of_one(core: Core) -> None:
    decision = decide(core)
    assert decision.is_certified is None
    assert json.loads(decision.to_json())["floor"] is None
    assert "certified" not in decision.reason


def test_before_any_grade_the_registry_is_taken_at_its_word_and_the_decision_says_so(core: Core) -> None:
    decision = decide(core, min_quality=0.7)
    assert decision.deployment == "cheap"
    assert decision.is_certified is False
    assert "floor uncertified: no graded answer yet" in decision.reason


def test_an_uncertified_floor_goes_by_the_lower_bound(core: Core) -> None:
    grade(core, "cheap", 12, 0.0, share=None)
    record = json.loads(decide(core, min_quality=0.75).to_json())
    of = {candidate["deployment"]: candidate for candidate in record["candidates"]}
    # Its mean reaches the floor, its bound does not: it may still answer, after those that are trusted.
    assert of["cheap"]["quality"] >= 0.75 > of["cheap"]["quality_lcb"]
    assert of["cheap"]["feasible"]
    assert not of["cheap"]["floor"]["met"]
    assert record["ranking"] == ["dear", "cheap"]


def test_audits_certify_and_what_is_certified_is_told(core: Core) -> None:
    grade(core, "cheap", 400, 0.02)
    decision = decide(core, min_quality=0.9)
    assert decision.deployment == "cheap"
    assert decision.is_certified
    assert "floor certified at 0.90 (n 1" in decision.reason
    floor = json.loads(decision.to_json())["floor"]
    assert floor["certified"]
    assert floor["met"]
    assert floor["alarm"] is None
    assert floor["alpha"] == pytest.approx(0.1)
    assert floor["delta"] == 0.05
    assert floor["n"] > 100
    held = {one.min_quality: one for one in certificates(json.loads(core.floors()))}
    assert held[0.9].n == floor["n"]
    assert held[0.9].deployment == "cheap"
    assert held[0.9].domain == decision.domain
    assert 0.99 not in held


def test_grades_that_came_by_themselves_certify_nothing(core: Core) -> None:
    grade(core, "cheap", 2_000, 0.02, share=None)
    assert decide(core, min_quality=0.9).is_certified is False
    assert certificates(json.loads(core.floors())) == ()


def test_weight_on_top_and_a_grade_that_changes_are_no_second_answer(core: Core) -> None:
    decision = decide(core)
    outcome = Outcome(
        deployment="cheap",
        domain=decision.domain,
        complexity=decision.complexity,
        structure=decision.structure,
        decision=decision,
        reward=0.0,
        weight=0.25,
        audit_share=1.0,
    )
    core.observe(outcome, now_s=NOW_S)
    core.observe(replace(outcome, is_top_up=True, weight=0.75), now_s=NOW_S)
    core.observe(replace(outcome, reward=1.0, replaces=0.0), now_s=NOW_S)
    (floor,) = json.loads(core.floors())
    assert (floor["n_graded"], floor["risk"]) == (1, 1.0)


def test_a_verdict_is_for_the_floors_and_a_reward_for_what_is_believed(core: Core) -> None:
    before, decision = decide(core).predicted_quality, decide(core)
    outcome = Outcome(
        deployment=decision.deployment,
        domain=decision.domain,
        complexity=decision.complexity,
        structure=decision.structure,
        decision=decision,
        verdict=0.0,
        grader="judge m",
        grader_tpr=0.9,
        grader_fpr=0.2,
    )
    core.observe(outcome, now_s=NOW_S)
    assert decide(core).predicted_quality == before
    (floor,) = json.loads(core.floors())
    assert (floor["grader"], floor["n_graded"], floor["n_unanswered"]) == ("judge m", 1, 0)
    core.observe(replace(outcome, verdict=None, audit_share=0.5), now_s=NOW_S)
    (floor,) = json.loads(core.floors())
    assert (floor["n_graded"], floor["n_unanswered"], floor["audit_share"]) == (1, 1, 0.5)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"verdict": 1.5}, "verdict is 1.5"),
        ({"verdict": 1.0, "grader_tpr": 0.3, "grader_fpr": 0.4}, "grader_fpr is 0.4"),
        ({"verdict": 1.0, "grader_tpr": float("nan")}, "grader_tpr"),
    ],
)
def test_a_verdict_out_of_range_teaches_nothing(core: Core, wrong: dict[str, float], said: str) -> None:
    decision = decide(core)
    labels = {name: getattr(decision, name) for name in ("domain", "complexity", "structure")}
    with pytest.raises(InvalidInput, match=said):
        core.observe(Outcome(deployment="cheap", reward=1.0, **labels, **wrong), now_s=NOW_S)
    assert json.loads(core.floors()) == []


def test_a_deployment_that_degrades_is_demoted_in_the_slice_and_says_why(core: Core) -> None:
    grade(core, "cheap", 2_000, 0.02)
    assert decide(core, min_quality=0.9).deployment == "cheap"
    grade(core, "cheap", 300, 0.3, seed=2)
    decision = decide(core, min_quality=0.9)
    assert decision.deployment == "dear"
    (floor,) = json.loads(core.floors())
    assert {0.9} <= {alarm["min_quality"] for alarm in floor["alarms"]}


def test_certificates_survive_a_save_and_a_new_catalog(core: Core) -> None:
    grade(core, "cheap", 1_000, 0.02)
    core.swap(core.catalog)
    other = Core(core.catalog)
    other.load(core.save())
    assert json.loads(other.floors()) == json.loads(core.floors()) != []
    assert decide(other, min_quality=0.9).to_json() == decide(core, min_quality=0.9).to_json()


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5, float("nan")])
def test_a_share_that_is_no_probability_is_refused(core: Core, share: float) -> None:
    with pytest.raises(InvalidInput, match="audit_share"):
        grade(core, "cheap", 1, 0.0, share=share)
    assert json.loads(core.floors()) == []
