"""The demo as a person runs it: clean, and red when somebody deletes one document of the ERP behind its back."""

import json
import re
from decimal import Decimal

import pytest

from tests.e2e.demos import Demos

pytestmark = pytest.mark.timeout(1200)
KEYS = {"orders", "documents", "duplicates", "missing", "held", "difference", "differences", "seconds"}


def test_the_demo_ends_clean(demos: Demos) -> None:
    ended = demos.clean
    assert ended.status == 0, ended.words
    figures = json.loads(ended.lines[-1])
    assert figures.keys() >= KEYS
    assert figures["orders"] >= 30
    assert figures["documents"] > figures["orders"]
    assert (figures["duplicates"], figures["missing"], figures["found"]) == (0, 0, [])
    assert isinstance(figures["difference"], str)
    assert Decimal(figures["difference"]) == 0
    assert {"USD", "EUR", "JPY", "KWD"} <= figures["differences"].keys()
    assert all(Decimal(amount) == 0 for amount in figures["differences"].values())
    assert figures["held"] < 5


def test_the_demo_with_business_one_ends_clean(demos: Demos) -> None:
    ended = demos.business_one
    assert ended.status == 0, ended.words
    figures = json.loads(ended.lines[-1])
    assert figures.keys() >= KEYS
    assert figures["orders"] >= 30
    assert figures["documents"] > figures["orders"]
    assert (figures["duplicates"], figures["missing"], figures["found"]) == (0, 0, [])
    assert all(Decimal(amount) == 0 for amount in figures["differences"].values())
    assert figures["held"] < 5
    assert figures["stock_skus"] > 10  # each begins with a wrong figure in the store
    assert figures["stock_mismatches"] == 0, figures["stock"]
    shipped = figures["shipments"]
    assert shipped["deliveries"] > 0
    assert (shipped["shipments"], shipped["wrong"]) == (shipped["deliveries"], {})


def test_the_demo_goes_red_when_a_document_is_deleted(demos: Demos) -> None:
    ended = demos.tampered
    assert ended.status == 1, ended.words
    deleted = re.search(r"Somebody deletes \S+ \(S1-([A-Z]\d+)\S*\) in the ERP", ended.words)
    assert deleted, ended.words
    [found] = [line for line in ended.lines if "no live document for" in line]
    assert deleted[1] in found, found  # what was deleted is what is named
    assert re.search(r" 0 duplicates, 1 missing, .* largest difference (?!0[.0]*,)\S+, ", ended.words), ended.words
    assert "It does NOT tie" in ended.words
