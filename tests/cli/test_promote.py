"""`pointsman promote`, `rollback` and `policies` as a user types them, on a log that a router wrote."""

from __future__ import annotations

import asyncio
import json
import random
import shutil

import pytest
import yaml
from typer.testing import CliRunner

from pointsman import Router
from pointsman.cli import app
from pointsman.cli.promote import _share
from pointsman.providers.scripted import Answer, ScriptedProvider
from pointsman.registry.policy_folder import PolicyFolder
from pointsman.store.rows import decision_rows

from ..gateway.conftest import PROVIDERS, config

RUN = CliRunner()
TRUTH = {"nano": 0.5, "middle": 0.8, "frontier": 0.95}
N_LOGGED = 1_200
WIDE = {"quality_value_usd": 0.01, "exploration": True, "min_propensity": 0.25}


def run(*arguments, status=0):
    done = RUN.invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == status, done.output
    return done


def answer_and_grade(settings, n, first=0):
    """Have a router answer in n sessions, each graded by the truth; its providers are scripted."""

    async def answered():
        draws = random.Random(first)
        providers = {name: ScriptedProvider(name, [Answer("ok")]) for name in PROVIDERS}
        async with Router.from_config(settings, providers=providers) as router:
            for index in range(first, first + n):
                answer = await router.complete("Who wrote Faust?", session_id=f"s{index}")
                await router.feedback(answer.decision.decision_id, draws.random() < TRUTH[answer.model])
            await asyncio.to_thread(router.promotions.settle)
            assert await asyncio.to_thread(router.store.flush)

    asyncio.run(answered())


def settings_in(folder):
    policies = {"default": WIDE, "worse": {"models": ["nano"]}, "better": {"models": ["frontier"]}}
    return config() | {
        "policies": policies,
        "store": {"url": str(folder / "log.db")},
        "promotion": {"path": str(folder / "policies"), "margin": 0.02},
        "learning": {"state": str(folder / "learned.state")},
    }


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """A folder with a log of a policy that explores, graded."""
    folder = tmp_path_factory.mktemp("logged")
    answer_and_grade(settings_in(folder), N_LOGGED)
    return folder


@pytest.fixture
def home(logged, tmp_path, monkeypatch):
    """A copy of that folder with a config in it, and no promotion yet."""
    shutil.copytree(logged, tmp_path, dirs_exist_ok=True)
    (tmp_path / "pointsman.yaml").write_text(yaml.safe_dump(settings_in(tmp_path)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def state(home):
    return PolicyFolder(home / "policies").load().state("default")


def test_a_better_candidate_passes_the_gate_serves_and_is_rolled_back(home):
    done = run("promote", "better", "--why", "it is better", "--by", "ann")
    assert "gain +" in done.output
    version = state(home).serving.version
    assert f"policy default: {version} decides\n" in done.output
    (event,) = PolicyFolder(home / "policies").load().events
    assert (event["by"], event["why"], event["action"]) == ("ann", "it is better", "promote")
    assert event["gate"]["quality"]["gain_lcb"] > -0.02
    assert event["gate"]["n_graded"] > 500
    assert f"{version} decides already" in run("promote", version, status=1).output
    shown = run("policies").output
    assert "ann promote default" in shown
    assert "gate passed: it is better" in shown
    assert run("rollback", "--why", "second thoughts").output.endswith("is rolled back; config decides\n")
    assert state(home).serving is None
    assert "there is nothing to roll back" in run("rollback", status=1).output


def test_a_worse_candidate_is_refused_in_words_and_changes_nothing(home):
    done = run("promote", "worse", "--log", home / "log.db", status=1)
    assert "pointsman promote: refused: utility: gain -" in done.output
    assert not (home / "policies").exists()
    told = json.loads(run("promote", "worse", "--json", status=1).stdout)
    assert (told["is_placed"], told["role"]) == (False, "serving")
    assert told["gate"]["ope"]["quality"]["gain"]["high"] < 0


def test_a_worse_candidate_that_is_forced_as_canary_is_rolled_back_by_itself(home):
    assert "say why" in run("promote", "worse", "--canary", "30%", "--force", status=2).output
    done = run("promote", "worse", "--canary", "30%", "--force", "--why", "curious")
    assert "decides 30.00% of the sessions" in done.output
    assert "although the gate refused it" in done.output
    answer_and_grade(yaml.safe_load((home / "pointsman.yaml").read_text()), 300, first=N_LOGGED)
    assert state(home).canary is None
    shown = run("policies").output
    assert "gate refused: curious" in shown
    assert "pointsman rollback default" in shown
    assert "found worse by worth" in shown
    arms = [row["arm"] for row in decision_rows(home / "log.db")]
    assert "canary" in arms[N_LOGGED:]
    assert "canary" not in arms[-50:]


def test_a_canary_is_promoted_to_all_and_explain_shows_who_decided(home):
    run("promote", "better", "--canary", "0.5")
    version = state(home).canary.version
    answer_and_grade(yaml.safe_load((home / "pointsman.yaml").read_text()), 60, first=5_000)
    shown = run("policies")
    assert version in shown.output
    (default, *_) = json.loads(run("policies", "--json").stdout)["policies"]
    assert (default["canary"]["version"], default["canary"]["share"]) == (version, 0.5)
    assert "live: worth " in shown.output
    rows = list(decision_rows(home / "log.db"))[-60:]
    for arm, said in (("canary", f"canary {version}"), ("main", "default@")):
        row = next(row for row in rows if row["arm"] == arm)
        assert said in " ".join(run("explain", row["decision_id"], "--store", home / "log.db").output.split())
    run("promote", version)
    assert state(home).serving.version == version
    assert state(home).canary is None
    live = PolicyFolder(home / "policies").load().events[-1]["live"]
    assert sum(live["worth"]["n"]) == 60


def test_the_policy_that_serves_passes_as_its_own_canary_and_stays(home):
    run("promote", "default", "--canary", "50%")
    answer_and_grade(yaml.safe_load((home / "pointsman.yaml").read_text()), 200, first=9_000)
    assert state(home).canary is not None


def test_a_shadow_needs_no_gate_and_its_sums_are_shown(home):
    assert "is asked beside what decides" in run("promote", "worse", "--shadow").output
    answer_and_grade(yaml.safe_load((home / "pointsman.yaml").read_text()), 40, first=20_000)
    (default, *_) = json.loads(run("policies", "--json").stdout)["policies"]
    shadow = default["shadow"]
    assert shadow["n"] == 40
    assert shadow["quality_difference"] < 0
    assert shadow["cost_difference_usd"] < 0
    assert "of 40 requests" in run("policies").output
    row = list(decision_rows(home / "log.db"))[-1]
    assert f"shadow {shadow['version']}" in run("explain", row["decision_id"]).output
    assert "is no longer asked" in run("rollback", "--shadow").output
    assert "has no shadow" in run("rollback", "--shadow", status=1).output


def test_a_candidate_may_be_a_file(home):
    bare, whole = home / "bare.yaml", home / "whole.yaml"
    bare.write_text("models: [frontier]\n")
    whole.write_text("policies: {candidate: {models: [frontier]}}\n")
    for path in (bare, whole):
        run("promote", path, "--canary", "5%")
    versions = {event["version"] for event in PolicyFolder(home / "policies").load().events}
    assert len(versions) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("min_qualty: 0.8", "min_quality"),
        ("models: [gone]", "no model 'gone' in the config"),
        ("[1]", "holds no policy"),
        ("policies: {a: {}, b: {}}", "has the policies a, b, and none is 'default'"),
        ("min_quality: 7", "bad.yaml"),
    ],
)
def test_a_file_that_is_no_candidate_is_named(home, text, said):
    (home / "bad.yaml").write_text(text)
    assert said in run("promote", "bad.yaml", "--canary", "5%", status=1).output


def test_protected_slices_of_the_config_guard_their_floors(home):
    settings = settings_in(home)
    settings["promotion"]["protect"] = [{"structure": "text", "min_quality": 0.99}]
    (home / "pointsman.yaml").write_text(yaml.safe_dump(settings))
    refused = run("promote", "better", status=1).output
    assert "refused: slice structure text: quality 0.9" in refused


def test_wrong_use_is_named(home):
    assert "no candidate 'nobody'" in run("promote", "nobody", status=1).output
    assert "no policy named 'nobody'" in run("promote", "better", "--policy", "nobody", status=1).output
    assert "is no share" in run("promote", "better", "--canary", "5", status=2).output
    assert "not both" in run("promote", "better", "--canary", "5%", "--shadow", status=2).output
    settings = settings_in(home)
    del settings["promotion"]
    (home / "pointsman.yaml").write_text(yaml.safe_dump(settings))
    assert "promotion: is missing" in run("promote", "better", status=1).output
    assert "`promotion:` section" in run("rollback", status=1).output


def test_a_rollback_works_although_the_version_can_be_used_no_more(home):
    run("promote", "better")
    settings = settings_in(home)
    settings["models"].pop("frontier")
    settings["deployments"] = [one for one in settings["deployments"] if one["model"] != "frontier"]
    settings["policies"].pop("better")
    settings["baseline_model"] = "middle"
    (home / "pointsman.yaml").write_text(yaml.safe_dump(settings))
    refused = run("policies", status=1).output
    assert "no model 'frontier' in the config" in refused
    assert "pointsman rollback" in refused
    run("rollback")
    assert "(config)" in run("policies").output


def test_shares_are_read_as_people_write_them():
    assert _share("5%") == pytest.approx(0.05)
    assert _share("0.25") == 0.25
    assert _share("0.5%") == pytest.approx(0.005)
