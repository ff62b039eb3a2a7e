"""Feedback joined to decisions: once, replaced, together, compared; from the memory and from the log."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman._native import Core
from pointsman.errors import RequestError
from pointsman.learning.feedback import FeedbackDesk, decision_id_of, read_value
from pointsman.learning.known import Case, RecentCases, case_of_rows, known_of
from pointsman.store.rows import decision_row

from ..native.conftest import NOW_S, ask, catalog_document, catalog_of
from ..store.conftest import CACHE_HIT, served


class Desk:
    """A desk with a core of its own and a list for a log."""

    def __init__(self):
        self.core = Core(catalog_of(catalog_document(2)))
        self.rows = []
        self.desk = FeedbackDesk(self.core, self.rows.append, clock=lambda: NOW_S + 60)

    def quality(self, deployment="p0/m0"):
        decision = json.loads(
            self.core.decide(ask("What is the capital of Norway?"), now_s=NOW_S + 60, seed=1).to_json()
        )
        return next(one["quality"] for one in decision["candidates"] if one["deployment"] == deployment)


def case_of(**fields):
    return Case(known_of(served(**fields)))


def test_a_grade_moves_the_belief_and_is_logged():
    here, case = Desk(), case_of()
    before = here.quality()
    taken = here.desk.grade(case, 0.0, "thumbs", "user")
    assert here.quality() < before
    assert (taken.is_learned, taken.reward) == (True, 0.0)
    assert here.rows == [
        {"decision_id": case.known.decision_id, "name": "thumbs", "source": "user", "rejected_id": "", "value": 0.0,
         "weight": 1.0, "tenant": "default", "given_at_s": NOW_S + 60}
    ]  # fmt: skip


def test_a_grade_given_again_counts_once():
    once, often = Desk(), Desk()
    once.desk.grade(case_of(), 0.2, "thumbs", "user")
    case = case_of()
    for _ in range(20):
        taken = often.desk.grade(case, 0.2, "thumbs", "user")
    assert often.core.save() == once.core.save()
    assert not taken.is_learned


def test_a_grade_that_changes_takes_the_old_one_s_place():
    right, changed, both = Desk(), Desk(), Desk()
    right.desk.grade(case_of(), 0.0, "thumbs", "user")
    case = case_of()
    for value in (1.0, 0.0):
        changed.desk.grade(case, value, "thumbs", "user")
    for value in (1.0, 0.0):  # what counting both would have made of it
        both.desk.grade(case_of(), value, "thumbs", "user")
    assert changed.quality() == pytest.approx(right.quality(), abs=0.005)
    assert abs(both.quality() - right.quality()) > 0.01


def test_what_several_say_makes_one_reward():
    here, case = Desk(), case_of()
    here.desk.grade(case, 1.0, "json", "signals")
    taken = here.desk.grade(case, 0.0, "thumbs", "user")
    assert taken.reward == 0.5
    assert here.desk.grade(case, 0.0, "judge", "m9", weight=0.5).reward == pytest.approx(1 / 2.5)
    alone = Desk()
    alone.desk.grade(case_of(), 1 / 2.5, "thumbs", "user")
    assert here.quality() == pytest.approx(alone.quality(), abs=0.005)


def test_what_is_less_than_sure_counts_less_until_someone_is_sure():
    hint, sure, both = Desk(), Desk(), Desk()
    prior = hint.quality()
    hint.desk.grade(case_of(), 0.0, "signals", "pointsman", weight=0.25)
    sure.desk.grade(case_of(), 0.0, "thumbs", "user")
    assert prior - hint.quality() == pytest.approx((prior - sure.quality()) / 4, rel=0.3)
    case = case_of()
    for name, weight in (("signals", 0.25), ("thumbs", 1.0)):
        both.desk.grade(case, 0.0, name, "user", weight=weight)
    assert both.quality() == pytest.approx(sure.quality(), abs=0.003)
    assert case.taught == (0.0, 1.0)


def test_what_somebody_cares_to_say_is_no_verdict_to_the_floors():
    here, case = Desk(), case_of()
    here.desk.grade(case, 0.3, "signals", "pointsman", weight=0.25)
    here.desk.grade(case, 0.0, "thumbs", "user")
    assert json.loads(here.core.floors()) == []


def test_what_weighs_nothing_teaches_nothing():
    here, case = Desk(), case_of()
    before = here.core.save()
    assert not here.desk.grade(case, 0.0, "thumbs", "user", weight=0.0).is_learned
    assert here.core.save() == before


def test_preferences_move_both_and_count_once():
    here = Desk()
    better, worse = case_of(deployment="p0/m1", seed=1), case_of(deployment="p0/m0", seed=2)
    gap = here.quality("p0/m1") - here.quality("p0/m0")
    assert here.desk.prefer(better, worse, "arena", "user").is_learned
    wider = here.quality("p0/m1") - here.quality("p0/m0")
    assert wider > gap
    state = here.core.save()
    assert not here.desk.prefer(better, worse, "arena", "user").is_learned
    assert here.core.save() == state
    assert here.desk.prefer(worse, better, "arena", "user").is_learned
    assert here.quality("p0/m1") - here.quality("p0/m0") < gap + 1e-4
    assert [(row["decision_id"], row["rejected_id"], row["weight"]) for row in here.rows[-2:]] == [
        (worse.known.decision_id, better.known.decision_id, 1.0),
        (better.known.decision_id, worse.known.decision_id, 0.0),
    ]


def test_what_cannot_be_graded_is_named():
    here = Desk()
    nobody = case_of(deployment=None, model=None, provider=None, usage=None)
    with pytest.raises(RequestError, match="nobody answered dec_"):
        here.desk.grade(nobody, 1.0, "thumbs", "user")
    with pytest.raises(RequestError, match="nobody answered dec_"):
        here.desk.prefer(case_of(seed=5), nobody, "thumbs", "user")
    one = case_of()
    with pytest.raises(RequestError, match="are both dec_"):
        here.desk.prefer(one, one, "thumbs", "user")
    assert here.rows == []


def test_kept_answers_and_deployments_that_are_gone_teach_the_core_nothing():
    here = Desk()
    before = here.core.save()
    assert not here.desk.grade(case_of(cache=CACHE_HIT), 0.0, "thumbs", "user").is_learned
    assert not here.desk.grade(case_of(deployment="p9/gone"), 0.0, "thumbs", "user").is_learned
    assert here.core.save() == before
    assert len(here.rows) == 2


def test_a_case_out_of_the_log_is_the_case_it_was():
    here, one = Desk(), served()
    case = Case(known_of(one))
    here.desk.grade(case, 1.0, "thumbs", "user")
    here.desk.grade(case, 0.4, "judge", "m9", weight=0.5)
    row = decision_row(one)
    again = case_of_rows(row, here.rows)
    assert (again.known, again.given, again.reward) == (case.known, case.given, case.reward)
    state = here.core.save()
    here.desk.grade(again, 0.4, "judge", "m9", weight=0.5)
    assert here.core.save() == state


def test_64_threads_grading_one_answer_count_once():
    once, often, case = Desk(), Desk(), case_of()
    once.desk.grade(case_of(), 0.3, "thumbs", "user")
    with ThreadPoolExecutor(64) as pool:
        list(pool.map(lambda _: often.desk.grade(case, 0.3, "thumbs", "user"), range(640)))
    assert often.core.save() == once.core.save()


def test_the_oldest_are_forgotten_first_and_one_case_is_one_object():
    recent = RecentCases(n_most=3)
    known = [known_of(served(seed=seed)) for seed in range(5)]
    for one in known:
        recent.add(one)
    assert recent.get(known[1].decision_id) is None
    assert recent.get(known[4].decision_id) is recent.get(known[4].decision_id)
    adopted = recent.adopt(Case(known[0]))
    assert recent.adopt(Case(known[0])) is adopted is recent.get(known[0].decision_id)
    assert len(recent) == 3


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("dec_0a", "dec_0a"),
        ("chatcmpl-dec_0a", "dec_0a"),
        ("msg_dec_0a", "dec_0a"),
        ("other", "other"),
        ("", ""),
    ],
)
def test_an_answer_s_id_holds_its_decision_s(given, expected):
    assert decision_id_of(given) == expected


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["chosen", "rejected", "x"]) | st.text(max_size=3), inner, max_size=3
        )
    ),
    max_leaves=5,
)


@given(ANYTHING)
def test_a_value_is_a_grade_a_preference_or_named(value):
    is_grade = isinstance(value, bool | int | float) and 0 <= value <= 1
    is_preference = isinstance(value, dict) and set(value) == {"chosen", "rejected"}
    if is_grade:
        assert read_value(value) == float(value)
    elif is_preference and all(isinstance(one, str) and one for one in value.values()):
        assert read_value(value) == (value["chosen"], value["rejected"])
    else:
        with pytest.raises(RequestError, match=r"^value must be true, false, a number in \[0, 1\]"):
            read_value(value)
