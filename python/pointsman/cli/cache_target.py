"""The cache that a command means: a running gateway's, over HTTP, or a folder's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from pointsman.cache import entries
from pointsman.cache.store import AnswerCache, CacheOptions
from pointsman.cli.gateway_call import call_gateway
from pointsman.errors import ConfigError, RequestError

if TYPE_CHECKING:
    from types import TracebackType


class CacheTarget(Protocol):
    """Where the entries are. Methods raise `RequestError` for an entry that is not there."""

    def list_entries(self, namespace: str | None, after: str | None, limit: int) -> dict[str, Any]:
        """A page of entries."""

    def show_entry(self, entry_id: str) -> dict[str, Any]:
        """One entry, whole."""

    def correct_entry(self, entry_id: str, answer: str) -> dict[str, Any]:
        """Give an entry another answer; the entry."""

    def delete_entry(self, entry_id: str) -> None:
        """Delete an entry."""

    def clear_entries(self, namespace: str | None) -> int:
        """Delete a namespace's entries, or all; how many."""

    def count_entries(self) -> dict[str, Any]:
        """Counts."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class GatewayTarget:
    """The cache of a running gateway."""

    def __init__(self, url: str) -> None:
        self._url = url

    def list_entries(self, namespace: str | None, after: str | None, limit: int) -> dict[str, Any]:
        """A page of entries."""
        query = {"namespace": namespace, "after": after, "limit": str(limit)}
        return self._call("GET", "/entries", {name: value for name, value in query.items() if value})

    def show_entry(self, entry_id: str) -> dict[str, Any]:
        """One entry, whole."""
        return self._call("GET", f"/entries/{entry_id}")

    def correct_entry(self, entry_id: str, answer: str) -> dict[str, Any]:
        """Give an entry another answer; the entry."""
        return self._call("PATCH", f"/entries/{entry_id}", body={"answer": answer})

    def delete_entry(self, entry_id: str) -> None:
        """Delete an entry."""
        self._call("DELETE", f"/entries/{entry_id}")

    def clear_entries(self, namespace: str | None) -> int:
        """Delete a namespace's entries, or all; how many."""
        return int(self._call("DELETE", "", {"namespace": namespace or "*"})["n_deleted"])

    def count_entries(self) -> dict[str, Any]:
        """Counts."""
        return self._call("GET", "")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def _call(
        self, method: str, path: str, query: dict[str, str] | None = None, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        return call_gateway(self._url, method, f"/v1/cache{path}", query=query, body=body)


class FolderTarget:
    """The cache in a folder, while no gateway runs on it."""

    def __init__(self, folder: Path | None, config: Path | None) -> None:
        """Open the folder.

        Args:
            folder: The folder; `None`: the config's.
            config: The config file whose cache it is; `None`: the folder is asked with default settings.

        Raises:
            ConfigError: There is no such folder.
        """
        options = _options(folder, config)
        path = Path(options.path or "")
        if not path.is_dir():
            raise ConfigError([f"{path}: no such folder; give --folder of a cache, or --url of a gateway"])
        try:
            self._cache = AnswerCache(options)
        except OSError as error:
            raise ConfigError(
                [f"{path}: cannot be opened ({error.strerror}); check its permissions"]
            ) from None

    def list_entries(self, namespace: str | None, after: str | None, limit: int) -> dict[str, Any]:
        """A page of entries."""
        return entries.list_entries(self._cache, namespace, after=after, limit=limit)

    def show_entry(self, entry_id: str) -> dict[str, Any]:
        """One entry, whole."""
        entry = entries.show_entry(self._cache, entry_id)
        if entry is None:
            raise _no_entry(entry_id)
        return entry

    def correct_entry(self, entry_id: str, answer: str) -> dict[str, Any]:
        """Give an entry another answer; the entry."""
        self._check_writable()
        if not entries.correct_entry(self._cache, entry_id, answer):
            raise _no_entry(entry_id)
        return self.show_entry(entry_id)

    def delete_entry(self, entry_id: str) -> None:
        """Delete an entry."""
        self._check_writable()
        if not entries.delete_entry(self._cache, entry_id):
            raise _no_entry(entry_id)

    def clear_entries(self, namespace: str | None) -> int:
        """Delete a namespace's entries, or all; how many."""
        self._check_writable()
        return entries.clear_entries(self._cache, namespace)

    def count_entries(self) -> dict[str, Any]:
        """Counts."""
        return entries.count_entries(self._cache)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cache.write()
        if self._cache.folder is not None:
            self._cache.folder.close()

    def _check_writable(self) -> None:
        folder = self._cache.folder
        if folder is not None and not folder.is_writable:
            raise RequestError(f"{folder} is kept by a running process; give its --url")


def _options(folder: Path | None, config: Path | None) -> CacheOptions:
    if config is not None:
        from pointsman.config import load_config
        from pointsman.router.cached import options_of

        settings = load_config(config).cache
        if settings is not None and (folder or settings.path):
            return options_of(settings.model_copy(update={"path": str(folder or settings.path)}))
    if folder is None:
        seen = f"{config} has no `cache.path`" if config else "there is no config with a `cache.path`"
        raise ConfigError([f"{seen}; give --folder, or --url of a running gateway"])
    # Room for whatever is there: to look at a cache must not evict from it.
    n_bytes = sum(file.stat().st_size for file in folder.glob("*")) if folder.is_dir() else 0
    return CacheOptions(path=str(folder), max_bytes=max(CacheOptions().max_bytes, 8 * n_bytes))


def _no_entry(entry_id: str) -> RequestError:
    return RequestError(f"there is no entry {entry_id!r:.40}; `pointsman cache list` lists them")
