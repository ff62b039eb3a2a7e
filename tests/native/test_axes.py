"""The axes on the hand-labelled dev set (`tests/data/axes_dev.jsonl`), through Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pointsman._native import Core, NoFeasibleDeployment, axis_features
from pointsman.types import Constraints, Request

from .conftest import NOW_S, ask

ROWS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data/axes_dev.jsonl").read_text(encoding="utf-8").splitlines()
]
# Accuracy of the committed weights, less two points.
FLOORS = {"complexity": 0.78, "domain": 0.78, "structure": 0.84, "latency": 0.94}
MAX_ECE = 0.12


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


def profiles_of(core: Core, seed: int) -> list[dict[str, Any]]:
    """Of an infeasible request too: the catalog of these tests cannot do everything."""
    verdicts = core.decide_many([request_of(row) for row in ROWS], now_s=NOW_S, seed=seed)
    records = [v.infeasible if isinstance(v, NoFeasibleDeployment) else v for v in verdicts]
    return [json.loads(record.to_json())["task_profile"] for record in records]


@pytest.fixture(scope="module")
def profiles(core: Core) -> list[dict[str, Any]]:
    return profiles_of(core, seed=1)


@pytest.mark.parametrize("axis", FLOORS)
def test_axis_is_as_accurate_as_measured_and_calibrated(axis: str, profiles: list[dict[str, Any]]) -> None:
    pairs = [
        (profile[axis]["p"], profile[axis]["label"] == row["labels"][axis])
        for profile, row in zip(profiles, ROWS, strict=True)
    ]
    accuracy, error = sum(right for _, right in pairs) / len(pairs), calibration_error(pairs)
    print(f"{axis}: accuracy {accuracy:.3f}, ECE {error:.3f}")
    assert accuracy >= FLOORS[axis]
    assert error <= MAX_ECE


def test_axes_of_a_request_are_always_the_same(core: Core, profiles: list[dict[str, Any]]) -> None:
    assert profiles_of(core, seed=2) == profiles


def test_what_is_trained_on_is_of_fixed_shape_and_unit_length() -> None:
    shapes = set()
    for text in ("yes", "What is the capital of France?", "法国的首都是哪里", "x" * 50_000):
        dense, buckets, weights = axis_features(ask(text))
        shapes.add(len(dense))
        assert len(buckets) == len(weights)
        assert max(buckets) < 2**16
        assert sum(weight * weight for weight in weights) == pytest.approx(1.0, abs=1e-3)
    assert len(shapes) == 1
