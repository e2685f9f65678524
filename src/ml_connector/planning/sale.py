"""What the sale put in the books, part by part: the ground that refunds give back."""

from dataclasses import dataclass
from decimal import Decimal

from ml_connector.domain.documents import Dimension, Document, Itemised, Role
from ml_connector.domain.money import ZERO
from ml_connector.planning.work import Work


@dataclass(frozen=True, slots=True)
class SoldPart:
    """`amount`: credit positive, in whole minor units. `itemised`: how a sales document sold it."""

    key: str
    role: Role
    account: str
    tax_code: str
    dimension: Dimension
    text: str
    amount: Decimal
    itemised: Itemised | None = None


@dataclass(frozen=True, slots=True)
class Sale:
    """`taxes`: tax code to (account, amount)."""

    parts: tuple[SoldPart, ...]
    taxes: dict[str, tuple[str, Decimal]]

    def of(self, *keys: str) -> tuple[SoldPart, ...]:
        """The parts of one source thing: a key itself and everything below it."""
        return tuple(part for part in self.parts if any(f"{part.key}/".startswith(f"{key}/") for key in keys))


def sale_of(work: Work, order: Document, adjusted: bool) -> Sale:
    """The sale as `order` posted it. Where that cannot be read from the document (it was adjusted since, or it was
    not written here), the sale as the order is now."""
    posted = tuple(
        SoldPart(
            part.key, line.role, line.account, line.tax_code, line.dimension, line.text, -part.amount, line.itemised
        )
        for line in order.lines
        for part in line.parts
    )
    if posted and not adjusted:
        taxes: dict[str, tuple[str, Decimal]] = {}
        for line in order.lines:
            if line.role is Role.TAX_PAYABLE:
                _, before = taxes.get(line.tax_code, ("", ZERO))
                taxes[line.tax_code] = (line.account, before - line.signed)
        return Sale(posted, taxes)
    now = work.decomposition
    return Sale(
        tuple(
            SoldPart(part.key, part.role, part.account, part.tax_code, part.dimension, part.text, part.amount)
            for part in now.parts
        ),
        {tax.tax_code: (tax.account, tax.amount) for tax in now.taxes},
    )
