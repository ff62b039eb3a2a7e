"""What a router keeps of its decisions: the store that its config names, if it names one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from anyio import CancelScope, to_thread

from pointsman.errors import ConfigError

if TYPE_CHECKING:
    from pointsman.config import StoreSettings
    from pointsman.registry import Registry
    from pointsman.store.store import DecisionStore
    from pointsman.types import Served

_LOG = logging.getLogger("pointsman.store")


class Ledger:
    """An observer of every request; logs it where the config says so.

    Attributes:
        store: The decision log; `None`: the config has none.
    """

    def __init__(self, registry: Registry) -> None:
        """Open what the config names.

        Raises:
            ConfigError: The store cannot be used.
        """
        self._settings = registry.store
        self.store = _opened(registry.store)

    @property
    def wants_answers(self) -> bool:
        """Only to keep them."""
        return self.store is not None and self.store.options.prompts == "full"

    def served(self, served: Served) -> None:
        """Take note of one request; a microsecond or two, rows are made in the store's thread."""
        if self.store is not None:
            self.store.log(served)

    async def swap(self, registry: Registry) -> None:
        """Go on with other settings; a store that cannot be used is logged, and none kept until the next."""
        if registry.store == self._settings:
            return
        old, self.store, self._settings = self.store, None, registry.store
        if old is not None:
            await to_thread.run_sync(old.close)
        try:
            self.store = await to_thread.run_sync(_opened, registry.store)
        except ConfigError as error:
            _LOG.error("%s; decisions are not logged until the next reload", error)

    async def aclose(self) -> None:
        """Write what waits, and disconnect."""
        if self.store is not None:
            with CancelScope(shield=True):
                await to_thread.run_sync(self.store.close)


def _opened(settings: StoreSettings | None) -> DecisionStore | None:
    if settings is None:
        return None
    try:
        # Here, not above: only who has a store pays for its database layer.
        from pointsman.store.store import open_store
    except ModuleNotFoundError as error:
        raise ConfigError([f"store: needs {error.name}; pip install 'pointsman[store]'"]) from None
    return open_store(settings)
