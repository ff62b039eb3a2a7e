"""One thread that writes, behind a bounded buffer: who hands something over never waits and never fails."""

from __future__ import annotations

import atexit
import logging
import threading
from collections import Counter, deque
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Generic, TypeVar
from weakref import WeakMethod

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LOG = logging.getLogger("pointsman.store")
_FIRST_RETRY_S = 0.5
_MAX_RETRY_S = 30.0
_CLOSE_WITHIN_S = 10.0
_IDLE_EVERY_S = 600.0
# Rows of one transaction: few enough that another process waits for milliseconds only.
_N_AT_ONCE = 500

Item = TypeVar("Item")
Row = TypeVar("Row")


class RowRefused(Exception):
    """The database is well, and refuses what it was given."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may wait to be written; beyond either, what comes is dropped and counted.

    Attributes:
        n: Most items.
        n_bytes: Most bytes of rows.
    """

    n: int = 20_000
    n_bytes: int = 64 * 2**20


DEFAULT_BOUNDS = Bounds()


class Writer(Generic[Item, Row]):
    """Makes rows of items and writes them in batches, in a thread of its own. Thread-safe.

    What `write` raises is an outage: the batch is tried again after 0.5 s, 1 s, ... 30 s while the buffer
    fills; it is logged when it begins and when it ends. `RowRefused` means the rows: they are tried one by
    one, and those that are refused are counted and dropped.

    Attributes:
        counts: `written`, `dropped` (no room), `refused`, `write_failures`, `outages`.
    """

    def __init__(
        self,
        pack: Callable[[Item], tuple[Row, int]],
        write: Callable[[Sequence[Row]], None],
        *,
        flush_every_s: float,
        bounds: Bounds = DEFAULT_BOUNDS,
        idle: Callable[[], None] | None = None,
    ) -> None:
        """Make a writer; its thread starts with the first item.

        Args:
            pack: Makes the row of an item, and tells its bytes.
            write: Writes rows in one transaction.
            flush_every_s: How long an item waits for others, seconds.
            bounds: What may wait.
            idle: Called from the thread after a batch and every ten minutes.
        """
        self.counts: Counter[str] = Counter()
        self._pack = pack
        self._write = write
        self._flush_every_s = flush_every_s
        self._bounds = bounds
        self._idle = idle
        self._inbox: deque[Item] = deque()
        # Of the thread alone.
        self._rows: deque[tuple[Row, int]] = deque()
        self._n_bytes = 0
        self._n_failures = 0
        self._retry_at_s = 0.0
        self._n_taken = 0
        self._n_done = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_hurried = False
        self._is_closed = False
        # A program that ends without closing its router loses nothing either.
        atexit.register(_call, WeakMethod(self.close))

    @property
    def n_waiting(self) -> int:
        """Items that are not written yet."""
        return self._n_taken - self._n_done

    @property
    def is_out(self) -> bool:
        """Whether the last try to write failed."""
        return self._n_failures > 0

    def put(self, item: Item) -> bool:
        """Take an item to be written; whether there was room. About 1 us; never raises."""
        with self._changed:
            if self._is_closed or self.n_waiting >= self._bounds.n:
                self.counts["dropped"] += 1
                return False
            self._inbox.append(item)
            self._n_taken += 1
            if self._thread is None or not self._thread.is_alive():  # a fork takes no threads along
                self._thread = threading.Thread(target=self._run, name="pointsman-store", daemon=True)
                self._thread.start()
            elif len(self._inbox) in (1, _N_AT_ONCE):
                self._changed.notify_all()
        return True

    def flush(self, timeout_s: float = _CLOSE_WITHIN_S) -> bool:
        """Wait until all that was taken so far is written or dropped; whether it is, within the time."""
        with self._changed:
            target, self._is_hurried = self._n_taken, True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._n_done >= target, timeout_s)

    def close(self) -> None:
        """Try once more to write what waits, and take no more."""
        with self._changed:
            if self._is_closed:
                return
            self._is_closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_CLOSE_WITHIN_S)
        if self.n_waiting:
            self.counts["dropped"] += self.n_waiting
            _LOG.warning("the store closes with %d records that could not be written", self.n_waiting)

    def _run(self) -> None:
        is_closing = False
        while not is_closing:
            items, is_closing = self._wait_for_items()
            self._pack_all(items)
            self._write_all()
            if self._idle is not None and not self.is_out:
                self._idle()

    def _wait_for_items(self) -> tuple[list[Item], bool]:
        """What came in, once enough has gathered or a retry is due; and whether the end has come."""
        with self._changed:
            if not self._rows:
                self._changed.wait_for(lambda: self._inbox or self._is_closed, _IDLE_EVERY_S)
            pause_s = self._retry_at_s - monotonic() if self.is_out else self._flush_every_s
            self._changed.wait_for(self._is_due, max(pause_s, 0.0))
            if self._is_hurried:
                self._is_hurried, self._retry_at_s = False, 0.0
            items = list(self._inbox)
            self._inbox.clear()
            return items, self._is_closed

    def _is_due(self) -> bool:
        return self._is_hurried or self._is_closed or len(self._inbox) >= _N_AT_ONCE

    def _pack_all(self, items: Sequence[Item]) -> None:
        for item in items:
            try:
                row, n_bytes = self._pack(item)
            except Exception:  # one that cannot be told must not stop the log
                _LOG.exception("a record could not be made; it is left out")
                self._done("refused")
                continue
            if self._n_bytes + n_bytes > self._bounds.n_bytes:
                self._done("dropped")
            else:
                self._rows.append((row, n_bytes))
                self._n_bytes += n_bytes

    def _write_all(self) -> None:
        if self.is_out and not self._is_closed and monotonic() < self._retry_at_s:
            return
        while self._rows:
            batch = [row for row, _ in list(self._rows)[:_N_AT_ONCE]]
            try:
                self._write(batch)
            except RowRefused:
                self._write_each(batch)
            except Exception as error:
                self._failed(error)
                return
            else:
                self._leave(len(batch), "written")
            self._recovered()

    def _write_each(self, batch: Sequence[Row]) -> None:
        for row in batch:
            try:
                self._write([row])
            except RowRefused as error:
                _LOG.warning("the store's database refuses a record, which is dropped: %s", error)
                self._leave(1, "refused")
            except Exception as error:
                self._failed(error)
                return
            else:
                self._leave(1, "written")

    def _failed(self, error: Exception) -> None:
        self.counts["write_failures"] += 1
        if not self.is_out:
            self.counts["outages"] += 1
            _LOG.warning(
                "the store cannot be written: %s; requests go on, and up to %d records wait in memory",
                error,
                self._bounds.n,
            )
        wait_s = min(_FIRST_RETRY_S * 2.0 ** min(self._n_failures, 10), _MAX_RETRY_S)
        self._n_failures += 1
        self._retry_at_s = monotonic() + wait_s

    def _recovered(self) -> None:
        if self.is_out:
            _LOG.warning("the store is written again; %d records were dropped so far", self.counts["dropped"])
        self._n_failures = 0

    def _leave(self, n: int, what: str) -> None:
        for _ in range(n):
            _, n_bytes = self._rows.popleft()
            self._n_bytes -= n_bytes
        self._done(what, n)

    def _done(self, what: str, n: int = 1) -> None:
        with self._changed:
            self.counts[what] += n
            self._n_done += n
            self._changed.notify_all()


def _call(close: WeakMethod[Callable[[], None]]) -> None:
    if (found := close()) is not None:
        found()
