"""Folds of the corpus: what a fit says of a fold's rows is new to it, as of requests to come."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from layout import Array, Request

# Texts that begin with so many equal characters are one matter; shorter than `MIN_CHARS`, they are a matter of their own.
N_BEGINNING = 40
MIN_CHARS = 25


def beginnings(request: Request) -> set[str]:
    """Beginnings of the texts of a request, and of the prompt that it was made from; never none."""
    said = [str(m["content"]).strip() for m in request["messages"] if m["role"] != "assistant"]
    texts = {text[:N_BEGINNING] for text in [*said, str(request.get("source", ""))] if len(text) >= MIN_CHARS}
    return texts or {"\n".join(said)}


def leaders(rows: list[set[str]]) -> dict[str, str]:
    """A name for each beginning; those that a chain of rows connects have the same."""
    leader: dict[str, str] = {}

    def find(beginning: str) -> str:
        while leader[beginning] != beginning:
            beginning = leader[beginning]
        return beginning

    for row in rows:
        for beginning in row:
            leader.setdefault(beginning, beginning)
        first, *others = sorted({find(beginning) for beginning in row})
        for other in others:
            leader[other] = first
    return {beginning: find(beginning) for beginning in leader}


def touched(requests: list[Request], n: int, seed: int) -> Array:
    """Whether each row shares a matter with each fold, bool [rows, n].

    Written rows are of one fold. Others share the matter of the written rows they were made from, of several folds
    perhaps or of none; they must teach none of those folds.
    """
    rows = [beginnings(request) for request in requests]
    leader = leaders([row for row, r in zip(rows, requests, strict=True) if r["origin"] == "written"])
    shared = np.zeros((len(requests), n), dtype=bool)
    for index, row in enumerate(rows):
        for beginning in row & leader.keys():
            digest = hashlib.sha256(f"{seed}:{leader[beginning]}".encode()).digest()
            shared[index, int.from_bytes(digest[:4], "big") % n] = True
    return shared
