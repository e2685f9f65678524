"""Every fuzz target over its seeds, over what was found in the past, and over some hundred changed inputs.

The long version is `make fuzz`.
"""

import random

import pytest
from fuzz.mutation import Raw, dumps, flipped, loads, mutated
from fuzz.target import FINDINGS, SEEDS, Target, signature
from fuzz.targets import TARGETS
from hypothesis import given, settings
from hypothesis import strategies as st

EXAMPLES = 40
NAMES = sorted(TARGETS)


@pytest.mark.parametrize("name", NAMES)
def test_seeds_and_findings_raise_nothing_but_our_own_errors(name: str) -> None:
    target = TARGETS[name]
    inputs = list(target.inputs())
    assert len(inputs) >= 5
    for path in inputs:
        try:
            target.try_one(path.read_bytes())
        except Exception as error:
            raise AssertionError(f"{path.name}: {signature(error)}") from error


@pytest.mark.parametrize("name", NAMES)
def test_hostile_changes_raise_nothing_but_our_own_errors(name: str) -> None:
    target = TARGETS[name]
    pool = [path.read_bytes() for path in target.inputs()]

    @settings(max_examples=EXAMPLES, database=None)
    @given(seed=st.integers(0, 2**32), steps=st.integers(1, 4))
    def check(seed: int, steps: int) -> None:
        rng = random.Random(seed)
        data = rng.choice(pool)
        for _ in range(steps):
            data = mutated(target.form, data, rng, target.largest, flipped(rng))
        target.try_one(data)

    check()


def test_every_folder_of_inputs_belongs_to_a_target() -> None:
    folders = {path.name for top in (SEEDS, FINDINGS) if top.is_dir() for path in top.iterdir()}
    assert folders <= set(NAMES)


def test_a_planted_defect_is_found() -> None:
    """The mutations reach a wrong type and a missing field of a well-formed document, which flipped bytes seldom do."""

    def fragile(data: bytes) -> None:
        told = loads(data)
        if isinstance(told, dict) and told.get("ok") == "yes":
            int(told["id"])

    target = Target("planted", "", "json", fragile, (ValueError,))
    found: set[str] = set()
    rng = random.Random(7)
    for _ in range(500):
        data = mutated("json", b'{"ok": "yes", "id": 1}', rng, 1000, flipped(rng))
        try:
            target.try_one(data)
        except Exception as error:  # noqa: BLE001 - whatever it is
            found.add(type(error).__name__)
    assert {"KeyError", "TypeError"} <= found


DOCUMENTS = st.recursive(st.none() | st.booleans() | st.text() | st.just(Raw("1e999")), st.lists, max_leaves=8)


@given(DOCUMENTS)
@settings(max_examples=50, database=None)
def test_documents_survive_being_read_and_written(value: object) -> None:
    assert loads(dumps(value)) == value
