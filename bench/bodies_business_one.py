"""Bodies for the bare loop as Business One was sent them, taken from the audit.

Where one names the key of a document of this recording, or a partner that it made, the call waits for that, and the key
is put in when it is known: in another run the ERP gives another.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bench.bare_loop import NOTHING, Bodies, Body
from bench.recording import Made

APPLIED = {"it_Invoice": "Invoices", "it_CredItnote": "CreditNotes"}
BASED = {13: "Invoices", 14: "CreditNotes", 15: "DeliveryNotes", 17: "Orders"}


def business_one_body(call: Made, numbers: Mapping[str, str | None]) -> Body:
    """`numbers`: what the ERP called each document in the recording, by reference."""
    if not call.body:
        return NOTHING
    if call.side == "store":
        return Body(call.body.encode())
    body: Any = json.loads(call.body)
    made = {number for number in numbers.values() if number}
    needs: set[str] = set()

    def named(owner: dict[str, Any], field: str, kind: str | None) -> None:
        name = f"{kind}/{owner.get(field)}"
        if name in made:
            owner[field] = f"@{name}@"
            needs.add(name)

    for row in body.get("PaymentInvoices", ()):
        named(row, "DocEntry", APPLIED.get(row.get("InvoiceType", "")))
    for row in (*body.get("DocumentLines", ()), *body.get("DocumentAdditionalExpenses", ())):
        named(row, "BaseEntry" if "BaseEntry" in row else "BaseDocEntry", BASED.get(_type(row)))
    makes = numbers.get(call.references[0]) or "" if call.references else ""
    if call.target.endswith("/BusinessPartners"):
        makes = f"partner {body['CardCode']}"
    elif (partner := body.get("CardCode")) in numbers:
        needs.add(f"partner {partner}")
    return Body(json.dumps(body).encode(), tuple(sorted(needs)), makes)


def in_order(bodies: Mapping[int, Body], calls: Mapping[int, Made], orders: Mapping[str, str]) -> Bodies:
    """The documents of an order one after the other, as the worker sends them: a credit memo that comes before the
    payment of its invoice takes the invoice's place, and its own payment is refused. `orders`: by reference."""
    last: dict[str, str] = {}
    found: dict[int, Body] = {}
    for place, body in sorted(bodies.items()):
        call = calls[place]
        order = orders.get(call.references[0]) if call.references else None
        found[place] = body
        if order is not None and (before := last.get(order)) is not None:
            found[place] = replace(body, needs=tuple(sorted({*body.needs, before})))
        if order is not None and body.makes and call.status < 400:
            last[order] = body.makes
    return found


def _type(row: Mapping[str, Any]) -> int:
    return int(row.get("BaseType") or row.get("BaseDocType") or 0)
