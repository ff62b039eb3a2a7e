"""Every figure against one worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pointsman.learning import metrics


def floats(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


CURVE = floats(1, 2, 3, 4), floats(0.2, 0.3, 0.6, 0.5)


def test_the_hull_is_concave_and_drops_what_costs_more_for_less():
    costs, qualities = metrics.hull(*CURVE)
    assert (costs.tolist(), qualities.tolist()) == ([1, 3], [0.2, 0.6])
    costs, qualities = metrics.hull(floats(1, 2, 3), floats(0.2, 0.5, 0.6))
    assert (costs.tolist(), qualities.tolist()) == ([1, 2, 3], [0.2, 0.5, 0.6])


def test_of_one_cost_the_best_counts_and_of_one_quality_the_cheapest():
    costs, qualities = metrics.hull(floats(2, 1, 1, 3), floats(0.5, 0.2, 0.5, 0.5))
    assert (costs.tolist(), qualities.tolist()) == ([1], [0.5])


def test_aiq_is_the_mean_of_the_hull():
    # From 1 to 3 on a line from .2 to .6, from 3 to 4 on the level: (2 * .4 + 1 * .6) / 3.
    assert metrics.aiq(CURVE, (1, 4)) == pytest.approx(1.4 / 3)


def test_aiq_counts_costs_the_router_cannot_go_down_to_as_unanswered():
    # From .5 to 1 on the line from (0, 0) to (1, .2).
    assert metrics.aiq(CURVE, (0.5, 1)) == pytest.approx(0.15)
    assert metrics.aiq(CURVE, (2, 2)) == pytest.approx(0.4)


def test_savings_are_read_off_the_hull():
    best_single = (4.0, 0.6)
    assert metrics.saved(CURVE, best_single, 1.0) == pytest.approx(1 - 3 / 4)
    # .98 of .6 is .588: 388/400 of the way from cost 1 to 3.
    assert metrics.saved(CURVE, best_single, 0.98) == pytest.approx(1 - (1 + 2 * 0.388 / 0.4) / 4)


def test_nothing_is_saved_where_the_curve_does_not_reach_the_best_single_model():
    assert metrics.saved(CURVE, (4.0, 0.7), 1.0) == 0.0
    assert metrics.saved(CURVE, (2.0, 0.6), 1.0) == 0.0
    assert metrics.saved(CURVE, (0.0, 0.6), 0.5) == 0.0


# In order of the lead the strong model gains 1, 0, 1, 0: half the gap after a quarter of the calls, all after three.
LEAD, WEAK, STRONG = floats(0.1, 0.9, 0.5, 0.7), floats(1, 0, 0, 0), floats(1, 1, 1, 0)


def test_apgr_is_the_area_under_the_gap_recovered():
    assert metrics.apgr(LEAD, WEAK, STRONG) == pytest.approx((0.5 / 2 + 0.5 + 1.5 / 2 + 1) / 4)


def test_prompts_of_one_lead_are_taken_as_if_shuffled():
    assert metrics.apgr(np.zeros(4), WEAK, STRONG) == pytest.approx(0.5)
    shuffled = np.array([2, 0, 3, 1])
    assert metrics.apgr(LEAD[shuffled], WEAK[shuffled], STRONG[shuffled]) == metrics.apgr(LEAD, WEAK, STRONG)


def test_apgr_agrees_with_the_mean_over_call_levels():
    rng = np.random.default_rng(1)
    lead = rng.random(2000)
    weak = (rng.random(2000) < 0.5).astype(float)
    strong = (rng.random(2000) < 0.5 + 0.4 * lead).astype(float)
    order = np.argsort(-lead)
    levels = [int(2000 * share) for share in np.linspace(0, 1, 201)]
    recovered = [(strong - weak)[order[:n]].sum() / (strong - weak).sum() for n in levels]
    assert metrics.apgr(lead, weak, strong) == pytest.approx(np.trapezoid(recovered, dx=1 / 200), abs=1e-3)


def test_cpt_is_the_least_share_of_calls_that_recovers_the_gap():
    assert metrics.cpt(LEAD, WEAK, STRONG, 0.5) == pytest.approx(0.25)
    assert metrics.cpt(LEAD, WEAK, STRONG, 0.8) == pytest.approx(0.5 + 0.25 * 0.3 / 0.5)
    assert metrics.cpt(LEAD, WEAK, STRONG, 0.0) == 0.0


def test_where_the_strong_model_is_not_better_there_is_no_gap():
    assert metrics.apgr(LEAD, STRONG, WEAK) is None
    assert metrics.cpt(LEAD, WEAK, WEAK, 0.5) is None


def test_auc_counts_pairs_ties_and_parts_of_a_good_answer():
    assert metrics.auc(floats(0.1, 0.4, 0.35, 0.8), floats(0, 0, 1, 1)) == pytest.approx(0.75)
    assert metrics.auc(floats(0.5, 0.5), floats(0, 1)) == pytest.approx(0.5)
    # Good: 1 at .9 and .5 at .2; bad: .5 at .2 and 1 at .1. Of 1.5 * 1.5 pairs: 1.5 and .5 + .125.
    expected = (1.5 + 0.5 + 0.125) / 2.25
    assert metrics.auc(floats(0.9, 0.2, 0.1), floats(1, 0.5, 0)) == pytest.approx(expected)
    assert metrics.auc(floats(0.9, 0.2), floats(1, 1)) is None


def test_brier_and_ece():
    predicted, quality = floats(0.1, 0.1, 0.9, 0.9), floats(0, 1, 1, 1)
    assert metrics.brier(predicted, quality) == pytest.approx((0.01 + 0.81 + 0.01 + 0.01) / 4)
    # Two bins: |.2 - 1| and |1.8 - 2| over four answers.
    assert metrics.ece(predicted, quality) == pytest.approx(0.25)
    assert metrics.ece(floats(1.0), floats(1.0)) == 0.0
