"""The axes on the hand-labelled dev and held-out sets (`tests/data/axes_*.jsonl`), through Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pointsman._native import Core, NoFeasibleDeployment, axis_features
from pointsman.types import Constraints, Request

from .conftest import NOW_S, ask

DATA = Path(__file__).parents[1] / "data"
SETS = {
    name: [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]
    for name in (
        "axes_dev.jsonl",
        "axes_held.jsonl",
        "axes_fresh_a.jsonl",
        "axes_fresh_b.jsonl",
        "axes_fresh_c.jsonl",
    )
}
# Accuracy of the committed weights, less one or two points.
FLOORS = {
    "axes_dev.jsonl": {"complexity": 0.89, "domain": 0.89, "structure": 0.93, "latency": 0.96},
    "axes_held.jsonl": {"complexity": 0.85, "domain": 0.87, "structure": 0.92, "latency": 0.95},
    "axes_fresh_a.jsonl": {"complexity": 0.94, "domain": 0.97, "structure": 0.96, "latency": 0.98},
    "axes_fresh_b.jsonl": {"complexity": 0.91, "domain": 0.92, "structure": 0.92, "latency": 0.97},
    "axes_fresh_c.jsonl": {"complexity": 0.91, "domain": 0.90, "structure": 0.96, "latency": 0.98},
}
MAX_ECE = 0.08


def request_of(row: dict[str, Any]) -> Request:
    return Request(
        messages=row["messages"],
        tools=row.get("tools", ()),
        response_format=row.get("response_format"),
        stream=row.get("stream", False),
        service_tier=row.get("service_tier"),
        constraints=Constraints(deadline_s=row.get("deadline_s")),
    )


def calibration_error(pairs: list[tuple[float, bool]]) -> float:
    """Expected calibration error over ten equal bins of the stated probability."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for p, is_right in pairs:
        bins.setdefault(min(int(p * 10), 9), []).append((p, is_right))
    gaps = [abs(sum(p for p, _ in b) - sum(right for _, right in b)) for b in bins.values()]
    return sum(gaps) / len(pairs)


def profiles_of(core: Core, name: str, seed: int) -> list[dict[str, Any]]:
    """Of an infeasible request too: the catalog of these tests cannot do everything."""
    verdicts = core.decide_many([request_of(row) for row in SETS[name]], now_s=NOW_S, seed=seed)
    records = [v.infeasible if isinstance(v, NoFeasibleDeployment) else v for v in verdicts]
    return [json.loads(record.to_json())["task_profile"] for record in records]


@pytest.fixture(scope="module")
def profiles(core: Core) -> dict[str, list[dict[str, Any]]]:
    return {name: profiles_of(core, name, seed=1) for name in SETS}


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("axis", FLOORS["axes_dev.jsonl"])
def test_axis_is_as_accurate_as_measured_and_calibrated(
    name: str, axis: str, profiles: dict[str, list[dict[str, Any]]]
) -> None:
    pairs = [
        (profile[axis]["p"], profile[axis]["label"] == row["labels"][axis])
        for profile, row in zip(profiles[name], SETS[name], strict=True)
    ]
    accuracy, error = sum(right for _, right in pairs) / len(pairs), calibration_error(pairs)
    print(f"{name} {axis}: accuracy {accuracy:.3f}, ECE {error:.3f}")
    assert accuracy >= FLOORS[name][axis]
    assert error <= MAX_ECE


def test_axes_of_a_request_are_always_the_same(core: Core, profiles: dict[str, list[dict[str, Any]]]) -> None:
    for name in SETS:
        assert profiles_of(core, name, seed=2) == profiles[name]


def test_what_is_trained_on_is_of_fixed_shape_and_at_most_unit_length() -> None:
    shapes = set()
    for text in ("yes", "What is the capital of France?", "法国的首都是哪里", "x" * 50_000):
        dense, buckets, weights = axis_features(ask(text))
        shapes.add(len(dense))
        assert len(buckets) == len(weights)
        assert max(buckets) < 2**16
        assert 0.1 < sum(weight * weight for weight in weights) < 1.001
    assert len(shapes) == 1
