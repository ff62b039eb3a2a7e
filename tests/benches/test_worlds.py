"""The simulated worlds of `benches/worlds`: decisions follow what changes, as fast as is claimed."""

from __future__ import annotations

import importlib.util
import statistics
import sys
from pathlib import Path

PATH = Path(__file__).parents[2] / "benches" / "worlds" / "run.py"
SPEC = importlib.util.spec_from_file_location("worlds", PATH)
assert SPEC is not None
worlds = importlib.util.module_from_spec(SPEC)
sys.modules["worlds"] = worlds
SPEC.loader.exec_module(worlds)


def test_a_silent_degradation_is_noticed_within_400_graded_answers() -> None:
    courses = [worlds.degrades(seed, n_after=900) for seed in range(4)]
    noticed = [course.delays["noticed_after_grades"] for course in courses if course.delays]
    assert len(noticed) >= 2
    assert statistics.median(900 if one is None else one for one in noticed) <= 400


def test_a_price_that_rises_tenfold_is_left_at_once() -> None:
    assert worlds.price(1, n_after=20).delays == {"left_after_requests": 0}


def test_a_better_model_is_tried_and_soon_serves_most() -> None:
    course = worlds.arrives(1, n_after=100)
    assert course.delays["first_after_requests"] <= 20
    assert course.delays["most_after_requests"] <= 60
