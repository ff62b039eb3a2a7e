"""A very long text beyond ASCII is read in excerpts: what that changes, and what it may not."""

from __future__ import annotations

import pytest

from pointsman._native import Catalog, Core, InvalidInput
from pointsman.types import Constraints

from .conftest import NOW_S, ask, catalog_document, catalog_of

PROSE = "Die Wärmepumpe läuft seit März, doch die Rechnung wächst; der Vermieter schweigt. "
CODE = "def größe(x: int) -> int:\n    return sum(i * x for i in range(10))  # Σ\n"
QUESTION = "\nWrite a Python function that adds the figures above, with tests."
WHOLE = Constraints(session_id="every byte is read")


@pytest.fixture(scope="module")
def roomy() -> Core:
    document = catalog_document()
    for model in document["models"]:
        model["context_window"] = 10_000_000
    catalog: Catalog = catalog_of(document)
    return Core(catalog)


@pytest.mark.parametrize(
    "text",
    [PROSE * 12_000, "語" * 400_000, PROSE * 6_000 + CODE * 7_000, "ä" + "plain words " * 30_000],
    ids=["prose", "one run of ideographs", "half of it code", "hardly any beyond ASCII"],
)
def test_tokens_and_task_are_those_of_the_whole_text(roomy: Core, text: str) -> None:
    excerpt = roomy.decide(ask(text + QUESTION), now_s=NOW_S, seed=1)
    whole = roomy.decide(ask(text + QUESTION, constraints=WHOLE), now_s=NOW_S, seed=1)
    assert excerpt.n_input_tokens == pytest.approx(whole.n_input_tokens, rel=0.15)
    for axis in ("complexity", "domain", "structure", "latency_class", "deployment"):
        assert getattr(excerpt, axis) == getattr(whole, axis)


def test_texts_of_other_lengths_are_other_requests(roomy: Core) -> None:
    ids = {roomy.decide(ask("語" * n), now_s=NOW_S, seed=1).decision_id for n in (300_000, 300_008, 400_000)}
    assert len(ids) == 3


def test_a_lone_surrogate_at_either_end_is_refused(roomy: Core) -> None:
    for text in ("\ud800" + "語" * 200_000, "語" * 200_000 + "\ud800"):
        with pytest.raises(InvalidInput, match=r"messages\[0\].content is text that is not valid Unicode"):
            roomy.decide(ask(text), now_s=NOW_S, seed=1)
