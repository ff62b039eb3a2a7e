"""Pairs of questions: near twins that need another answer, and paraphrases that do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from templates import Question, Template, load, load_lists

if TYPE_CHECKING:
    from random import Random

CONVERSATION = {"opener", "followup"}
"""Families that make sense only in a conversation: `streams.followups` writes those."""
ENGLISH_SHARE = 0.4
"""Share of English among the pairs; the other languages share the rest. Chosen."""
SAME_FORM = 0.7
"""Share of negatives that differ in nothing but what is changed (minimal pairs). Chosen."""
DRESSED = 0.15
"""Share of paraphrases that keep the wording and change only case, marks or a greeting. Chosen."""
ENDS = "?!.¿¡ \uff1f\uff01\u3002"
"""Marks that a hurried writer leaves out: ASCII, Spanish, full width."""
QUOTES = '"`\u201c\u201e\u00ab'
TRIES = 60
"""Draws without a new pair after which a template counts as used up."""


@dataclass(frozen=True)
class Pair:
    """Two texts, whether one answer serves both, and where they come from."""

    a: str
    b: str
    is_same: bool
    family: str
    language: str
    template: str
    kind: str
    """`twin` (a negative), `para` (reworded) or `norm` (the same words: case, marks, a greeting)."""
    keeps: tuple[tuple[str, ...], ...]
    """The forms of each slot's value: a text of the pair carries one of them (of a negative, `a` does)."""

    def row(self) -> list[object]:
        """The line of `pairs.jsonl`: [a, b, same?, "own", family]."""
        return [self.a, self.b, int(self.is_same), "own", self.family]

    def wide_row(self) -> list[object]:
        """The same with language, template and kind behind."""
        return [*self.row(), self.language, self.template, self.kind]


class Bank:
    """The templates of one half, and how a language greets."""

    def __init__(self, languages: list[str], half: str) -> None:
        self.languages = languages
        self.templates = [
            template
            for language in languages
            for template in load(language)
            if half in ("all", template.half)
        ]
        self._cells: dict[tuple[str, str], list[Template]] = {}
        for template in self.templates:
            self._cells.setdefault((template.family, template.language), []).append(template)
        self._lists = {language: load_lists(language) for language in languages}

    def of(self, family: str, language: str) -> list[Template]:
        """The templates of one family in one language, in file order."""
        return self._cells.get((family, language), [])

    def families(self) -> list[str]:
        """The families that pairs are made of, by name."""
        return sorted({t.family for t in self.templates} - CONVERSATION)

    def dress(self, text: str, language: str, rng: Random) -> str:
        """The same words with another case, without its last mark, greeted or thanked."""
        lists = self._lists[language]
        joint = "" if language == "zh" else " "
        how = rng.randrange(4)
        if how == 0:
            return rng.choice(lists["greeting"])["name"] + joint + text
        if how == 1:
            return text + joint + rng.choice(lists["thanks"])["name"]
        bare = text.rstrip(ENDS).lstrip(ENDS)
        if how == 2 or any(mark in text for mark in QUOTES):
            return bare
        return bare.lower()


def draw(template: Template, rng: Random) -> Question:
    """A question of `template` with values drawn evenly; swapped slots differ."""
    filling = [rng.randrange(len(slot.values)) for slot in template.slots]
    if template.swapped:
        first, second = map(template.index, template.swapped)
        filling[second] = _other(filling[first], len(template.slots[second].values), rng)
    return Question(template, rng.randrange(len(template.senses)), tuple(filling))


def twin(question: Question, rng: Random) -> Question:
    """The question's near twin that needs another answer: another sense, swapped or other values."""
    template, filling = question.template, list(question.filling)
    if len(template.senses) > 1:
        return Question(template, _other(question.sense, len(template.senses), rng), question.filling)
    if template.swapped:
        first, second = map(template.index, template.swapped)
        filling[first], filling[second] = filling[second], filling[first]
        return Question(template, question.sense, tuple(filling))
    varied = [index for index, slot in enumerate(template.slots) if slot.is_varied]
    for index in rng.sample(varied, rng.randint(1, len(varied))):
        filling[index] = _other(filling[index], len(template.slots[index].values), rng)
    return Question(template, question.sense, tuple(filling))


def _other(number: int, n: int, rng: Random) -> int:
    """A number below `n` that is not `number`."""
    return (number + rng.randrange(1, n)) % n


def negative(template: Template, rng: Random) -> Pair:
    """Two questions that differ in what the family is about."""
    one = draw(template, rng)
    two = twin(one, rng)
    form = rng.randrange(one.n_forms)
    other = form if rng.random() < SAME_FORM else rng.randrange(two.n_forms)
    return _pair(one.text(form), two.text(other), "twin", one)


def paraphrase(template: Template, bank: Bank, rng: Random) -> Pair:
    """One question in two wordings."""
    question = draw(template, rng)
    if rng.random() < DRESSED:
        text = question.text(rng.randrange(question.n_forms))
        return _pair(text, bank.dress(text, template.language, rng), "norm", question)
    one, two = rng.sample(range(question.n_forms), 2)
    return _pair(question.text(one), question.text(two), "para", question)


def _pair(a: str, b: str, kind: str, question: Question) -> Pair:
    template = question.template
    keeps = tuple(tuple(value.values()) for value in question.values.values())
    return Pair(a, b, kind != "twin", template.family, template.language, template.name, kind, keeps)


def make_pairs(bank: Bank, n: int, rng: Random) -> list[Pair]:
    """About `n` pairs, evenly over families and both labels, in random order, none twice.

    A family whose templates run out of new pairs gives fewer.
    """
    families = bank.families()
    pairs: list[Pair] = []
    seen: set[frozenset[str]] = set()
    for family in families:
        for language, n_each in _quotas(bank, family, n / len(families) / 2).items():
            templates = bank.of(family, language)
            positives = _collect(n_each, templates, seen, lambda t: paraphrase(t, bank, rng))
            negatives = _collect(len(positives), templates, seen, lambda t: negative(t, rng))
            pairs += positives + negatives
    rng.shuffle(pairs)
    return pairs


def _quotas(bank: Bank, family: str, n_label: float) -> dict[str, int]:
    present = [language for language in bank.languages if bank.of(family, language)]
    others = [language for language in present if language != "en"]
    shares = {language: (1 - ENGLISH_SHARE) / len(others) for language in others}
    if "en" in present:
        shares["en"] = ENGLISH_SHARE if others else 1.0
    total = sum(shares.values())
    return {language: round(n_label * shares[language] / total) for language in present}


def _collect(n: int, templates: list[Template], seen: set[frozenset[str]], make) -> list[Pair]:
    """Up to `n` new pairs, the templates taking turns until each is used up."""
    pairs: list[Pair] = []
    waiting = list(templates)
    while waiting and len(pairs) < n:
        template = waiting.pop(0)
        for _ in range(TRIES):
            pair = make(template)
            key = frozenset((pair.a, pair.b))
            if len(key) == 2 and key not in seen:
                seen.add(key)
                pairs.append(pair)
                waiting.append(template)
                break
    return pairs
