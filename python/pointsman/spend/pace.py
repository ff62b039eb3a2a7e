"""The price of an account's dollars: how much more than themselves they must weigh so that they last."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pointsman._native import Pacer
from pointsman.errors import InvalidInput

if TYPE_CHECKING:
    from pointsman.spend.account import Account

# Share of the newest cost in the mean (science.md 2.10).
_ALPHA = 0.05
# Least that is taken to be left: a pacer's budget is above 0.
_LEAST_USD = 1e-9


class Pace:
    """A pacer for what is left of an account's window; a new one for each calendar window.

    Attributes:
        mean_usd: Mean cost of its requests, newer ones counting more; US dollars.
    """

    __slots__ = ("_account", "_ends_at_s", "_limit_usd", "_pacer", "mean_usd")

    def __init__(self, account: Account, limit_usd: float, now_s: float) -> None:
        self._account = account
        self._limit_usd = limit_usd
        self.mean_usd = 0.0
        self._begin(now_s)

    def _begin(self, now_s: float) -> None:
        window, usd = self._account.window, self._limit_usd
        self._ends_at_s = float("inf")
        length_s = window.seconds
        if window.period is not None:
            # What is left of the budget for what is left of the day or month.
            self._ends_at_s = window.ends_at_s(window.bucket(now_s))
            length_s = max(self._ends_at_s - now_s, 1.0)
            usd -= self._account.spent_nano_usd(now_s) / 1e9
        self._pacer = Pacer(usd=max(usd, _LEAST_USD), window_s=length_s)

    @property
    def price(self) -> float:
        """How much more than itself a dollar weighs, in [0, 1e9]."""
        return self._pacer.price

    def observe(self, cost_usd: float, now_s: float) -> None:
        """Learn what a request cost."""
        if now_s >= self._ends_at_s:
            self._begin(now_s)
        self.mean_usd += (cost_usd - self.mean_usd) * (_ALPHA if self.mean_usd else 1.0)
        with suppress(InvalidInput):  # an upstream that counts nonsense
            self._pacer.observe(cost_usd, now_s=now_s)
