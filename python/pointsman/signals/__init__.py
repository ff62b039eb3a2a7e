"""Verifiers of an answer: what can be told of it by looking at it, without running it.

Each takes an `Answer` and gives a `Signal` in [0, 1], or `None` where it does not apply. None of them
executes anything, opens a connection or raises; sizes and steps are bounded. `combine.Combiner` makes one
reward of them.
"""

from pointsman.signals.answer import Answer
from pointsman.signals.combine import Combiner, Reward
from pointsman.signals.signal import Errors, Signal
from pointsman.signals.verifiers import BY_NAME, VERIFIERS, Selection, Verifier, run_verifiers

__all__ = [
    "BY_NAME",
    "VERIFIERS",
    "Answer",
    "Combiner",
    "Errors",
    "Reward",
    "Selection",
    "Signal",
    "Verifier",
    "run_verifiers",
]
