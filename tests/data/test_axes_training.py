"""What the trainer of the task classifier promises: folds that share no matter, and a file that says what it fitted."""

import sys
from pathlib import Path

import numpy as np
import pytest

TOOLS = Path(__file__).parents[2] / "tools/axes"


@pytest.fixture(autouse=True)
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    yield
    for name in ("folds", "layout", "refine"):
        sys.modules.pop(name, None)


def row(text: str, origin: str = "written", **more) -> dict:
    return {"messages": [{"role": "user", "content": text}], "origin": origin, **more}


def test_rows_of_one_matter_are_in_one_fold_and_teach_no_other() -> None:
    import folds

    long = "A lease of ten years that nobody signed, and a tenant who {}"
    rows = [row(f"question {i} of a kind that nobody else asks") for i in range(40)]
    twins = [row(long.format("left")), row(long.format("stayed"))]
    made = [row("ok", "wrapped", source=long.format("left")), row("of no matter", "words")]
    shared = folds.touched([*rows, *twins, *made], n=4, seed=1)
    assert (shared[:42].sum(axis=1) == 1).all()
    assert shared[:40].any(axis=0).all()
    assert (shared[40] == shared[41]).all()
    assert (shared[40] == shared[42]).all()
    assert not shared[43].any()


def test_the_file_of_the_network_says_what_the_network_says() -> None:
    import layout
    import refine

    dice = np.random.default_rng(3)
    dense = dice.normal(2, 3, (200, 30 + layout.N_EMBEDDED)).astype(np.float32)
    logits = dice.normal(0, 2, (200, layout.N_LOGITS)).astype(np.float32)
    labels = np.stack([dice.integers(0, len(c), 200) for c in layout.AXES.values()], axis=1)
    measures = refine.Range.of(dense)
    inputs = measures.inputs(dense, logits)
    network = refine.fit(inputs, logits, labels, np.ones(200), seed=1)
    temperatures = np.array([1.0, 2.0, 0.5, 1.5])
    numbers = np.frombuffer(network.to_bytes(measures, temperatures), dtype="<f4").astype(np.float64)
    shapes = [(30,), (30,), (30 + 34, 64), (64,), (17,), (64, 17), (17,)]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    assert ends[-1] == len(numbers)
    parts = [p.reshape(s) for p, s in zip(np.split(numbers, ends[:-1]), shapes, strict=True)]
    least, greatest, hidden, hidden_bias, share, output, bias = parts
    seen = np.hstack([np.clip(dense[:, :30], least, greatest), logits, layout.softmax(logits)])
    said = logits * share + np.maximum(seen @ hidden + hidden_bias, 0) @ output + bias
    per_logit = np.repeat(temperatures, [len(c) for c in layout.AXES.values()])
    assert np.allclose(said, network.say(inputs, logits) / per_logit, atol=1e-3)
