"""The contestants that need no further install: exact text, plain cosine, and pointsman."""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a lookup is one core's work; read when numpy loads

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

THRESHOLDS = (0.80, 0.85, 0.90, 0.95)
NOW_S = 1_800_000_000.0


class Memo:
    """An embedding that embeds each text once, and keeps count of the seconds this saved."""

    def __init__(self, embed: Callable[[str], np.ndarray]) -> None:
        self._embed = embed
        self._known: dict[str, tuple[np.ndarray, float]] = {}
        self._debt_s = 0.0

    def __call__(self, text: str) -> np.ndarray:
        """The vector of `text`."""
        if text in self._known:
            vector, cost_s = self._known[text]
            self._debt_s += cost_s
            return vector
        start = time.perf_counter()
        vector = self._embed(text)
        self._known[text] = vector, time.perf_counter() - start
        return vector

    def debt_s(self) -> float:
        """Seconds saved since the last call."""
        debt_s, self._debt_s = self._debt_s, 0.0
        return debt_s


class ExactCache:
    """Serves only the same text: what any cache must beat."""

    name = "exact text"

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget everything."""
        self._answers: dict[str, int] = {}

    def ask(self, text: str, identity: str) -> int | None:
        """The answer stored under the same text."""
        return self._answers.get(text)

    def store(self, text: str, identity: str, answer: int) -> None:
        """Remember the answer to `text`."""
        self._answers[text] = answer

    def debt_s(self) -> float:
        """Nothing is memoised."""
        return 0.0


class CosineCache:
    """Serves the nearest stored text from a threshold on; keyed by the last message, as such caches are."""

    def __init__(self, label: str, memo: Memo, threshold: float) -> None:
        self.name = f"cosine {label} @ {threshold:.2f}"
        self._memo = memo
        self._threshold = threshold
        self.restart()

    def restart(self) -> None:
        """Forget everything."""
        self._n = 0
        self._vectors = np.zeros((0, 0), dtype=np.float32)
        self._answers: list[int] = []

    def ask(self, text: str, identity: str) -> int | None:
        """The answer of the nearest stored text if it is near enough."""
        vector = self._memo(text)
        if not self._n:
            return None
        cosines = self._vectors[: self._n] @ vector
        best = int(cosines.argmax())
        return self._answers[best] if cosines[best] >= self._threshold else None

    def store(self, text: str, identity: str, answer: int) -> None:
        """Remember the answer to `text`."""
        vector = self._memo(text)
        if self._n == len(self._vectors):
            grown = np.zeros((max(16, 2 * self._n), len(vector)), dtype=np.float32)
            grown[: self._n] = self._vectors if self._n else 0
            self._vectors = grown
        self._vectors[self._n] = vector
        self._answers.append(answer)
        self._n += 1

    def debt_s(self) -> float:
        """Seconds of embedding that the memo saved."""
        return self._memo.debt_s()


class PointsmanCache:
    """`pointsman._native.Cache` at one target error, unlearned: the prior it ships with."""

    def __init__(self, target_error: float = 0.01) -> None:
        from pointsman._native import Cache

        self.name = f"pointsman @ {target_error:g}"
        self._cache = Cache(target_error=target_error, audit_rate=0.0)
        self._world = 0

    def restart(self) -> None:
        """Move to partitions that nothing was stored in."""
        self._world += 1

    def _partition(self, identity: str) -> bytes:
        return hashlib.blake2b(f"{self._world} {identity}".encode(), digest_size=16).digest()

    def ask(self, text: str, identity: str) -> int | None:
        """The answer it serves."""
        found = self._cache.lookup(self._partition(identity), text, now_s=NOW_S)
        answer = getattr(found, "answer", None)
        return None if answer is None else int(answer)

    def store(self, text: str, identity: str, answer: int) -> None:
        """Remember the answer to `text`."""
        partition = self._partition(identity)
        self._cache.insert(partition, text, str(answer).encode(), now_s=NOW_S, namespace="bench")

    def debt_s(self) -> float:
        """Nothing is memoised."""
        return 0.0
