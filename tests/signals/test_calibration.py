"""Token probabilities mean something per model, once graded outcomes have said what."""

import math
import random

import pytest

from pointsman.signals.calibration import Calibration
from pointsman.signals.combine import Combiner
from pointsman.signals.signal import Signal


def world(seed, start, slope, n=1_500):
    """Raw values, and grades drawn from a logistic of them."""
    draw = random.Random(seed)
    for _ in range(n):
        x = draw.gauss(1.5, 1.2)
        p = 1 / (1 + math.exp(-(start + slope * x)))
        yield 1 / (1 + math.exp(-x)), p, float(draw.random() < p)


@pytest.mark.parametrize("seed", range(3))
def test_a_model_that_knows_what_it_knows_is_calibrated(seed):
    calibration = Calibration()
    for value, _, reward in world(seed, -2.0, 1.5):
        calibration.learn(value, reward)
    gaps = [abs(calibration.probability(value) - p) for value, p, _ in world(seed + 100, -2.0, 1.5, 300)]
    assert sum(gaps) / len(gaps) < 0.05
    assert calibration.weight > 0.15


def test_a_model_that_is_surest_when_wrong_weighs_nothing():
    calibration = Calibration()
    for value, _, reward in world(0, 1.0, -1.5):
        calibration.learn(value, reward)
    assert calibration.weight < 0.02


def test_a_model_that_is_always_sure_weighs_nothing():
    draw, calibration = random.Random(0), Calibration()
    for _ in range(1_000):
        calibration.learn(draw.uniform(0.97, 0.99), float(draw.random() < 0.4))
    assert calibration.weight < 0.02
    assert calibration.probability(0.98) == pytest.approx(0.4, abs=0.08)


def test_before_enough_grades_a_value_weighs_nothing():
    calibration = Calibration()
    for value, _, reward in world(0, -2.0, 1.5, n=39):
        calibration.learn(value, reward)
    assert calibration.weight == 0.0


def test_what_one_models_values_mean_says_nothing_of_another():
    combiner, raw = Combiner(), Signal("token_probability", 0.95, "test", kind="raw")
    for value, _, reward in world(0, -2.0, 1.5):
        combiner.learn([Signal("token_probability", value, "test", kind="raw")], "known", reward)
    assert combiner.reward([raw], "unknown", (), 0.6) is None
    known = combiner.reward([raw], "known", (), 0.6)
    assert known.value > 0.6
    assert combiner.reward([raw], "known", ("json", "general", ""), 0.6) is None, "another structure"
    low = combiner.reward([Signal("token_probability", 0.3, "test", kind="raw")], "known", (), 0.6)
    assert low.value < 0.3
