"""The script of a simulation: which providers there are, how fast, how faulty, and how that changes.

    seed: 7
    providers:
      alpha:
        models: {small-1: {price_usd_per_mtok: {input: 0.1, output: 0.4}}}
        latency: {ttft_p50_ms: 200, ttft_p95_ms: 800, tokens_per_s: 90, stall: {p: 0.02, mean_s: 5}}
        faults: {unavailable: 0.02, truncate: 0.01}
        quota: {requests_per_minute: 600, tokens_per_minute: 100000}
        timeline:
          - {at_s: 30, until_s: 60, faults: {server_error: 0.15}}

Everything has a default but the providers' names. Times count from the start of the simulation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from pointsman.config.document import Document, read_mapping, read_yaml
from pointsman.config.explain import explain
from pointsman.config.problems import Origin, show, suggest
from pointsman.config.settings import Settings, empty_if_null, null_entries_to_empty
from pointsman.config.values import Count, Name, Number, Positive, Share, wrong
from pointsman.errors import ConfigError
from pointsman.simulate.faults import FAULTS, FaultKind

if TYPE_CHECKING:
    import os

NotNegative = Annotated[Number, Field(ge=0)]
_SHARE = "a probability from 0 to 1"
_SECONDS = "a number of seconds of 0 or more"


class Tail(Settings):
    """Rare calls whose first token takes a Pareto-distributed multiple of the usual time."""

    p: Share = Field(description=_SHARE, examples=[0.01])
    shape: Positive = Field(default=1.2, description="a number above 0; smaller is heavier", examples=[1.2])
    max_factor: Positive = Field(default=100.0, description="a number above 0", examples=[100])


class Stall(Settings):
    """A pause of exponential length before one token, every token as likely."""

    p: Share = Field(description=_SHARE, examples=[0.02])
    mean_s: Positive = Field(description="a number of seconds above 0", examples=[5])


class Latency(Settings):
    """How long answers take. First tokens and paces are lognormal between the two quantiles given."""

    ttft_p50_ms: Positive = Field(default=50.0, description="milliseconds above 0", examples=[200])
    ttft_p95_ms: Positive | None = Field(default=None, description="milliseconds above 0", examples=[800])
    ttft_ms_per_ktok: NotNegative = Field(
        default=0.0, description="milliseconds a thousand input tokens, 0 or more", examples=[30]
    )
    tokens_per_s: Positive = Field(default=500.0, description="tokens a second, above 0", examples=[90])
    tokens_per_s_p5: Positive | None = Field(
        default=None, description="tokens a second of the slowest twentieth, above 0", examples=[40]
    )
    tail: Tail | None = Field(default=None, description="a mapping", examples=["{p: 0.01, shape: 1.2}"])
    stall: Stall | None = Field(default=None, description="a mapping", examples=["{p: 0.02, mean_s: 5}"])


class Fault(Settings):
    """One kind of fault and how often it strikes."""

    kind: FaultKind = Field(description="a kind of fault", examples=["unavailable"])
    p: Share = Field(default=1.0, description=_SHARE, examples=[0.02])
    burst: Count = Field(
        default=1, description="how many calls in a row it strikes, once it does", examples=[10]
    )
    after_tokens: Annotated[int, Field(ge=0)] = Field(
        default=3, description="a number of tokens of 0 or more", examples=[3]
    )
    delay_s: NotNegative = Field(default=0.0, description=_SECONDS, examples=[2])
    retry_after_s: NotNegative | None = Field(default=None, description=_SECONDS, examples=[1])


class Quota(Settings):
    """What a provider admits; more is a 429 that says when to come back. Token buckets, full at first."""

    requests_per_minute: Positive | None = Field(default=None, description="a number above 0", examples=[600])
    tokens_per_minute: Positive | None = Field(
        default=None, description="a number above 0", examples=[100_000]
    )
    concurrent: Count | None = Field(default=None, description="calls at a time, above 0", examples=[8])


class UnitPrice(Settings):
    """US dollars per 1M tokens."""

    input: NotNegative = Field(default=0.5, description="a price of 0 or more", examples=[0.5])
    output: NotNegative = Field(default=1.5, description="a price of 0 or more", examples=[1.5])


class SimulatedModel(Settings):
    """A model of a provider; the quality is only for the config that `--config-out` writes."""

    price_usd_per_mtok: UnitPrice = Field(
        default_factory=UnitPrice, description="a mapping", examples=["{input: 0.5, output: 1.5}"]
    )
    quality: Share = Field(default=0.7, description="a quality from 0 to 1", examples=[0.7])


class AnswerScript(Settings):
    """What is answered: `helpful` fits the request's shape, `counted` can be checked for lost tokens."""

    kind: Literal["helpful", "counted"] = Field(
        default="helpful", description="a kind of answer", examples=["counted"]
    )
    tokens_p50: Count = Field(default=60, description="tokens of a counted answer", examples=[60])
    tokens_p95: Count | None = Field(default=None, description="tokens of a counted answer", examples=[400])


def _faults(value: Any) -> Any:
    """`{unavailable: 0.1}` is short for `[{kind: unavailable, p: 0.1}]`."""
    if not isinstance(value, Mapping):
        return value
    for kind, p in value.items():
        if kind not in FAULTS:
            raise wrong(f"unknown fault {kind!r:.40}; {suggest(str(kind), FAULTS, noun='faults')}")
        if not isinstance(p, Mapping) and (isinstance(p, bool | str) or p is None or not 0 <= p <= 1):
            raise wrong(f"{kind}: {show(p)} is not {_SHARE}; write for example `{kind}: 0.02`")
    return [
        {"kind": kind, **p} if isinstance(p, Mapping) else {"kind": kind, "p": p} for kind, p in value.items()
    ]


def _models(value: Any) -> Any:
    """`[a, b]` is short for `{a: {}, b: {}}`."""
    if isinstance(value, list):
        return {name: {} for name in value if isinstance(name, str)}
    return null_entries_to_empty(value)


Faults = Annotated[tuple[Fault, ...], BeforeValidator(_faults)]
Models = Annotated[Mapping[Name, SimulatedModel], BeforeValidator(_models)]
_FAULTS = "a mapping of kinds of fault to probabilities, or a list of faults"


class Change(Settings):
    """What is different from `at_s` on, until `until_s` if given. What it does not name stays.

    Of `latency` the keys given replace those before; `faults` and `quota` are replaced whole.
    """

    at_s: NotNegative = Field(description=_SECONDS, examples=[30])
    until_s: NotNegative | None = Field(default=None, description=_SECONDS, examples=[60])
    latency: Latency | None = Field(default=None, description="a mapping", examples=["{tokens_per_s: 10}"])
    faults: Faults | None = Field(default=None, description=_FAULTS, examples=["{unavailable: 0.15}"])
    quota: Quota | None = Field(default=None, description="a mapping", examples=["{concurrent: 4}"])
    price_usd_per_mtok: Mapping[Name, UnitPrice] | None = Field(
        default=None, description="a mapping of models to prices", examples=["{small-1: {output: 3}}"]
    )


class ProviderScript(Settings):
    """One provider."""

    kind: Literal["openai", "anthropic"] = Field(
        default="openai", description="a wire protocol", examples=["openai"]
    )
    models: Models = Field(
        default={"simulated-1": SimulatedModel()},
        min_length=1,
        description="a mapping of model names, or a list",
        examples=["[small-1, large-1]"],
    )
    latency: Latency = Field(
        default_factory=Latency, description="a mapping", examples=["{ttft_p50_ms: 200}"]
    )
    faults: Faults = Field(default=(), description=_FAULTS, examples=["{unavailable: 0.02}"])
    first_calls: tuple[FaultKind | Literal["ok"], ...] = Field(
        default=(), description="a list of what the first calls meet", examples=["[ok, disconnect]"]
    )
    quota: Quota = Field(
        default_factory=Quota, description="a mapping", examples=["{requests_per_minute: 600}"]
    )
    slots: Count | None = Field(
        default=None, description="calls at a time beyond which all become slower", examples=[16]
    )
    answer: AnswerScript = Field(
        default_factory=AnswerScript, description="a mapping", examples=["{kind: counted}"]
    )
    timeline: tuple[Change, ...] = Field(
        default=(), description="a list of changes", examples=["[{at_s: 30, faults: {unavailable: 1}}]"]
    )


class Script(Settings):
    """A whole simulation."""

    seed: Annotated[int, Field(ge=0)] = Field(
        default=0, description="a whole number of 0 or more", examples=[7]
    )
    providers: Annotated[
        Mapping[Name, Annotated[ProviderScript, BeforeValidator(empty_if_null)]],
        Field(min_length=1),
    ] = Field(description="a mapping of providers by name", examples=["{alpha: {}}"])


@dataclass(frozen=True, slots=True)
class _OpenOrigin(Origin):
    """A script holds no secrets: values under `providers` are shown."""

    def shown(self, path: tuple[str | int, ...], value: Any) -> str:
        return show(value)


def load_script(path: str | os.PathLike[str]) -> Script:
    """The script of a YAML file.

    Raises:
        ConfigError: The file cannot be read, or does not hold a script; lists every problem.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read ({error}); give a script (YAML)"]) from None
    return parse_script(text, source=str(path))


def parse_script(document: str | Mapping[str, Any], *, source: str = "<script>") -> Script:
    """The script of a YAML text or of plain Python values.

    Raises:
        ConfigError: It does not hold a script; lists every problem.

    Example:
        >>> script = parse_script("providers: {alpha: {faults: {unavailable: 0.5}}}")
        >>> script.providers["alpha"].faults[0].p
        0.5
    """
    if isinstance(document, str):
        read = read_yaml(document, source, {})
    else:
        read = read_mapping(document, source, {})
    read.origin = _OpenOrigin(read.origin.source, read.origin.lines, read.origin.templates)
    if read.problems or not isinstance(read.data, Mapping):
        raise ConfigError(read.problems or [f"{source}: is not a mapping; begin with `providers:`"])
    return _validated(read)


def _validated(read: Document) -> Script:
    try:
        return Script.model_validate(read.data)
    except ValidationError as error:
        raise ConfigError(read.origin.in_order(explain(error, read, Script))) from None
