"""The deciding core, in Rust. Pure: no clock, no network, no hidden randomness."""

from collections.abc import Mapping, Sequence
from typing import Literal, final

from pointsman.types import Outcome, Request

__all__ = [
    "Cache",
    "CacheStats",
    "CanaryTest",
    "Catalog",
    "Core",
    "Decision",
    "Entry",
    "Hit",
    "Infeasible",
    "InvalidInput",
    "InvalidState",
    "Miss",
    "NoFeasibleDeployment",
    "Pacer",
    "Planner",
    "PointsmanError",
    "Refusal",
    "Ticket",
    "UnknownName",
    "__version__",
    "axis_features",
    "build_profile",
    "off_policy",
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
    """Saved state that is cut, changed, of another version, of another shape or of other models."""

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
    def context_window(self, deployment: str) -> int:
        """Tokens of input and output together that the deployment's model takes.

        Raises:
            UnknownName: No such deployment.
        """
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
    def policy_version(self) -> str:
        """Version of the policy that chose: the request's, if it names one; then `+` and the algorithm's."""
    @property
    def arm(self) -> str | None:
        """Which of the policy's versions that is, as the request had it."""
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
    def steps(self) -> list[tuple[str, float | None]]:
        """Deployments the plan may call, in order, each with the probability of being good that is enough.

        `None`: the answer is kept in any case. Of a race both; empty if a kept answer serves.
        """
    @property
    def hedge_after_ms(self) -> float | None:
        """Time without an answer after which the second of a race is called; 0: at once. `None`: no race."""
    @property
    def reason(self) -> str:
        """Why the chosen one won, in one ASCII line (fit for an HTTP header)."""
    @property
    def propensity(self) -> float:
        """Probability with which the policy chose this deployment, in (0, 1].

        1 unless it explores, or several deployments of the model share its load.
        """
    @property
    def confidence(self) -> float:
        """Probability that the chosen deployment's quality meets the need, in [0, 1]."""
    @property
    def is_certified(self) -> bool | None:
        """Whether a certificate holds the request's `min_quality`; `None`: it has none."""
    @property
    def predicted_quality(self) -> float: ...
    @property
    def predicted_cost_usd(self) -> float: ...
    @property
    def predicted_latency_p95_ms(self) -> float: ...
    @property
    def predicted_ttft_p95_ms(self) -> float: ...
    @property
    def output_tokens_p50(self) -> float:
        """Median of the output tokens of one answer of the chosen deployment, reasoning included."""
    @property
    def output_tokens_p90(self) -> float:
        """Their 90th percentile."""
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
    def n_tokens_of(self, deployment: str) -> int:
        """Input and output tokens expected of a call, for `Core.begin`; 0 of an unknown deployment."""
    def quality_of(self, deployment: str) -> float:
        """Predicted quality of a deployment of the catalog this was decided on, in [0, 1].

        Raises:
            UnknownName: The catalog does not hold it.
        """
    def quality_lcb_of(self, deployment: str) -> float:
        """Lower bound of that prediction, with 95 % confidence; far below it while little was graded.

        Raises:
            UnknownName: As `quality_of`.
        """
    def cost_usd_of(self, deployment: str) -> float:
        """Predicted cost of a deployment of the catalog this was decided on, US dollars.

        Raises:
            UnknownName: The catalog does not hold it.
        """
    def raced(self, second: str, *, hedge_after_ms: float) -> Decision:
        """The same decision as a race of its deployment against another of its ranking.

        Raises:
            InvalidInput: Not another of the ranking; a time outside [0, 1e9].
        """
    @property
    def cache_status(self) -> Literal["miss", "exact", "semantic"]:
        """Whether a kept answer carries it out: to the same question, or to one of a like meaning."""
    def answered_by(self, entry_id: str, *, is_exact: bool, similarity: float) -> Decision:
        """The same decision, carried out by a kept answer: strategy `cache`, the same id."""
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

def off_policy(rows: Sequence[tuple[float, float, float, float, float]], *, margin: float = 0.0) -> bytes:
    """What another policy would have earned, from a log with exact propensities: UTF-8 JSON.

    `n`, `ess`, `mean_weight`, `is_sane`; `ips`, `snips`, `dr` and `gain` (the doubly robust difference to the
    policy that logged), each with `mean`, `se`, `low`, `high` (95 %); `gain_lcb` and `dr_lcb` (one-sided
    95 %); `refusals`: why it may not be promoted, empty if it may. Weights are never clipped.

    Args:
        rows: For each graded decision: the policy's probability of the logged choice over its logged
            propensity, the reward, the prediction for the choice, the prediction averaged over the policy's
            choices, and over the logging policy's.
        margin: How much worse than the logging policy it may be.

    Raises:
        InvalidInput: No row, a number that is not finite, a negative weight.
    """

@final
class CanaryTest:
    """Whether a canary does worse than what is served, answer by answer; valid at any time. Thread-safe.

    Sound while who comes to the canary is drawn with probability `share`, apart from what answers are worth.
    """

    def __new__(cls, *, share: float, margin: float = 0.0, delta: float = 0.05) -> CanaryTest:
        """A test that has seen nothing.

        Args:
            share: Probability that an answer is the canary's, in (0, 1).
            margin: How much worse the canary may be, in [0, 1).
            delta: Chance that a canary that is no worse than that is ever found worse, in (0, 1).

        Raises:
            InvalidInput: Out of range.
        """
    @staticmethod
    def load(data: bytes) -> CanaryTest:
        """The test that `save` wrote.

        Raises:
            InvalidState: Bytes that are cut, changed, or of another release.
        """
    def save(self) -> bytes:
        """The test as bytes."""
    def observe(self, utility: float, *, is_canary: bool) -> bool:
        """Take what one answer was worth, in [0, 1]; whether the canary is found worse by now. About 5 us.

        Raises:
            InvalidInput: A utility out of range; nothing changes then.
        """
    @property
    def e_value(self) -> float:
        """Evidence that the canary is worse; an alarm from `1 / delta` on."""
    @property
    def is_alarmed(self) -> bool:
        """Whether the canary was found worse."""
    @property
    def n(self) -> tuple[int, int]:
        """Answers seen: of what is served, of the canary."""
    @property
    def means(self) -> tuple[float, float]:
        """Mean utility of each; NaN of one without answers."""
    @property
    def interval(self) -> tuple[float, float]:
        """Where the difference lies, canary less served: right at all times with probability `1 - delta`."""

@final
class Ticket:
    """Leave to call a deployment; give it back with `Core.end`, whatever becomes of the call."""

    @property
    def deployment(self) -> str: ...
    @property
    def is_probe(self) -> bool:
        """Whether this call decides if a deployment that failed is well again."""

@final
class Refusal:
    """A deployment may not be called now."""

    @property
    def cause(
        self,
    ) -> Literal["breaker", "retry_after", "requests_per_min", "tokens_per_min", "concurrency"]: ...
    @property
    def limit(self) -> float:
        """What the cause allows: 0 seconds, so many requests or tokens, so many calls under way."""
    @property
    def value(self) -> float:
        """What was seen, in the same unit: seconds until it ends, or what this call would need."""
    @property
    def ends_in_s(self) -> float | None:
        """Seconds until it ends; `None`: when a call under way ends."""

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
class Planner:
    """Plans cascades, and learns what verifiers are worth and which models fail together. Thread-safe."""

    def __new__(cls, rates: Sequence[tuple[str, float, float]] = ...) -> Planner:
        """Make a planner that knows of some verifiers what share of good and bad answers they pass.

        Args:
            rates: Name, TPR and FPR of each, in [0, 1]; they count as 40 graded outcomes.
        """
    def plan(
        self,
        decision: Decision,
        *,
        verifiers: Sequence[str],
        max_depth: int = 3,
        is_forced: bool = False,
    ) -> Decision | None:
        """The decision carried out as a cascade, if that is worth more than its one call; about 0.1 ms.

        Args:
            decision: Of `Core.decide`; its predictions, limits and dial are what is planned with.
            verifiers: Names of those that will look at answers.
            max_depth: Most steps; three are the most there are.
            is_forced: Whether to plan one although one call is worth more. `None` still where no two may
                follow each other.
        """
    def posterior(self, model: str, belief: float, signals: Sequence[tuple[str, float]]) -> float:
        """Probability that an answer is good after (verifier, value in [0, 1]) pairs, from the one before."""
    def belief_after(self, decision: Decision, step: int, belief: float) -> float:
        """Belief in the answer of step `step` (from 1), after this belief in that of the step before."""
    def observe_verdict(self, verifier: str, model: str, value: float, reward: float) -> None:
        """Learn that a verifier gave `value` to an answer that was graded `reward`; both in [0, 1]."""
    def observe_pair(
        self, models: tuple[str, str], *, predicted: tuple[float, float], rewards: tuple[float, float]
    ) -> None:
        """Learn how two models fared on one request: predicted qualities and grades, each in [0, 1]."""
    def save(self) -> bytes:
        """All that was learned: versioned, with a checksum; the rates it was made with are not in it."""
    def load(self, data: bytes) -> None:
        """Put what was saved in the place of what was learned.

        Raises:
            InvalidState: Cut, changed or of another version; nothing changes then.
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

        A text of more than 131,072 characters that is not ASCII is read in excerpts (its start, its end and
        eight pieces between) and its tokens are estimated from them, unless the request names a session.

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
    def begin(self, deployment: str, *, n_tokens: int, now_s: float) -> Ticket | Refusal:
        """Ask leave to call a deployment, and reserve a request and tokens under its rate limits.

        Args:
            deployment: Its name.
            n_tokens: Input and output tokens expected, as `Decision.n_tokens_of`.
            now_s: Unix time, seconds.

        Raises:
            UnknownName: No such deployment.
            InvalidInput: A time that is not finite.
        """
    def first_token(self, ticket: Ticket, ttft_ms: float, *, now_s: float) -> None:
        """Learn the time to first token of a stream that has just begun to answer.

        Raises:
            InvalidInput: A number that is negative or not finite.
        """
    def end(
        self,
        ticket: Ticket,
        result: Literal["answered", "failed", "rate_limited", "rejected", "abandoned"],
        *,
        now_s: float,
        ttft_ms: float | None = None,
        latency_ms: float | None = None,
        n_output_tokens: int | None = None,
        n_tokens: int | None = None,
        retry_after_s: float | None = None,
    ) -> Literal["open", "closed"] | None:
        """Learn how a call ended. A ticket counts once; a second time it changes nothing.

        Args:
            ticket: From `begin`.
            result: `rejected`: for what the caller sent; `abandoned`: nobody waited for the end.
            now_s: Unix time, seconds.
            ttft_ms: Time to first token, if `first_token` was not told it.
            latency_ms: Time the call took.
            n_output_tokens: With `latency_ms`, to estimate the time to first token of an answer in one piece.
            n_tokens: Input and output tokens the provider counted.
            retry_after_s: Seconds the provider asks to stay away.

        Returns:
            The breaker's new phase, if this changed it.

        Raises:
            InvalidInput: An unknown result, a number that is negative or not finite.
        """
    def learn_limits(
        self,
        deployment: str,
        *,
        requests: tuple[float | None, float | None, float | None],
        tokens: tuple[float | None, float | None, float | None],
        now_s: float,
    ) -> None:
        """Learn what an answer's headers say of the rate limits.

        Each is (limit, remaining, seconds until all are back), `None` where nothing is said.

        Raises:
            UnknownName: No such deployment.
            InvalidInput: A number that is negative or not finite.
        """
    def health(self, *, now_s: float) -> bytes:
        """The state of every deployment, in the catalog's order, as a JSON list (`DeploymentState`)."""
    def configure_health(self, settings: bytes) -> None:
        """Take settings of health, a JSON object (`HealthSettings` of the core); what was seen stays.

        Raises:
            InvalidInput: An unknown setting, a value outside its range.
        """
    def sweep_many(
        self, requests: Sequence[Request], quality_values_usd: Sequence[float], *, now_s: float, seed: int
    ) -> tuple[bytes, bytes, bytes]:
        """Decide each request once for every value of a unit of quality; for offline scoring, off the GIL.

        The text is read and the predictions are made once a request; its own dial is not looked at. Request i
        uses seed + i.

        Args:
            requests: What is asked, n of them.
            quality_values_usd: What a unit of quality is worth, US dollars, in [0, 1e9]; k of them.
            now_s: Unix time, seconds.
            seed: As for `decide`.

        Returns:
            Arrays in native byte order: predicted quality and predicted cost in US dollars (float64, n x
            deployments), and the place of the chosen deployment (int32, n x k; -1: none is feasible).

        Raises:
            InvalidInput, UnknownName: As `decide_many`.
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
    def floors(self) -> bytes:
        """What is certified of quality floors and what was found broken, by slice: a JSON list, UTF-8."""
    def prefer(self, chosen: Outcome, rejected: Outcome, *, now_s: float, weight: float = 1.0) -> None:
        """Learn that one answer was preferred to another, of the same request or of two (Bradley-Terry).

        Says which model is better, not how good either is. Two deployments of one model teach nothing.

        Args:
            chosen: The better one; only deployment, labels, task, input tokens and features are read.
            rejected: The other.
            now_s: Unix time, seconds.
            weight: What it counts for, in [0, 100].

        Raises:
            InvalidInput, UnknownName: As `observe`; nothing is learned then.
        """
    def save(self, others: Mapping[str, bytes] = ...) -> bytes:
        """All that was learned: versioned, with a checksum, matched to a catalog by names.

        Args:
            others: What others learned, by a name each; kept beside it.
        """
    def load(self, data: bytes) -> dict[str, bytes]:
        """Put what was saved in the place of what was learned; names the catalog does not hold are dropped.

        Returns:
            What others had given to `save`.

        Raises:
            InvalidState: Cut, changed, of another version or of none of these models; nothing changes then.
        """

@final
class Cache:
    """Answers that are kept, found by the text they answer. Thread-safe; lookups run side by side.

    A `partition` is 16 bytes, a hash over everything that changes the answer but the last user text. Entries
    of different partitions never answer one another, however alike their texts are.

    Time is an argument (`now_s`, Unix time in seconds); nothing is random but by `seed`.
    """

    def __new__(
        cls,
        *,
        max_bytes: int = 268_435_456,
        target_error: float = 0.01,
        ttl_s: float = 604_800.0,
        audit_rate: float = 0.01,
    ) -> Cache:
        """An empty cache.

        Args:
            max_bytes: Bound of all memory held (texts, answers, vectors, maps, journal), at least 65,536.
            target_error: Share of hits that may be wrong, in [0.0001, 0.5]: the one dial.
            ttl_s: Seconds an answer is kept unless `insert` says otherwise, in (0, 1e9].
            audit_rate: Share of hits, but those of the very same text, with `wants_audit`, in [0, 1].

        Raises:
            InvalidInput: A setting outside its range.
        """
    def lookup(
        self,
        partition: bytes,
        text: str,
        *,
        now_s: float,
        seed: int = 0,
        semantic: bool = True,
        max_age_s: float | None = None,
    ) -> Hit | Miss:
        """The answer that serves `text`, or why none does. Counts the hit or miss.

        Layers, in order: the very same text; the same normalised text; then, if `semantic`, the same ordered
        content, and the vectors nearby that the guard lets pass and the posterior is sure of. The vector is
        computed inside. Releases the GIL unless the very same text is there.

        Args:
            partition: 16 bytes.
            text: The last user text.
            now_s: Unix time in seconds.
            seed: What `wants_audit` is drawn from, in [0, 2**64).
            semantic: Whether texts that are not equal may answer one another.
            max_age_s: Oldest answer wanted, in seconds.

        Raises:
            InvalidInput: A partition of another length.
        """
    def peek(
        self,
        partition: bytes,
        text: str,
        *,
        now_s: float,
        semantic: bool = True,
        max_age_s: float | None = None,
    ) -> Hit | Miss:
        """What `lookup` would find, without a trace: nothing is counted, `wants_audit` is false."""
    def lookup_many(
        self,
        partition: bytes,
        texts: Sequence[str],
        *,
        now_s: float,
        seed: int = 0,
        semantic: bool = True,
        max_age_s: float | None = None,
    ) -> list[Hit | Miss]:
        """`lookup` of every text, in order, in one call without the GIL."""
    def insert(
        self,
        partition: bytes,
        text: str,
        answer: bytes,
        *,
        now_s: float,
        namespace: str,
        ttl_s: float | None = None,
        cost_usd: float = 0.0,
    ) -> str:
        """Keep an answer, in place of one to the same text; the entry's id, 16 hex digits.

        Where `max_bytes` leaves no room, the entries of least worth go first: those that expired, then by
        uses x cost / bytes, aged (GreedyDual-Size-Frequency, on a sample).

        Args:
            partition: 16 bytes.
            text: The last user text.
            answer: Whatever the caller wants back, byte for byte.
            now_s: Unix time in seconds.
            namespace: Who may clear it, such as a tenant.
            ttl_s: Seconds to keep it, in (0, 1e9]; the cache's if not given.
            cost_usd: What a hit saves.

        Raises:
            InvalidInput: A partition of another length; text and answer above a quarter of `max_bytes`; a
                time, cost or `ttl_s` outside its range.
        """
    def observe(
        self,
        entry_id: str,
        text: str,
        *,
        similarity: float,
        is_right: bool,
        weight: float = 1.0,
        is_audit: bool = False,
    ) -> str | None:
        """Learn from a graded hit, or from a graded miss that named an entry; the name of an alarm, if one.

        An entry whose answer was served for `text` and is wrong for certain (`weight` 1) is deleted. An entry
        that is gone teaches nothing.

        Args:
            entry_id: As the hit or miss said.
            text: What was asked.
            similarity: As the hit or miss said.
            is_right: Whether the kept answer is right for `text`.
            weight: How sure that is, in [0, 1].
            is_audit: Whether the hit was graded because of `wants_audit`: only such grades tell how often
                hits are wrong. With other ones the alarm would be biased.

        Returns:
            `hits_wrong` if hits are found wrong more often than `target_error` allows; from then on fewer are
            served (`CacheStats.aim`).

        Raises:
            InvalidInput: No id; a similarity or weight outside its range.
        """
    def get(self, entry_id: str) -> Entry | None:
        """What is known of an entry; counts no hit. None if it is gone."""
    def replace(self, entry_id: str, answer: bytes, *, now_s: float) -> bool:
        """Give an entry another answer, kept as long anew, its grades forgotten; whether it is there."""
    def delete(self, entry_id: str) -> bool:
        """Delete an entry; whether it was there."""
    def clear(self, namespace: str | None = None) -> int:
        """Delete a namespace, or everything; how many entries that were."""
    def entries(
        self, namespace: str | None = None, *, after: str | None = None, limit: int = 100
    ) -> list[Entry]:
        """Up to `limit` entries, of a namespace or all, by id; those with ids above `after`. O(entries)."""
    def stats(self) -> CacheStats:
        """Counts since the cache was made or restored; entries and bytes as of now."""
    def take_journal(self) -> bytes:
        """What happened since the last call, as frames to be appended to a file; empty if nothing did.

        If that was more than `max_bytes / 64`, the frames are a whole snapshot instead; append them all the
        same. Hits are not recorded. Frames have numbers: what a later snapshot holds does no harm.
        """
    def snapshot(self) -> bytes:
        """Everything, for a file of its own; builds as many bytes as the cache holds."""
    @staticmethod
    def restore(
        snapshot: bytes,
        journal: bytes,
        *,
        now_s: float,
        max_bytes: int = 268_435_456,
        target_error: float = 0.01,
        ttl_s: float = 604_800.0,
        audit_rate: float = 0.01,
    ) -> Cache:
        """The cache that a snapshot and the journal since then describe; either may be empty.

        What follows damage (a torn tail, a changed bit, a missing frame) is dropped and its bytes counted in
        `CacheStats.n_dropped_bytes`. If that is above 0, write a new snapshot and begin a new journal before
        appending anything: what is appended behind damage would be dropped too.

        Raises:
            InvalidState: A snapshot whose head is damaged; a document of another version.
            InvalidInput: A setting outside its range.
        """

@final
class Hit:
    """A kept answer that serves."""

    @property
    def entry_id(self) -> str:
        """16 hex digits."""
    @property
    def layer(self) -> Literal["exact", "normalised", "canonical", "semantic"]:
        """What found it."""
    @property
    def similarity(self) -> float:
        """Cosine of the embeddings in the layer `semantic`; 1 in the others."""
    @property
    def p_correct(self) -> float:
        """Lower bound of P(the answer is right), in [0, 1]; 1 for `exact` and `normalised`."""
    @property
    def answer(self) -> bytes:
        """As it was inserted; a copy at each reading."""
    @property
    def age_s(self) -> float:
        """Seconds since it was stored."""
    @property
    def wants_audit(self) -> bool:
        """Whether the model should be called too, to grade this hit; never in the layer `exact`."""

@final
class Miss:
    """No kept answer serves."""

    @property
    def reason(
        self,
    ) -> Literal["empty", "nothing_near", "guard", "below_bound", "expired", "unservable"]:
        """Why, by the nearest entry."""
    @property
    def veto(self) -> str | None:
        """What the guard found different, or what makes the text unservable."""
    @property
    def entry_id(self) -> str | None:
        """The nearest entry, if one was near: grading it teaches as a hit does."""
    @property
    def similarity(self) -> float | None:
        """Its similarity."""

@final
class Entry:
    """What is known of a kept answer; a copy."""

    @property
    def entry_id(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def partition(self) -> bytes: ...
    @property
    def text(self) -> str: ...
    @property
    def answer(self) -> bytes: ...
    @property
    def created_s(self) -> float: ...
    @property
    def expires_s(self) -> float: ...
    @property
    def n_hits(self) -> int: ...
    @property
    def n_right(self) -> float:
        """Weight of its hits that were found right."""
    @property
    def n_wrong(self) -> float:
        """Weight of its hits that were found wrong."""
    @property
    def cost_saved_usd(self) -> float:
        """`n_hits` times the `cost_usd` it was inserted with."""
    @property
    def n_bytes(self) -> int:
        """Bytes it takes, its share of the maps left out."""

@final
class CacheStats:
    """Counts of a cache since it was made or restored; entries and bytes as of now."""

    @property
    def n_entries(self) -> int: ...
    @property
    def n_partitions(self) -> int: ...
    @property
    def n_bytes(self) -> int:
        """All memory held: texts, answers, vectors, maps, journal."""
    @property
    def max_bytes(self) -> int: ...
    @property
    def hits(self) -> dict[str, int]:
        """By layer, every layer."""
    @property
    def misses(self) -> dict[str, int]:
        """By reason, every reason."""
    @property
    def n_evicted(self) -> int:
        """Entries evicted for room before their time."""
    @property
    def n_expired(self) -> int:
        """Entries removed for room after their time."""
    @property
    def n_alarms(self) -> int: ...
    @property
    def aim(self) -> float:
        """Share of wrong hits aimed at now: `target_error`, less what alarms took away."""
    @property
    def n_dropped_bytes(self) -> int:
        """Bytes of snapshot and journal that were damaged and dropped at `restore`."""
