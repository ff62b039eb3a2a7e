"""The store of one router: what it writes in the background, and what it can be asked."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pointsman.errors import ConfigError, StoreUnavailable
from pointsman.store import reader, statements
from pointsman.store.database import connect, database_url, migrate, writing
from pointsman.store.rows import decision_row
from pointsman.store.writer import DEFAULT_BOUNDS, RowRefused, Writer

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from pointsman.config import StoreSettings
    from pointsman.store.rows import Prompts, Row
    from pointsman.store.writer import Bounds
    from pointsman.types import Served

_LOG = logging.getLogger("pointsman.store")
_TIDY_EVERY_S = 600.0
# Of a row besides its large columns.
_ROW_BYTES = 2_000
_LARGE = ("record", "prompt", "answer", "features")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """Settings of a `DecisionStore`; ranges and meaning are those of the config's `store` section.

    Attributes:
        url: Path, `sqlite:///PATH` or `postgresql://...`; `None`: the user's folder for state.
        flush_every_s: How long a record waits for others before it is written, seconds.
        prompts: What is kept of conversations.
        keep_days: Days a decision is kept; `None`: for ever.
        keep_rows: Decisions that are kept at most; `None`: any number.
        bounds: What may wait in memory while the database cannot be written.
    """

    url: str | None = None
    flush_every_s: float = 0.2
    prompts: Prompts = "hash"
    keep_days: float | None = None
    keep_rows: int | None = None
    bounds: Bounds = DEFAULT_BOUNDS


@dataclass(frozen=True, slots=True)
class Given:
    """Feedback as it is written; columns of the table `feedback`."""

    row: Row


def options_of(settings: StoreSettings) -> StoreOptions:
    """The config's settings as the store takes them."""
    return StoreOptions(
        url=None if settings.url is None else settings.url.get_secret_value(),
        flush_every_s=settings.flush_every_s,
        prompts=settings.prompts,
        keep_days=settings.retention.days,
        keep_rows=settings.retention.rows,
    )


def open_store(settings: StoreSettings | StoreOptions | str) -> DecisionStore:
    """The store of a config's section, or of a URL with the defaults for the rest.

    A database that cannot be reached is no error: it is logged, and tried again while requests go on.

    Raises:
        ConfigError: The URL cannot be used, its driver is missing, or the database is of a later release.
    """
    if isinstance(settings, str):
        settings = StoreOptions(url=settings)
    return DecisionStore(settings if isinstance(settings, StoreOptions) else options_of(settings))


def open_existing(url: str) -> DecisionStore:
    """The store of a URL, to read from; a SQLite file that is not there is not made.

    Raises:
        ConfigError: As `open_store`, or there is no such file.
    """
    reader.check_exists(database_url(url))
    return open_store(url)


class DecisionStore:
    """The log of decisions, their feedback and learned state in one database. Thread-safe.

    What is written goes through a bounded buffer and one thread; a full disk or a dead database costs records
    (`counts["dropped"]`), never a request. What is asked raises `StoreUnavailable` then.

    Attributes:
        options: Its settings.
        counts: What happened: `written`, `dropped`, `refused`, `write_failures`, `outages`, `deleted`.
    """

    def __init__(self, options: StoreOptions, *, clock: Callable[[], float] = time.time) -> None:
        """Open the store; errors as `open_store`.

        Args:
            options: Its settings.
            clock: Unix time, seconds.
        """
        self.options = options
        self._clock = clock
        self.engine = connect(database_url(options.url))
        self._is_migrated = False
        self._migrating = threading.Lock()
        self._tidied_at_s = float("-inf")
        self._writer: Writer[Served | Given, tuple[str, Row]] = Writer(
            self._pack,
            self._write,
            flush_every_s=options.flush_every_s,
            bounds=options.bounds,
            idle=self._tidy,
        )
        try:
            self._migrate()
        except sa.exc.SQLAlchemyError as error:
            _LOG.warning("the store cannot be opened yet: %s; it is tried again", reader.reason_of(error))
        # A fork must not take connections along; they come back when they are needed.
        self.engine.dispose()

    @property
    def counts(self) -> Counter[str]:
        """What happened to records, by name."""
        return self._writer.counts

    @property
    def n_waiting(self) -> int:
        """Records that are not written yet."""
        return self._writer.n_waiting

    @property
    def is_out(self) -> bool:
        """Whether the database could not be written last time."""
        return self._writer.is_out

    # ---- writing

    def log(self, served: Served) -> bool:
        """Log a decision in the background; whether there was room."""
        return self._writer.put(served)

    def log_feedback(self, row: Row) -> bool:
        """Log feedback (a row of the table `feedback`) in the background, after the decisions before it."""
        return self._writer.put(Given(row))

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until all that was logged so far is written; whether it is, within the time."""
        return self._writer.flush(timeout_s)

    def close(self) -> None:
        """Write what waits, and disconnect."""
        self._writer.close()
        self.engine.dispose()

    # ---- reading

    def find(self, decision_id: str, tenant: str | None = None) -> Row | None:
        """A decision's row; `None` if there is none of that tenant (`None`: of any).

        Raises:
            StoreUnavailable: The database cannot be read.
        """
        self._check_schema()
        return reader.find_decision(self.engine, decision_id, tenant)

    def feedback_on(self, decision_id: str) -> list[Row]:
        """The feedback on a decision, oldest first; errors as `find`."""
        self._check_schema()
        return reader.find_feedback(self.engine, decision_id)

    def page(self, **filters: Any) -> list[Row]:
        """Decisions without their large columns, newest first: `reader.list_decisions`; errors as `find`."""
        self._check_schema()
        return reader.list_decisions(self.engine, **filters)

    # ---- state

    def save_state(self, name: str, data: bytes) -> None:
        """Keep bytes under a name, now.

        Raises:
            StoreUnavailable: The database cannot be written.
        """
        self._check_schema()
        try:
            with writing(self.engine) as connection:
                statements.put_state(connection, name, data, self._clock())
        except sa.exc.SQLAlchemyError as error:
            raise StoreUnavailable(reader.reason_of(error)) from None

    def load_state(self, name: str) -> bytes | None:
        """The bytes kept under a name; errors as `find`."""
        self._check_schema()
        with reader.reading(self.engine) as connection:
            return statements.get_state(connection, name)

    # ---- inside

    def _check_schema(self) -> None:
        try:
            self._migrate()
        except sa.exc.SQLAlchemyError as error:
            raise StoreUnavailable(reader.reason_of(error)) from None
        except ConfigError as error:
            raise StoreUnavailable(str(error)) from None

    def _migrate(self) -> None:
        with self._migrating:
            if not self._is_migrated:
                migrate(self.engine)
                self._is_migrated = True

    def _pack(self, item: Served | Given) -> tuple[tuple[str, Row], int]:
        if isinstance(item, Given):
            return ("feedback", item.row), _ROW_BYTES
        row = decision_row(item, self.options.prompts)
        return ("decision", row), _ROW_BYTES + sum(len(row[name] or b"") for name in _LARGE)

    def _write(self, rows: Sequence[tuple[str, Row]]) -> None:
        self._migrate()
        decisions = [row for kind, row in rows if kind == "decision"]
        feedback = [row for kind, row in rows if kind == "feedback"]
        try:
            with writing(self.engine) as connection:
                if decisions:
                    statements.insert_decisions(connection, decisions)
                if feedback:
                    statements.upsert_feedback(connection, feedback)
        except Exception as error:
            if statements.blames_values(error):
                raise RowRefused(_one_line(error)) from None
            raise StoreUnavailable(_one_line(error)) from None

    def _tidy(self) -> None:
        """Delete what is older, or more, than the settings keep; every ten minutes."""
        options = self.options
        if (options.keep_days, options.keep_rows) == (None, None):
            return
        if time.monotonic() < self._tidied_at_s + _TIDY_EVERY_S:
            return
        self._tidied_at_s = time.monotonic()
        try:
            self.counts["deleted"] += self.tidy()
        except sa.exc.SQLAlchemyError as error:
            _LOG.warning("old decisions could not be deleted: %s", reader.reason_of(error))

    def tidy(self) -> int:
        """Delete now what is older, or more, than the settings keep; how many decisions that were."""
        options, limits = self.options, []
        if options.keep_days is not None:
            limits.append(self._clock() - options.keep_days * 86_400)
        if options.keep_rows is not None:
            with self.engine.connect() as connection:
                oldest_s = statements.time_of_row(connection, options.keep_rows - 1)
            limits += [] if oldest_s is None else [oldest_s]
        n_deleted = 0
        while limits:
            with writing(self.engine) as connection:
                n_now = statements.delete_before(connection, max(limits))
            n_deleted += n_now
            if n_now == 0:
                break
        return n_deleted


def _one_line(error: Exception) -> str:
    if isinstance(error, sa.exc.SQLAlchemyError):
        return reader.reason_of(error)
    return f"{type(error).__name__}: {error}"[:200]
