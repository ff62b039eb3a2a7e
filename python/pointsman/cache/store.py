"""The cache of one router: the core's, its files, and what waits to be written into it."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from anyio import get_cancelled_exc_class, sleep, to_thread

from pointsman._native import Cache
from pointsman.cache.background import Background, running_loop, soon
from pointsman.cache.persistence import CacheFolder
from pointsman.cache.single_flight import SingleFlight
from pointsman.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from pointsman._native import Hit, Miss
    from pointsman.cache.identity import Question

_LOG = logging.getLogger("pointsman.cache")
# What is learned is on the disk at most this much later.
_WRITE_EVERY_S = 1.0
# Hits that can still be told of by their decision's id.
_MAX_RECENT = 4096
_MAX_RECENT_CHARS = 8_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheOptions:
    """Settings of an `AnswerCache`; the ranges are those of the config's `cache` section.

    Attributes:
        max_bytes: Bound of the memory it takes.
        ttl_s: Seconds an answer is kept.
        target_error: Share of hits that may be wrong: the one dial.
        semantic: Whether texts that are not equal may answer one another.
        audit_rate: Share of such hits that also call the model, to be graded.
        path: Folder it is kept in; `None`: in memory only.
        tool_calls: Whether answers that call tools are kept.
        namespace: Whose entries they are where a request names no scope.
        judge: Model that is asked whether two answers say the same; `None`: nobody is.
        replay_chars_per_s: Pace of a replayed stream; `None`: as fast as it is read.
    """

    max_bytes: int = 268_435_456
    ttl_s: float = 604_800.0
    target_error: float = 0.01
    semantic: bool = True
    audit_rate: float = 0.01
    path: str | None = None
    tool_calls: bool = False
    namespace: str = "default"
    judge: str | None = None
    replay_chars_per_s: float | None = None

    @property
    def of_core(self) -> dict[str, Any]:
        """Those the core takes."""
        names = ("max_bytes", "target_error", "ttl_s", "audit_rate")
        return {name: getattr(self, name) for name in names}


class RecentHit(NamedTuple):
    """A hit that was served not long ago.

    Attributes:
        entry_id: The entry that served.
        text: What was asked.
        similarity: How near that was to what the entry answers.
    """

    entry_id: str
    text: str
    similarity: float


class AnswerCache:
    """Kept answers, and the questions under way. For one process; its methods never raise for a full disk.

    Attributes:
        core: The answers.
        flights: Questions that are being asked, by event loop, partition and text.
        counts: What happened, by name: `audits`, `audits_wrong`, `alarms`, `write_failures`, `not_kept` ...
        background: Audits, and writing to the disk.
    """

    def __init__(self, options: CacheOptions, *, snapshot: bytes = b"") -> None:
        """Open the cache.

        Args:
            options: Its settings.
            snapshot: Contents to begin with, where there is no folder.

        Raises:
            OSError: The folder cannot be made or read.
        """
        self.options = options
        self.flights: SingleFlight[tuple[str | None, bytes]] = SingleFlight()
        self.counts: Counter[str] = Counter()
        self.background = Background()
        self._folder = CacheFolder(Path(options.path)) if options.path else None
        now_s = time.time()
        if self._folder is not None:
            self.core = self._folder.load(now_s=now_s, **options.of_core)
        elif snapshot:
            self.core = Cache.restore(snapshot, b"", now_s=now_s, **options.of_core)
        else:
            self.core = Cache(**options.of_core)
        self._inserts: deque[Callable[[], None]] = deque()
        self._recent: OrderedDict[str, RecentHit] = OrderedDict()
        self._n_recent_chars = 0
        self._writing_in: Hashable = None  # the event loop in which a write is due
        self._writing = threading.Lock()
        self._is_closed = False

    @property
    def folder(self) -> CacheFolder | None:
        """Where it is kept, if anywhere."""
        return self._folder

    # ---- asking

    def look_up(self, question: Question, max_age_s: float | None) -> Hit | Miss:
        """What is kept for a question now."""
        self.insert_waiting()
        return self.core.lookup(
            question.partition,
            question.text,
            now_s=time.time(),
            seed=random.getrandbits(64),
            semantic=self.options.semantic,
            max_age_s=max_age_s,
        )

    def peek(self, question: Question, max_age_s: float | None) -> Hit | Miss:
        """What `look_up` would find, without counting it."""
        self.insert_waiting()
        return self.core.peek(
            question.partition,
            question.text,
            now_s=time.time(),
            semantic=self.options.semantic,
            max_age_s=max_age_s,
        )

    # ---- keeping

    def insert(self, question: Question, packed: bytes, namespace: str, cost_usd: float) -> str | None:
        """Keep an answer now; its entry's id, `None` if it does not fit."""
        try:
            entry_id = self.core.insert(
                question.partition,
                question.text,
                packed,
                now_s=time.time(),
                namespace=namespace,
                cost_usd=cost_usd,
            )
        except InvalidInput as error:
            self.counts["not_kept"] += 1
            _LOG.debug("an answer is not kept: %s", error)
            return None
        self.changed()
        return entry_id

    def insert_soon(self, insert: Callable[[], None]) -> None:
        """Call `insert` in the event loop's next turn, or before the next question, whichever is first."""
        self._inserts.append(insert)
        if len(self._inserts) == 1:
            soon(self.insert_waiting)

    def insert_waiting(self) -> None:
        """Do every insertion that waits."""
        while self._inserts:
            self._inserts.popleft()()

    # ---- what became of hits

    def served(self, decision_id: str, hit: RecentHit) -> None:
        """Remember a hit, so that it can be graded later."""
        self._recent[decision_id] = hit
        self._n_recent_chars += len(hit.text)
        while len(self._recent) > _MAX_RECENT or self._n_recent_chars > _MAX_RECENT_CHARS:
            _, oldest = self._recent.popitem(last=False)
            self._n_recent_chars -= len(oldest.text)

    def hit_of(self, decision_or_entry_id: str) -> RecentHit | None:
        """A hit by its decision, or an entry by its id as if its own question had been asked."""
        if (hit := self._recent.get(decision_or_entry_id)) is not None:
            return hit
        try:
            entry = self.core.get(decision_or_entry_id)
        except InvalidInput:
            return None
        return RecentHit(entry.entry_id, entry.text, 1.0) if entry else None

    def graded(self, hit: RecentHit, *, is_right: bool, weight: float = 1.0, is_audit: bool = False) -> None:
        """Learn whether a kept answer was right; for certain wrong ones are deleted."""
        alarm = self.core.observe(
            hit.entry_id,
            hit.text,
            similarity=hit.similarity,
            is_right=is_right,
            weight=weight,
            is_audit=is_audit,
        )
        self.changed()
        if alarm is not None:
            self.counts["alarms"] += 1
            _LOG.warning(
                "cache alarm %s: hits are wrong more often than target_error %g allows; it aims at %.2g now",
                alarm,
                self.options.target_error,
                self.core.stats().aim,
            )

    # ---- the disk

    def changed(self) -> None:
        """Write what changed to the disk soon; outside an event loop only `write` and `aclose` do."""
        if self._folder is None or self._is_closed:
            return
        try:
            loop = running_loop()
        except RuntimeError:  # none runs
            return
        if self._writing_in != loop:
            self._writing_in = loop
            self.background.start(self._write_later)

    async def _write_later(self) -> None:
        try:
            await sleep(_WRITE_EVERY_S)
        except get_cancelled_exc_class():
            self.write()
            raise
        finally:
            self._writing_in = None
        await to_thread.run_sync(self.write)

    def write(self) -> None:
        """Write what changed to the disk now. A disk that fails is logged once and counted."""
        if self._folder is None:
            return
        with self._writing:
            try:
                self._folder.append(self.core)
            except OSError as error:
                self.counts["write_failures"] += 1
                if self.counts["write_failures"] == 1:
                    _LOG.error("the cache is not written to its folder: %s; it goes on in memory", error)

    async def aclose(self) -> None:
        """End what runs in the background, and write what changed."""
        if self._is_closed:
            return
        self._is_closed = True
        self.insert_waiting()
        await self.background.aclose()
        if self._folder is not None:
            self.write()
            self._folder.close()
