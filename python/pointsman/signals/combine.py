"""From signals to one reward: gates first, then evidence weighed by how often each verifier is right.

A failed gate makes the reward 0. An answer that passed all gates is worth what the model is believed to give
when it passes: its predicted quality divided by the share that passes. Hints move that belief by Bayes' rule,
`p = sigma(logit q + sum of ln P(v | good) / P(v | bad))` (`science.md` 2.8), with rates that graded outcomes
correct; raw values move it by their model's calibration.

Why not `(y_J - FPR) / (TPR - FPR)` an answer: a reward lies in [0, 1], and cut to that the formula gives back
the judge's own verdict. The posterior's running mean settles where the formula's would
(`tests/signals/test_combine.py`).

The weight says how much a reward counts beside a graded one. Gates: `(TPR + TNR - 1)^2` with TPR 1 and, as
TNR, the share of bad answers that fail a gate, as counted so far: passing gates that nobody fails says
nothing, and however often it happens the core grows no surer. It is the same whether a gate failed or not, or
the mean of what is learned would be too low. Hints and raw values add theirs.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import astuple, dataclass
from threading import RLock
from typing import TYPE_CHECKING

import orjson

from pointsman.signals.calibration import Calibration
from pointsman.signals.memory import VERSION, read_state
from pointsman.signals.signal import Errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pointsman.signals.signal import Signal

DEFAULT_ERRORS = {
    "json": Errors(0.98, 0.80),
    "code": Errors(0.90, 0.70),
    "truncation": Errors(0.99, 0.92),
    "refusal": Errors(0.98, 0.85),
    "repetition": Errors(0.99, 0.95),
    "language": Errors(0.98, 0.92),
    "retry": Errors(0.95, 0.70),
    "judge": Errors(0.90, 0.25),
}
"""How often hints are right before graded outcomes have said; chosen, and cautious: all weigh little."""
_PRIOR_OUTCOMES = 40.0
"""How many graded outcomes the rates above count as."""
_PRIOR_GATES = 12.0
"""Answers that pass, by which the share that passes is shrunken: as many as the core's prior counts."""
_PRIOR_FAILURES = 0.5
_MAX_SLICES = 4_096
_MIN_WEIGHT = 0.005
"""A reward that weighs less is none."""
_BOUND = 1e-3


@dataclass(frozen=True, slots=True)
class Reward:
    """How good an answer was, as far as signals can tell.

    Attributes:
        value: In [0, 1].
        weight: What it counts beside a graded outcome, in (0, 1].
    """

    value: float
    weight: float


class HintErrors:
    """How often a hint is right: Beta counts of its verdicts on good and on bad answers.

    Attributes:
        counts: What was learned beside the prior: good answers that passed, good ones, bad that passed, bad.
    """

    __slots__ = ("_n_prior", "_prior", "counts")

    def __init__(self, prior: Errors, n_prior: float = _PRIOR_OUTCOMES) -> None:
        self._n_prior = n_prior
        self.assume(prior)
        self.counts = [0.0, 0.0, 0.0, 0.0]

    def assume(self, prior: Errors) -> None:
        """Take other rates as known beforehand; what was learned stays."""
        self._prior = prior

    @property
    def rates(self) -> Errors:
        """The rates now; never 0 or 1, and TPR at least FPR."""
        good_passed, good, bad_passed, bad = self.counts
        n = self._n_prior
        tpr = _clipped((self._prior.tpr * n + good_passed) / (n + good))
        fpr = _clipped((self._prior.fpr * n + bad_passed) / (n + bad))
        return Errors(max(tpr, fpr), fpr)

    def learn(self, value: float, reward: float) -> None:
        """Learn that an answer with this verdict was graded `reward`; both in [0, 1]."""
        for place, share in ((0, reward), (2, 1.0 - reward)):
            self.counts[place] += value * share
            self.counts[place + 1] += share


class Combiner:
    """Makes one reward of an answer's signals, and learns from graded answers what signals are worth.

    Thread-safe.
    """

    def __init__(self, errors: Mapping[str, Errors] | None = None) -> None:
        """Start from `DEFAULT_ERRORS`, with those of `errors` in place."""
        known = {**DEFAULT_ERRORS, **(errors or {})}
        self._hints = {name: HintErrors(prior) for name, prior in known.items()}
        self._calibrations: dict[tuple[str, str], Calibration] = {}
        self._gates: OrderedDict[tuple[str, ...], _Gates] = OrderedDict()
        self._lock = RLock()

    def assume(self, name: str, errors: Errors) -> None:
        """Take other rates of a hint as known beforehand; what was learned of it stays."""
        self._hints[name].assume(errors)

    def errors(self, name: str) -> Errors:
        """How often a hint is right, as known now."""
        return self._hints[name].rates

    def calibration(self, model: str, structure: str = "text") -> Calibration:
        """What token probabilities of a model mean: in JSON under a grammar another thing than in prose."""
        return self._calibrations.setdefault((model, structure), Calibration())

    def reward(
        self, signals: Iterable[Signal], model: str, cell: tuple[str, ...], quality: float
    ) -> Reward | None:
        """The reward that an answer's signals make, and count its gates; `None` if they say next to nothing.

        Args:
            signals: What verifiers said of it.
            model: The model that answered.
            cell: What it was asked for: structure, domain, task. Shares of passed gates are counted per model
                and cell, raw values are calibrated per model and structure.
            quality: Predicted quality of the answer before it was seen, in [0, 1].
        """
        with self._lock:
            return self._reward(list(signals), model, cell, quality)

    def _reward(
        self, signals: list[Signal], model: str, cell: tuple[str, ...], quality: float
    ) -> Reward | None:
        pass_rate, weight = 1.0, 0.0
        if any(signal.kind == "gate" for signal in signals):
            pass_rate, weight = self._count_gates((model, *cell), signals, quality)
            if any(signal.is_failed_gate for signal in signals):
                return Reward(0.0, weight) if weight >= _MIN_WEIGHT else None
        log_odds = _logit(quality / pass_rate)
        for signal in signals:
            moved_by, counts = self._evidence(signal, model, cell[0] if cell else "text")
            log_odds += moved_by
            weight += counts
        return Reward(_sigmoid(log_odds), min(1.0, weight)) if weight >= _MIN_WEIGHT else None

    def learn(self, signals: Iterable[Signal], model: str, reward: float, structure: str = "text") -> None:
        """Learn what signals are worth from an answer that was graded by someone who knows, in [0, 1]."""
        with self._lock:
            for signal in signals:
                if signal.kind == "raw":
                    self.calibration(model, structure).learn(signal.value, reward)
                elif signal.kind == "hint" and signal.name in self._hints:
                    self._hints[signal.name].learn(signal.value, reward)

    def save(self) -> bytes:
        """All that was learned, as JSON with a version."""
        with self._lock:
            learned = {
                "version": VERSION,
                "hints": {name: hint.counts for name, hint in sorted(self._hints.items())},
                "calibrations": [[*key, each.state()] for key, each in self._calibrations.items()],
                "gates": [[list(cell), list(astuple(gates))] for cell, gates in self._gates.items()],
            }
            return orjson.dumps(learned)

    def load(self, data: bytes, /) -> None:
        """Put what was saved in the place of what was learned; hints that are no more are dropped.

        Raises:
            InvalidState: Not what `save` gives, or of another version; nothing changes then.
        """
        hints, calibrations, gates = read_state(data)
        with self._lock:
            for name, hint in self._hints.items():
                hint.counts = list(hints.get(name, [0.0] * 4))
            self._calibrations = {key: Calibration.of_state(state) for key, state in calibrations}
            self._gates = OrderedDict((cell, _Gates(*counts)) for cell, counts in gates)

    def _evidence(self, signal: Signal, model: str, structure: str) -> tuple[float, float]:
        """By how much a signal moves the log odds, and what it counts."""
        if signal.kind == "raw":
            calibration = self.calibration(model, structure)
            weight = calibration.weight
            return (calibration.log_ratio(signal.value), weight) if weight > 0.0 else (0.0, 0.0)
        if signal.kind == "hint" and signal.name in self._hints:
            errors = self.errors(signal.name)
            return errors.log_ratio(signal.value), errors.weight
        return 0.0, 0.0

    def _count_gates(
        self, cell: tuple[str, ...], signals: list[Signal], quality: float
    ) -> tuple[float, float]:
        """The share of answers that pass and the gates' weight, as known before this answer; counts it.

        The share is of what the core was told, weighed and shrunken as the core does: it has to undo what
        failures took from the prediction so far, no more.
        """
        counts = self._gates.setdefault(cell, _Gates())
        self._gates.move_to_end(cell)
        if len(self._gates) > _MAX_SLICES:
            self._gates.popitem(last=False)
        pass_rate = 1.0 - counts.told_failed / (counts.told + _PRIOR_GATES)
        caught = (counts.n_failed + _PRIOR_FAILURES) / (counts.n + _PRIOR_GATES) / max(1.0 - quality, _BOUND)
        weight = min(1.0, caught) ** 2
        counts.add(any(signal.is_failed_gate for signal in signals), weight)
        return pass_rate, weight


@dataclass(slots=True)
class _Gates:
    """Answers of a model in a cell, those that failed a gate, and both as told to the core, weighed."""

    n: float = 0.0
    n_failed: float = 0.0
    told: float = 0.0
    told_failed: float = 0.0

    def add(self, is_failed: bool, weight: float) -> None:
        self.n += 1.0
        self.n_failed += is_failed
        self.told += weight
        self.told_failed += weight * is_failed


def _clipped(p: float) -> float:
    return min(1.0 - _BOUND, max(_BOUND, p))


def _logit(p: float) -> float:
    p = _clipped(p)
    return math.log(p / (1.0 - p))


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, x))))
