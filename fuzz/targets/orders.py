"""An order as the store sends it, to the documents that would be posted for it: planned, held, excluded or refused."""

import itertools
import json
import re
from typing import Any

from multidict import CIMultiDict, CIMultiDictProxy
from tests.planning.store import CREATED, a_mapping, a_policy

from fuzz.target import NotUsable, Target
from ml_connector.connectors.base import Outgoing, Settings
from ml_connector.connectors.bigcommerce.wire import WireError, customer_from, snapshot_from
from ml_connector.connectors.http_answer import Response
from ml_connector.connectors.s4hana.settings import read_settings
from ml_connector.connectors.s4hana.wire import request_body
from ml_connector.connectors.soap import FieldError
from ml_connector.domain.codec import document_from_json, document_to_json
from ml_connector.domain.documents import ITEMISED, Documents, Held, Kind, plan_digest
from ml_connector.domain.mapping import Unmapped
from ml_connector.domain.money import decimals, round_half_up
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.engine.database import dump_json
from ml_connector.planning import Facts, plan_customer, plan_order
from ml_connector.planning.render import render_plan

EMPTY: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
MAPPING = a_mapping(items_match="sku", items={"": "MISC"})
JOURNAL = Facts()
SALES = Facts(style="sales", family="business_one", reference_form="long")
POLICIES = (
    a_policy(rounding__tolerance_minor=20),
    a_policy(posting__lines="per_line", posting__settlement="one_step", discounts__presentation="net"),
    a_policy(posting__trigger="shipment", amendment="adjust"),
    a_policy(posting__trigger="placement", posting__zero_total="post", sales__document="order", sales__tax="store"),
)
S4 = read_settings(
    Settings("ledger", "https://s4.example", {"company_code": "1710", "created_by_user": "BC"}, {"client_id": "c"})
)


def run(data: bytes) -> None:
    try:
        parts: Any = Response(200, EMPTY, data).json()
    except ValueError as error:
        raise NotUsable from error
    if not isinstance(parts, dict):
        raise NotUsable
    if "customer_only" in parts:
        customer = customer_from(parts["customer_only"], "VAT")
        plan_customer(customer, MAPPING, POLICIES[0], Facts())
        return
    snapshot = snapshot_from(parts)
    for policy, facts in itertools.product(POLICIES, (JOURNAL, SALES)):
        plan = plan_order(snapshot, MAPPING, policy, facts)
        plan_digest(plan)
        render_plan(plan, why=True)
        if isinstance(plan, Documents):
            _check(plan, snapshot)
            if facts is JOURNAL:
                _write(plan)
        else:
            assert plan.message
            dump_json({"message": plan.message, "key": plan.key if isinstance(plan, Held) else ""})


def _check(plan: Documents, snapshot: OrderSnapshot) -> None:
    names = [document.reference for document in plan.documents]
    assert len(names) == len(set(names))
    for document in plan.documents:
        assert document.kind in ITEMISED or document.balance == 0, document.reference
        assert len(document.reference) <= (34 if document.reference.startswith("BC-") else 16)
        assert re.fullmatch(r"[A-Z0-9-]+", document.reference), document.reference
        kept = dump_json(document_to_json(document))
        kept.encode()  # PostgreSQL takes neither halves of surrogate pairs nor NUL
        assert "\\u0000" not in kept
        assert document_from_json(json.loads(kept)) == document
        assert len(document.fingerprint) == 64
        if document.kind is not Kind.CREDIT_MEMO and document.kind in ITEMISED:
            assert document.total == round_half_up(snapshot.order.total.inc_tax, document.currency)
        for line in document.lines:
            assert line.amount > 0 or (line.amount == 0 and line.itemised and line.itemised.quantity)
            assert line.amount.is_finite()
            assert -int(line.amount.as_tuple().exponent) == decimals(snapshot.order.currency)


def _write(plan: Documents) -> None:
    journal = [document for document in plan.documents if document.kind is not Kind.CUSTOMER]
    for document in journal:
        try:
            request_body([Outgoing(document)], S4, CREATED)
        except (FieldError, Unmapped):
            continue


TARGET = Target("orders", "orders and customers of the store, planned", "json", run, (WireError,))
