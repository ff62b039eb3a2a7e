"""Who is let in: every request but those for health needs a key, where the config has a `keys:` section."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointsman.errors import PointsmanError, RequestError
from pointsman.keys import KeyFolder
from pointsman.keys.keyring import key_missing
from pointsman.registry.reload import FileWatcher

if TYPE_CHECKING:
    from starlette.types import Scope

    from pointsman.config import KeySettings
    from pointsman.keys import Key, Keyring

_LOG = logging.getLogger("pointsman.gateway")
OPEN_PATHS = frozenset({"/health/live", "/health/ready"})
"""Paths that need no key: orchestrators ask them, and they tell nothing of anybody."""
ADMIN_PATHS = frozenset({"/metrics"})
"""Paths that tell of all tenants, and so need an admin's key."""


class Guard:
    """Finds the key of each request, and follows the keys file as it changes."""

    def __init__(self, settings: KeySettings | None) -> None:
        """Read the keys.

        Raises:
            ConfigError: There are some, and they cannot be read.
        """
        self._settings = settings
        self._keyring = _folder(settings).load() if settings else None
        self._watcher: FileWatcher[Keyring] | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def is_on(self) -> bool:
        """Whether requests need keys."""
        return self._keyring is not None

    @property
    def has_budgets(self) -> bool:
        """Whether a key has a budget."""
        return self._keyring is not None and any(key.budgets for key in self._keyring.keys)

    @property
    def problems(self) -> list[str]:
        """What is wrong with the newest keys file; the keys of before hold then."""
        return self._watcher.last_error if self._watcher else []

    def admit(self, scope: Scope) -> RequestError | None:
        """Put the request's key into its state; returns the error if it has none that is good."""
        keyring = self._keyring
        if keyring is None or scope["path"] in OPEN_PATHS:
            return None
        try:
            key = self._check(keyring, scope)
        except RequestError as error:
            return error
        scope["state"]["key"] = key
        return None

    def _check(self, keyring: Keyring, scope: Scope) -> Key:
        secret = _secret(scope)
        if secret is None:
            raise key_missing()
        key = keyring.check(secret, time.time())
        if scope["path"] in ADMIN_PATHS and not key.is_admin:
            raise RequestError(
                f"{scope['path']} tells of all tenants; use an admin's key (`pointsman keys create --admin`)",
                code="caller_not_admin",
                status=403,
            )
        return key

    def start(self) -> None:
        """Follow the keys file from now on; needs a running loop."""
        if self._settings is not None and self._keyring is not None:
            folder = _folder(self._settings)
            self._watcher = FileWatcher(
                folder.file,
                self._change,
                load=lambda _: folder.load(),
                is_same=lambda one, other: one == other,
                current=self._keyring,
            )
            self._watching = asyncio.create_task(self._watcher.run())

    async def stop(self) -> None:
        """Follow it no longer."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        self._watcher = self._watching = None

    async def follow(self, settings: KeySettings | None) -> None:
        """Use the keys of other settings; those of before hold if the new ones cannot be read."""
        if settings == self._settings:
            return
        try:
            keyring = await asyncio.to_thread(_folder(settings).load) if settings else None
        except PointsmanError as error:
            _LOG.error("the keys of before hold on: %s", error)
            return
        await self.stop()
        self._settings, self._keyring = settings, keyring
        self.start()

    def _change(self, keyring: Keyring) -> None:
        self._keyring = keyring
        _LOG.info("keys have changed: %d may be used", keyring.n_usable(time.time()))


def _folder(settings: KeySettings) -> KeyFolder:
    return KeyFolder(Path(settings.path))


def _secret(scope: Scope) -> str | None:
    """The key a request brings: of OpenAI's clients as a bearer, of Anthropic's as `x-api-key`."""
    found = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, secret = value.partition(b" ")
            if scheme.lower() == b"bearer" and secret.strip():
                return str(secret.strip().decode("latin-1"))
        elif name == b"x-api-key" and value.strip():
            found = value.strip().decode("latin-1")
    return found


def known_to(key: Key | None, candidates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The candidates of models that a key may use: it is told of no others, nor of what they cost."""
    if key is None or key.models is None:
        return candidates
    return [candidate for candidate in candidates if candidate["model"] in key.models]


def key_of(scope: Scope) -> Key | None:
    """The key of a request that was let in; `None` where none is needed."""
    found: Key | None = scope["state"].get("key")
    return found
