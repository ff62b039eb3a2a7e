"""An answer that is looked at, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pointsman.router.audits import Audit
    from pointsman.signals.signal import Signal
    from pointsman.types import Served


@dataclass(slots=True)
class Case:
    """One answer, until its reward is told and for a while after.

    Attributes:
        served: What was asked and answered.
        signals: What is said of it so far.
        is_waiting: Whether its session's next question, or the end of the window, is yet to speak.
        is_judged: Whether a judge is yet to speak.
        is_told: Whether its reward was told, or is not to be.
        weight: What its reward counted.
        audit: Why it is graded for the floors, if it was drawn.
    """

    served: Served
    signals: list[Signal]
    is_waiting: bool = False
    is_judged: bool = False
    is_told: bool = False
    weight: float = 0.0
    audit: Audit | None = None
