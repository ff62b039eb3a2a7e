"""What was learned outlives the process, even one that is killed; a state that cannot be used is refused and told."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from pointsman import Router
from pointsman.providers.scripted import Answer, ScriptedProvider
from pointsman.router.learned import LearnedState, StateFile
from pointsman.signals.combine import Combiner
from pointsman.signals.signal import Signal
from pointsman.types import Outcome

from ..gateway.conftest import PROVIDERS, config

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]
FLOOR = {"policies": {"default": {"min_quality": 0.7}}}


def router_of(**sections):
    providers = {name: ScriptedProvider(name, [Answer("ok")]) for name in PROVIDERS}
    return Router.from_config(config() | FLOOR | sections, providers=providers)


def teach(router, reward=0.0, n=40):
    decision = router.decide("What is the capital of Norway?")
    told = Outcome(
        deployment="middle@beta",
        domain=decision.domain,
        complexity=decision.complexity,
        structure=decision.structure,
        features=decision.features,
        reward=reward,
    )
    for i in range(n):
        router.observe(replace(told, n_input_tokens=i))


def chosen(router):
    return router.decide("What is the capital of Norway?").model


@pytest.fixture(params=["file", "store"])
def section(request, tmp_path):
    if request.param == "file":
        return {"learning": {"state": str(tmp_path / "deep" / "learned.state")}}
    return {"store": {"url": str(tmp_path / "log.db")}}


async def test_what_was_learned_outlives_a_closed_router(section):
    async with router_of(**section) as router:
        assert chosen(router) == "middle"
        teach(router)
        assert chosen(router) == "frontier"
        decided = router.decide("Prove it.")
    async with router_of(**section) as router:
        assert chosen(router) == "frontier"
        assert router.decide("Prove it.").predicted_quality == decided.predicted_quality


KILLED = """
import sys, time
from tests.router.test_learned import router_of, teach, chosen
router = router_of(learning={"state": sys.argv[1], "save_every_s": 0.1})
teach(router)
print(router.decide("Prove it.").predicted_quality, flush=True)
time.sleep(60)
"""


def test_a_killed_process_s_state_gives_the_same_decisions(tmp_path):
    path = tmp_path / "learned.state"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with process.stdout:
        predicted = float(process.stdout.readline())
    end_s = time.monotonic() + 20
    while not path.exists() and time.monotonic() < end_s:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    router = router_of(learning={"state": str(path)})
    assert chosen(router) == "frontier"
    assert router.decide("Prove it.").predicted_quality == predicted


JSON = {"type": "json_object"}
KILLED_CASCADE = """
import sys, time
from tests.router.test_learned import cascading, planned, taught_verdicts
router = cascading(sys.argv[1], save_every_s=0.1)
taught_verdicts(router)
print(planned(router), flush=True)
time.sleep(60)
"""


def cascading(path, **settings):
    return router_of(
        policies={"default": {"min_quality": 0.9}}, signals={}, learning={"state": str(path), **settings}
    )


def taught_verdicts(router):
    """Grades that make nano's JSON worth keeping, and what a verifier says of it worth hearing."""
    for value in (1.0, 0.0) * 200:
        router.planner.observe_verdict("json", "nano", value, value)
        router._plans.combiner.learn([Signal("json", value, "test", kind="hint")], "nano", value, "json")
        router._plans.combiner.learn([Signal("token_probability", value, "test", kind="raw")], "nano", value)
        router.planner.observe_pair(("nano", "frontier"), predicted=(0.6, 0.9), rewards=(value, 1.0 - value))


def planned(router):
    """Everything that hangs on what was learned of verdicts."""
    decision = router.decide("Give me Oslo as JSON.", strategy="cascade", response_format=JSON)
    combiner = router._plans.combiner
    return repr(
        (
            decision.steps,
            router.planner.posterior("nano", 0.5, [("json", 1.0)]),
            router.planner.belief_after(decision, 1, 0.4),
            combiner.errors("json"),
            combiner.calibration("nano").probability(0.7),
        )
    )


def test_a_killed_process_s_cascades_are_planned_and_judged_the_same(tmp_path):
    path = tmp_path / "learned.state"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED_CASCADE, path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with process.stdout:
        before = process.stdout.readline().strip()
    end_s = time.monotonic() + 20
    while not path.exists() and time.monotonic() < end_s:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    assert planned(cascading(path)) == before
    assert planned(cascading(tmp_path / "another.state")) != before


@pytest.mark.parametrize("part", ["planner", "signals"])
async def test_a_part_that_cannot_be_used_refuses_the_whole_and_is_named(tmp_path, caplog, part):
    path = tmp_path / "learned.state"
    async with cascading(path) as router:
        taught_verdicts(router)
        teach(router)
        parts = {name: each.save() for name, each in router._plans.learners().items()}
        path.write_bytes(router._core.save({**parts, part: b'{"version": 0}'}))
        priors = planned(cascading(tmp_path / "another.state"))
        router._ledger._learned = None  # its own saving would hide the damage
    async with cascading(path) as router:
        assert planned(router) == priors
    (error,) = [record.getMessage() for record in caplog.records if record.name == "pointsman.learning"]
    assert f"{part}: saved state" in error
    assert "starts from priors" in error


async def test_feedback_on_verified_answers_outlives_the_router(tmp_path):
    path = tmp_path / "learned.state"
    async with cascading(path) as router:
        for _ in range(30):
            answer = await router.complete("Give me Oslo as JSON.", model="nano", min_quality=0.0)
            await router.signals.settle()
            await router.feedback(answer.decision.decision_id, 0.0)
        learned = router._plans.combiner.errors("refusal")
    async with cascading(path) as router:
        assert router._plans.combiner.errors("refusal") == learned
        assert learned != Combiner().errors("refusal")


def test_a_forked_worker_saves_too(tmp_path):
    path = tmp_path / "learned.state"
    script = (
        "import os, sys, time; from tests.router.test_learned import router_of, teach\n"
        "router = router_of(learning={'state': sys.argv[1], 'save_every_s': 0.1})\n"
        "if os.fork() == 0:\n"
        "    teach(router)\n"
        "    while not os.path.exists(sys.argv[1]): time.sleep(0.02)\n"
        "    os._exit(0)\n"
        "os._exit(os.waitstatus_to_exitcode(os.wait()[1]))"
    )
    subprocess.run([sys.executable, "-c", script, path], cwd=ROOT, check=True, timeout=30)
    assert chosen(router_of(learning={"state": str(path)})) == "frontier"


async def saved_state(path):
    async with router_of(learning={"state": str(path)}) as router:
        teach(router)
    return path.read_bytes()


def damaged_path_bytes(path):
    return Path(f"{path}.damaged").read_bytes()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: data[:200] + bytes([data[200] ^ 4]) + data[201:], "checksum|changed"),
        (lambda data: data[:-7], "saved state"),
        (lambda data: data[:4] + (1).to_bytes(4, "little") + data[8:], "version"),
        (lambda data: b"", "saved state"),
        (lambda data: b"not a state at all, and longer than any head", "saved state"),
    ],
)
async def test_a_state_that_cannot_be_used_is_refused_told_and_kept_aside(tmp_path, caplog, damage, said):
    path = tmp_path / "learned.state"
    damaged = damage(await saved_state(path))
    path.write_bytes(damaged)
    async with router_of(learning={"state": str(path)}) as router:
        assert chosen(router) == "middle"  # priors
        teach(router)
    (error,) = [record for record in caplog.records if record.name == "pointsman.learning"]
    assert error.levelno == logging.ERROR
    assert "cannot be used" in error.getMessage()
    assert "starts from priors" in error.getMessage()
    assert any(word in error.getMessage() for word in said.split("|")), error.getMessage()
    assert damaged_path_bytes(path) == damaged
    async with router_of(learning={"state": str(path)}) as router:
        assert chosen(router) == "frontier"


async def test_nothing_learned_writes_nothing(tmp_path):
    async with router_of(learning={"state": str(tmp_path / "learned.state")}):
        pass
    assert list(tmp_path.iterdir()) == []


async def test_a_disk_that_cannot_be_written_fails_nothing_and_is_told_once(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    where = str(tmp_path / "file" / "learned.state")
    async with router_of(learning={"state": where, "save_every_s": 0.1}) as router:
        teach(router)
        await anyio.sleep(0.35)
        await router.complete("Is water wet?", model="frontier")
    said = [record for record in caplog.records if record.name == "pointsman.learning"]
    assert len(said) == 1


class Flaky:
    """A place that cannot be read at first."""

    def __init__(self, data):
        self.data, self.is_dead = data, True

    def read(self):
        if self.is_dead:
            raise OSError("no database")
        return self.data

    def write(self, data):
        self.data = data

    def set_aside(self, data):
        raise AssertionError


async def test_what_could_not_be_read_is_not_overwritten(tmp_path):
    place = Flaky(await saved_state(tmp_path / "learned.state"))
    router = router_of()
    state = LearnedState(router._core, place, 60)
    teach(router, n=1)
    kept = place.data
    assert not state.save()
    assert place.data == kept
    place.is_dead = False
    assert state.save()
    assert chosen(router) == "frontier"
    state.close()


async def test_a_reload_moves_what_was_learned_to_its_new_place(tmp_path):
    from pointsman.config import parse_config
    from pointsman.registry import registry_from_config

    first, second = (tmp_path / name for name in ("first.state", "second.state"))
    async with router_of(learning={"state": str(first)}) as router:
        teach(router)
        document = config() | FLOOR | {"learning": {"state": str(second)}}
        await router.swap(registry_from_config(parse_config(document)))
        assert chosen(router) == "frontier"
    assert first.exists()
    async with router_of(learning={"state": str(second)}) as router:
        assert chosen(router) == "frontier"


def test_the_file_is_for_its_user_alone_and_leaves_no_scraps(tmp_path):
    file = StateFile(tmp_path / "learned.state")
    for data in (b"one", b"two"):
        file.write(data)
    assert file.read() == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["learned.state"]
    assert (tmp_path / "learned.state").stat().st_mode & 0o077 == 0
