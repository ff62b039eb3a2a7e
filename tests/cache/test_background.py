"""Work that goes on after the answer: where it may be started, and how it ends."""

import asyncio
import subprocess
import sys

import anyio
import pytest

from pointsman.cache.background import Background, soon


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


@pytest.mark.anyio
async def test_work_goes_on_and_is_waited_for_by_who_wants_to():
    background, seen = Background(), []

    async def work():
        await anyio.sleep(0.001)
        seen.append("done")

    background.start(work)
    assert (seen, len(background)) == ([], 1)
    await background.settle()
    assert (seen, len(background)) == (["done"], 0)


@pytest.mark.anyio
async def test_closing_cancels_what_runs():
    background = Background()
    background.start(anyio.sleep_forever)
    await background.aclose()
    assert len(background) == 0


@pytest.mark.anyio
async def test_what_work_raises_is_logged_and_harms_nobody(caplog):
    background = Background()

    async def work():
        raise ValueError("of no concern")

    background.start(work)
    await background.settle()
    assert "of no concern" in caplog.text


@pytest.mark.anyio
async def test_soon_is_the_next_turn():
    seen = []
    soon(lambda: seen.append("called"))
    assert not seen
    for _ in range(3):
        await anyio.lowlevel.checkpoint()
    assert seen == ["called"]


@pytest.mark.anyio
async def test_a_callback_of_the_loop_may_start_work():
    background, seen = Background(), []

    async def work():
        seen.append("done")

    soon(lambda: background.start(work))
    for _ in range(5):
        await anyio.lowlevel.checkpoint()
    await background.settle()
    assert seen == ["done"]


def test_a_loop_that_ends_leaves_nothing_that_others_wait_for():
    background = Background()

    async def leave():
        background.start(anyio.sleep_forever)

    asyncio.run(leave())
    assert len(background) == 0


WITHOUT_TRIO = """
import sys
sys.modules["trio"] = None
from pointsman.cache.background import Background, soon
for act in (lambda: Background().start(print), lambda: soon(print)):
    try:
        act()
    except RuntimeError as error:
        print(error)
"""


def test_outside_a_loop_it_says_so_with_or_without_trio():
    done = subprocess.run([sys.executable, "-c", WITHOUT_TRIO], capture_output=True, text=True, check=True)
    assert done.stdout.count("event loop") == 2, done.stdout
    background = Background()
    with pytest.raises(RuntimeError, match="event loop"):
        background.start(anyio.sleep_forever)
    assert len(background) == 0
