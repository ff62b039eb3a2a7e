"""One reward of many signals: what it settles at in worlds whose truth is known, and controls that do not."""

import random

import pytest

from pointsman.signals.combine import DEFAULT_ERRORS, Combiner
from pointsman.signals.judge import denoised
from pointsman.signals.signal import Errors, Signal

CELL = ("json", "general", "")
PRIOR = 12.0


def gate(is_passed, name="json_schema"):
    return Signal(name, float(is_passed), "test")


def hint(is_passed, name="judge"):
    return Signal(name, float(is_passed), "test", kind="hint")


class Estimate:
    """A weighted mean of rewards with the core's prior weight: what a slice of the core does with them."""

    def __init__(self, prior):
        self.sum, self.n = prior * PRIOR, PRIOR

    @property
    def quality(self):
        return self.sum / self.n

    def learn(self, reward):
        if reward is not None:
            self.sum += reward.value * reward.weight
            self.n += reward.weight


def settled(errors, quality, prior, n=20_000, seed=0, update=None):
    """Where an estimate settles if every answer is judged by a judge with these errors."""
    draw = random.Random(seed)
    combiner, estimate = Combiner({"judge": errors}), Estimate(prior)
    for _ in range(n):
        is_good = draw.random() < quality
        is_passed = draw.random() < (errors.tpr if is_good else errors.fpr)
        if update is not None:
            estimate.sum, estimate.n = estimate.sum + update(is_passed), estimate.n + 1
            continue
        estimate.learn(combiner.reward([hint(is_passed)], "m", CELL, estimate.quality))
    return estimate.quality


@pytest.mark.parametrize("quality", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("errors", [Errors(0.9, 0.25), Errors(0.8, 0.1)])
def test_a_judges_errors_are_corrected(quality, errors):
    assert settled(errors, quality, prior=0.6) == pytest.approx(quality, abs=0.03)


def test_the_formula_cut_to_a_reward_corrects_nothing():
    errors, quality = Errors(0.9, 0.25), 0.3
    clipped = settled(
        errors, quality, 0.6, update=lambda passed: denoised(float(passed), errors.tpr, errors.fpr)
    )
    raw = quality * errors.tpr + (1 - quality) * errors.fpr
    assert clipped == pytest.approx(raw, abs=0.02)
    assert abs(clipped - quality) > 0.1


def test_of_many_verdicts_the_formula_gives_the_truth():
    assert denoised(0.3 * 0.9 + 0.7 * 0.25, 0.9, 0.25) == pytest.approx(0.3)
    assert denoised(0.1, 0.9, 0.25) == 0.0


@pytest.mark.parametrize(("fail_rate", "prior"), [(0.3, 0.9), (0.05, 0.7), (0.9, 0.8)])
def test_failing_gates_take_away_their_share_of_quality(fail_rate, prior):
    draw, combiner, estimate = random.Random(1), Combiner(), Estimate(prior)
    for _ in range(4_000):
        signal = gate(draw.random() >= fail_rate)
        estimate.learn(combiner.reward([signal], "m", CELL, estimate.quality))
    assert estimate.quality == pytest.approx((1 - fail_rate) * prior, abs=0.04)


def test_gates_that_nobody_fails_make_nobody_surer():
    combiner, estimate = Combiner(), Estimate(0.7)
    for _ in range(5_000):
        estimate.learn(combiner.reward([gate(True), gate(True, "empty")], "m", CELL, estimate.quality))
    assert estimate.n - PRIOR < 8
    assert estimate.quality == pytest.approx(0.7, abs=0.02)


def test_a_failed_gate_is_worth_nothing_whatever_else_is_said():
    combiner = Combiner()
    reward = combiner.reward([hint(True), gate(True), gate(False, "code")], "m", CELL, 0.9)
    assert reward.value == 0.0
    assert reward.weight > 0.0


def test_signals_that_say_next_to_nothing_make_no_reward():
    assert Combiner().reward([], "m", CELL, 0.7) is None
    assert Combiner().reward([hint(True, "repetition")], "m", CELL, 0.7) is None


@pytest.mark.parametrize("name", DEFAULT_ERRORS)
def test_a_hint_moves_the_belief_its_way_and_weighs_as_its_errors_say(name):
    combiner = Combiner({name: Errors(0.9, 0.4)})
    good, bad = (combiner.reward([hint(passed, name)], "m", CELL, 0.7) for passed in (True, False))
    assert bad.value < 0.7 < good.value
    assert good.weight == bad.weight == pytest.approx(0.25)


def test_graded_outcomes_correct_what_a_hint_is_worth():
    draw, combiner = random.Random(2), Combiner({"judge": Errors(0.9, 0.2)})
    for _ in range(2_000):
        # It says yes to everything.
        combiner.learn([hint(draw.random() < 0.95)], "m", float(draw.random() < 0.5))
    assert combiner.errors("judge").tpr == pytest.approx(0.95, abs=0.03)
    assert combiner.errors("judge").weight < 0.01


def test_cells_and_models_are_apart():
    combiner = Combiner()
    for _ in range(50):
        combiner.reward([gate(False)], "bad", CELL, 0.5)
    assert combiner.reward([gate(False)], "bad", CELL, 0.5).weight > 0.9
    assert combiner.reward([gate(False)], "good", CELL, 0.5).weight < 0.1
    assert combiner.reward([gate(False)], "bad", ("sql", "general", ""), 0.5).weight < 0.1
