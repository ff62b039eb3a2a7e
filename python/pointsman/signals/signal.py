"""What a verifier says of an answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Kind = Literal["gate", "hint", "raw"]
"""How much a signal proves.

`gate`: deterministic; 0 means that whoever asked cannot use the answer, 1 that nothing speaks against it.
`hint`: errs both ways; how often says the verifier's `Errors`.
`raw`: means something only once graded outcomes have calibrated it.
"""


@dataclass(frozen=True, slots=True)
class Signal:
    """What one verifier says of one answer.

    Attributes:
        name: Name of the verifier.
        value: In [0, 1]; 1 is good.
        source: What told, in a few words, without any of the answer's text.
        kind: How much it proves.
    """

    name: str
    value: float
    source: str
    kind: Kind = "gate"

    @property
    def is_failed_gate(self) -> bool:
        """Whether the answer cannot be used."""
        return self.kind == "gate" and self.value < 1.0


@dataclass(frozen=True, slots=True)
class Errors:
    """How often a verifier that says yes or no is right.

    Attributes:
        tpr: Probability that it passes a good answer, in (0, 1).
        fpr: Probability that it passes a bad one, in (0, 1).
    """

    tpr: float
    fpr: float

    @property
    def weight(self) -> float:
        """What one of its verdicts counts beside a graded outcome, in [0, 1]: `(TPR + TNR - 1)^2`.

        Frenay and Verleysen (2014) on label noise; `science.md` 2.4.
        """
        return (self.tpr - self.fpr) ** 2

    def log_ratio(self, value: float) -> float:
        """`ln P(value | good) / P(value | bad)`; a value between 0 and 1 interpolates the two verdicts."""
        passed, failed = math.log(self.tpr / self.fpr), math.log((1.0 - self.tpr) / (1.0 - self.fpr))
        return value * passed + (1.0 - value) * failed
