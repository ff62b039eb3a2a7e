"""`pointsman keys`: make, list and revoke the keys that callers of a gateway need."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Column, Table

from pointsman.cli.options import ConfigOption, JsonOption, config_path
from pointsman.errors import ConfigError, RequestError
from pointsman.keys import KeyFolder
from pointsman.router.fields import duration_s
from pointsman.spend import Allowance, Window
from pointsman.types import DEFAULT_TENANT

if TYPE_CHECKING:
    from pointsman.keys import Key

keys_app = typer.Typer(
    help="Make, list and revoke the keys that callers need; a running gateway follows at once.",
    no_args_is_help=True,
)
FolderOption = Annotated[
    Path | None, typer.Option("--folder", help="Where keys are kept. Default: keys.path of the config.")
]


@keys_app.command()
def create(
    tenant: Annotated[str, typer.Option(help="Whose key it is; tenants see nothing of each other.")] = (
        DEFAULT_TENANT
    ),
    name: Annotated[str, typer.Option(help="What you call it.")] = "",
    model: Annotated[list[str] | None, typer.Option(help="A model it may use; repeat. Default: all.")] = None,
    budget: Annotated[
        list[str] | None,
        typer.Option(help="US dollars a window: 20/day, 100/month or 1/3600s; repeat for several windows."),
    ] = None,
    requests_per_min: Annotated[int | None, typer.Option(min=1, help="Requests a minute.")] = None,
    tokens_per_min: Annotated[int | None, typer.Option(min=1, help="Tokens a minute, in and out.")] = None,
    expires: Annotated[str | None, typer.Option(help="Refused after this time, such as 90d or 12h.")] = None,
    admin: Annotated[bool, typer.Option("--admin", help="May also read /metrics.")] = False,
    config: ConfigOption = None,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it: once, as only its hash is kept."""
    try:
        expires_at_s = None if expires is None else time.time() + duration_s(expires, "--expires")
        made, secret = _folder(folder, config).create(
            tenant=tenant,
            name=name,
            models=tuple(model) if model else None,
            budgets=tuple(map(_allowance, budget or ())),
            requests_per_min=requests_per_min,
            tokens_per_min=tokens_per_min,
            expires_at_s=expires_at_s,
            is_admin=admin,
        )
    except (RequestError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        print(f"pointsman keys create: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    if as_json:
        print(orjson.dumps(_shown(made) | {"key": secret}).decode())
        return
    print(secret)
    print(f"id {made.key_id}, tenant {made.tenant}. It is shown this once; keep it safe.", file=sys.stderr)


@keys_app.command("list")
def list_command(
    config: ConfigOption = None, folder: FolderOption = None, as_json: JsonOption = False
) -> None:
    """List the keys, without their secrets."""
    keys = _folder(folder, config).load().keys
    if as_json:
        print(orjson.dumps({"keys": [_shown(key) for key in keys]}).decode())
        return
    whole, budgets_column = Column("id", no_wrap=True), Column("budgets", no_wrap=True)
    table = Table(whole, "tenant", "name", "models", budgets_column, "per minute", "state")
    for key in keys:
        budgets = "\n".join(f"${_dollars(budget.usd)}/{budget.window}" for budget in key.budgets)
        rates = ((key.requests_per_min, "requests"), (key.tokens_per_min, "tokens"))
        table.add_row(
            key.key_id,
            key.tenant,
            key.name,
            "all" if key.models is None else ", ".join(key.models),
            budgets or "none",
            ", ".join(f"{rate} {what}" for rate, what in rates if rate) or "no limit",
            _state(key),
        )
    Console().print(table)


@keys_app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id of the key, as `keys list` shows it.")],
    config: ConfigOption = None,
    folder: FolderOption = None,
) -> None:
    """Refuse a key from now on."""
    if _folder(folder, config).revoke(key_id) is None:
        print(f"there is no key {key_id!r:.60}; `pointsman keys list` shows all", file=sys.stderr)
        raise typer.Exit(1)
    print(f"key {key_id} is revoked")


def _folder(folder: Path | None, config: Path | None) -> KeyFolder:
    if folder is not None:
        return KeyFolder(folder)
    path = config_path(config)
    if path is not None:
        from pointsman.config import load_config

        if (settings := load_config(path).keys) is not None:
            return KeyFolder(Path(settings.path))
    source = path or "there is no config file"
    raise ConfigError(
        [f"{source}: no `keys:` section; add `keys: {{path: pointsman-keys}}`, or give --folder"]
    )


def _allowance(text: str) -> Allowance:
    usd, slash, window = text.partition("/")
    try:
        allowance = Allowance(float(usd), Window.of(window))
    except ValueError:
        slash = ""
    if not slash:
        raise ValueError(
            f"a budget is DOLLARS/day, DOLLARS/month or DOLLARS/SECONDSs (20/day), got {text!r:.60}"
        )
    return Allowance.from_json(allowance.to_json())


def _shown(key: Key) -> dict[str, Any]:
    """A key's record without what proves it."""
    return {name: value for name, value in key.to_json().items() if name != "digest"} | {"state": _state(key)}


def _state(key: Key) -> str:
    if key.revoked_at_s is not None:
        return "revoked"
    if key.expires_at_s is None:
        return "valid"
    until = datetime.fromtimestamp(key.expires_at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"valid until {until}" if key.expires_at_s > time.time() else f"expired {until}"


def _dollars(usd: float) -> str:
    """An amount as people write it: no exponent, no zeros at the end."""
    return f"{usd:.9f}".rstrip("0").rstrip(".")
