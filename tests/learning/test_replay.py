"""A log decided again: as the core would, at other prices, and with estimates that hold against the truth."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pointsman._native import Core
from pointsman.cli import app
from pointsman.learning.gate import GateRules, ProtectedSlice, refusals
from pointsman.learning.redecide import Prices, candidates, choose
from pointsman.learning.replay import replay
from pointsman.registry.policies import Policy
from pointsman.store.store import open_store
from pointsman.types import Constraints, ProviderPreferences, Request

from ..native.conftest import NOW_S, catalog_document, catalog_of
from ..store.conftest import served

CORE = Core(catalog_of(catalog_document(8)))
TEXTS = [
    "What is the capital of France?",
    "Write a Python function that merges two sorted lists.",
    "Prove step by step that the square root of 2 is irrational.",
    "Extract name and age as JSON: Ann is 34.",
    "Summarise the plot of Hamlet in three sentences.",
]
TRUTH = {f"p0/m{i}": 0.5 + 0.05 * i for i in range(8)}


def logged(policy: Policy, seed: int, **fields: Any) -> dict[str, Any]:
    """A row of the log: what the core decided, graded by the truth."""
    draws = random.Random(seed)
    request = Request(
        messages=[{"role": "user", "content": TEXTS[seed % len(TEXTS)]}],
        constraints=policy.constraints,
        preferences=policy.preferences,
    )
    decision = CORE.decide(request, now_s=NOW_S + seed, seed=draws.getrandbits(60))
    return {
        "policy": policy.name,
        "chosen": decision.deployment,
        "deployment": decision.deployment,
        "propensity": decision.propensity,
        "complexity": decision.complexity,
        "cost_usd": decision.predicted_cost_usd,
        "reward": float(draws.random() < TRUTH[decision.deployment]),
        "cache_layer": None,
        "record": json.loads(decision.to_json()),
    } | fields


def policy(name: str = "default", **constraints: Any) -> Policy:
    return Policy(name=name, constraints=Constraints(**constraints))


POLICIES = [
    policy(),
    policy(min_quality=0.7),
    policy(within_best=0.1),
    policy(quality_value_usd=0.01),
    policy(quality_value_usd=0.0001, max_latency_ms=60_000),
    policy(max_cost_usd=0.001),
    policy(quality_tolerance=(0.0, 0.1, 0.3)),
    Policy(name="sorted", preferences=ProviderPreferences(sort="price")),
]


@pytest.mark.parametrize("asked", POLICIES, ids=lambda one: str(one.constraints)[:60])
def test_a_policy_replayed_on_its_own_log_decides_as_the_core_did(asked: Policy) -> None:
    for seed in range(25):
        row = logged(asked, seed)
        again = choose(asked, row["complexity"], candidates(row["record"]))
        assert again is not None
        assert again.deployment == row["chosen"]
    assert replay((logged(asked, seed) for seed in range(5)), asked)["n_changed"] == 0


@pytest.mark.parametrize("asked", POLICIES[1:], ids=lambda one: str(one.constraints)[:60])
def test_another_policy_s_log_replays_as_the_core_would_have_decided(asked: Policy) -> None:
    for seed in range(25):
        row, truth = logged(policy(), seed), logged(asked, seed)
        again = choose(asked, row["complexity"], candidates(row["record"]))
        assert again is not None
        assert again.deployment == truth["chosen"]


def test_a_log_that_never_explored_says_so_instead_of_estimating() -> None:
    report = replay((logged(policy(), seed) for seed in range(50)), policy(min_quality=0.8))
    assert report["n_changed"] > 0
    assert report["ope"]["disabled"].startswith("propensity 1")
    assert "quality" not in report["ope"]


def test_a_log_without_grades_says_so() -> None:
    report = replay((logged(policy(), seed, reward=None) for seed in range(5)), policy())
    assert report["ope"]["disabled"].startswith("no graded decision")


@pytest.fixture(scope="module")
def explored() -> list[dict[str, Any]]:
    """Decisions of a policy that explores widely, each graded."""
    wide = policy(quality_value_usd=0.001, exploration=True, min_propensity=0.05)
    return [logged(wide, seed) for seed in range(4_000)]


def test_what_an_explored_log_says_of_a_policy_holds_the_truth(explored: list[dict[str, Any]]) -> None:
    asked = policy(min_quality=0.8)
    choices = [choose(asked, row["complexity"], candidates(row["record"])) for row in explored]
    truth = sum(TRUTH[one.deployment] for one in choices if one) / len(explored)
    report = replay(explored, asked)["ope"]
    quality = report["quality"]
    assert quality["is_sane"]
    assert report["n_unsupported"] == 0
    # Six standard errors: one log, and the interval's own coverage is tested in the core.
    assert abs(quality["dr"]["mean"] - truth) < 3 * quality["dr"]["se"]
    assert quality["dr"]["se"] < 0.05
    assert report["cost_usd"]["gain"]["mean"] > 0


def test_propensities_that_are_wrong_are_noticed(explored: list[dict[str, Any]]) -> None:
    lying = [{**row, "propensity": math.sqrt(row["propensity"])} for row in explored]
    report = replay(lying, policy(min_quality=0.8))["ope"]["quality"]
    assert not report["is_sane"]
    assert any("mean weight" in refusal for refusal in report["refusals"])


def test_rewards_of_fallbacks_and_kept_answers_are_left_out() -> None:
    rows = [logged(policy(), 0, deployment="p0/m7"), logged(policy(), 1, cache_layer="exact")]
    assert replay(rows, policy())["ope"]["n_unusable"] == 2


def test_only_rows_of_the_policy_asked_for_count() -> None:
    rows = [logged(policy(), 0), logged(policy("other"), 1)]
    assert replay(rows, policy(), logged_policy="other")["n"] == 1


def test_another_price_list_moves_choices_and_costs_what_the_catalog_says() -> None:
    document = catalog_document(8)
    dearer = json.loads(json.dumps(document))
    price = dearer["deployments"][0]["price_nano_usd_per_mtok"]
    price |= {"input": 100 * price["input"], "output": 100 * price["output"], "cached_input": 0}
    other = catalog_of(dearer)
    prices = Prices(CORE.catalog, other)
    sorted_by_price = POLICIES[-1]
    row = logged(sorted_by_price, 0)
    assert row["chosen"] == "p0/m0"
    report = replay([row], sorted_by_price, prices=prices)
    assert [move["to"] for move in report["moves"]] == ["p0/m1"]
    request = Request(
        messages=[{"role": "user", "content": TEXTS[0]}], preferences=ProviderPreferences(only=("p0",))
    )
    truth = json.loads(Core(other).decide(request, now_s=NOW_S, seed=0).to_json())["candidates"]
    ours = {one.deployment: one.cost_usd for one in candidates(row["record"], prices)}
    for one in truth:
        assert ours[one["deployment"]] == pytest.approx(one["cost_usd"], rel=0.02)


def test_what_no_policy_can_lift_stays_rejected() -> None:
    row = logged(policy(), 0)
    record = row["record"]
    rejected = {"code": "capability", "field": "vision", "limit": True, "value": False, "slack": None}
    listed = [
        {**one, "feasible": False, "rejected_by": [rejected]} if one["deployment"] != "p0/m5" else one
        for one in record["candidates"]
    ]
    again = choose(policy(), row["complexity"], candidates({**record, "candidates": listed}))
    assert again is not None
    assert again.deployment == "p0/m5"
    assert choose(policy(max_cost_usd=0.0), "lookup", candidates(record)) is None
    assert replace(again, is_liftable=False) != again


CONFIG = """
providers: {p: {base_url: "http://127.0.0.1:1/v1"}}
models: {m: {quality: 0.7, context_window: 8000}}
deployments: [{model: m, provider: p, price_usd_per_mtok: {input: 1, output: 2}}]
policies: {strict: {min_quality: 0.5}}
"""


def test_the_command_reads_a_store_and_the_gate_refuses_what_nothing_speaks_for(tmp_path: Path) -> None:
    config, url = tmp_path / "pointsman.yaml", str(tmp_path / "decisions.db")
    config.write_text(CONFIG)
    store = open_store(url)
    for seed in range(3):
        store.log(served(seed=seed))
    store.close()
    asked = ["replay", url, "--policy", "strict", "--config", str(config)]
    shown = CliRunner().invoke(app, asked)
    assert shown.exit_code == 0, shown.output
    assert "3 decisions under policy strict" in shown.stdout
    assert "OPE disabled: no graded decision" in shown.stdout
    refused = CliRunner().invoke(app, [*asked, "--gate", "--json"])
    assert refused.exit_code == 1
    assert json.loads(refused.stdout)["n"] == 3
    assert (
        CliRunner().invoke(app, ["replay", url, "--policy", "no-such", "--config", str(config)]).exit_code
        == 1
    )


def test_the_gate_lets_a_better_policy_pass_and_a_worse_one_not(explored: list[dict[str, Any]]) -> None:
    better = replay(explored, policy(min_quality=0.85))["ope"]
    worse = replay(explored, policy(max_cost_usd=0.0012, within_best=0.5))["ope"]
    assert refusals(better) == []
    assert any("gain" in refusal for refusal in refusals(worse))


def test_what_costs_decides_where_quality_has_a_price(explored: list[dict[str, Any]]) -> None:
    dear, cheap = policy(quality_tolerance=(0.0, 0.0, 0.0)), policy(max_cost_usd=0.0012, within_best=0.5)
    good_is_worth_it, money_is_all = GateRules(quality_value_usd=1.0), GateRules(quality_value_usd=0.0001)
    assert refusals(replay(explored, dear, rules=good_is_worth_it)["ope"]) == []
    refused = refusals(replay(explored, dear, rules=money_is_all)["ope"])
    assert any(reason.startswith("utility: gain -") for reason in refused)
    assert refusals(replay(explored, cheap, rules=money_is_all)["ope"]) == []
    utility = replay(explored, cheap, rules=good_is_worth_it)["ope"]
    of_parts = utility["quality"]["gain"]["mean"] - utility["cost_usd"]["gain"]["mean"]
    assert utility["utility"]["gain"]["mean"] == pytest.approx(of_parts)


def test_a_slice_below_its_floor_refuses_a_policy_that_is_better_on_the_whole(
    explored: list[dict[str, Any]],
) -> None:
    rows = [{**row, "domain": "legal" if index % 4 == 0 else "general"} for index, row in enumerate(explored)]
    better = policy(min_quality=0.85)
    held = GateRules(protected=(ProtectedSlice({"domain": "legal"}, 0.6),))
    assert refusals(replay(rows, better, rules=held)["ope"]) == []
    broken = GateRules(protected=(ProtectedSlice({"domain": "legal"}, 0.99),))
    (refused,) = refusals(replay(rows, better, rules=broken)["ope"])
    assert refused.startswith("slice domain legal: quality 0.8")
    assert refused.endswith("is below the floor 0.9900")
    unseen = GateRules(protected=(ProtectedSlice({"tenant": "acme"}, 0.1),))
    (refused,) = refusals(replay(rows, better, rules=unseen)["ope"])
    assert refused == "slice tenant acme: 0 effective rows, at least 30 needed: log more of it"


def test_the_very_policy_that_logged_gains_nothing_and_passes(explored: list[dict[str, Any]]) -> None:
    own = replace(policy(quality_value_usd=0.001, exploration=True, min_propensity=0.05), version="default@1")
    rows = [{**row, "policy_version": "default@1+feasible-score-4"} for row in explored]
    report = replay(rows, own, rules=GateRules(margin=0.01))["ope"]
    assert report["quality"]["gain"] == {"mean": 0.0, "se": 0.0, "low": 0.0, "high": 0.0}
    assert report["quality"]["ess"] == pytest.approx(len(rows))
    assert refusals(report) == []


def drawn(draws: random.Random, truth: dict[str, float]) -> dict[str, Any]:
    """A row of a log that draws among two arms evenly, predictions off the truth."""
    listed = [
        {
            "deployment": name,
            "model": name,
            "provider": "p",
            "quality": 0.6,
            "cost_usd": 0.001,
            "latency_p95_ms": 900.0,
            "ttft_p95_ms": 300.0,
            "propensity": 0.5,
            "rejected_by": [],
        }
        for name in truth
    ]
    name = draws.choice(list(truth))
    return {
        "policy": "default",
        "chosen": name,
        "deployment": name,
        "propensity": 0.5,
        "complexity": "lookup",
        "cost_usd": 0.001,
        "reward": float(draws.random() < truth[name]),
        "cache_layer": None,
        "record": {"candidates": listed},
    }


def test_of_four_hundred_gates_at_the_margin_one_in_twenty_opens_and_far_above_it_nearly_all() -> None:
    # The log earns 0.7 on average; the policy, always `b`, 0.05 less, which is the margin; or 0.05 more.
    asked = Policy(name="b", allowed_models=("b",))
    rules = GateRules(margin=0.05, protected=(ProtectedSlice({}, 0.58),))

    def n_passed(truth: dict[str, float], n_gates: int) -> int:
        passed = 0
        for seed in range(n_gates):
            draws = random.Random(seed)
            rows = [drawn(draws, truth) for _ in range(450)]
            passed += not refusals(replay(rows, asked, rules=rules)["ope"])
        return passed

    assert n_passed({"a": 0.75, "b": 0.65}, 400) <= 20 + 3 * (400 * 0.05 * 0.95) ** 0.5
    assert n_passed({"a": 0.65, "b": 0.75}, 50) >= 45


def test_rows_of_other_versions_and_of_pinned_models_are_left_out() -> None:
    versions = ["default@1+feasible-score-4", "default@2+feasible-score-4", "feasible-score-4"]
    rows = [{**logged(policy(), seed), "policy_version": one} for seed, one in enumerate(versions)]
    rows.append({**logged(policy(), 9), "policy_version": versions[0], "arm": "pinned"})
    assert replay(rows, policy(), serving="default@1")["n"] == 2
    assert replay(rows, policy())["n"] == 3
