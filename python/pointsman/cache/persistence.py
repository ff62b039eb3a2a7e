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
from typing import TYPE_CHECKING, Any

from pointsman._native import Cache
from pointsman.errors import InvalidState

if TYPE_CHECKING:
    from pathlib import Path

_LOG = logging.getLogger("pointsman.cache")
_SNAPSHOT = re.compile(r"snapshot-(\d{8})")
# A journal longer than this and than the snapshot before it is folded into a new snapshot.
_MIN_FOLD_BYTES = 16 * 2**20


class CacheFolder:
    """The files of one cache. One process writes them; another that opens the folder only reads them once."""

    def __init__(self, folder: Path) -> None:
        """Open the folder, making it if needed.

        Raises:
            OSError: It cannot be made or written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lock = (folder / "lock").open("a")
        self.is_writable = _locks(self._lock.fileno())
        if not self.is_writable:
            _LOG.warning(
                "cache folder %s is kept by another process; what is learned here stays here", folder
            )
        self._generation = max(self._generations(), default=0)
        self._journal = None if not self.is_writable else self._path("journal").open("ab")

    def load(self, *, now_s: float, **settings: Any) -> Cache:
        """The cache as it was; a fresh one if the files are damaged or of another version, which is logged.

        Args:
            now_s: Unix time, seconds; what has expired by then is left out.
            **settings: As `Cache`.
        """
        snapshot, journal = _read(self._path("snapshot")), _read(self._path("journal"))
        if not snapshot and not journal:
            return Cache(**settings)
        try:
            return Cache.restore(snapshot, journal, now_s=now_s, **settings)
        except InvalidState as error:
            _LOG.error("cache folder %s cannot be used, starting empty: %s", self._folder, error)
            if self.is_writable:
                self._set_aside()
            return Cache(**settings)

    def append(self, cache: Cache) -> None:
        """Write what has changed since the last call; a few dozen microseconds.

        Raises:
            OSError: The disk is full or gone; the records are lost, the cache in memory is not.
        """
        records = cache.take_journal()
        if records and self._journal is not None:
            self._journal.write(records)
            self._journal.flush()
            if self._journal.tell() > max(_MIN_FOLD_BYTES, _size(self._path("snapshot"))):
                self.fold(cache)

    def fold(self, cache: Cache) -> None:
        """Write a snapshot of everything and begin a new journal.

        Raises:
            OSError: The disk is full or gone; the old files stay in use.
        """
        if self._journal is None:
            return
        # The journal's records up to now are in the snapshot; those of a change in between come after it
        # again, and writing them twice changes nothing.
        snapshot = cache.snapshot()
        old = self._generation
        final = self._folder / f"snapshot-{old + 1:08}"
        fresh = final.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(snapshot)
            file.flush()
            os.fsync(file.fileno())
        journal = (self._folder / f"journal-{old + 1:08}").open("ab")
        fresh.rename(final)
        self._journal.close()
        self._journal, self._generation = journal, old + 1
        for name in ("snapshot", "journal"):
            (self._folder / f"{name}-{old:08}").unlink(missing_ok=True)

    def close(self) -> None:
        """Close the files and let another process write them."""
        if self._journal is not None:
            self._journal.close()
        self._lock.close()

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
        if self._journal is not None:
            self._journal.close()
            self._journal = self._path("journal").open("ab")


def _locks(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


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
