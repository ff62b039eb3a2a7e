"""One thing that `pointsman doctor` looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Attributes:
        check: What was looked at.
        state: `ok`, `warn` (works, but look), or `fail`.
        seen: What was found.
        remedy: What to do; empty when all is well.
    """

    check: str
    state: Literal["ok", "warn", "fail"]
    seen: str
    remedy: str = ""
