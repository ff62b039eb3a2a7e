"""An account: what one scope has spent in one window, and what is held for requests under way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pointsman.spend.window import Window


class Account:
    """Not thread-safe: whoever keeps it locks.

    Attributes:
        scope: Whose spending: `total`, `tenant:NAME` or `key:ID`.
        window: The window it counts.
        held_nano_usd: Held for requests under way.
        spent: Nano-dollars by bucket of the window, newest buckets only.
    """

    __slots__ = ("_first", "_spent_nano_usd", "held_nano_usd", "scope", "spent", "window")

    def __init__(self, scope: str, window: Window) -> None:
        self.scope = scope
        self.window = window
        self.held_nano_usd = 0
        self.spent: dict[int, int] = {}
        self._spent_nano_usd = 0
        self._first = -1

    def spent_nano_usd(self, now_s: float) -> int:
        """Spent in the window that ends now."""
        first = self.window.first_bucket(now_s)
        if first > self._first:
            self._first = first
            for bucket in [bucket for bucket in self.spent if bucket < first]:
                self._spent_nano_usd -= self.spent.pop(bucket)
        return self._spent_nano_usd

    def spend(self, nano_usd: int, now_s: float) -> None:
        """Count what was spent now."""
        self.put(self.window.bucket(now_s), nano_usd)

    def put(self, bucket: int, nano_usd: int) -> None:
        """Count what was spent in a bucket that still counts."""
        if bucket >= self._first:
            self.spent[bucket] = self.spent.get(bucket, 0) + nano_usd
            self._spent_nano_usd += nano_usd

    def resets_at_s(self, now_s: float) -> float:
        """Unix time at which the oldest of what counts now is forgotten."""
        oldest = min(self.spent, default=self.window.bucket(now_s))
        return self.window.ends_at_s(oldest)


@dataclass(frozen=True, slots=True)
class Claim:
    """An account with the limit that holds for it now; the limit may change, what was spent does not.

    Attributes:
        account: The account.
        limit_nano_usd: Most that may be spent and held.
    """

    account: Account
    limit_nano_usd: int
