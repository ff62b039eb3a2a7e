"""The deciding core, in Rust. Pure: no clock, no network, no hidden randomness."""

from collections.abc import Sequence
from typing import final

from pointsman.types import Outcome, Request

__all__ = [
    "Catalog",
    "Core",
    "Decision",
    "Infeasible",
    "InvalidInput",
    "InvalidState",
    "NoFeasibleDeployment",
    "Pacer",
    "PointsmanError",
    "UnknownName",
    "__version__",
    "axis_features",
    "build_profile",
]

__version__: str
build_profile: str
"""`release` or `debug`; a debug build warns on import."""

def axis_features(request: Request) -> tuple[list[float], list[int], list[float]]:
    """Internal: what the heads of the task classifier see of a request, for `tools/axes/train.py`.

    Returns:
        Dense features; buckets of n-grams, in [0, 65536); their weights, together of unit length.
    """

class PointsmanError(Exception):
    """Base of everything pointsman raises on purpose."""

class InvalidInput(PointsmanError, ValueError):
    """A value the core refuses: NaN, infinity, out of range, an empty conversation, a malformed catalog."""

class UnknownName(PointsmanError, KeyError):
    """A model, provider or deployment the catalog does not hold."""

class InvalidState(PointsmanError, ValueError):
    """Saved state that is cut, changed, of another version or of another shape."""

class NoFeasibleDeployment(PointsmanError):
    """The constraints exclude every deployment; the message names the binding one and the nearest miss."""

    infeasible: Infeasible

@final
class Catalog:
    """Immutable snapshot of models, providers and deployments the core decides on."""

    @staticmethod
    def from_json(data: bytes) -> Catalog:
        """Parse and validate a catalog document (fields: `rust/pointsman-core/src/catalog.rs`).

        Raises:
            InvalidInput: Malformed JSON, unknown field, dangling reference, price or quality out of range.
        """
    @property
    def version(self) -> str:
        """Hash of the content, 16 hex digits: equal catalogs have equal versions."""
    @property
    def deployments(self) -> list[str]:
        """Names of the deployments, in catalog order."""
    @property
    def models(self) -> list[str]:
        """Names of the models, in catalog order."""
    def __len__(self) -> int:
        """Number of deployments."""
    def cost_nano_usd(
        self,
        deployment: str,
        *,
        n_input_tokens: int,
        n_cached_input_tokens: int = 0,
        n_cache_write_tokens: int = 0,
        n_output_tokens: int = 0,
        n_reasoning_tokens: int = 0,
        batch: bool = False,
    ) -> int:
        """Cost of a call in nano-dollars (1e-9 USD), exact up to half a nano-dollar.

        Every component of the price counts: cached and cache-written input, reasoning, and prices of a long
        input, which hold for all tokens of the call once `n_input_tokens` is above their threshold.

        Raises:
            UnknownName: No such deployment.
            InvalidInput: A part above its whole (cached and cache-written of input, reasoning of output), or
                a batch price asked of a deployment without one.
        """

@final
class Decision:
    """What was chosen for one request, and why."""

    @property
    def decision_id(self) -> str:
        """`dec_` + 32 hex digits: time in ms, then a hash of the inputs. Sorts by time."""
    @property
    def policy_version(self) -> str: ...
    @property
    def config_version(self) -> str: ...
    @property
    def strategy(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def deployment(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def ranking(self) -> list[str]:
        """Feasible deployments that may be tried, best first; the first is `deployment`."""
    @property
    def reason(self) -> str:
        """Why the chosen one won, in one ASCII line (fit for an HTTP header)."""
    @property
    def propensity(self) -> float:
        """Probability with which the policy chose this deployment, in (0, 1]; 1 unless it explores."""
    @property
    def confidence(self) -> float:
        """Probability that the chosen deployment's quality meets the need, in [0, 1]."""
    @property
    def predicted_quality(self) -> float: ...
    @property
    def predicted_cost_usd(self) -> float: ...
    @property
    def predicted_latency_p95_ms(self) -> float: ...
    @property
    def predicted_ttft_p95_ms(self) -> float: ...
    @property
    def baseline_deployment(self) -> str:
        """Deployment of the baseline model that `baseline_cost_usd` is priced at."""
    @property
    def baseline_model(self) -> str: ...
    @property
    def baseline_cost_usd(self) -> float: ...
    @property
    def n_input_tokens(self) -> int:
        """Estimated input tokens of the request on the chosen deployment."""
    @property
    def complexity(self) -> str: ...
    @property
    def domain(self) -> str: ...
    @property
    def structure(self) -> str: ...
    @property
    def latency_class(self) -> str: ...
    @property
    def features(self) -> bytes:
        """What was measured of the text, for `Outcome.features`; opaque, 388 bytes without a caller's vector.

        Keep it with the decision: a grade that comes days later, in another process, teaches in full with it.
        """
    def model_of(self, deployment: str) -> str:
        """Model of a deployment of the catalog this was decided on."""
    def provider_of(self, deployment: str) -> str:
        """Provider of a deployment of the catalog this was decided on."""
    def to_json(self, overhead_us: float | None = None) -> bytes:
        """The whole Decision of the HTTP contract, candidates included, as UTF-8 JSON."""

@final
class Infeasible:
    """Why no deployment may answer: every candidate with the constraints that rejected it."""

    @property
    def decision_id(self) -> str: ...
    @property
    def code(self) -> str:
        """The binding constraint's reason code, e.g. `latency_sla`."""
    def to_json(self, overhead_us: float | None = None) -> bytes:
        """The Decision of the HTTP contract with null choice, as UTF-8 JSON."""

@final
class Pacer:
    """Finds the budget price: how much more a dollar must weigh to make a budget last. Thread-safe."""

    def __new__(
        cls, *, usd_per_request: float | None = None, usd: float | None = None, window_s: float | None = None
    ) -> Pacer:
        """Make a pacer of `usd_per_request` on average, or of `usd` in every `window_s` seconds.

        Raises:
            InvalidInput: Neither or both; a number that is not above 0 or too large.
        """
    @property
    def price(self) -> float:
        """What to give as `Constraints.budget_price`, in [0, 1e9]; prices of several budgets add."""
    def observe(self, cost_usd: float, *, now_s: float) -> None:
        """Learn what a request cost, when it is settled.

        Raises:
            InvalidInput: A cost or a time that is negative, not finite or too large.
        """

@final
class Core:
    """Decides, and learns what came of it. Thread-safe; the catalog is swapped atomically."""

    def __new__(cls, catalog: Catalog) -> Core: ...
    @property
    def catalog(self) -> Catalog:
        """The catalog decisions are made on now."""
    def swap(self, catalog: Catalog) -> None:
        """Decide on `catalog` from now on; decisions under way finish on the old one.

        A name that stays keeps what was learned of it; a new one starts from its prior.
        """
    def decide(self, request: Request, *, now_s: float, seed: int) -> Decision:
        """Decide one request. The same catalog, outcomes, request, `now_s` and `seed` give the same decision.

        Args:
            request: What is asked.
            now_s: Unix time, seconds.
            seed: Any 64-bit number; feeds the decision id and the draw of an exploring policy.

        Raises:
            NoFeasibleDeployment: The constraints exclude every deployment.
            InvalidInput: No message, a lone surrogate in a text, a limit that is NaN or out of range.
            UnknownName: `quality_like`, an allowed model or a provider the catalog does not hold.
        """
    def decide_many(
        self, requests: Sequence[Request], *, now_s: float, seed: int
    ) -> list[Decision | NoFeasibleDeployment]:
        """Decide many at once, off the GIL; request i uses seed + i.

        An infeasible request yields its exception in place instead of raising it.

        Raises:
            InvalidInput, UnknownName: As `decide`; the message names the request's index.
        """
    def observe(self, outcome: Outcome, *, now_s: float) -> None:
        """Learn what came of a call: speed per deployment, length per model, quality per slice. About 4 us.

        Nothing is learned if any of it is refused.

        Args:
            outcome: What came of it; fields that are `None` are not learned from.
            now_s: Unix time, seconds.

        Raises:
            InvalidInput: A number that is NaN or out of range, an unknown label.
            UnknownName: A deployment the catalog does not hold (any more).
        """
    def save(self) -> bytes:
        """All that was learned: versioned, with a checksum, matched to a catalog by names."""
    def load(self, data: bytes) -> None:
        """Put what was saved in the place of what was learned; names the catalog does not hold are dropped.

        Raises:
            InvalidState: Cut, changed or of another version; nothing changes then.
        """
