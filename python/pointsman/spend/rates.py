"""Rate limits of keys: a bucket of requests and one of tokens, each holding a minute's worth."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """A token bucket. Not thread-safe: whoever keeps it locks.

    Attributes:
        per_min: What flows in a minute, and most it holds.
        level: What is there; negative after a settlement that came dearer.
        at_s: Time of the level, seconds.
    """

    per_min: int
    level: float
    at_s: float

    def refill(self, now_s: float) -> None:
        """Let in what has come since; a clock that went back lets in nothing."""
        gained = max(now_s - self.at_s, 0.0) * self.per_min / 60
        self.level, self.at_s = min(self.level + gained, float(self.per_min)), now_s

    def wait_s(self, n: float) -> float:
        """Seconds until `n` can be taken; more than it holds can be taken when it is full."""
        return max(min(n, self.per_min) - self.level, 0.0) * 60 / self.per_min

    @property
    def full_in_s(self) -> float:
        """Seconds until it is full, if nothing is taken."""
        return (self.per_min - self.level) * 60 / self.per_min


class Rates:
    """Buckets by name and kind. Thread-safe; in memory only, as a minute forgets them anyway."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._lock = threading.Lock()

    def take(self, name: str, kind: str, per_min: int, n: float, now_s: float) -> float:
        """Take `n`, or nothing.

        Args:
            name: Whose bucket.
            kind: `requests` or `tokens`.
            per_min: Its limit now.
            n: How much.
            now_s: A time that never goes back, seconds.

        Returns:
            0 if taken, else the seconds until it can be.
        """
        with self._lock:
            bucket = self._bucket(name, kind, per_min, now_s)
            wait_s = bucket.wait_s(n)
            if wait_s == 0.0:
                bucket.level -= n
            return wait_s

    def give_back(self, name: str, kind: str, n: float) -> None:
        """Put back what was taken and not used; a negative `n` takes what was used beyond."""
        with self._lock:
            if (bucket := self._buckets.get((name, kind))) is not None:
                bucket.level = min(bucket.level + n, float(bucket.per_min))

    def look(self, name: str, kind: str, per_min: int, now_s: float) -> tuple[int, float]:
        """What can be taken now, at least 0, and the seconds until the bucket is full."""
        with self._lock:
            bucket = self._bucket(name, kind, per_min, now_s)
            return max(int(bucket.level), 0), bucket.full_in_s

    def _bucket(self, name: str, kind: str, per_min: int, now_s: float) -> Bucket:
        bucket = self._buckets.get((name, kind))
        if bucket is None:
            bucket = self._buckets[name, kind] = Bucket(per_min, float(per_min), now_s)
        bucket.per_min = per_min
        bucket.refill(now_s)
        return bucket
