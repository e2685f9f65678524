"""An open sales order is changed in place: new lines, freight and totals, and with them the next name.

The name is the proof: content and reference change in one request, so that a look-up for the new name finds the change
or does not. `If-Match` keeps a request that comes late from overwriting what came after it. Sources: Service Layer
guide, collections in PATCH and ETags; `docs/protocol/business-one.md`.
"""

from typing import Any

from ml_connector.connectors.base import Outgoing, Permit, Refused
from ml_connector.connectors.business_one.batch import Part
from ml_connector.connectors.business_one.checks import facts_of
from ml_connector.connectors.business_one.client import B1Client
from ml_connector.connectors.business_one.master_data import MasterData
from ml_connector.connectors.business_one.settings import B1Settings
from ml_connector.connectors.business_one.stored import rows_in
from ml_connector.connectors.business_one.tables import ORDERS, REFERENCE
from ml_connector.connectors.business_one.wire import Facts, FieldError, entry_of, sales_document
from ml_connector.connectors.errors import Rejected
from ml_connector.connectors.odata import readable
from ml_connector.connectors.odata_values import Row, decimal_of, text_of

REPLACE = {"B1S-ReplaceCollectionsOnPatch": "true"}
_SELECT = ("DocEntry", "DocNum", "CardCode", "DocumentStatus", "Cancelled", REFERENCE, "DocumentLines")


def changes_of(outgoing: Outgoing, settings: B1Settings, facts: Facts) -> dict[str, Any]:
    """What is changed of an open document that this one takes the place of: all that it says but whose it is, its day,
    currency and number. Lines and freight are whole collections, which replace what is there. Raises `FieldError`."""
    whole: dict[str, Any] = {"DocumentAdditionalExpenses": [], "Rounding": "tNO", "RoundingDiffAmount": "0"}
    whole |= sales_document(outgoing, settings, facts)
    return {name: value for name, value in whole.items() if name not in _STAYS}


_STAYS = frozenset(
    {
        *("CardCode", "DocDate", "DocType", "DocCurrency", "DocRate", "Series", "BPL_IDAssignedToInvoice"),
        *("ReserveInvoice", "TaxDate", "DocDueDate"),
    }
)


async def patch_order(client: B1Client, data: MasterData, item: Outgoing, permit: Permit) -> Part | Refused:
    """The answer to the change, or why it is not made: nothing was sent then. Raises as `B1Client.write`, and
    `Rejected` for what cannot be written."""
    document = item.document
    number = item.number_of(document.updates)
    if not number.startswith(f"{ORDERS.set}/"):
        raise Rejected(f"{number or document.updates} is no sales order that stands in Business One", code="field")
    try:
        path = f"{ORDERS.set}({entry_of(number)})"
        body = changes_of(item, client.settings, await facts_of(data, document, None))
    except FieldError as error:
        raise Rejected(str(error), code="field") from error
    row = await client.entity(path, params={"$select": ",".join(_SELECT)})
    if row is None:
        raise Rejected(f"{number} is not there", system="Business One")
    with readable(path, "Business One"):
        if why := _not_open(row, document.updates):
            return why
    etag = text_of(row, "odata.etag") or text_of(row, "@odata.etag")
    headers = REPLACE | ({"If-Match": etag} if etag else {})
    return await client.write(
        "PATCH", path, body=body, permit=permit, references=(document.reference,), headers=headers
    )


def _not_open(row: Row, name: str) -> Refused | None:
    """Goods or an invoice are out, or somebody has taken the order in hand: only a person goes on."""
    number = f"sales order {text_of(row, 'DocNum')}"
    if text_of(row, "Cancelled") == "tYES":
        return Refused(f"{number} was cancelled in Business One", hold="reversed_in_erp")
    if text_of(row, REFERENCE) != name:
        return Refused(f"{number} goes by {text_of(row, REFERENCE)!r} in Business One, not by {name}")
    lines = rows_in(row, "DocumentLines")
    drawn = [line for line in lines if decimal_of(line, "RemainingOpenQuantity") != decimal_of(line, "Quantity")]
    if text_of(row, "DocumentStatus") != "bost_Open" or drawn:
        items = ", ".join(text_of(line, "ItemCode") for line in drawn)
        return Refused(
            f"{number} is {'partly delivered or invoiced (' + items + ')' if drawn else 'closed'} in Business One, and "
            "the order was edited since: change it there, or take the edit back",
            hold="amended_after_invoicing",
        )
    return None
