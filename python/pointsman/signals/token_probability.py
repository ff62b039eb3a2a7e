"""How probable a model found its own answer; means nothing until graded outcomes calibrate it per model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pointsman.signals.signal import Signal

if TYPE_CHECKING:
    from pointsman.signals.answer import Answer


def token_probability(answer: Answer) -> Signal | None:
    """The geometric mean of the tokens' probabilities; `raw`, and `None` without `logprobs`."""
    logprobs = answer.logprobs
    if not logprobs:
        return None
    mean = math.exp(math.fsum(logprobs) / len(logprobs))
    return Signal("token_probability", mean, f"{len(logprobs)} tokens", kind="raw")
