"""Shares of feedback are found though it comes late, and weights by them undo what silence does to a mean."""

import random

import pytest

from pointsman.learning.delay import MAX_WEIGHT, MIN_WEIGHT, Arrivals

KIND = ("thumbs", "user")
NOW_S = 1.7e9


class World:
    """Slices whose decisions are graded with a probability of their own, after exponential delays."""

    def __init__(self, seed, shares, rewards, delay_s):
        self.draw = random.Random(seed)
        self.shares, self.rewards, self.delay_s = shares, rewards, delay_s
        self.arrivals = Arrivals()
        self.graded = []

    def run(self, n, every_s):
        """Decisions and grades in the order in which they come; the time at the end."""
        events = []
        for i in range(n):
            at_s = NOW_S + i * every_s
            slice_ = self.draw.choice(list(self.shares))
            events.append((at_s, "decided", slice_, at_s))
            if self.draw.random() < self.shares[slice_]:
                events.append((at_s + self.draw.expovariate(1 / self.delay_s), "graded", slice_, at_s))
        end_s = NOW_S + n * every_s
        for when_s, what, slice_, decided_s in sorted(events):
            if when_s > end_s:
                break
            if what == "decided":
                self.arrivals.decided(slice_, when_s)
            else:
                weight = self.arrivals.graded(slice_, KIND, when_s - decided_s, when_s)
                self.graded.append((slice_, weight))
        return end_s

    def mean(self, *, is_weighted):
        weights = [(weight if is_weighted else 1.0, self.rewards[slice_]) for slice_, weight in self.graded]
        return sum(w * reward for w, reward in weights) / sum(w for w, _ in weights)


def world(seed=1):
    return World(seed, {"talkative": 0.6, "silent": 0.2}, {"talkative": 0.9, "silent": 0.3}, delay_s=3_600)


@pytest.mark.parametrize("seed", range(3))
def test_shares_are_found_though_many_grades_are_still_to_come(seed):
    # Five hours of decisions, an hour's delay: a fifth of what will be graded is not yet.
    here = world(seed)
    end_s = here.run(6_000, every_s=3)
    seen = {slice_: here.arrivals.share(slice_, KIND, end_s) for slice_ in here.shares}
    assert seen["talkative"] == pytest.approx(0.6, abs=0.06)
    assert seen["silent"] == pytest.approx(0.2, abs=0.04)
    naive = sum(slice_ == "talkative" for slice_, _ in here.graded) / 3_000
    assert naive < 0.52  # what counting grades alone would have said


@pytest.mark.parametrize("seed", range(3))
def test_a_weighted_mean_is_the_traffic_s_and_an_unweighted_one_is_not(seed):
    here = world(seed)
    here.run(20_000, every_s=30)
    assert here.mean(is_weighted=True) == pytest.approx(0.6, abs=0.03)
    assert here.mean(is_weighted=False) > 0.7
    n, total = len(here.graded), sum(weight for _, weight in here.graded)
    assert total / n == pytest.approx(1, abs=0.15)  # a count of outcomes stays a count


def test_weights_are_bounded_and_even_before_anything_is_known():
    arrivals = Arrivals()
    assert arrivals.graded("a", KIND, 10.0, NOW_S) == pytest.approx(1, abs=0.1)
    here = World(1, {"all": 1.0, "hardly": 0.002}, {"all": 1, "hardly": 0}, delay_s=1)
    here.run(20_000, every_s=10)
    weights = {slice_: weight for slice_, weight in here.graded}
    assert weights["hardly"] == MAX_WEIGHT
    assert MIN_WEIGHT <= weights["all"] < 1


def test_kinds_do_not_mix():
    here = world()
    end_s = here.run(4_000, every_s=30)
    for _ in range(50):
        here.arrivals.graded("silent", ("json", "signals"), 0.0, end_s)
    assert here.arrivals.share("silent", KIND, end_s) < 0.3


def test_old_habits_are_forgotten():
    here = World(1, {"a": 0.9}, {"a": 1}, delay_s=60)
    end_s = here.run(3_000, every_s=60)
    later_s = end_s + 120 * 86_400
    for i in range(1_000):
        here.arrivals.decided("a", later_s + i * 60)
    assert here.arrivals.share("a", KIND, later_s + 90_000) < 0.25


def test_clocks_that_jump_back_break_nothing():
    arrivals = Arrivals()
    for at_s in (NOW_S, NOW_S - 1e6, NOW_S + 1):
        arrivals.decided("a", at_s)
        assert MIN_WEIGHT <= arrivals.graded("a", KIND, -5.0, at_s) <= MAX_WEIGHT


def test_decisions_that_nobody_grades_are_counted_and_not_kept():
    arrivals = Arrivals()
    for at_s in range(20_000):
        arrivals.decided(("general", "lookup", "text", None), float(at_s))
    assert len(arrivals._waiting) <= 4097
    for at_s in range(20_000, 20_100):
        arrivals.graded(("general", "lookup", "text", None), ("thumbs", "user"), 1.0, float(at_s))
    # A hundred of twenty thousand.
    assert arrivals.share(("general", "lookup", "text", None), ("thumbs", "user"), 20_100.0) == pytest.approx(
        0.005, rel=0.1
    )
