"""Classes are frozen, decisions repeat, threads and processes come and go."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pointsman import _native
from pointsman._native import Catalog, Core, Decision, Infeasible, InvalidInput, NoFeasibleDeployment
from pointsman.types import Constraints

from .conftest import NOW_S, ask, catalog_document, catalog_of

BINDING = Path(__file__).parents[2] / "rust" / "pointsman-py" / "src"
START_DECIDE_EXIT = """
import json, sys
from pointsman._native import Catalog, Core
from pointsman.types import Request
core = Core(Catalog.from_json(sys.stdin.buffer.read()))
request = Request(messages=[{"role": "user", "content": "hi"}])
print(core.decide(request, now_s=1.7e9, seed=1).decision_id)
"""


def infeasible(core: Core) -> Infeasible:
    with pytest.raises(NoFeasibleDeployment) as caught:
        core.decide(ask(constraints=Constraints(max_latency_ms=1)), now_s=NOW_S, seed=1)
    return caught.value.infeasible


def test_every_pyclass_is_frozen_in_the_source() -> None:
    sources = "\n".join(path.read_text() for path in BINDING.glob("*.rs"))
    classes = re.findall(r"#\[pyclass(.*?)\]\s*pub", sources, flags=re.DOTALL)
    assert len(classes) >= 4
    assert all("frozen" in arguments for arguments in classes)
    assert sources.count("#[pyclass") == len(classes)


def test_no_instance_takes_an_attribute(core: Core) -> None:
    instances = [core, core.catalog, core.decide(ask(), now_s=NOW_S, seed=1), infeasible(core)]
    assert {type(one) for one in instances} == {Core, Catalog, Decision, Infeasible}
    for instance in instances:
        for name in ("version", "deployment", "made_up"):
            with pytest.raises(AttributeError):
                setattr(instance, name, "x")


def test_the_same_inputs_give_the_same_decision_id_for_id(core: Core) -> None:
    other = Core(catalog_of(catalog_document()))
    first, second = (one.decide(ask(), now_s=NOW_S, seed=5) for one in (core, other))
    assert first.to_json(1.5) == second.to_json(1.5)
    assert re.fullmatch(r"dec_[0-9a-f]{32}", first.decision_id)
    assert first.decision_id[4:16] == f"{int(NOW_S * 1000):012x}"
    different = [
        core.decide(ask(), now_s=NOW_S, seed=6),
        core.decide(ask("Who?"), now_s=NOW_S, seed=5),
        core.decide(ask(constraints=Constraints(max_cost_usd=1)), now_s=NOW_S, seed=5),
        core.decide(ask(stream=True), now_s=NOW_S, seed=5),
    ]
    assert len({first.decision_id, *(one.decision_id for one in different)}) == 5


def test_decide_many_is_decide_with_seeds_in_a_row(core: Core) -> None:
    requests = [ask(f"What is {i}?") for i in range(5)] + [ask(constraints=Constraints(max_latency_ms=1))]
    *decisions, refusal = core.decide_many(requests, now_s=NOW_S, seed=10)
    for i, decision in enumerate(decisions):
        assert isinstance(decision, Decision)
        assert decision.to_json() == core.decide(requests[i], now_s=NOW_S, seed=10 + i).to_json()
    assert isinstance(refusal, NoFeasibleDeployment)
    assert refusal.infeasible.code == "latency_sla"
    assert core.decide_many([], now_s=NOW_S, seed=1) == []


def test_the_infeasible_names_the_binding_constraint_and_the_remedy(core: Core) -> None:
    with pytest.raises(NoFeasibleDeployment, match=r"latency_sla rejects 32 of 32; nearest: .* drop it"):
        core.decide(ask(constraints=Constraints(max_latency_ms=1)), now_s=NOW_S, seed=1)


def test_catalogs_compare_by_content() -> None:
    document = catalog_document(4)
    reordered = dict(reversed(document.items()))
    assert catalog_of(document).version == catalog_of(reordered).version
    changed = catalog_document(4)
    changed["models"][0]["quality"]["default"] = 0.1
    assert catalog_of(changed).version != catalog_of(document).version
    with pytest.raises(InvalidInput, match="give at most n_input_tokens 1"):
        catalog_of(document).cost_nano_usd("p0/m0", n_input_tokens=1, n_cached_input_tokens=2)


def test_64_threads_decide_while_catalogs_are_swapped() -> None:
    catalogs = [catalog_of(catalog_document(n)) for n in (8, 16, 32)]
    versions = {catalog.version: set(catalog.deployments) for catalog in catalogs}
    core = Core(catalogs[0])
    start, stop = threading.Barrier(65), threading.Event()

    def decide(seed: int) -> None:
        start.wait()
        for i in range(100):
            text = "word " * 4_000 if i % 20 == 0 else "What is the capital of France?"
            decision = core.decide(ask(text), now_s=NOW_S, seed=seed)
            assert set(decision.ranking) <= versions[decision.config_version]

    def swap() -> None:
        start.wait()
        while not stop.is_set():
            for catalog in catalogs:
                core.swap(catalog)

    swapper = threading.Thread(target=swap)
    swapper.start()
    with ThreadPoolExecutor(64) as pool:
        done = [pool.submit(decide, seed) for seed in range(64)]
        try:
            for one in done:
                one.result()
        finally:
            stop.set()
            swapper.join()


def test_200_processes_start_decide_and_exit() -> None:
    document = catalog_bytes()
    expected = Core(Catalog.from_json(document)).decide(ask("hi"), now_s=1.7e9, seed=1).decision_id

    def run(_: int) -> tuple[int, str]:
        command = [sys.executable, "-c", START_DECIDE_EXIT]
        done = subprocess.run(command, input=document, capture_output=True, timeout=30, check=False)
        return done.returncode, done.stdout.decode().strip()

    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(run, range(200))) == {(0, expected)}


def catalog_bytes() -> bytes:
    return json.dumps(catalog_document(4)).encode()


def _decide_in_child(core: Core, queue: multiprocessing.SimpleQueue[str]) -> None:
    queue.put(core.decide(ask("hi"), now_s=NOW_S, seed=1).decision_id)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_a_forked_child_decides_as_its_parent(core: Core) -> None:
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    children = [context.Process(target=_decide_in_child, args=(core, queue)) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join(30)
    assert [child.exitcode for child in children] == [0] * 4
    expected = core.decide(ask("hi"), now_s=NOW_S, seed=1).decision_id
    assert {queue.get() for _ in children} == {expected}


def test_the_build_says_what_it_is() -> None:
    assert _native.build_profile in {"debug", "release"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", _native.__version__)
