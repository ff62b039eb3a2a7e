"""What a raw value means for one model, learned from graded outcomes: a running Platt scaling.

A model may be confidently wrong, so nothing learned of one model is used for another. Until its predictions,
each made before its outcome was seen, beat the mere share of good answers, a model's values weigh nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

_RATE = 0.5
"""Learning rate of the online logistic regression (AdaGrad), chosen: `tests/signals/test_calibration.py`."""
_MIN_OUTCOMES = 40
"""Graded outcomes before which values weigh nothing; chosen."""
_MEMORY = 400.0
"""Outcomes over which the running skill is averaged."""
_BOUND = 1e-4


class Calibration:
    """Logistic regression of `good or not` on the logit of a raw value, learned one outcome at a time."""

    __slots__ = ("_base", "_gradients", "_n", "_skill", "_slope", "_start")

    def __init__(self) -> None:
        self._start, self._slope = 0.0, 0.0
        self._gradients = [1e-6, 1e-6]
        self._n = 0
        self._base = 0.5
        self._skill = [0.0, 0.0]

    def state(self) -> list[float]:
        """Everything learned, as eight numbers."""
        return [self._start, self._slope, *self._gradients, float(self._n), self._base, *self._skill]

    @classmethod
    def of_state(cls, state: Sequence[float]) -> Self:
        """What `state` gave, cut to what can be learned."""
        made = cls()
        made._start, slope, *gradients = state[:4]
        made._slope = max(0.0, slope)
        made._gradients = [max(1e-6, each) for each in gradients]
        made._n = max(0, int(state[4]))
        made._base = min(1.0, max(0.0, state[5]))
        made._skill = [max(0.0, each) for each in state[6:]]
        return made

    @property
    def n_outcomes(self) -> int:
        """Graded outcomes learned from."""
        return self._n

    @property
    def weight(self) -> float:
        """What a value counts beside a graded outcome, in [0, 1]: the Brier skill over the base rate.

        For a verifier that says yes or no and half the answers good this is `(TPR + TNR - 1)^2`.
        """
        error, base_error = self._skill
        if self._n < _MIN_OUTCOMES or base_error <= 0.0:
            return 0.0
        return min(1.0, max(0.0, 1.0 - error / base_error))

    def probability(self, value: float) -> float:
        """Probability in (0, 1) that an answer with this raw value is good."""
        return _sigmoid(self._start + self._slope * _logit(value))

    def log_ratio(self, value: float) -> float:
        """How much the value changes the log odds of a good answer from the base rate's."""
        return self._start + self._slope * _logit(value) - _logit(self._base)

    def learn(self, value: float, reward: float) -> None:
        """Learn that an answer with this raw value was graded `reward`; both in [0, 1]."""
        predicted = self.probability(value)
        keep = 1.0 - 1.0 / min(self._n + 1.0, _MEMORY)
        errors = ((reward - predicted) ** 2, (reward - self._base) ** 2)
        self._skill = [keep * old + (1.0 - keep) * new for old, new in zip(self._skill, errors, strict=True)]
        self._n += 1
        self._base += (reward - self._base) / (min(self._n, _MEMORY) + 1.0)
        self._step(_logit(value), predicted - reward)

    def _step(self, x: float, error: float) -> None:
        for index, gradient in enumerate((error, error * x)):
            self._gradients[index] += gradient * gradient
            step = _RATE * gradient / math.sqrt(self._gradients[index])
            if index:
                # The surer a model is, the better; a slope below 0 says only that it knows nothing.
                self._slope = max(0.0, self._slope - step)
            else:
                self._start -= step


def _logit(p: float) -> float:
    p = min(1.0 - _BOUND, max(_BOUND, p))
    return math.log(p / (1.0 - p))


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, x))))
