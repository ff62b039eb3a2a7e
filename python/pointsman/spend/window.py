"""Windows of time that budgets hold for: calendar days and months in UTC, and windows that roll along."""

from __future__ import annotations

import time
from calendar import timegm
from dataclasses import dataclass
from typing import Any, Literal

Period = Literal["day", "month"]
PERIODS: tuple[Period, ...] = ("day", "month")

_DAY_S = 86_400
# A rolling window forgets in steps of this part of its length; what is spent counts up to one step longer.
_N_STEPS = 60
_MAX_WINDOW_S = 3.2e8
_MAX_USD = 1e6


@dataclass(frozen=True, slots=True)
class Window:
    """A window of time, cut into buckets that are numbered on and on; a budget counts the newest ones.

    Attributes:
        period: A calendar day or month in UTC; `None` with `length_s`.
        length_s: Length in seconds of a window that rolls along; `None` with `period`.
    """

    period: Period | None = None
    length_s: float | None = None

    def __str__(self) -> str:
        """The window in a word: `day`, `month` or `3600s`."""
        return self.period or f"{self.length_s!r}s"

    @staticmethod
    def of(word: str) -> Window:
        """The window of a word, as `str` gives it; `ValueError` if it is none."""
        for period in PERIODS:
            if word == period:
                return Window(period=period)
        length_s = float(word.removesuffix("s"))
        if not word.endswith("s") or not 1 <= length_s <= _MAX_WINDOW_S:
            raise ValueError(
                f"a window is day, month or seconds from 1 to 3.2e8 as in 3600s, got {word!r:.40}"
            )
        return Window(length_s=length_s)

    @property
    def seconds(self) -> float:
        """Its length; of a month, 30 days."""
        return self.length_s or _DAY_S * (1 if self.period == "day" else 30)

    def bucket(self, now_s: float) -> int:
        """Number of the bucket of a time."""
        if self.length_s is not None:
            return int(now_s * _N_STEPS // self.length_s)
        if self.period == "day":
            return int(now_s // _DAY_S)
        date = time.gmtime(now_s)
        return date.tm_year * 12 + date.tm_mon - 1

    def first_bucket(self, now_s: float) -> int:
        """Number of the oldest bucket that counts at a time."""
        return self.bucket(now_s) - (0 if self.length_s is None else _N_STEPS)

    def ends_at_s(self, bucket: int) -> float:
        """Unix time from which a bucket counts no more."""
        if self.length_s is not None:
            return (bucket + _N_STEPS + 1) * self.length_s / _N_STEPS
        if self.period == "day":
            return float((bucket + 1) * _DAY_S)
        year, month = divmod(bucket + 1, 12)
        return float(timegm((year, month + 1, 1, 0, 0, 0, 0, 0, 0)))


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may be spent in a window.

    Attributes:
        usd: US dollars a window, from 1e-9 to 1e6.
        window: The window.
    """

    usd: float
    window: Window

    @property
    def nano_usd(self) -> int:
        """The same in nano-dollars."""
        return round(self.usd * 1e9)

    def to_json(self) -> dict[str, Any]:
        """As keys file and config have it: `{"usd", "period"}` or `{"usd", "window_s"}`."""
        window = self.window
        when = {"period": window.period} if window.period else {"window_s": window.length_s}
        return {"usd": self.usd, **when}

    @staticmethod
    def from_json(value: Any) -> Allowance:
        """The allowance of such a mapping; `ValueError` says what is wrong with another."""
        if not isinstance(value, dict) or set(value) not in ({"usd", "period"}, {"usd", "window_s"}):
            shape = '{"usd", "period"} or {"usd", "window_s"}'
            raise ValueError(f"a budget must be {shape}, got {value!r:.80}")
        usd = _number(value["usd"], "usd", 1e-9, _MAX_USD)
        if "window_s" in value:
            return Allowance(usd, Window(length_s=_number(value["window_s"], "window_s", 1, _MAX_WINDOW_S)))
        if value["period"] not in PERIODS:
            raise ValueError(f"period must be {' or '.join(PERIODS)}, got {value['period']!r:.40}")
        return Allowance(usd, Window(period=value["period"]))


def _number(value: Any, what: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{what} must be a number in [{low:g}, {high:g}], got {value!r:.40}")
    return float(value)
