"""Makes the scripts of `benches/cache_adversarial` importable, for the tests here only."""

import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benches" / "cache_adversarial"


@pytest.fixture(scope="package", autouse=True)
def _scripts_are_importable():
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))
