"""One request's dealings with the cache: look, wait for who asks the same, keep the answer."""

from __future__ import annotations

from functools import cache as once
from time import perf_counter
from typing import TYPE_CHECKING, Any

from pointsman._native import Miss
from pointsman.cache.background import running_loop
from pointsman.cache.grading import compare_alike
from pointsman.cache.kept import KeptAnswer
from pointsman.cache.replay import is_whole
from pointsman.cache.single_flight import Lead
from pointsman.cache.store import RecentHit
from pointsman.types import CacheUse

if TYPE_CHECKING:
    from collections.abc import Hashable

    from pointsman._native import Hit
    from pointsman.cache.identity import Question
    from pointsman.cache.store import AnswerCache


class Visit:
    """`find` first; if that gives nothing, call the model, then `keep` what it said, or `leave`.

    Attributes:
        use: What the cache did, once `find` is done.
        hit: The entry that served.
        similar: The nearest entry that was not sure enough to serve; what the model says now can teach.
        waited_s: Seconds spent waiting for another request's call.
        wants_audit: Whether the model should be called as well, to grade the hit.
    """

    __slots__ = (
        "_cache",
        "_decision_id",
        "_lead",
        "_max_age_s",
        "_namespace",
        "_question",
        "_reads",
        "_writes",
        "hit",
        "similar",
        "use",
        "waited_s",
        "wants_audit",
    )

    def __init__(
        self,
        cache: AnswerCache,
        question: Question | str,
        decision_id: str,
        *,
        reads: bool,
        writes: bool,
        max_age_s: float | None,
        namespace: str,
    ) -> None:
        self._cache = cache
        self._question = question
        self._decision_id = decision_id
        self._reads = reads
        self._writes = writes
        self._max_age_s = max_age_s
        self._namespace = namespace
        self._lead: Lead[tuple[str | None, bytes]] | None = None
        self.similar: RecentHit | None = None
        self.hit: RecentHit | None = None
        self.use = _NOT_YET
        self.waited_s = 0.0
        self.wants_audit = False

    async def find(self, patience_s: float) -> KeptAnswer | None:
        """A kept answer that serves, or one that another request is about to get; `None`: call the model.

        Args:
            patience_s: If this request leads: seconds after which another one stops waiting for it.
        """
        question = self._question
        if isinstance(question, str):
            self.use = _miss(question)
            return None
        # Who does not read must know all the same whether the text may be kept at all.
        found = self._cache.look_up(question, self._max_age_s if self._reads else 0.0)
        if not self._reads:
            self._writes = self._writes and not _is_unservable(found)
            self.use = _miss("write_only")
            return None
        if not isinstance(found, Miss):
            if (kept := self._served(question, found)) is not None:
                return kept
        elif found.reason == "unservable":
            self._writes = False
            self.use = _miss("unservable")
            return None
        else:
            self._note_similar(question, found)
            self.use = _miss(found.reason)
        key = (running_loop(), question)
        self._lead = self._cache.flights.lead(key, patience_s=patience_s)
        return None if self._lead is not None else await self._join(key, question, patience_s)

    async def _join(self, key: Hashable, question: Question, patience_s: float) -> KeptAnswer | None:
        joined_s = perf_counter()
        seat = await self._cache.flights.join(key, patience_s=patience_s)
        self.waited_s = perf_counter() - joined_s
        if isinstance(seat, Lead):
            self._lead = seat
            return None
        entry_id, packed = seat
        self.use = CacheUse(layer="flight", similarity=1.0, entry_id=entry_id, age_s=0.0, p_correct=1.0)
        if entry_id is not None:
            self._remember(RecentHit(entry_id, question.text, 1.0))
        return KeptAnswer.unpack(packed)

    def keep(self, answer: KeptAnswer, cost_usd: float) -> None:
        """Keep a model's answer if it is whole, and give it to those who wait for it."""
        lead, self._lead = self._lead, None
        question = self._question
        if isinstance(question, str) or not is_whole(
            answer.body, with_tool_calls=self._cache.options.tool_calls
        ):
            if lead is not None:
                lead.decline()
            return
        packed = answer.pack()

        def insert() -> None:
            entry_id = None
            self._learn(answer.text)
            if self._writes:
                entry_id = self._cache.insert(question, packed, self._namespace, cost_usd)
            if lead is not None:
                lead.land((entry_id, packed))

        if lead is not None and lead.n_waiting:
            insert()
        else:
            self._cache.insert_soon(insert)

    @property
    def chars_per_s(self) -> float | None:
        """Pace of a replayed stream, characters a second; `None`: as fast as it is read."""
        return self._cache.options.replay_chars_per_s

    def leave(self) -> None:
        """There is no answer; does nothing after `keep`."""
        lead, self._lead = self._lead, None
        if lead is not None:
            lead.fail()

    def _learn(self, fresh: str) -> None:
        """Learn what serving the nearest entry would have been, where comparing can tell."""
        if (similar := self.similar) is None or (entry := self._cache.core.get(similar.entry_id)) is None:
            return
        kept = KeptAnswer.unpack(entry.answer)
        graded = compare_alike(kept.text, fresh) if kept is not None else None
        if graded is not None:
            self._cache.graded(similar, is_right=graded.is_right, weight=graded.weight)

    def _served(self, question: Question, hit: Hit) -> KeptAnswer | None:
        kept = KeptAnswer.unpack(hit.answer)
        if kept is None:  # not written by us
            self._cache.core.delete(hit.entry_id)
            self.use = _miss("unreadable")
            return None
        self.use = CacheUse(
            layer=hit.layer,
            similarity=hit.similarity,
            entry_id=hit.entry_id,
            age_s=hit.age_s,
            p_correct=hit.p_correct,
        )
        self.wants_audit = hit.wants_audit
        self._remember(RecentHit(hit.entry_id, question.text, hit.similarity))
        return kept

    def _remember(self, hit: RecentHit) -> None:
        self.hit = hit
        self._cache.served(self._decision_id, hit)

    def _note_similar(self, question: Question, miss: Miss) -> None:
        if miss.reason == "below_bound" and miss.entry_id is not None and miss.similarity is not None:
            self.similar = RecentHit(miss.entry_id, question.text, miss.similarity)


# Not hits, so that all requests can share them.
_NOT_YET = CacheUse()


@once
def _miss(reason: str) -> CacheUse:
    return CacheUse(reason=reason)


def _is_unservable(found: Any) -> bool:
    return isinstance(found, Miss) and found.reason == "unservable"
