"""How often feedback comes at all, so that slices of silent users count as much as those of talkative ones.

Of the decisions of a slice a share rho is ever graded, and it differs between slices: grades alone would make
the talkative ones a larger part of what is learned across slices than they are of the traffic. A grade
therefore counts `rho / rho_slice`, rho being the share over all slices (science.md 2.4): inverse probability
weights, stabilised so that their mean is 1 and a count of outcomes stays a count (Robins et al. 2000).

Grades come late, so a slice's young decisions have not had their chance yet: a decision of age `a` counts as
`1 - exp(-a / tau)`, tau being the mean delay seen so far (too short at first, alike for all slices). Shares
are kept per kind of feedback (name and source), as thumbs come seldom and a checker's verdicts always.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

Slice = Hashable
Kind = tuple[str, str]

MIN_WEIGHT, MAX_WEIGHT = 0.25, 4.0
"""Bounds of a weight: a share that is estimated wrongly must not make one grade count for dozens."""

# Decisions a slice's own share must outweigh before it is believed; chosen.
_N_PRIOR = 20.0
# Half of what was seen counts no more after thirty days: habits change.
_FORGET_PER_S = math.log(2) / (30 * 86_400)
# Mean delay before any grade has come, and what it counts for, in grades.
_DELAY_S, _N_DELAY = 60.0, 1.0
_MAX_SLICES = 4096
# Decisions that wait to be counted until a grade comes; beyond them the oldest are, so many at once: that
# costs a fraction of counting each by itself.
_MAX_WAITING = 4096
_N_AT_ONCE = 256


@dataclass(slots=True)
class _Traffic:
    """Decisions of a slice, faded by their age.

    Attributes:
        n: How many.
        n_young: Of each kind of feedback, how many of them are still to be graded, were all to be.
        graded: Of each kind, how many were graded.
        at_s: When the counts were brought up to date.
    """

    at_s: float
    n: float = 0.0
    n_young: dict[Kind, float] = field(default_factory=dict)
    graded: dict[Kind, float] = field(default_factory=dict)


class Arrivals:
    """Counts decisions and their grades, and says what a grade weighs. Thread-safe."""

    def __init__(self) -> None:
        self._slices: dict[Slice, _Traffic] = {}
        self._all = _Traffic(0.0)
        self._delays: dict[Kind, tuple[float, float]] = {}
        self._waiting: deque[tuple[Slice, float]] = deque()
        self._lock = threading.Lock()

    def decided(self, slice_: Slice, at_s: float) -> None:
        """Count a decision; mostly it is only noted here, as requests wait meanwhile."""
        self._waiting.append((slice_, at_s))
        if len(self._waiting) > _MAX_WAITING and self._lock.acquire(blocking=False):
            try:
                self._count_waiting(_N_AT_ONCE)
            finally:
                self._lock.release()

    def graded(self, slice_: Slice, kind: Kind, delay_s: float, now_s: float) -> float:
        """Count a decision's first grade of a kind; what it weighs, in [0.25, 4].

        Args:
            slice_: The decision's.
            kind: Name and source of the feedback.
            delay_s: Seconds between the decision and the grade.
            now_s: Unix time, seconds.
        """
        with self._lock:
            self._count_waiting()
            n, total_s = self._delays.get(kind, (_N_DELAY, _N_DELAY * _DELAY_S))
            # The last hundred grades or so make the mean.
            kept = 0.99
            self._delays[kind] = (n * kept + 1, total_s * kept + max(delay_s, 0.0))
            traffic = self._traffic(slice_, now_s)
            for one in (traffic, self._all):
                self._fade(one, now_s)
                one.graded[kind] = one.graded.get(kind, 0.0) + 1
            return self._weight(traffic, kind, now_s)

    def share(self, slice_: Slice, kind: Kind, now_s: float) -> float:
        """Share of a slice's decisions that are ever graded, in (0, 1]; drawn to that over all slices."""
        with self._lock:
            self._count_waiting()
            traffic = self._traffic(slice_, now_s)
            return self._share(traffic, kind, self._overall(kind, now_s), now_s)

    def _weight(self, traffic: _Traffic, kind: Kind, now_s: float) -> float:
        overall = self._overall(kind, now_s)
        return min(max(overall / self._share(traffic, kind, overall, now_s), MIN_WEIGHT), MAX_WEIGHT)

    def _share(self, traffic: _Traffic, kind: Kind, overall: float, now_s: float) -> float:
        graded, ripe = self._seen(traffic, kind, now_s)
        return min((graded + _N_PRIOR * overall) / (max(ripe, graded) + _N_PRIOR), 1.0)

    def _overall(self, kind: Kind, now_s: float) -> float:
        graded, ripe = self._seen(self._all, kind, now_s)
        return (graded + 1.0) / (max(ripe, graded) + 1.0)

    def _seen(self, traffic: _Traffic, kind: Kind, now_s: float) -> tuple[float, float]:
        """Grades, and decisions that were old enough for one; both faded."""
        self._fade(traffic, now_s)
        young = traffic.n_young.get(kind, 0.0)
        return traffic.graded.get(kind, 0.0), max(traffic.n - young, 0.0)

    def _fade(self, traffic: _Traffic, now_s: float) -> None:
        passed_s = max(now_s - traffic.at_s, 0.0)
        traffic.at_s = max(now_s, traffic.at_s)
        kept = math.exp(-_FORGET_PER_S * passed_s)
        traffic.n *= kept
        for kind in traffic.graded:
            traffic.graded[kind] *= kept
        for kind, young in traffic.n_young.items():
            traffic.n_young[kind] = young * kept * math.exp(-passed_s / self._delay_s(kind))

    def _delay_s(self, kind: Kind) -> float:
        n, total_s = self._delays.get(kind, (_N_DELAY, _N_DELAY * _DELAY_S))
        return max(total_s / n, 1e-3)

    def _count_waiting(self, n_most: int | None = None) -> None:
        """Count the oldest that wait, all of them if not told how many."""
        n = len(self._waiting) if n_most is None else min(n_most, len(self._waiting))
        times: dict[Slice, list[float]] = {}
        for slice_, at_s in (self._waiting.popleft() for _ in range(n)):
            times.setdefault(slice_, []).append(at_s)
        for slice_, of_slice in times.items():
            self._count(self._traffic(slice_, of_slice[0]), of_slice)
            self._count(self._all, of_slice)

    def _count(self, traffic: _Traffic, times: list[float]) -> None:
        """Count decisions made at these times, faded to the last of them."""
        self._fade(traffic, max(times))
        now_s = traffic.at_s
        traffic.n += sum(math.exp(_FORGET_PER_S * (at_s - now_s)) for at_s in times)
        for kind in self._delays:
            rate = 1.0 / self._delay_s(kind)
            young = sum(math.exp(rate * (at_s - now_s)) for at_s in times)
            traffic.n_young[kind] = traffic.n_young.get(kind, 0.0) + young

    def _traffic(self, slice_: Slice, now_s: float) -> _Traffic:
        if slice_ not in self._slices and len(self._slices) >= _MAX_SLICES:
            del self._slices[min(self._slices, key=lambda one: self._slices[one].n)]
        return self._slices.setdefault(slice_, _Traffic(now_s))
