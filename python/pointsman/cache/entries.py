"""Kept answers as whoever keeps the cache sees them: listed, shown, corrected, deleted, counted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pointsman.cache.kept import KeptAnswer
from pointsman.errors import InvalidInput

if TYPE_CHECKING:
    from pointsman._native import Entry
    from pointsman.cache.store import AnswerCache

# Characters of question and answer that a list shows.
_LISTED_CHARS = 200


def list_entries(
    cache: AnswerCache, namespace: str | None, *, after: str | None, limit: int
) -> dict[str, Any]:
    """A page of entries by id, texts clipped.

    Args:
        cache: The cache.
        namespace: Only of this one; `None`: of all.
        after: Only entries whose ids come after this one.
        limit: How many at most.
    """
    found = cache.core.entries(namespace, after=after, limit=limit + 1)
    page = [_record(entry, _LISTED_CHARS) for entry in found[:limit]]
    return {"object": "list", "data": page, "has_more": len(found) > limit}


def show_entry(cache: AnswerCache, entry_id: str) -> dict[str, Any] | None:
    """One entry with its whole answer; `None` if there is none of that id."""
    entry = _entry(cache, entry_id)
    if entry is None:
        return None
    kept = KeptAnswer.unpack(entry.answer)
    return _record(entry, None) | {"body": kept.body if kept else None}


def correct_entry(cache: AnswerCache, entry_id: str, answer: str) -> bool:
    """Put other words in an entry's answer; whether there is such an entry."""
    entry = _entry(cache, entry_id)
    kept = KeptAnswer.unpack(entry.answer) if entry else None
    if kept is None:
        return False
    is_there = cache.core.replace(entry_id, kept.corrected(answer).pack(), now_s=time.time())
    cache.changed()
    return is_there


def delete_entry(cache: AnswerCache, entry_id: str) -> bool:
    """Delete an entry; whether there was one."""
    if _entry(cache, entry_id) is None:
        return False
    was_there = cache.core.delete(entry_id)
    cache.changed()
    return was_there


def clear_entries(cache: AnswerCache, namespace: str | None) -> int:
    """Delete a namespace's entries, or all; how many."""
    n_deleted = cache.core.clear(namespace)
    cache.changed()
    return n_deleted


def count_entries(cache: AnswerCache) -> dict[str, Any]:
    """What is kept, and what became of it since the cache was opened."""
    stats, folder = cache.core.stats(), cache.folder
    names = ("n_entries", "n_partitions", "n_bytes", "max_bytes", "hits", "misses", "n_evicted", "n_expired")
    return {
        **{name: getattr(stats, name) for name in names},
        "n_alarms": stats.n_alarms,
        "target_error": cache.options.target_error,
        "aim": stats.aim,
        "n_dropped_bytes": stats.n_dropped_bytes,
        "n_under_way": len(cache.flights),
        "counts": dict(cache.counts),
        "folder": {"path": str(folder), "is_writable": folder.is_writable} if folder else None,
    }


def _entry(cache: AnswerCache, entry_id: str) -> Entry | None:
    cache.insert_waiting()
    try:
        return cache.core.get(entry_id)
    except InvalidInput:  # not an id at all
        return None


def _record(entry: Entry, n_chars: int | None) -> dict[str, Any]:
    kept = KeptAnswer.unpack(entry.answer)
    return {
        "id": entry.entry_id,
        "object": "cache.entry",
        "namespace": entry.namespace,
        "text": _clipped(entry.text, n_chars),
        "answer": _clipped(kept.text, n_chars) if kept else None,
        "model": kept.model if kept else None,
        "deployment": kept.deployment if kept else None,
        "provider": kept.provider if kept else None,
        "created_s": entry.created_s,
        "expires_s": entry.expires_s,
        "n_hits": entry.n_hits,
        "n_right": entry.n_right,
        "n_wrong": entry.n_wrong,
        "cost_saved_usd": entry.cost_saved_usd,
        "n_bytes": entry.n_bytes,
    }


def _clipped(text: str, n_chars: int | None) -> str:
    return text if n_chars is None or len(text) <= n_chars else text[: n_chars - 1] + "…"
