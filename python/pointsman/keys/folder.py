"""The folder keys are kept in: `keys.json` (hashes, never secrets) and `pepper`, for its owner only."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from pointsman.errors import ConfigError
from pointsman.files import locked, write_whole
from pointsman.keys.key import Key
from pointsman.keys.keyring import Keyring
from pointsman.keys.secret import PEPPER_BYTES, digest_of, new_key, new_pepper

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_VERSION = 1
_LISTED = "keys.json"
_PEPPER = "pepper"
_LOCK = ".lock"


class KeyFolder:
    """Reads and changes the keys of a folder; several processes may, as a change locks it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def file(self) -> Path:
        """The file that changes with the keys; watch it."""
        return self.path / _LISTED

    def load(self) -> Keyring:
        """The keys; none, if the folder or the file is not there yet.

        Raises:
            ConfigError: It cannot be read, or does not hold keys.
        """
        keys = self._read()
        return Keyring(keys, self._pepper() if keys else b"none")

    def create(self, **fields: Any) -> tuple[Key, str]:
        """Make a key and keep its hash; fields as `Key`. Returns it and the whole secret, never seen again.

        Raises:
            ConfigError: The folder cannot be written.
            ValueError: A field is wrong.
        """
        with self._changing() as keys:
            pepper = self._pepper()
            key_id, secret = new_key()
            made = Key(key_id=key_id, digest=digest_of(secret, pepper), created_at_s=time.time(), **fields)
            # What could not be read back must not be written.
            keys.append(Key.from_json(made.to_json()))
            return made, secret

    def revoke(self, key_id: str) -> Key | None:
        """Refuse a key from now on; `None` if there is none of that id."""
        with self._changing() as keys:
            for index, key in enumerate(keys):
                if key.key_id == key_id:
                    keys[index] = replace(key, revoked_at_s=key.revoked_at_s or time.time())
                    return keys[index]
            return None

    @contextlib.contextmanager
    def _changing(self) -> Iterator[list[Key]]:
        """The keys as a list; what it is changed to is written."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            with locked(self.path / _LOCK):
                if not self.file.exists() and not (self.path / _PEPPER).exists():
                    write_whole(self.path / _PEPPER, new_pepper().hex().encode() + b"\n")
                keys = self._read()
                before = list(keys)
                yield keys
                if keys != before:
                    self._write(keys)
        except OSError as error:
            seen = f"{self.path}: keys cannot be written ({error.strerror})"
            raise ConfigError([f"{seen}; give a folder that can be, in keys.path"]) from None

    def _read(self) -> list[Key]:
        try:
            document = orjson.loads(self.file.read_bytes())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._wrong(f"cannot be read ({error.strerror}); check its permissions") from None
        except orjson.JSONDecodeError as error:
            raise self._wrong(f"is not JSON ({error.msg}, line {error.lineno}); restore it") from None
        if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
            raise self._wrong("holds no list of `keys`; restore it")
        if document.get("version") != _VERSION:
            seen = document.get("version")
            raise self._wrong(f"has version {seen!r:.20}, this pointsman reads {_VERSION}; use a newer one")
        try:
            keys = [Key.from_json(record) for record in document["keys"]]
        except ValueError as error:
            raise self._wrong(f"{error}; mend it, or restore the file") from None
        if len({key.key_id for key in keys}) < len(keys):
            raise self._wrong("lists an id twice; remove one of them")
        return keys

    def _write(self, keys: Sequence[Key]) -> None:
        document = {"version": _VERSION, "keys": [key.to_json() for key in keys]}
        write_whole(self.file, orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")

    def _pepper(self) -> bytes:
        path = self.path / _PEPPER
        try:
            pepper = bytes.fromhex(path.read_text("ascii").strip())
        except (OSError, ValueError):
            pepper = b""
        if len(pepper) != PEPPER_BYTES:
            raise ConfigError(
                [
                    f"{path}: is not there, cannot be read, or is not {PEPPER_BYTES * 2} hex digits; "
                    f"restore it, or remove {self.file} too and create new keys"
                ]
            )
        return pepper

    def _wrong(self, what: str) -> ConfigError:
        return ConfigError([f"{self.file}: {what}"])
