"""The cache as the router uses it: who may visit it, what a hit is as an answer, how hits are graded."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import TYPE_CHECKING, Any

import anyio

from pointsman._native import Miss
from pointsman.cache.grading import grade
from pointsman.cache.identity import read_question
from pointsman.cache.kept import KeptAnswer
from pointsman.cache.store import AnswerCache, CacheOptions
from pointsman.cache.tenancy import namespace_of
from pointsman.cache.visit import Visit
from pointsman.errors import ConfigError, PointsmanError
from pointsman.types import DEFAULT_TENANT, CacheUse, Completion

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from pointsman._native import Decision
    from pointsman.cache.identity import Question
    from pointsman.cache.store import RecentHit
    from pointsman.config import CacheSettings
    from pointsman.router.request import ChatRequest
    from pointsman.types import Usage

_LOG = logging.getLogger("pointsman.cache")
# Others wait for the one that asks for all of them at least this long, or twice what it is predicted to take.
_MIN_PATIENCE_S = 5.0
_JUDGE_ASKS = (
    "Two answers were given to one question. Do they say the same in substance, so that whoever asked "
    "would be served as well by either? Reply with one word: yes or no.\n\n"
    "<question>\n{question}\n</question>\n\n"
    "<answer>\n{kept}\n</answer>\n\n<answer>\n{fresh}\n</answer>"
)


def open_cache(settings: CacheSettings | None, *, snapshot: bytes = b"") -> AnswerCache | None:
    """The cache of a config; `None` if it has none.

    Raises:
        ConfigError: Its folder cannot be used.
    """
    if settings is None:
        return None
    options = options_of(settings)
    try:
        return AnswerCache(options, snapshot=snapshot)
    except OSError as error:
        seen = f"cache.path: folder {options.path} cannot be used ({error.strerror})"
        raise ConfigError([f"{seen}; give one that can be written"]) from None


def reopen_cache(settings: CacheSettings | None, snapshot: bytes) -> AnswerCache | None:
    """As `open_cache` while requests run: a folder that cannot be used is logged, and memory used instead."""
    try:
        return open_cache(settings, snapshot=snapshot)
    except ConfigError as error:
        _LOG.error("%s; answers are kept in memory only until the next reload", error)
        return open_cache(settings and settings.model_copy(update={"path": None}), snapshot=snapshot)


def options_of(settings: CacheSettings) -> CacheOptions:
    """The settings as the cache takes them."""
    values = settings.model_dump(exclude={"max_mb"})
    return CacheOptions(max_bytes=int(settings.max_mb * 2**20), **values)


def visit_of(cache: AnswerCache | None, chat: ChatRequest, decision: Decision) -> Visit | None:
    """The request's visit to the cache; `None` if it may neither read nor write."""
    wishes = chat.cache
    if cache is None or not (wishes.reads or wishes.writes):
        return None
    scope = wishes.scope or cache.options.namespace
    return Visit(
        cache,
        _question_of(chat, scope),
        decision.decision_id,
        reads=wishes.reads,
        writes=wishes.writes,
        max_age_s=wishes.max_age_s,
        namespace=namespace_of(chat.request.tenant, scope),
    )


def _question_of(chat: ChatRequest, scope: str) -> Question | str:
    return read_question(chat.body, chat.request, f"{chat.request.tenant or DEFAULT_TENANT}\n{scope}")


def foreseen(cache: AnswerCache | None, chat: ChatRequest, decision: Decision) -> Decision:
    """The decision as the cache would carry it out now, if it keeps an answer; leaves no trace in it.

    Whether the same question is under way at another request is not told: nobody waits here.
    """
    if cache is None or not chat.cache.reads:
        return decision
    question = _question_of(chat, chat.cache.scope or cache.options.namespace)
    if isinstance(question, str):
        return decision
    found = cache.peek(question, chat.cache.max_age_s)
    if isinstance(found, Miss):
        return decision
    is_exact = CacheUse(layer=found.layer).is_exact
    return decision.answered_by(found.entry_id, is_exact=is_exact, similarity=found.similarity)


def patience_s(decision: Decision) -> float:
    """How long others wait for the answer to this decision."""
    return max(_MIN_PATIENCE_S, 2e-3 * decision.predicted_latency_p95_ms)


def decision_with(decision: Decision, visit: Visit) -> Decision:
    """The decision as one that a kept answer carried out."""
    use = visit.use
    similarity = 1.0 if use.similarity is None else use.similarity
    return decision.answered_by(use.entry_id or "", is_exact=use.is_exact, similarity=similarity)


def completion_of(
    kept: KeptAnswer, visit: Visit, decision: Decision, baseline_cost_usd: float, started_s: float
) -> Completion:
    """A kept answer as the completion of a request."""
    elapsed_s = perf_counter() - started_s
    return Completion(
        body=kept.served(decision.decision_id),
        decision=decision_with(decision, visit),
        model=kept.model,
        deployment=kept.deployment,
        provider=kept.provider,
        usage=kept.usage,
        cost_usd=0.0,
        baseline_cost_usd=baseline_cost_usd,
        latency_ms=elapsed_s * 1e3,
        overhead_us=(elapsed_s - visit.waited_s) * 1e6,
        attempts=(),
        cache=visit.use,
    )


def kept_of(answer: Completion) -> KeptAnswer:
    """A completion as an answer to keep."""
    return KeptAnswer(answer.body, answer.deployment, answer.model, answer.provider, answer.usage)


class KeptStream:
    """A kept answer as a stream; stands where an `AnswerStream` stands."""

    def __init__(self, kept: KeptAnswer, decision_id: str, chars_per_s: float | None) -> None:
        self.target = kept
        self.headers: Mapping[str, str] = {}
        self._chunks: Iterator[dict[str, Any]] = kept.replayed(decision_id)
        self._chars_per_s = chars_per_s

    @property
    def usage(self) -> Usage:
        """Tokens the answer took when it was made."""
        return self.target.usage

    async def __anext__(self) -> dict[str, Any]:
        chunk = next(self._chunks, None)
        if chunk is None:
            raise StopAsyncIteration
        # A checkpoint at least, so that a reader of long answers shares the loop.
        await anyio.sleep(_n_chars(chunk) / self._chars_per_s if self._chars_per_s else 0)
        return chunk

    async def aclose(self) -> None:
        """Stop replaying."""
        self._chunks = iter(())


def _n_chars(chunk: Mapping[str, Any]) -> int:
    deltas = [choice.get("delta") or {} for choice in chunk.get("choices") or ()]
    said = [value for delta in deltas for name, value in delta.items() if name != "role"]
    return sum(len(value) for value in said if isinstance(value, str))


class Auditor:
    """Grades a hit by what the model says now; works in the background, and fails nobody."""

    def __init__(
        self,
        cache: AnswerCache,
        answer_afresh: Callable[[ChatRequest, Decision], Awaitable[Completion]],
        ask: Callable[[str, str], Awaitable[str]],
    ) -> None:
        """Make one.

        Args:
            cache: Whose hits are graded.
            answer_afresh: Carries a decision out without the cache.
            ask: What a model says to a text.
        """
        self._cache = cache
        self._answer_afresh = answer_afresh
        self._ask = ask

    def start(self, chat: ChatRequest, decision: Decision, visit: Visit, kept: KeptAnswer) -> None:
        """Call the model too, and grade the hit that was served."""
        hit = visit.hit
        if hit is not None:
            self._cache.background.start(lambda: self._audit(chat, decision, hit, kept.text))

    async def _audit(self, chat: ChatRequest, decision: Decision, hit: RecentHit, kept: str) -> None:
        counts = self._cache.counts
        counts["audits"] += 1
        try:
            fresh = await self._answer_afresh(chat, decision)
        except PointsmanError as error:
            counts["audits_failed"] += 1
            _LOG.info("an audit of the cache failed: %s", error)
            return
        counts["audit_cost_nano_usd"] += round(fresh.cost_usd * 1e9)
        judge = self._judge if self._cache.options.judge else None
        graded = await grade(hit.text, kept, fresh.text, judge)
        if graded is None:
            counts["audits_undecided"] += 1
            return
        counts["audits_right" if graded.is_right else "audits_wrong"] += 1
        self._cache.graded(hit, is_right=graded.is_right, weight=graded.weight, is_audit=True)

    async def _judge(self, question: str, kept: str, fresh: str) -> bool | None:
        model = self._cache.options.judge or ""
        try:
            reply = await self._ask(model, _JUDGE_ASKS.format(question=question, kept=kept, fresh=fresh))
        except PointsmanError as error:
            _LOG.info("the judge of the cache failed: %s", error)
            return None
        word = reply.strip().strip("*\"'.!").casefold()
        return True if word.startswith("yes") else False if word.startswith("no") else None
