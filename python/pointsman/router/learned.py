"""What a router has learned, kept beyond the process: in a file, or in the store."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol
from weakref import WeakMethod

from pointsman.errors import InvalidState, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pointsman._native import Core
    from pointsman.store.store import DecisionStore

_LOG = logging.getLogger("pointsman.learning")
_NAME = "learned"
_JOIN_WITHIN_S = 10.0


class Learns(Protocol):
    """Something that learns."""

    def save(self) -> bytes:
        """All that was learned."""

    def load(self, data: bytes, /) -> object:
        """Put what was saved in the place of what was learned.

        Raises:
            InvalidState: Cut, changed or of another version; nothing changes then.
        """


class Knowledge:
    """What the core learned, and what others did beside it, as one state."""

    def __init__(self, core: Core, others: Mapping[str, Learns]) -> None:
        """Make one; `others` by the names they are kept under."""
        self._core = core
        self._others = dict(others)

    def save(self) -> bytes:
        """All of it."""
        return self._core.save({name: each.save() for name, each in self._others.items()})

    def load(self, data: bytes, /) -> None:
        """All of it, or nothing; whoever the state does not name goes on with what it knows.

        Raises:
            InvalidState: Of the core, or of whom the message names.
        """
        before = self.save()
        found = self._core.load(data)
        for name, each in self._others.items():
            try:
                if name in found:
                    each.load(found[name])
            except InvalidState as error:
                self.load(before)
                raise InvalidState(f"{name}: {error}") from None


class StatePlace(Protocol):
    """Where bytes are kept. Methods raise `OSError` or `StoreUnavailable`."""

    def read(self) -> bytes | None:
        """What was kept last; `None`: nothing."""

    def write(self, data: bytes) -> None:
        """Keep this instead, whole or not at all."""

    def set_aside(self, data: bytes) -> str:
        """Keep what cannot be used for whoever wants to look; where it is."""


class StateFile:
    """A file that is always whole: written beside, synced, and put in its place by a rename."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def read(self) -> bytes | None:
        """What was kept last."""
        with suppress(FileNotFoundError):
            return self._path.read_bytes()
        return None

    def write(self, data: bytes) -> None:
        """Keep this instead."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Of its own name, as several processes may keep their state in one file: the last one's stays.
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}.new")
        try:
            with open(fresh, "wb", opener=_for_this_user) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise

    def set_aside(self, data: bytes) -> str:
        """Rename it, so that the next state does not take its place."""
        damaged = self._path.with_name(self._path.name + ".damaged")
        self._path.replace(damaged)
        return str(damaged)


class StateRow:
    """A row of the store's table `state`."""

    def __init__(self, store: DecisionStore) -> None:
        self._store = store

    def __str__(self) -> str:
        return "the store"

    def read(self) -> bytes | None:
        """What was kept last."""
        return self._store.load_state(_NAME)

    def write(self, data: bytes) -> None:
        """Keep this instead."""
        self._store.save_state(_NAME, data)

    def set_aside(self, data: bytes) -> str:
        """Keep it under another name."""
        self._store.save_state(f"{_NAME}.damaged", data)
        return f"state {_NAME}.damaged of the store"


class LearnedState:
    """Loads what was learned, and saves it now and then in a thread. Nothing of it fails a request.

    Several processes with one place each learn by themselves; who saves last is loaded next.
    """

    def __init__(
        self, learner: Learns, place: StatePlace, save_every_s: float, *, loads: bool = True
    ) -> None:
        """Load what is there.

        Args:
            learner: Whose state it is.
            place: Where it is kept.
            save_every_s: Seconds between savings.
            loads: Whether to load; else what is known takes the place of what is there.
        """
        self._learner = learner
        self._place = place
        self._save_every_s = save_every_s
        # Nothing learned is nothing to save.
        self._saved: bytes | None = learner.save() if loads else None
        self._is_loaded = not loads
        self._has_failed = False
        self._end = threading.Event()
        self._lock = threading.Lock()
        if loads:
            self._load()
        self._start()
        if hasattr(os, "register_at_fork"):  # a fork takes no threads along: servers load first and fork then
            os.register_at_fork(after_in_child=partial(_call, WeakMethod(self._start)))
        # A program that ends without closing its router keeps what it learned.
        atexit.register(_call, WeakMethod(self.save))

    def save(self) -> bool:
        """Save now, if anything was learned since; whether all that was is kept. A failure is logged once."""
        with self._lock:
            # What is kept there must not be lost because it could not be read.
            if not self._is_loaded and not self._load():
                return False
            data = self._learner.save()
            if data == self._saved:
                return True
            try:
                self._place.write(data)
            except (OSError, StoreUnavailable) as error:
                if not self._has_failed:
                    _LOG.error("what was learned cannot be saved in %s: %s", self._place, error)
                self._has_failed = True
                return False
            self._saved, self._has_failed = data, False
            return True

    def close(self) -> None:
        """Save, and stop."""
        self._end.set()
        self._thread.join(_JOIN_WITHIN_S)
        self.save()

    def _start(self) -> None:
        if not self._end.is_set():
            self._thread = threading.Thread(target=self._run, name="pointsman-learned", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(self._save_every_s):
            self.save()

    def _load(self) -> bool:
        try:
            data = self._place.read()
        except (OSError, StoreUnavailable) as error:
            if not self._has_failed:
                _LOG.error(
                    "what was learned cannot be read from %s: %s; it starts from priors", self._place, error
                )
            self._has_failed = True
            return False
        self._is_loaded, self._has_failed = True, False
        if data is None:
            return True
        try:
            self._learner.load(data)
        except InvalidState as error:
            self._refuse(data, error)
        else:
            self._saved = data
        return True

    def _refuse(self, data: bytes, error: InvalidState) -> None:
        try:
            where = self._place.set_aside(data)
        except (OSError, StoreUnavailable) as trouble:
            where = f"nowhere ({trouble})"
        _LOG.error(
            "what was learned cannot be used: %s; it starts from priors, and the state is kept in %s",
            error,
            where,
        )


def _call(method: WeakMethod[Callable[[], object]]) -> None:
    if (found := method()) is not None:
        found()


def _for_this_user(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
