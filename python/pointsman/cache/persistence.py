"""The cache on disk: a snapshot and a journal of what came after it, in one folder.

The core makes the bytes and checks them; here they are written. The journal is appended to without waiting
for the disk, so a killed process loses what it had not handed to the system yet and a power cut what the
system had not written; either way the torn end is recognised and dropped. A snapshot is written beside the
old one, synced, and put in its place by a rename.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import time
from typing import TYPE_CHECKING, Any

from pointsman._native import Cache, Miss
from pointsman.errors import InvalidState

if TYPE_CHECKING:
    from pathlib import Path

_LOG = logging.getLogger("pointsman.cache")
_SNAPSHOT = re.compile(r"snapshot-(\d{8})")
# A journal longer than this and than the snapshot before it is folded into a new snapshot.
_MIN_FOLD_BYTES = 16 * 2**20
# Entries taken over from another process at a time.
_PAGE = 1000


class CacheFolder:
    """The files of one cache. One process writes them; others that open the folder read them once.

    When the writer is gone, the first of the others that has something to write takes over. For one thread at
    a time.

    Attributes:
        is_writable: Whether this process is the one that writes.
    """

    def __init__(self, folder: Path) -> None:
        """Open the folder, making it if needed.

        Raises:
            OSError: It cannot be made or written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.is_writable = _locks(self._lock)
        self._settings: dict[str, Any] = {}
        self._loaded_s = 0.0
        self._generation = max(self._generations(), default=0)
        self._journal = self._open_journal() if self.is_writable else -1
        self._n_journal_bytes = _size(self._path("journal"))
        # What is appended behind a gap or a torn record would be dropped when it is read.
        self._is_torn = False

    def load(self, *, now_s: float, **settings: Any) -> Cache:
        """The cache as it was; a fresh one if the files are damaged or of another version, which is logged.

        Args:
            now_s: Unix time, seconds; what has expired by then is left out.
            **settings: As `Cache`.

        Raises:
            OSError: The files cannot be read.
        """
        self._settings, self._loaded_s = settings, now_s
        if not self.is_writable:
            said = (
                "cache folder %s is kept by another process; what is learned here stays here until that ends"
            )
            _LOG.warning(said, self)
        snapshot, journal = _read(self._path("snapshot")), _read(self._path("journal"))
        if not snapshot and not journal:
            return Cache(**settings)
        try:
            cache = Cache.restore(snapshot, journal, now_s=now_s, **settings)
        except InvalidState as error:
            _LOG.error("cache folder %s cannot be used, starting empty: %s", self, error)
            if self.is_writable:
                self._set_aside()
            return Cache(**settings)
        if n_dropped := cache.stats().n_dropped_bytes:
            # To a reader, a record that is being written now; to the writer, the end of a crash.
            _LOG.warning("cache folder %s: the last %d bytes were damaged and are dropped", self, n_dropped)
            self._is_torn = True
        return cache

    def append(self, cache: Cache) -> None:
        """Write what has changed since the last call; a few dozen microseconds. May take over the folder.

        Raises:
            OSError: The disk is full or gone. The cache in memory is unharmed; the next call that succeeds
                writes all of it.
        """
        if not self.is_writable and not self._takes_over(cache):
            return
        if self._is_torn:
            self.fold(cache)
            return
        records = cache.take_journal()
        if not records:
            return
        self._is_torn = True
        _write_all(self._journal, records)
        self._is_torn = False
        self._n_journal_bytes += len(records)
        if self._n_journal_bytes > max(_MIN_FOLD_BYTES, _size(self._path("snapshot"))):
            self.fold(cache)

    def fold(self, cache: Cache) -> None:
        """Write a snapshot of everything and begin a new journal.

        Raises:
            OSError: The disk is full or gone; the old files stay in use.
        """
        if not self.is_writable:
            return
        # What changes in between is in the snapshot and, once more, in the new journal: the core knows by the
        # records' numbers.
        snapshot, old = cache.snapshot(), self._generation
        self._write_snapshot(snapshot, old + 1)
        os.close(self._journal)
        self._generation = old + 1
        self._journal, self._n_journal_bytes, self._is_torn = self._open_journal(), 0, False
        for name in ("snapshot", "journal"):
            (self._folder / f"{name}-{old:08}").unlink(missing_ok=True)

    def _takes_over(self, cache: Cache) -> bool:
        """Become the writer if there is none any more, with what the last one kept; whether it was so."""
        if not _locks(self._lock):
            return False
        _LOG.info("cache folder %s: the process that kept it is gone; this one keeps it now", self)
        self.is_writable = True
        self._generation = max(self._generations(), default=0)
        self._journal, self._is_torn = self._open_journal(), True
        since_s, now_s = self._loaded_s, time.time()
        _adopt(cache, self.load(now_s=now_s, **self._settings), since_s=since_s, now_s=now_s)
        self._is_torn = True  # what is in memory only is written by the next fold
        return True

    def close(self) -> None:
        """Close the files and let another process write them."""
        if self.is_writable:
            os.close(self._journal)
        os.close(self._lock)
        self.is_writable = False

    def __str__(self) -> str:
        return str(self._folder)

    def _write_snapshot(self, snapshot: bytes, generation: int) -> None:
        final = self._folder / f"snapshot-{generation:08}"
        # A journal of that name is left of a fold that was killed before its snapshot was in place.
        (self._folder / f"journal-{generation:08}").unlink(missing_ok=True)
        fresh = final.with_suffix(".new")
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                _write_all(descriptor, snapshot)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            fresh.rename(final)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        _sync(self._folder)

    def _open_journal(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        return os.open(self._path("journal"), flags, 0o600)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}-{self._generation:08}"

    def _generations(self) -> list[int]:
        names = map(_SNAPSHOT.fullmatch, os.listdir(self._folder))
        return [int(found[1]) for found in names if found]

    def _set_aside(self) -> None:
        """Keep damaged files for whoever wants to look, and begin anew."""
        for name in ("snapshot", "journal"):
            path = self._path(name)
            if path.exists():
                path.replace(path.with_suffix(".damaged"))
        self._is_torn = True  # a journal alone would not be found: the next start looks for a snapshot


def _adopt(cache: Cache, other: Cache, *, since_s: float, now_s: float) -> None:
    """Insert what the other keeps since then, where the cache has no newer answer.

    What is older was here once, and was removed if it is not here any more.
    """
    after = None
    while page := other.entries(after=after, limit=_PAGE):
        for entry in page:
            if entry.created_s <= since_s:
                continue
            found = cache.peek(entry.partition, entry.text, now_s=now_s, semantic=False)
            if isinstance(found, Miss) or now_s - found.age_s < entry.created_s:
                times = {"now_s": entry.created_s, "ttl_s": entry.expires_s - entry.created_s}
                cache.insert(entry.partition, entry.text, entry.answer, namespace=entry.namespace, **times)
        after = page[-1].entry_id


def _locks(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _sync(folder: Path) -> None:
    """Make a rename outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
