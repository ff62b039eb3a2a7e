"""The watch over versions of policies: a promotion or rollback counts within seconds, without a restart."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from pointsman.registry.arms import build_arms
from pointsman.registry.policy_folder import policy_folder
from pointsman.registry.reload import FileWatcher

if TYPE_CHECKING:
    from pathlib import Path

    from pointsman.registry.policy_set import PolicySet
    from pointsman.router import Router

_LOG = logging.getLogger("pointsman.promotion")


class PolicyWatch:
    """Has a router follow the folder its config names; versions of before hold while a new set is wrong."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._folder = policy_folder(router.registry.promotion)
        self._watcher: FileWatcher[PolicySet] | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def problems(self) -> list[str]:
        """What is wrong with the newest set."""
        return self._watcher.last_error if self._watcher else []

    def start(self) -> None:
        """Follow the folder from now on; needs a running loop."""
        if self._folder is None:
            return
        folder = self._folder

        def load(_path: Path) -> PolicySet:
            return folder.load()

        # What is in use may be older than the file: the watch begins with a look.
        self._watcher = FileWatcher(
            folder.file, self._change, load=load, is_same=lambda one, other: one == other
        )
        self._watching = asyncio.create_task(self._watcher.run())

    async def stop(self) -> None:
        """Follow it no longer."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        self._watcher = self._watching = None

    async def follow(self) -> None:
        """Watch where the router's config says now."""
        folder = policy_folder(self._router.registry.promotion)
        if (folder and folder.path) != (self._folder and self._folder.path):
            await self.stop()
            self._folder = folder
            self.start()

    def _change(self, policies: PolicySet) -> None:
        """Use a set; raises `ConfigError` if it names what the config does not have."""
        registry = self._router.registry
        arms = MappingProxyType(build_arms(registry.config, policies))
        if arms == registry.arms:
            return
        self._router.follow_policies(replace(registry, arms=arms))
        versions = ", ".join(one.main.version for one in arms.values())
        _LOG.info("policies have changed: %s decide", versions)
