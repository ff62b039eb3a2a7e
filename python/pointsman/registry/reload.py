"""Reload a file when it changes: a config, or keys; what was read before stays when the new file is wrong."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from pointsman.errors import ConfigError, PointsmanError

if TYPE_CHECKING:
    import os

    from anyio.abc import TaskStatus

    from pointsman.registry.registry import Registry

_LOG = logging.getLogger("pointsman.registry")

# Editors write in several steps; what comes within this time is one change.
DEBOUNCE_MS = 100
# How often the file is looked at although nothing was reported: some file systems (NFS, container mounts)
# report nothing.
POLL_MS = 2_000
# How long nothing must have happened for a change to be over.
_STEP_MS = 20

T = TypeVar("T")
OnChange = Callable[["Registry"], Awaitable[None] | None]


def load_registry_file(path: Path) -> Registry:
    """The registry of a config file; raises `ConfigError`."""
    from pointsman.config import load_config
    from pointsman.registry.registry import registry_from_config

    return registry_from_config(load_config(path))


class FileWatcher(Generic[T]):
    """Watches a file and hands on what each new good version of it holds.

    The directory is watched rather than the file, so that a rename over it and Kubernetes' swapped symlinks
    are seen; only a change of the file's content counts. Works under asyncio and trio. Where watching fails
    (`watchfiles` is not installed, the system's watches are used up), the file is polled.

    Attributes:
        last_error: Problems of the newest file if it was refused, and of the watching when it has failed; a
            good file clears it.
        last_error_at: Unix time of the newest of these problems, seconds; `None` when there are none.
        n_reloads: How many versions were handed on.
        is_polling: Whether watching has failed and the file is polled.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        on_change: Callable[[T], Awaitable[None] | None],
        *,
        load: Callable[[Path], T],
        is_same: Callable[[T, T], bool],
        current: T | None = None,
        debounce_ms: int = DEBOUNCE_MS,
        poll_ms: int = POLL_MS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make a watcher of a file.

        Args:
            path: The file.
            on_change: Called (and awaited, if it is async) with what each new good version holds.
            load: Reads the file; runs in a worker thread.
            is_same: Whether two versions say the same.
            current: What is in use, however long ago and in whichever process it was loaded: the watch begins
                with a look whether the file still says that. `None`: it begins by handing one on.
            debounce_ms: Changes within this time are one.
            poll_ms: How often to look at the file when the file system reports nothing.
            clock: Unix time, seconds.
        """
        self.path = Path(path)
        self.last_error: list[str] = []
        self.last_error_at: float | None = None
        self.n_reloads = 0
        self.is_polling = False
        self._on_change = on_change
        self._load = load
        self._is_same = is_same
        self._debounce_ms = debounce_ms
        self._poll_ms = poll_ms
        self._clock = clock
        self._current = current
        self._seen = b""
        self._asked = anyio.Event()
        self._stop = anyio.Event()
        self._turn = anyio.Lock()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Watch until cancelled or `close` is called; once only.

        It has started when the newest file is in use, or refused.
        """
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._serve_requests)
            tasks.start_soon(self._stop_when_cancelled)
            await self._catch_up()
            task_status.started()
            try:
                await self._watch()
            except Exception as error:
                # Whatever it was: a file that is no longer looked at would be noticed by nobody.
                self._note_failed_watching(error)
                await self._poll()
            tasks.cancel_scope.cancel()

    def request_reload(self) -> None:
        """Reload soon, changed or not: `loop.add_signal_handler(signal.SIGHUP, watcher.request_reload)`."""
        self._asked.set()

    def close(self) -> None:
        """End `run`; call it in the event loop's thread."""
        self._stop.set()

    async def reload(self) -> bool:
        """Load the file now and hand on what it holds; returns whether it was good."""
        return await self._reload(unless=None)

    async def _reload(self, *, unless: T | None) -> bool:
        """As `reload`; what says the same as `unless` is good, but not handed on."""
        self._seen = await anyio.to_thread.run_sync(_fingerprint, self.path)
        try:
            loaded = await anyio.to_thread.run_sync(self._load, self.path)
            if unless is None or not self._is_same(loaded, unless):
                await self._hand_on(loaded)
        except PointsmanError as error:
            self._refuse(error.problems if isinstance(error, ConfigError) else [str(error)])
            return False
        except Exception as error:
            # A mistake of the receiver's, or ours: it must not end the watch over the files to come.
            _LOG.exception("%s: reloading failed", self.path)
            self._refuse([f"{self.path}: reloading failed: {type(error).__name__}: {error}"])
            return False
        self.last_error, self.last_error_at = [], None
        return True

    async def _hand_on(self, loaded: T) -> None:
        handed_on = self._on_change(loaded)
        if inspect.isawaitable(handed_on):
            await handed_on
        self.n_reloads += 1

    def _refuse(self, problems: list[str]) -> None:
        self.last_error, self.last_error_at = problems, self._clock()

    async def _catch_up(self) -> None:
        """Take what the file has become since what is in use was loaded."""
        current, self._current = self._current, None
        async with self._turn:
            await self._reload(unless=current)

    def _note_failed_watching(self, error: Exception) -> None:
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        cause = f"{type(error).__name__}: {error}"
        problem = f"{self.path}: watching failed ({cause}): the file is read every {self._poll_ms} ms instead"
        _LOG.warning("%s", problem)
        self._refuse([*self.last_error, problem])
        self.is_polling = True

    async def _serve_requests(self) -> None:
        while True:
            await self._asked.wait()
            self._asked = anyio.Event()
            await self._reload_in_turn()

    async def _stop_when_cancelled(self) -> None:
        # The thread that waits for changes is shielded from cancellation and would sit out its timeout.
        try:
            await anyio.sleep_forever()
        finally:
            self._stop.set()

    async def _watch(self) -> None:
        from watchfiles import awatch

        while not self._stop.is_set():
            directories = _directories(self.path)
            changes = awatch(
                *directories,
                watch_filter=self._is_about_it,
                debounce=self._debounce_ms,
                step=min(_STEP_MS, self._debounce_ms),
                stop_event=self._stop,
                rust_timeout=self._poll_ms,
                yield_on_timeout=True,
                recursive=False,
            )
            async with aclosing(changes):
                async for _ in changes:
                    await self._reload_if_changed()
                    if _directories(self.path) != directories:
                        break

    async def _poll(self) -> None:
        while True:
            with anyio.move_on_after(self._poll_ms / 1000):
                await self._stop.wait()
                return
            await self._reload_if_changed()

    async def _reload_if_changed(self) -> None:
        if await anyio.to_thread.run_sync(_fingerprint, self.path) != self._seen:
            await self._reload_in_turn()

    def _is_about_it(self, _change: object, changed: str) -> bool:
        """Whether a change may be one of the file; a log file that grows beside it must not wake anyone."""
        name = Path(changed).name
        # Kubernetes swaps the symlink `..data`, which the file's own symlink leads through.
        return name in (self.path.name, self.path.resolve().name) or name.startswith("..")

    async def _reload_in_turn(self) -> None:
        async with self._turn:
            await self.reload()


class ConfigWatcher(FileWatcher["Registry"]):
    """Watches a config file and hands on each new registry that is good."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        on_change: OnChange,
        *,
        current: Registry | None = None,
        load: Callable[[Path], Registry] = load_registry_file,
        debounce_ms: int = DEBOUNCE_MS,
        poll_ms: int = POLL_MS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make a watcher of a config file; arguments as `FileWatcher`."""
        super().__init__(
            path,
            on_change,
            load=load,
            is_same=lambda one, other: one.config == other.config,
            current=current,
            debounce_ms=debounce_ms,
            poll_ms=poll_ms,
            clock=clock,
        )


def _fingerprint(path: Path) -> bytes:
    """Hash of the file's content; empty for a file that cannot be read."""
    try:
        return blake2b(path.read_bytes(), digest_size=16).digest()
    except OSError:
        return b""


def _directories(path: Path) -> list[Path]:
    """Where a change of the file shows: its directory, and that of the file a symlink leads to."""
    candidates = dict.fromkeys((path.absolute().parent, path.resolve().parent))
    return [directory for directory in candidates if directory.is_dir()]
