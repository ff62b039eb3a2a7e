"""The folder of a cache: what survives, what is dropped, and who writes."""

import errno
import os
import time
from pathlib import Path

import pytest

from pointsman._native import Cache
from pointsman.cache import persistence
from pointsman.cache.persistence import CacheFolder

PARTITION = bytes(16)


def insert(cache, *texts):
    for text in texts:
        cache.insert(PARTITION, text, text.upper().encode(), now_s=1.0, namespace="n")


def texts_of(cache):
    return {entry.text: entry.answer for entry in cache.entries()}


def opened(path):
    folder = CacheFolder(path)
    return folder, folder.load(now_s=2.0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "cache"


def kept(path):
    """What another start finds."""
    folder, cache = opened(path)
    folder.close()
    return texts_of(cache)


def test_what_was_appended_is_there_again(path):
    folder, cache = opened(path)
    insert(cache, "one")
    folder.append(cache)
    insert(cache, "two")
    folder.append(cache)
    folder.append(cache)  # nothing new
    folder.close()
    assert kept(path) == {"one": b"ONE", "two": b"TWO"}


def test_a_fold_makes_one_snapshot_of_it(path):
    folder, cache = opened(path)
    insert(cache, "one")
    folder.append(cache)
    folder.fold(cache)
    insert(cache, "two")
    folder.append(cache)
    folder.close()
    assert sorted(os.listdir(path)) == ["journal-00000001", "lock", "snapshot-00000001"]
    assert kept(path) == {"one": b"ONE", "two": b"TWO"}


def test_a_long_journal_is_folded(path, monkeypatch):
    monkeypatch.setattr(persistence, "_MIN_FOLD_BYTES", 1000)
    folder, cache = opened(path)
    for number in range(40):
        insert(cache, f"question number {number}")
        folder.append(cache)
    folder.close()
    assert len(kept(path)) == 40
    assert not (path / "journal-00000000").exists()


@pytest.mark.parametrize("n_cut", [1, 7, 30])
def test_a_torn_end_is_dropped_and_what_comes_after_is_kept(path, n_cut):
    folder, cache = opened(path)
    insert(cache, "one")
    folder.append(cache)
    insert(cache, "two")
    folder.append(cache)
    folder.close()
    journal = path / "journal-00000000"
    journal.write_bytes(journal.read_bytes()[:-n_cut])
    folder, cache = opened(path)
    assert texts_of(cache) == {"one": b"ONE"}
    insert(cache, "three")
    folder.append(cache)
    folder.close()
    assert kept(path) == {"one": b"ONE", "three": b"THREE"}


@pytest.mark.parametrize("name", ["snapshot-00000001", "journal-00000001"])
def test_any_changed_byte_gives_nothing_false(path, name):
    folder, cache = opened(path)
    insert(cache, "one", "two")
    folder.fold(cache)
    insert(cache, "three")
    folder.append(cache)
    folder.close()
    good = (path / name).read_bytes()
    whole = {"one": b"ONE", "two": b"TWO", "three": b"THREE"}
    for place in range(0, len(good), max(1, len(good) // 40)):
        for leftover in path.glob("*"):
            if leftover.name not in ("lock", "snapshot-00000001", "journal-00000001"):
                leftover.unlink()
        (path / name).write_bytes(good[:place] + bytes([good[place] ^ 0x40]) + good[place + 1 :])
        assert kept(path).items() <= whole.items()


def test_files_of_another_kind_are_set_aside(path):
    path.mkdir(parents=True)
    (path / "snapshot-00000003").write_bytes(b"not a snapshot at all")
    folder, cache = opened(path)
    assert texts_of(cache) == {}
    insert(cache, "one")
    folder.append(cache)
    folder.close()
    assert (path / "snapshot-00000003.damaged").read_bytes() == b"not a snapshot at all"
    assert kept(path) == {"one": b"ONE"}


def test_a_fold_that_was_killed_harms_nothing(path):
    folder, cache = opened(path)
    insert(cache, "one")
    folder.append(cache)
    folder.close()
    (path / "snapshot-00000001.new").write_bytes(b"half a snap")
    (path / "journal-00000001").write_bytes(b"left")
    folder, cache = opened(path)
    assert texts_of(cache) == {"one": b"ONE"}
    folder.fold(cache)
    insert(cache, "two")
    folder.append(cache)
    folder.close()
    assert kept(path) == {"one": b"ONE", "two": b"TWO"}


def test_a_full_disk_loses_nothing_once_there_is_room(path, monkeypatch):
    folder, cache = opened(path)
    insert(cache, "one")
    folder.append(cache)
    write = os.write

    def fill_up(descriptor, data):
        if len(data) > 8:
            return write(descriptor, data[:8])
        raise OSError(errno.ENOSPC, "No space left on device")

    insert(cache, "two")
    with monkeypatch.context() as full:
        full.setattr(persistence.os, "write", fill_up)
        for _ in range(2):
            with pytest.raises(OSError, match="No space"):
                folder.append(cache)
        assert not list(path.glob("*.new"))
    insert(cache, "three")
    folder.append(cache)
    folder.close()
    assert kept(path) == {"one": b"ONE", "two": b"TWO", "three": b"THREE"}


def test_one_process_writes_and_another_reads(path, caplog):
    folder, cache = opened(path)
    insert(cache, "one")
    folder.append(cache)
    second, copy = opened(path)
    assert (folder.is_writable, second.is_writable) == (True, False)
    assert "kept by another process" in caplog.text
    assert texts_of(copy) == {"one": b"ONE"}
    insert(copy, "stays in the second")
    second.append(copy)
    second.fold(copy)
    second.close()
    insert(cache, "two")
    folder.append(cache)
    folder.close()
    assert kept(path) == {"one": b"ONE", "two": b"TWO"}


def test_when_the_writer_is_gone_another_keeps_what_both_had(path):
    folder, cache = opened(path)
    insert(cache, "one", "gone")
    folder.append(cache)
    second, copy = opened(path)
    insert(copy, "three")
    copy.delete(next(entry.entry_id for entry in copy.entries() if entry.text == "gone"))
    second.append(copy)
    # What it takes over must not have expired by the clock.
    cache.insert(PARTITION, "two", b"TWO", now_s=time.time(), namespace="n")
    folder.append(cache)
    assert not second.is_writable
    folder.close()
    insert(copy, "four")
    second.append(copy)
    assert second.is_writable
    # What it had deleted does not come back.
    everything = {text: text.upper().encode() for text in ("one", "two", "three", "four")}
    assert texts_of(copy) == everything
    second.close()
    assert kept(path) == everything


def test_files_are_for_their_owner_only(path):
    folder, cache = opened(path)
    insert(cache, "one")
    folder.fold(cache)
    folder.close()
    assert {file.stat().st_mode & 0o077 for file in path.iterdir()} == {0}


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match="file"):
        CacheFolder(Path(tmp_path / "file"))


def test_an_empty_folder_gives_a_cache_of_its_settings(path):
    folder = CacheFolder(path)
    cache = folder.load(now_s=1.0, max_bytes=1_000_000)
    folder.close()
    assert isinstance(cache, Cache)
    assert cache.stats().max_bytes == 1_000_000
