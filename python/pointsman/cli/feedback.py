"""`pointsman feedback`: tell a running gateway how good an answer was."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import orjson
import typer

from pointsman.cli.gateway_call import call_gateway
from pointsman.cli.options import JsonOption  # noqa: TC001  (typer reads them)
from pointsman.errors import RequestError
from pointsman.learning.feedback import DEFAULT_NAME, DEFAULT_SOURCE

_WORDS = {"good": True, "yes": True, "true": True, "bad": False, "no": False, "false": False}


def feedback(
    decision_id: Annotated[str, typer.Argument(help="Id of the decision, or of its answer.")],
    value: Annotated[
        str | None, typer.Argument(help="good, bad, or a number from 0 to 1; left out with --over.")
    ] = None,
    over: Annotated[str | None, typer.Option(help="The decision whose answer was worse.")] = None,
    name: Annotated[str, typer.Option(help="What is judged.")] = DEFAULT_NAME,
    source: Annotated[str, typer.Option(help="Who judges.")] = DEFAULT_SOURCE,
    url: Annotated[str, typer.Option(help="The gateway.")] = "http://127.0.0.1:4100",
    as_json: JsonOption = False,
) -> None:
    """Tell a gateway how good an answer was, or that it was better than another; it learns at once."""
    if (value is None) == (over is None):
        raise typer.BadParameter("give either a value or --over DECISION_ID")
    body: dict[str, Any] = {"name": name, "source": source}
    if over is not None:
        body["value"] = {"chosen": decision_id, "rejected": over}
    else:
        body |= {"decision_id": decision_id, "value": _read(value or "")}
    try:
        taken = call_gateway(url, "POST", "/v1/feedback", body=body)
    except RequestError as error:
        print(f"pointsman feedback: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(taken) + b"\n")
    else:
        learned = "learned" if taken.get("is_learned") else "taken; it changes nothing"
        print(f"{taken.get('decision_id') or decision_id}: {learned}")


def _read(text: str) -> bool | float:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no grade; give good, bad or a number from 0 to 1") from None
