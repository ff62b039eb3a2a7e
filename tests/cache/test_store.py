"""The cache of a router and its disk: what is written when, whatever event loops come and go."""

import asyncio
import errno

import anyio
import pytest

from pointsman.cache import store
from pointsman.cache.identity import Question
from pointsman.cache.store import AnswerCache, CacheOptions


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_WRITE_EVERY_S", 0.01)
    return AnswerCache(CacheOptions(path=str(tmp_path)))


def insert(cache, number=0):
    cache.insert(Question(bytes(16), f"What is the number {number} in words?"), b"x", "n", 0.0)


def n_written(cache):
    return sum(file.stat().st_size for file in cache.folder._folder.glob("journal-*"))


@pytest.mark.anyio
async def test_an_insertion_of_a_callback_is_written_soon(cache):
    cache.insert_soon(lambda: insert(cache))
    assert n_written(cache) == 0
    await anyio.sleep(0.04)
    await cache.background.settle()
    assert n_written(cache) > 0
    await cache.aclose()


def test_another_event_loop_writes_too(cache):
    async def leave_at_once():
        insert(cache)

    async def wait():
        insert(cache, 1)
        await cache.background.settle()

    asyncio.run(leave_at_once())
    asyncio.run(wait())
    assert n_written(cache) > 0
    cache.folder.close()


def test_without_an_event_loop_write_does_it(cache):
    insert(cache)
    assert n_written(cache) == 0
    cache.write()
    assert n_written(cache) > 0
    cache.folder.close()


@pytest.mark.anyio
async def test_a_full_disk_is_logged_once_counted_and_fails_nobody(cache, monkeypatch, caplog):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("pointsman.cache.persistence.os.write", full)
        for number in range(3):
            insert(cache, number)
            cache.write()
    assert cache.counts["write_failures"] == 3
    assert caplog.text.count("is not written to its folder") == 1
    await cache.aclose()
    assert cache.core.stats().n_entries == 3
    again = AnswerCache(cache.options)
    assert again.core.stats().n_entries == 3
    again.folder.close()


def test_an_answer_too_large_is_not_kept(tmp_path):
    small = AnswerCache(CacheOptions(max_bytes=1_000_000))
    assert small.insert(Question(bytes(16), "q"), b"x" * 900_000, "n", 0.0) is None
    assert small.counts["not_kept"] == 1


def test_recent_hits_are_bounded(cache, monkeypatch):
    monkeypatch.setattr(store, "_MAX_RECENT", 3)
    for number in range(5):
        cache.served(f"dec_{number}", store.RecentHit("0" * 16, "q", 1.0))
    assert cache.hit_of("dec_1") is None
    assert cache.hit_of("dec_4") is not None
    cache.folder.close()
