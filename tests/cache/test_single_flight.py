"""Identical questions at once: one call, and a failing leader fails nobody else."""

import anyio
import pytest

from pointsman.cache.single_flight import Lead, SingleFlight

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


class Asker:
    """Asks through a flight; `outcomes` says what each call does: an answer, or `None` to fail."""

    def __init__(self, outcomes, hold_s=0.002):
        self.flights = SingleFlight()
        self.hold_s = hold_s
        self.outcomes = list(outcomes)
        self.n_calls = 0
        self.answers = []
        self.n_failed = 0

    async def ask(self, key="q", patience_s=None):
        seat = await self.flights.join(key, patience_s=patience_s)
        if isinstance(seat, Lead):
            seat = await self.fetch(seat)
        if seat is None:
            self.n_failed += 1
        else:
            self.answers.append(seat)

    async def fetch(self, lead):
        self.n_calls += 1
        outcome = self.outcomes.pop(0)
        try:
            await anyio.sleep(self.hold_s)
        except BaseException:
            lead.fail()
            raise
        if outcome is None:
            lead.fail()
        elif outcome == "private":
            lead.decline()
        else:
            lead.land(outcome)
        return outcome


async def asked_at_once(asker, n):
    async with anyio.create_task_group() as group:
        for _ in range(n):
            group.start_soon(asker.ask)


async def test_a_hundred_at_once_make_one_call():
    asker = Asker(["yes"])
    await asked_at_once(asker, 100)
    assert (asker.n_calls, asker.answers, asker.n_failed) == (1, ["yes"] * 100, 0)
    assert len(asker.flights) == 0


async def test_a_failing_leader_fails_only_itself():
    asker = Asker([None, "yes"])
    await asked_at_once(asker, 100)
    assert (asker.n_calls, asker.answers, asker.n_failed) == (2, ["yes"] * 99, 1)


async def test_after_two_failed_leaders_everyone_asks():
    asker = Asker([None, None, *["yes"] * 10])
    await asked_at_once(asker, 10)
    assert asker.n_failed == 2
    assert asker.answers == ["yes"] * 8
    assert len(asker.flights) == 0


async def test_a_cancelled_leader_hands_over():
    asker = Asker(["lost", "yes"], hold_s=0.04)
    async with anyio.create_task_group() as group:
        leading = anyio.CancelScope()

        async def lead():
            with leading:
                await asker.ask()

        group.start_soon(lead)
        while not asker.n_calls:
            await anyio.lowlevel.checkpoint()
        group.start_soon(asker.ask)
        await anyio.lowlevel.checkpoint()
        leading.cancel()
    assert (asker.n_calls, asker.answers) == (2, ["yes"])


async def test_other_questions_do_not_wait():
    asker = Asker(["a", "b"])
    async with anyio.create_task_group() as group:
        group.start_soon(asker.ask, 1)
        group.start_soon(asker.ask, 2)
    assert asker.n_calls == 2


async def test_an_answer_that_cannot_be_shared_sends_everyone_at_once():
    asker = Asker(["private", *["yes"] * 9])
    await asked_at_once(asker, 10)
    assert (asker.n_calls, sorted(asker.answers)) == (10, ["private", *["yes"] * 9])


async def test_a_leader_that_takes_too_long_is_replaced_by_one():
    asker = Asker(["late", *["soon"] * 9])
    async with anyio.create_task_group() as group:
        slow = await asker.flights.join("q", patience_s=0.02)
        for _ in range(10):
            group.start_soon(asker.ask)
    assert asker.n_calls == 1
    assert asker.answers == ["late"] * 10
    slow.land("too late for anyone")
    assert len(asker.flights) == 0


async def test_followers_that_leave_leave_nothing_behind():
    asker = Asker([None])
    lead = await asker.flights.join("q")
    async with anyio.create_task_group() as group:
        group.start_soon(asker.ask)
        await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    assert lead.n_waiting == 0
    lead.fail()
    assert len(asker.flights) == 0
