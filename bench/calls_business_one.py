"""The least calls that Business One's Service Layer allows for exactly these orders. `docs/performance.md` derives it.

A look-up asks one entity set: each kind of document has its own, and documents that wait for an approval lie among the
drafts. A filter takes forty conditions: a reference is two (itself, and its generations), a customer three.
"""

import math
from collections import Counter

from bench.shape import Shape, store_reads_catching_up, store_reads_one_by_one

REFERENCES_PER_CALL = 20
CUSTOMERS_PER_CALL = 13
DRAFTED = ("sales_invoice", "credit_memo", "delivery", "sales_order")
"""Kinds whose drafts lie in one set. Of payments the stand-in's version has no drafts: it is asked once."""


def least_catching_up(shape: Shape) -> dict[str, float]:
    """Calls in all. A document and a customer are a post each."""
    kinds: Counter[str] = Counter()
    for plan in shape.plans:
        kinds.update(plan)
    drafted = sum(kinds[kind] for kind in DRAFTED)
    asked = [*kinds.values(), drafted]
    return {
        "store reads": store_reads_catching_up(shape),
        "ERP look-ups": sum(math.ceil(count / REFERENCES_PER_CALL) for count in asked)
        + math.ceil(shape.customers / CUSTOMERS_PER_CALL),
        "ERP posts": shape.entries + shape.customers,
        "write-back": shape.orders,
    }


def least_one_by_one(shape: Shape) -> dict[str, float]:
    """Calls in all. Each order asks every set of its own kinds, and the drafts; each new customer is looked up."""
    sets = sum(len(plan) + any(kind in DRAFTED for kind in plan) for plan in shape.plans)
    return {
        "store reads": store_reads_one_by_one(shape),
        "ERP look-ups": sets + shape.customers,
        "ERP posts": shape.entries + shape.customers,
        "write-back": shape.orders,
    }
