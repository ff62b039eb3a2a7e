"""Rate limits: never more than a minute's worth at once, refilled evenly, settled to what was used."""

from concurrent.futures import ThreadPoolExecutor

from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.spend import Rates


def test_the_limit_can_be_taken_at_once_and_then_comes_back_evenly():
    rates = Rates()
    assert [rates.take("k", "requests", 60, 1, 0.0) for _ in range(60)] == [0.0] * 60
    assert rates.take("k", "requests", 60, 1, 0.0) == 1.0
    assert rates.take("k", "requests", 60, 1, 0.999) > 0
    assert rates.take("k", "requests", 60, 1, 1.0) == 0.0
    assert rates.look("k", "requests", 60, 11.0) == (10, 50.0)
    assert rates.take("other", "requests", 60, 1, 0.0) == 0.0


def test_settling_gives_back_and_takes_more():
    rates = Rates()
    assert rates.take("k", "tokens", 1000, 1000, 0.0) == 0.0
    rates.give_back("k", "tokens", 400)
    assert rates.look("k", "tokens", 1000, 0.0)[0] == 400
    rates.give_back("k", "tokens", -900)  # the answer was longer than what was held
    assert rates.look("k", "tokens", 1000, 0.0)[0] == 0
    assert rates.take("k", "tokens", 1000, 1, 0.0) > 30 - 1e-9
    rates.give_back("k", "tokens", 5000)
    assert rates.look("k", "tokens", 1000, 0.0)[0] == 1000


def test_more_than_a_minutes_worth_can_be_taken_from_a_full_bucket_only():
    rates = Rates()
    assert rates.take("k", "tokens", 100, 250, 0.0) == 0.0
    assert rates.take("k", "tokens", 100, 1, 60.0) > 0
    assert rates.take("k", "tokens", 100, 250, 149.0) > 0
    assert rates.take("k", "tokens", 100, 250, 150.0) == 0.0


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 50)), max_size=60))
@settings(max_examples=50, deadline=None)
def test_no_minute_sees_more_than_twice_the_limit_and_the_long_run_no_more_than_it(steps):
    rates, now_s, taken = Rates(), 0.0, 0
    for gap_s, n in steps:
        now_s += gap_s
        if rates.take("k", "tokens", 100, n, now_s) == 0.0:
            taken += n
        assert taken <= 100 + now_s * 100 / 60 + 1e-6


def test_threads_take_exactly_what_there_is():
    rates = Rates()
    with ThreadPoolExecutor(8) as threads:
        waits = list(threads.map(lambda _: rates.take("k", "requests", 100, 1, 0.0), range(400)))
    assert waits.count(0.0) == 100


def test_a_changed_limit_holds_at_once():
    rates = Rates()
    rates.take("k", "requests", 100, 1, 0.0)
    assert rates.look("k", "requests", 10, 0.0)[0] == 10
