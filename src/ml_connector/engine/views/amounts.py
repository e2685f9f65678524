"""What an order comes to in the store, as the run that read it last has kept it, and the mapping's names of taxes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_KEPT = text("""
SELECT l.sums, l.currency, (SELECT m.content -> 'taxes' FROM mappings m WHERE m.integration = :integration
                             ORDER BY m.version DESC LIMIT 1) AS taxes
  FROM labels l WHERE l.integration = :integration AND l.flow = 'orders' AND l.key = :key
""")


@dataclass(frozen=True, slots=True)
class Kept:
    """`sums`: kind, name, amount. `codes`: (name, rate) of a tax of the store -> its code in the ERP."""

    currency: str
    sums: Sequence[tuple[str, str, Decimal]]
    codes: Mapping[tuple[str, Decimal], str] = field(default_factory=dict[tuple[str, Decimal], str])


async def of_order(connection: AsyncConnection, integration: int, key: str) -> Kept | None:
    """None: no run has kept them."""
    row = (await connection.execute(_KEPT, {"integration": integration, "key": key})).one_or_none()
    if row is None or not row.sums:
        return None
    taxes: list[Mapping[str, Any]] = row.taxes or []
    codes = {(str(each["name"]), Decimal(str(each["rate"]))): str(each["tax_code"]) for each in reversed(taxes)}
    return Kept(row.currency or "", [(kind, name, Decimal(told)) for kind, name, told in row.sums], codes)
