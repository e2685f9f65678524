"""All mutants, in the order of the page."""

from tests.mutations import rules_postings, rules_records, rules_time
from tests.mutations.mutants import Mutant

MUTANTS: tuple[Mutant, ...] = (
    *rules_time.TIME,
    *rules_time.WRITES_ONCE,
    *rules_records.RULES,
    *rules_postings.RULES,
)
