"""What accounts keep on disk: one line an event, written before the event has any effect outside.

Lines are JSON arrays: `["a", account, scope, window]` numbers an account, `["t", account, bucket,
nano_usd]` is what it has spent, `["h", reservation, nano_usd, [account, ...]]` holds an amount, and `["s",
reservation, nano_usd, unix_s]` settles it. A killed process has written all of them (the system keeps what
was written); a torn last line is dropped. What was held and not settled counts as spent, as nobody knows
what became of it.
"""

from __future__ import annotations

import errno
import logging
import os
from typing import TYPE_CHECKING, Any

import orjson

from pointsman.errors import ConfigError
from pointsman.spend.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pointsman.spend.account import Account

_LOG = logging.getLogger("pointsman.spend")
_FILE = "spend.jsonl"
_LOCK = ".lock"
# Events of about 100,000 requests; then the file is written anew, with sums in place of events.
_MAX_BYTES = 8_000_000


class Journal:
    """The file of accounts, for one process at a time. Not thread-safe: who keeps them locks."""

    def __init__(self, folder: Path) -> None:
        """Open a folder.

        Raises:
            ConfigError: It cannot be used, or another process uses it.
        """
        self._path = folder / _FILE
        self._numbers: dict[int, int] = {}  # of accounts, by id()
        self._n_bytes = 0
        self._has_failed = False
        self._file = -1
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            seen = f"{folder}: spending cannot be kept here ({error.strerror})"
            raise ConfigError([f"{seen}; give a folder that can be written, in budgets.path"]) from None
        if not _locks(self._lock):
            os.close(self._lock)
            raise ConfigError(
                [
                    f"{folder}: another process counts its spending here, and two would each spend the whole "
                    "budget; run one worker, or give each its own budgets.path and share of the budgets"
                ]
            )

    @property
    def is_long(self) -> bool:
        """Whether it is time for `rewrite`."""
        return self._n_bytes > _MAX_BYTES

    def replay(self, account_of: Callable[[str, Window], Account], now_s: float) -> list[int]:
        """Put what was spent into accounts.

        Args:
            account_of: Gives the account of a scope and window.
            now_s: Unix time, seconds.

        Returns:
            Nano-dollars of each reservation that was never settled; they are counted as spent now.
        """
        accounts: dict[int, Account] = {}
        held: dict[int, tuple[int, list[int]]] = {}
        for event in self._events():
            match event:
                case ["a", number, scope, window]:
                    accounts[number] = account_of(scope, Window.of(window))
                case ["t", number, bucket, nano_usd]:
                    accounts[number].put(bucket, nano_usd)
                case ["h", reservation, nano_usd, numbers]:
                    held[reservation] = (nano_usd, numbers)
                case ["s", reservation, nano_usd, at_s]:
                    for number in held.pop(reservation, (0, []))[1]:
                        accounts[number].spend(nano_usd, at_s)
        for nano_usd, numbers in held.values():
            for number in numbers:
                accounts[number].spend(nano_usd, now_s)
        return [nano_usd for nano_usd, _ in held.values()]

    def held(self, reservation: int, nano_usd: int, accounts: Iterable[Account]) -> None:
        """Note that an amount is held."""
        numbers = [self._numbers.get(id(account)) or self._introduce(account) for account in accounts]
        self._append(["h", reservation, nano_usd, numbers])

    def settled(self, reservation: int, nano_usd: int, now_s: float) -> None:
        """Note what a reservation came to."""
        self._append(["s", reservation, nano_usd, now_s])

    def rewrite(
        self, accounts: Iterable[Account], held: Mapping[int, tuple[int, tuple[Account, ...]]]
    ) -> None:
        """Write the file anew: what each account has spent, and what is held."""
        self._numbers.clear()
        events: list[list[Any]] = []
        for number, account in enumerate(accounts, start=1):
            self._numbers[id(account)] = number
            events.append(["a", number, account.scope, str(account.window)])
            events += (["t", number, bucket, nano_usd] for bucket, nano_usd in account.spent.items())
        for reservation, (nano_usd, holders) in held.items():
            events.append(["h", reservation, nano_usd, [self._numbers[id(account)] for account in holders]])
        data = b"".join(orjson.dumps(event) + b"\n" for event in events)
        try:
            self._replace(data)
        except OSError as error:
            self._failed(error)

    def close(self) -> None:
        """Give the folder free."""
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1

    def _introduce(self, account: Account) -> int:
        number = self._numbers[id(account)] = len(self._numbers) + 1
        self._append(["a", number, account.scope, str(account.window)])
        return number

    def _append(self, event: list[Any]) -> None:
        data = orjson.dumps(event) + b"\n"
        try:
            _write(self._file, data)
            self._n_bytes += len(data)
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        # In memory the budgets hold all the same; a full disk must not end the service.
        if not self._has_failed:
            _LOG.error("%s: spending is not kept over a restart: %s", self._path, error)
        self._has_failed = True
        # Part of a line may be there: the file is written anew before it is appended to again.
        self._n_bytes = _MAX_BYTES + 1

    def _replace(self, data: bytes) -> None:
        temporary = self._path.with_suffix(".new")
        file = os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            _write(file, data)
            os.fsync(file)
            os.replace(temporary, self._path)
        except OSError:
            os.close(file)
            raise
        if self._file >= 0:
            os.close(self._file)
        self._file, self._n_bytes = file, len(data)

    def _events(self) -> list[list[Any]]:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ConfigError([f"{self._path}: cannot be read ({error.strerror}); mend that"]) from None
        *lines, torn = data.split(b"\n")
        if torn:
            _LOG.warning("%s: its last line was not written to its end and is dropped", self._path)
        try:
            return [orjson.loads(line) for line in lines]
        except orjson.JSONDecodeError as error:
            remedy = "restore it, or remove it to count from nothing"
            raise ConfigError([f"{self._path}: is damaged ({error.msg}); {remedy}"]) from None


def _write(file: int, data: bytes) -> None:
    if os.write(file, data) < len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _locks(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:  # no such locks here
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
