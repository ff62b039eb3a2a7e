"""Accounts: exact, never past a limit, whatever runs at once, and over restarts."""

import threading
from calendar import timegm
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.errors import ConfigError
from pointsman.spend import Accounts, Allowance, Claim, Overspent, Window

NOW_S = float(timegm((2026, 11, 28, 12, 0, 0, 0, 0, 0)))
DAY, MONTH, ROLLING = Window(period="day"), Window(period="month"), Window(length_s=3600.0)
SECONDS_A_DAY = 86_400


class Clock:
    def __init__(self, now_s=NOW_S):
        self.now_s = now_s

    def __call__(self):
        return self.now_s


def used(accounts, scope="total", window=DAY):
    return accounts.used_nano_usd(accounts.account(scope, window))


COSTS = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 100)), min_size=64, max_size=64)


@given(COSTS, st.integers(0, 20_000))
@settings(max_examples=20, deadline=None)
def test_64_threads_never_overspend_by_a_nano_dollar(costs, limit):
    """Each holds what it may cost, and costs that much or less; some fail and cost nothing."""
    accounts = Accounts(None, Clock())
    claims = [
        Claim(accounts.account("total", DAY), limit),
        Claim(accounts.account("key:a", ROLLING), 2 * limit),
    ]
    start = threading.Barrier(8)
    spent, high, refused = [], [], []

    def run(batch):
        start.wait()
        for held, percent in batch:
            try:
                reservation = accounts.reserve(claims, held)
            except Overspent:
                refused.append(held)
                continue
            high.append(used(accounts))
            cost = held * percent // 100
            reservation.settle(cost)
            spent.append(cost)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(run, [costs[i::8] for i in range(8)]))
    assert max(high, default=0) <= limit
    assert used(accounts) == used(accounts, "key:a", ROLLING) == sum(spent) <= limit
    # Nothing is held any more, so whoever was refused at the end would have passed the limit then.
    assert len(spent) + len(refused) == 64


@given(st.lists(st.integers(0, 500), min_size=1, max_size=64), st.integers(0, 5_000))
@settings(max_examples=50, deadline=None)
def test_all_that_fit_together_are_let_in(held, limit):
    accounts = Accounts(None, Clock())
    claims = [Claim(accounts.account("total", DAY), limit)]
    reservations, total = [], 0
    for nano_usd in held:
        if total + nano_usd <= limit:
            reservations.append(accounts.reserve(claims, nano_usd))
            total += nano_usd
        else:
            with pytest.raises(Overspent) as caught:
                accounts.reserve(claims, nano_usd)
            assert (caught.value.spent_nano_usd, caught.value.held_nano_usd) == (0, total)
    assert used(accounts) == total
    for reservation in reservations:
        reservation.settle(0)
        reservation.settle(7)  # only the first counts
    assert used(accounts) == 0


def test_what_costs_more_than_was_held_is_counted_in_full():
    accounts = Accounts(None, Clock())
    claims = [Claim(accounts.account("total", DAY), 100)]
    accounts.reserve(claims, 90).settle(150)
    assert used(accounts) == 150
    with pytest.raises(Overspent):
        accounts.reserve(claims, 0)


def test_one_account_that_is_full_holds_nothing_on_the_others():
    accounts = Accounts(None, Clock())
    wide = Claim(accounts.account("total", DAY), 1000)
    narrow = Claim(accounts.account("key:a", DAY), 10)
    with pytest.raises(Overspent) as caught:
        accounts.reserve([wide, narrow], 11)
    assert caught.value.claim is narrow
    assert used(accounts) == used(accounts, "key:a") == 0


def test_a_dropped_reservation_counts_as_spent():
    accounts = Accounts(None, Clock())
    claims = [Claim(accounts.account("total", DAY), 100)]
    reservation = accounts.reserve(claims, 60)
    del reservation
    assert used(accounts) == 60
    assert accounts.account("total", DAY).held_nano_usd == 0


@pytest.mark.parametrize(
    ("window", "later_s", "is_forgotten"),
    [
        (DAY, 12 * 3600 - 1, False),
        (DAY, 12 * 3600, True),
        (MONTH, 2.5 * SECONDS_A_DAY - 1, False),
        (MONTH, 2.5 * SECONDS_A_DAY, True),
        (ROLLING, 3600, False),
        (ROLLING, 3661, True),
    ],
)
def test_windows_forget_when_they_say(window, later_s, is_forgotten):
    clock = Clock()
    accounts = Accounts(None, clock)
    account = accounts.account("total", window)
    accounts.reserve([Claim(account, 100)], 60).settle(60)
    resets_at_s = account.resets_at_s(NOW_S)
    clock.now_s += later_s
    assert (used(accounts, window=window) == 0) is is_forgotten
    assert (clock.now_s >= resets_at_s) is is_forgotten


def test_december_ends_in_the_next_year():
    december = float(timegm((2026, 12, 31, 23, 59, 59, 0, 0, 0)))
    assert MONTH.ends_at_s(MONTH.bucket(december)) == december + 1
    assert MONTH.bucket(december + 1) == MONTH.bucket(december) + 1


@given(
    st.floats(0, 4e9), st.sampled_from([DAY, MONTH, ROLLING, Window(length_s=1.0), Window(length_s=3.2e8)])
)
def test_a_bucket_counts_until_it_ends(now_s, window):
    bucket = window.bucket(now_s)
    ends_at_s = window.ends_at_s(bucket)
    assert ends_at_s > now_s
    assert window.first_bucket(ends_at_s + 1e-3) > bucket
    assert window.first_bucket(now_s) <= bucket
    assert Window.of(str(window)) == window


@pytest.mark.parametrize("word", ["week", "0s", "1e99s", "nans", "3600", ""])
def test_what_is_no_window_is_refused(word):
    with pytest.raises(ValueError, match=r"window|could not convert"):
        Window.of(word)


# ---- over restarts


def test_spending_survives_a_restart_and_so_does_what_was_held(tmp_path, caplog):
    clock = Clock()
    accounts = Accounts(tmp_path, clock)
    claims = [Claim(accounts.account("total", DAY), 10**9), Claim(accounts.account("key:a", ROLLING), 10**9)]
    for cost in (1, 20, 300):
        accounts.reserve(claims, 1000).settle(cost)
    under_way = accounts.reserve(claims, 4000)
    accounts.close()
    again = Accounts(tmp_path, clock)
    again.open()
    assert "1 requests were under way" in caplog.text
    assert used(again) == used(again, "key:a", ROLLING) == 4321
    again.close()
    clock.now_s += SECONDS_A_DAY
    last = Accounts(tmp_path, clock)
    assert used(last) == used(last, "key:a", ROLLING) == 0
    last.close()
    assert under_way.is_open
    under_way.settle(0)


@given(st.lists(st.one_of(st.integers(0, 500), st.none()), max_size=30), st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_a_journal_cut_anywhere_never_counts_less_than_what_was_settled_before(tmp_path_factory, costs, cut):
    folder = tmp_path_factory.mktemp("spend")
    accounts = Accounts(folder, Clock())
    claims = [Claim(accounts.account("total", DAY), 10**9)]
    kept = [
        accounts.reserve(claims, 1000) if cost is None else accounts.reserve(claims, 1000).settle(cost)
        for cost in costs
    ]
    accounts.close()
    path = folder / "spend.jsonl"
    data = path.read_bytes()[: cut % (path.stat().st_size + 1)]
    path.write_bytes(data)
    events = [orjson.loads(line) for line in data.split(b"\n")[:-1]]
    settled = {event[1]: event[2] for event in events if event[0] == "s"}
    n_open = sum(event[0] == "h" for event in events) - len(settled)
    again = Accounts(folder, Clock())
    assert used(again) == sum(settled.values()) + 1000 * n_open
    again.close()
    for reservation in kept:
        if reservation is not None:
            reservation.settle(0)


def test_the_file_is_written_anew_when_it_is_long(tmp_path, monkeypatch):
    monkeypatch.setattr("pointsman.spend.journal._MAX_BYTES", 2000)
    accounts = Accounts(tmp_path, Clock())
    claims = [Claim(accounts.account("total", DAY), 10**9)]
    open_one = accounts.reserve(claims, 5)
    for _ in range(500):
        accounts.reserve(claims, 10).settle(3)
    assert (tmp_path / "spend.jsonl").stat().st_size < 4000
    accounts.close()
    again = Accounts(tmp_path, Clock())
    assert used(again) == 1505
    again.close()
    open_one.settle(0)


def test_two_processes_may_not_spend_one_budget_twice(tmp_path):
    accounts = Accounts(tmp_path, Clock())
    accounts.open()
    with pytest.raises(ConfigError, match="another process"):
        Accounts(tmp_path, Clock()).open()
    accounts.close()
    other = Accounts(tmp_path, Clock())
    other.open()
    other.close()


def test_a_damaged_file_is_refused_and_named(tmp_path):
    (tmp_path / "spend.jsonl").write_bytes(b'["a",1,"total","day"]\nnonsense\n["t",1,2,3]\n')
    with pytest.raises(ConfigError, match="damaged"):
        Accounts(tmp_path, Clock()).open()


def test_a_full_disk_costs_the_record_and_not_the_budget(tmp_path, monkeypatch, caplog):
    accounts = Accounts(tmp_path, Clock())
    claims = [Claim(accounts.account("total", DAY), 100)]
    monkeypatch.setattr("pointsman.spend.journal.os.write", lambda file, data: 1)
    accounts.reserve(claims, 60).settle(60)
    assert "not kept over a restart" in caplog.text
    with pytest.raises(Overspent):
        accounts.reserve(claims, 60)
    monkeypatch.undo()
    accounts.reserve(claims, 10).settle(10)  # the disk has room again: all of it is written
    accounts.close()
    again = Accounts(tmp_path, Clock())
    assert used(again) == 70
    again.close()


@pytest.mark.parametrize(
    "value", [{}, {"usd": 1}, {"usd": True, "period": "day"}, {"usd": 1, "window_s": 0}, []]
)
def test_what_is_no_allowance_is_refused(value):
    with pytest.raises(ValueError, match="must be"):
        Allowance.from_json(value)
