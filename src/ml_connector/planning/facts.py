"""What planning is told beside the snapshot, and how a plan stops early."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ml_connector.domain.documents import Excluded, ExcludedCode, Held, HoldCode, Kind, PostedDocument
from ml_connector.domain.policy import OpenPeriods

ReferenceForm = Literal["short", "long"]
Style = Literal["journal", "sales"]


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts outside the store that a plan depends on.

    `posted`: documents that earlier runs posted, reversals included; a document that one of them reverses counts as
    gone, whether it is listed or not. `customer_accounts`: key of a customer (store ID, or the hash of a guest's
    e-mail) to the ERP account that exists for it. `backfilled`: the order was asked for in spite of the cut-over.
    `repost`: base references that an operator wants posted again under the current mapping. `left_out`: why a person
    wants nothing of the order posted; empty: nobody does. `style` and `family`: how the ERP is booked, and which row of
    `families` it is. `kinds`: what the connection can post; None: any document.
    """

    periods: OpenPeriods = OpenPeriods()
    posted: tuple[PostedDocument, ...] = ()
    customer_accounts: Mapping[str, str] = field(default_factory=dict[str, str])
    backfilled: bool = False
    reference_form: ReferenceForm = "short"
    repost: frozenset[str] = frozenset()
    left_out: str = ""
    style: Style = "journal"
    family: str = ""
    kinds: frozenset[Kind] | None = None


class Stop(Exception):
    """Planning ends here with `plan`: a hold or an exclusion."""

    def __init__(self, plan: Held | Excluded) -> None:
        super().__init__(plan.message)
        self.plan = plan


def hold(code: HoldCode, message: str, key: str = "", facts: Mapping[str, str] | None = None) -> Stop:
    return Stop(Held(code=code, message=message, key=key, facts=facts))


def exclude(code: ExcludedCode, message: str) -> Stop:
    return Stop(Excluded(code, message))
