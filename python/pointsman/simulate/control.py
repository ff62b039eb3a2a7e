"""The control endpoint: what the providers saw, and what they shall do next.

`GET /_simulate`: counts of every provider: calls, open, cancelled, faults, tokens, cost.
`GET /_simulate/calls?provider=NAME&bodies=1`: the calls one by one (the last 10,000), bodies
and headers if asked.
`GET /_simulate/connections`: open connections of the server, the one that asks included.
`POST /_simulate/reset`: forget all calls, begin the timelines and draws anew.
`POST /_simulate/providers/NAME/next {"faults": ["ok", "disconnect", {"kind": "idle", "after_tokens": 9}]}`:
what the next calls meet, one each.
`PATCH /_simulate/providers/NAME {"faults": {"unavailable": 0.5}}`: behave by a changed script from now on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import orjson

from pointsman.errors import ConfigError
from pointsman.simulate.script import parse_script
from pointsman.simulate.wire import Reply, json_reply

if TYPE_CHECKING:
    from pointsman.simulate.provider import SimulatedProvider
    from pointsman.simulate.simulation import Simulation

PREFIX = "/_simulate"
_OK = {"kind": "ok"}


def control(
    simulation: Simulation, method: str, path: str, query: str, body: bytes, n_connections: int
) -> Reply:
    """Answer a request to the control endpoint."""
    parts = path.removeprefix(PREFIX).strip("/").split("/")
    try:
        match (method, *parts):
            case ("GET", ""):
                return json_reply(simulation.summary())
            case ("GET", "calls"):
                return json_reply({"calls": _calls(simulation, parse_qs(query))})
            case ("GET", "connections"):
                return json_reply({"n_connections": n_connections})
            case ("POST", "reset"):
                simulation.reset()
                return json_reply(simulation.summary())
            case ("POST", "providers", name, "next"):
                return _force(simulation.providers[name], orjson.loads(body))
            case ("PATCH", "providers", name):
                return _change(simulation.providers[name], orjson.loads(body))
    except KeyError as error:
        return _wrong(404, f"no provider {error}; there are {', '.join(simulation.providers)}")
    except (ConfigError, ValueError, TypeError, AttributeError) as error:
        return _wrong(400, str(error))
    return _wrong(404, f"{method} {path} is not served; see the docstring of pointsman.simulate.control")


def _wrong(status: int, message: str) -> Reply:
    return json_reply({"error": {"message": message}}, status)


def _calls(simulation: Simulation, query: dict[str, list[str]]) -> list[dict[str, Any]]:
    wanted = query.get("provider", list(simulation.providers))
    with_body = query.get("bodies", ["0"])[0] not in ("0", "false", "")
    calls = [call for name in wanted for call in simulation.providers[name].calls]
    calls.sort(key=lambda call: call.arrived_s)
    return [call.to_dict(with_body=with_body) for call in calls]


def _force(provider: SimulatedProvider, document: Any) -> Reply:
    wanted = [{"kind": each} if isinstance(each, str) else each for each in document["faults"]]
    faults = [each for each in wanted if each != _OK]
    checked = iter(parse_script(_with(provider, {"faults": faults})).providers[provider.name].faults)
    provider.force(["ok" if each == _OK else next(checked) for each in wanted])
    return json_reply({"n_faults": len(wanted)})


def _change(provider: SimulatedProvider, changes: Any) -> Reply:
    provider.follow(parse_script(_with(provider, changes)).providers[provider.name])
    return json_reply(provider.script.model_dump(mode="json"))


def _with(provider: SimulatedProvider, changes: dict[str, Any]) -> dict[str, Any]:
    """The document of a script of this provider alone, with some of its keys changed."""
    kept = provider.script.model_dump(mode="json", exclude_unset=True)
    return {"providers": {provider.name: {**kept, **changes}}}
