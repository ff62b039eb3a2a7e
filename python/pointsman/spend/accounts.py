"""Accounts: reserve before a call, settle after it, and never let an account pass its limit.

An amount is held for every call under way; what is spent and held together stays within the limit, so that
any number of calls at once cannot pass it together. A call that turns out dearer than what was held for it is
counted in full: nothing is ever lost, the next calls are refused instead.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from pointsman.spend.account import Account, Claim
from pointsman.spend.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pointsman.spend.window import Window

_LOG = logging.getLogger("pointsman.spend")


class Overspent(Exception):
    """An account has no room for what was to be reserved.

    Attributes:
        claim: The account and its limit.
        spent_nano_usd: What is spent of it.
        held_nano_usd: What is held for other requests.
        resets_at_s: Unix time at which the oldest of what is spent is forgotten.
    """

    def __init__(self, claim: Claim, now_s: float) -> None:
        super().__init__(claim.account.scope)
        self.claim = claim
        self.spent_nano_usd = claim.account.spent_nano_usd(now_s)
        self.held_nano_usd = claim.account.held_nano_usd
        self.resets_at_s = claim.account.resets_at_s(now_s)


class Reservation:
    """An amount held on accounts until it is settled.

    Attributes:
        nano_usd: What is held.
        accounts: Where.
    """

    __slots__ = ("_keeper", "accounts", "nano_usd", "number")

    def __init__(
        self, keeper: Accounts | None, number: int, nano_usd: int, accounts: tuple[Account, ...]
    ) -> None:
        self._keeper = keeper
        self.number = number
        self.nano_usd = nano_usd
        self.accounts = accounts

    @property
    def is_open(self) -> bool:
        """Whether it still waits for what it cost."""
        return self._keeper is not None

    def settle(self, nano_usd: int) -> None:
        """Spend this in place of what is held, be it more or less (0 releases it). The first call counts."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper._settle(self, nano_usd)

    def __del__(self) -> None:
        if self._keeper is not None:
            # A stream that was dropped unread and unclosed: nobody knows what it cost, so all that was held.
            self.settle(self.nano_usd)


class Accounts:
    """Accounts by scope and window. Thread-safe; for one process, as its journal's lock ensures."""

    def __init__(self, folder: Path | None, clock: Callable[[], float]) -> None:
        """Make them; the folder is opened with the first account.

        Args:
            folder: Where spending is kept over restarts; `None`: in memory only.
            clock: Unix time, seconds.
        """
        self.folder = folder
        self._clock = clock
        self._accounts: dict[tuple[str, Window], Account] = {}
        self._open: dict[int, tuple[int, tuple[Account, ...]]] = {}
        self._lock = threading.RLock()  # reentrant: the collector may settle a dropped reservation anywhere
        self._journal: Journal | None = None
        self._n_reserved = 0
        self._is_open = False

    def open(self) -> None:
        """Read what was spent before; done by itself when first needed.

        Raises:
            ConfigError: The folder cannot be used, or another process uses it.
        """
        with self._lock:
            if self._is_open:
                return
            if self.folder is not None:
                self._journal = Journal(self.folder)
                lost = self._journal.replay(self._account, self._clock())
                if lost:
                    _LOG.warning(
                        "%d requests were under way when this process ended last; the $%.9f held for them "
                        "count as spent",
                        len(lost),
                        sum(lost) / 1e9,
                    )
                self._journal.rewrite(self._accounts.values(), {})
            self._is_open = True

    def account(self, scope: str, window: Window) -> Account:
        """The account of a scope and window; made, with nothing spent, if there is none."""
        self.open()
        with self._lock:
            return self._account(scope, window)

    def used_nano_usd(self, account: Account) -> int:
        """Spent and held now."""
        with self._lock:
            return account.spent_nano_usd(self._clock()) + account.held_nano_usd

    def reserve(self, claims: Sequence[Claim], nano_usd: int) -> Reservation:
        """Hold an amount on every account, or on none.

        Args:
            claims: Accounts of these with their limits, each account once.
            nano_usd: The amount, >= 0.

        Raises:
            Overspent: An account has no room for it; names the one that has least.
        """
        with self._lock:
            now_s = self._clock()
            tightest = min(claims, key=lambda claim: _room_nano_usd(claim, now_s))
            if _room_nano_usd(tightest, now_s) < nano_usd:
                raise Overspent(tightest, now_s)
            self._n_reserved += 1
            accounts = tuple(claim.account for claim in claims)
            reservation = Reservation(self, self._n_reserved, nano_usd, accounts)
            for account in accounts:
                account.held_nano_usd += nano_usd
            self._open[reservation.number] = (nano_usd, accounts)
            if self._journal is not None:
                self._journal.held(reservation.number, nano_usd, accounts)
            return reservation

    def _settle(self, reservation: Reservation, nano_usd: int) -> None:
        with self._lock:
            now_s = self._clock()
            for account in reservation.accounts:
                account.held_nano_usd -= reservation.nano_usd
                account.spend(nano_usd, now_s)
            self._open.pop(reservation.number, None)
            if self._journal is not None:
                self._journal.settled(reservation.number, nano_usd, now_s)
                if self._journal.is_long:
                    self._journal.rewrite(self._accounts.values(), dict(self._open))

    def _account(self, scope: str, window: Window) -> Account:
        known = self._accounts.get((scope, window))
        return known or self._accounts.setdefault((scope, window), Account(scope, window))

    def close(self) -> None:
        """Let another process have the folder. What is still held is counted as spent by whoever opens it."""
        with self._lock:
            if self._journal is not None:
                self._journal.close()
            # It counts on in memory, but does not read the folder again.
            self._journal = None


def _room_nano_usd(claim: Claim, now_s: float) -> int:
    used = claim.account.spent_nano_usd(now_s) + claim.account.held_nano_usd
    return claim.limit_nano_usd - used
