"""Requests in order: a stream with repeats, and second turns of conversations."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from pairs import CONVERSATION, Bank, draw, twin
from templates import Question, Template

if TYPE_CHECKING:
    from random import Random

REPEATS = (("exact", 0.6), ("norm", 0.15), ("para", 0.25))
"""How a repeat looks: the same text, its surface changed, another wording. As in the stream we develop on."""
TWINS = 0.3
"""Share of the new questions that are the near twin of an earlier one. Chosen."""
SKEW = 3
"""Power of a uniform draw that picks which earlier question repeats: old ones repeat most. Chosen."""


@dataclass(frozen=True)
class Request:
    """One request of a stream; equal `answer` means that one answer serves both."""

    text: str
    answer: int
    kind: str
    language: str

    def row(self) -> list[object]:
        """The line of `stream.jsonl`: [text, class, kind]."""
        return [self.text, self.answer, self.kind]


@dataclass(frozen=True)
class Turn:
    """A conversation's first turn and its second, with the identity of what came before."""

    conversation: str
    text: str
    identity: str
    answer: int

    def row(self) -> list[object]:
        """The line of `followups.jsonl`: [conversation, text, identity, class]."""
        return [self.conversation, self.text, self.identity, self.answer]


def make_stream(bank: Bank, n: int, repeats: float, rng: Random) -> list[Request]:
    """`n` requests, of which the share `repeats` asks again what was asked before.

    New questions stop when the templates give no more: the stream then ends early.
    """
    templates = [t for t in bank.templates if t.family not in CONVERSATION]
    asked: list[tuple[Question, str]] = []
    numbers: dict[Question, int] = {}
    texts: set[str] = set()
    stream: list[Request] = []
    while len(stream) < n:
        if asked and rng.random() < repeats:
            stream.append(_repeat(bank, asked, numbers, rng))
            texts.add(stream[-1].text)
            continue
        found = _unasked(templates, asked, numbers, texts, rng)
        if found is None:
            break
        question, text = found
        numbers[question] = len(numbers)
        asked.append(found)
        texts.add(text)
        stream.append(Request(text, numbers[question], "new", question.template.language))
    return stream


def _unasked(templates, asked, numbers, texts, rng: Random) -> tuple[Question, str] | None:
    for _ in range(200):
        if asked and rng.random() < TWINS:
            question = twin(rng.choice(asked)[0], rng)
        else:
            question = draw(rng.choice(templates), rng)
        text = question.text(rng.randrange(question.n_forms))
        if question not in numbers and text not in texts:
            return question, text
    return None


def _repeat(bank: Bank, asked, numbers, rng: Random) -> Request:
    question, text = asked[int(len(asked) * rng.random() ** SKEW)]
    kind = rng.choices([name for name, _ in REPEATS], [share for _, share in REPEATS])[0]
    language = question.template.language
    if kind == "norm":
        text = bank.dress(text, language, rng)
    elif kind == "para":
        text = rng.choice([t for t in map(question.text, range(question.n_forms)) if t != text])
    return Request(text, numbers[question], kind, language)


def make_followups(bank: Bank, n: int, rng: Random) -> list[Turn]:
    """Up to `n` second turns: the same few follow-ups under many conversations, none twice."""
    numbers: dict[tuple[Question, Question], int] = {}
    turns = []
    for language in bank.languages:
        openers, seconds = (_every(bank.of(family, language)) for family in ("opener", "followup"))
        for (opener, conversation), (second, text) in product(openers, seconds):
            number = numbers.setdefault((opener, second), len(numbers))
            identity = hashlib.blake2b(conversation.encode(), digest_size=8).hexdigest()
            turns.append(Turn(conversation, text, identity, number))
    return rng.sample(turns, min(n, len(turns)))


def _every(templates: list[Template]) -> list[tuple[Question, str]]:
    """Every question of the templates in every wording."""
    return [
        (question, question.text(form))
        for template in templates
        for filling in product(*(range(len(slot.values)) for slot in template.slots))
        for question in [Question(template, 0, filling)]
        for form in range(question.n_forms)
    ]
