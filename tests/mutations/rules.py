"""All mutants, in the order of the page; then those of what stands beside it."""

from tests.mutations import rules_beside, rules_postings, rules_records, rules_time
from tests.mutations.mutants import Mutant

OF_THE_PAGE: tuple[Mutant, ...] = (
    *rules_time.TIME,
    *rules_time.WRITES_ONCE,
    *rules_records.RULES,
    *rules_postings.RULES,
)
MUTANTS: tuple[Mutant, ...] = (*OF_THE_PAGE, *rules_beside.RULES)
