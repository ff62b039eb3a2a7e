"""The folder versions of policies are kept in: `policies.json`, always whole, one writer at a time."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from pointsman.errors import ConfigError
from pointsman.files import locked, write_whole
from pointsman.registry.policy_set import PolicySet, PolicyState, PolicyVersion

if TYPE_CHECKING:
    from collections.abc import Callable

    from pointsman.config import PromotionSettings

_VERSION = 1
_LISTED = "policies.json"
_LOCK = ".lock"


class PolicyFolder:
    """Reads and changes the policy set of a folder; a killed process leaves the old set or the new one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def file(self) -> Path:
        """The file that changes with the set; watch it."""
        return self.path / _LISTED

    def load(self) -> PolicySet:
        """The newest set; an empty one, if the folder or the file is not there yet.

        Raises:
            ConfigError: It cannot be read, or holds no policy set.
        """
        try:
            return _set_of(orjson.loads(self.file.read_bytes()))
        except FileNotFoundError:
            return PolicySet()
        except OSError as error:
            raise self._wrong(f"cannot be read ({error.strerror}); check its permissions") from None
        except orjson.JSONDecodeError as error:
            raise self._wrong(f"is not JSON ({error.msg}); restore it, or remove it") from None
        except (KeyError, TypeError, ValueError) as error:
            raise self._wrong(f"is no policy set ({error}); restore it, or remove it") from None

    def change(self, change: Callable[[PolicySet], PolicySet]) -> PolicySet:
        """Put what `change` makes of the newest set in its place, at once and on the disk; the new set.

        Raises:
            ConfigError: The folder cannot be written, or as `load`, or whatever `change` raises.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            with locked(self.path / _LOCK):
                before = self.load()
                after = change(before)
                if after is not before:
                    write_whole(self.file, _dumped(after))
                return after
        except OSError as error:
            seen = f"{self.path}: policies cannot be written ({error.strerror})"
            raise ConfigError([f"{seen}; give a folder that can be, in promotion.path"]) from None

    def _wrong(self, what: str) -> ConfigError:
        return ConfigError([f"{self.file}: {what}"])


def policy_folder(settings: PromotionSettings | None) -> PolicyFolder | None:
    """The folder of a config's section."""
    return None if settings is None else PolicyFolder(Path(settings.path))


def _dumped(policies: PolicySet) -> bytes:
    document = {
        "version": _VERSION,
        "policies": {name: asdict(state) for name, state in policies.policies.items()},
        "events": policies.events,
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"


def _set_of(document: Any) -> PolicySet:
    if document["version"] != _VERSION:
        seen = document["version"]
        raise ValueError(f"version {seen!r:.20}, this pointsman reads {_VERSION}; use a newer one")
    states = {name: _state_of(record) for name, record in document["policies"].items()}
    return PolicySet(states, tuple(document["events"]))


def _state_of(record: dict[str, Any]) -> PolicyState:
    former = tuple(_version_of(one) for one in record["former"])
    roles = {role: _version_of(record[role]) for role in ("serving", "canary", "shadow")}
    return PolicyState(former=former, **roles)


def _version_of(record: dict[str, Any] | None) -> PolicyVersion | None:
    return None if record is None else PolicyVersion(**record)
