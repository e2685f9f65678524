"""State that can be counted from outside, and the deeds of a person at the ERP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aiohttp import web

from ml_connector.sandbox.business_one import cancelling
from ml_connector.sandbox.business_one.access import USER, Session
from ml_connector.sandbox.business_one.company import Asked, number
from ml_connector.sandbox.business_one.control_erp import REFERENCE, RIGHTS, documents, erp_routes, shifted
from ml_connector.sandbox.business_one.documents import SET_OF_OBJECT
from ml_connector.sandbox.business_one.errors import B1Error
from ml_connector.sandbox.business_one.fields import MARKETING, SETS, EntitySet, Row
from ml_connector.sandbox.business_one.settings import Settings
from ml_connector.sandbox.business_one.stock import quantities, set_quantities
from ml_connector.sandbox.business_one.userobjects import restart
from ml_connector.sandbox.business_one.values import Reading, Writing
from ml_connector.sandbox.core.control import answer, read_json, refusal
from ml_connector.sandbox.core.system import StateReader

if TYPE_CHECKING:
    from ml_connector.sandbox.business_one.system import BusinessOne

COPIED_LINE = ("BaseType", "BaseEntry", "BaseLine")


def state_readers(stand_in: BusinessOne) -> Mapping[str, StateReader]:
    """Each entity set by name, also ``U_MLC_CLAIM`` (``reference``: of U_MLC_REF; ``field`` and ``value``; ``after``:
    the first key; ``limit``); documents and rights (see ``core.system``), stock, sessions, nodes, users, settings,
    rates."""
    readers: dict[str, StateReader] = {name: _reader(stand_in, name) for name in [*SETS, "U_MLC_CLAIM"]}
    readers.update(
        documents=lambda query: documents(stand_in.company),
        rights=lambda query: [{"name": right} for right in RIGHTS],
        stock=lambda query: _stock(stand_in),
        sessions=lambda query: stand_in.access.shown(),
        nodes=lambda query: [
            {"name": each.name, "alive": each.alive, "hidden": sorted(map(list, each.hidden))}
            for each in stand_in.access.nodes.values()
        ],
        users=lambda query: [
            {"name": each.name, "locked": each.locked, "failures": each.failures}
            for each in stand_in.access.users.values()
        ],
        settings=lambda query: [stand_in.settings.model_dump(mode="json")],
        rates=lambda query: [
            {"Currency": currency, "RateDate": day, "Rate": rate}
            for (currency, day), rate in stand_in.company.rates.items()
        ],
    )
    return readers


def control_routes(stand_in: BusinessOne) -> list[web.AbstractRouteDef]:
    """Deeds of people, below ``/_control``; a refusal of the system is answered 409 with its words.

    * ``POST /documents/<Set>/<key>/<deed>``: ``cancel``, ``close``, ``reopen``, ``delete``; ``edit`` (a body of
      properties, as a person changes them), ``overwrite`` (stored as it is, nothing checked or computed), ``shift``
      (``{"amount"}`` on the total), ``copy`` (``{"to": "Invoices", "fields": {...}, "quantities": {line: n}}``: native
      copy-to, user fields are carried along), and of drafts ``approve`` (answers the document) and ``reject``.
    * ``POST /stock`` ``{"ItemCode", "WarehouseCode", "InStock" | "by"}``.
    * ``POST /items/<code>/freeze|thaw``, ``POST /partners/<code>/freeze|thaw``.
    * ``POST /period`` ``{"locked_until": day or null}``.
    * ``POST /nodes/<n>/kill|start|restart``, ``POST /restart`` (all), ``POST /hide`` ``{"table", "field", "node"}``.
    * ``POST /lose_sessions``, ``POST /withdraw`` (an entity set), ``POST /tamper`` as ``core.system`` says;
      ``POST /unlock``, ``POST /cores/hold|release`` (see the fault ``slow_core``).
    """
    deeds = _Deeds(stand_in)
    return [
        web.post("/documents/{set}/{key}/{deed}", deeds.document),
        web.post("/stock", deeds.stock),
        web.post("/{table:items|partners}/{key}/{deed:freeze|thaw}", deeds.freeze),
        web.post("/period", deeds.period),
        web.post("/nodes/{node}/{deed:kill|start|restart}", deeds.node),
        web.post("/restart", deeds.restart),
        web.post("/hide", deeds.hide),
        web.post("/unlock", deeds.unlock),
        web.post("/cores/{deed:hold|release}", deeds.cores),
        *erp_routes(stand_in),
    ]


class _Deeds:
    def __init__(self, stand_in: BusinessOne) -> None:
        self._stand_in = stand_in

    async def document(self, request: web.Request) -> web.Response:
        name, deed = request.match_info["set"], request.match_info["deed"]
        entity_set = SETS.get(name)
        if entity_set is None:
            return refusal(f"no entity set {name}", 404)
        text = request.match_info["key"]
        key = (text if entity_set.type.keys[0].kind == "text" else int(text),)
        row = self._stand_in.company.table(name).get(*key)
        if row is None:
            return refusal(f"no {name}({text})", 404)
        body = await read_json(request)
        try:
            with self._stand_in.company.transaction():
                found = self._done(entity_set, row, deed, body)
        except B1Error as error:
            return answer({"error": error.text, "code": error.code}, 409)
        if found is None:
            return refusal(f"no deed {deed} for {name}", 404)
        return answer(found)

    def _done(self, entity_set: EntitySet, row: Row, deed: str, body: Any) -> Any:
        company, writer, name = self._stand_in.company, self._stand_in.server.writer, entity_set.name
        key = tuple(row[each] for each in entity_set.keys)
        asked = self._person()
        if deed == "edit":
            writer.patch(entity_set, key, row, self._read(entity_set, body), asked, replace=False)
        elif deed == "overwrite":
            company.table(name).change(key, **self._read(entity_set, body))
        elif deed == "delete":
            company.table(name).delete(key)
            return {}
        elif deed == "shift":
            company.table(name).change(key, **shifted(row, Decimal(str(body["amount"]))))
        elif deed == "cancel":
            act = cancelling.cancel(company, name, row) if name in MARKETING else None
            if name not in MARKETING:
                writer.act(entity_set, key, row, "Cancel", asked)
            return _shown(self._stand_in, entity_set, act or company.table(name).rows[key])
        elif deed in ("close", "reopen") and name in MARKETING:
            (cancelling.close if deed == "close" else cancelling.reopen)(company, name, row)
        elif deed == "copy" and name in MARKETING:
            return self._copy(entity_set, row, body)
        elif deed == "approve" and name == "Drafts":
            posted = writer.documents.approve(row, asked)
            return _shown(self._stand_in, SETS[SET_OF_OBJECT[str(row["DocObjectCode"])]], posted)
        elif deed == "reject" and name == "Drafts":
            company.table(name).change(key, AuthorizationStatus="dasRejected", DataVersion=row["DataVersion"] + 1)
        else:
            return None
        return _shown(self._stand_in, entity_set, company.table(name).rows[key])

    def _copy(self, entity_set: EntitySet, row: Row, body: Any) -> Any:
        """Copy-to in the client carries the header's texts and user fields along."""
        target = str(body["to"])
        wanted: Row = dict(body.get("quantities") or {})
        lines = [
            {
                "BaseType": entity_set.object_type,
                "BaseEntry": row["DocEntry"],
                "BaseLine": line["LineNum"],
                "Quantity": Decimal(str(wanted.get(str(line["LineNum"]), line["RemainingOpenQuantity"]))),
            }
            for line in row["DocumentLines"]
            if line["LineStatus"] == "bost_Open" and (not wanted or str(line["LineNum"]) in wanted)
        ]
        carried = {name: value for name, value in row.items() if name.startswith("U_")}
        header = {name: row[name] for name in ("CardCode", "NumAtCard", "DocCurrency", "Comments") if row.get(name)}
        freight = [
            {"BaseDocType": entity_set.object_type, "BaseDocEntry": row["DocEntry"], "BaseDocLine": each["LineNum"]}
            for each in row.get("DocumentAdditionalExpenses") or ()
        ]
        more = self._read(SETS[target], body.get("fields") or {})
        day = self._stand_in.company.today()
        given: Row = {"DocDueDate": day, **header, **carried, "DocumentAdditionalExpenses": freight, **more}
        given["DocumentLines"] = lines
        posted = self._stand_in.server.writer.documents.post(target, given, self._person(), approved=True)
        return _shown(self._stand_in, SETS[target], posted)

    async def stock(self, request: web.Request) -> web.Response:
        body = await read_json(request)
        company = self._stand_in.company
        item = company.table("Items").get(body.get("ItemCode"))
        warehouse = str(body.get("WarehouseCode") or company.settings.default_warehouse)
        if item is None or company.table("Warehouses").get(warehouse) is None:
            return refusal("no such item or warehouse", 404)
        before = number(quantities(item, warehouse), "InStock")
        after = Decimal(str(body["InStock"])) if "InStock" in body else before + Decimal(str(body["by"]))
        set_quantities(company, item, warehouse, {"InStock": after})
        return answer({"ItemCode": item["ItemCode"], "WarehouseCode": warehouse, "InStock": after})

    async def freeze(self, request: web.Request) -> web.Response:
        name = "Items" if request.match_info["table"] == "items" else "BusinessPartners"
        frozen = request.match_info["deed"] == "freeze"
        key = (request.match_info["key"],)
        if self._stand_in.company.table(name).get(*key) is None:
            return refusal(f"no {name}({key[0]})", 404)
        self._stand_in.server.writer.master.patch(name, key, {"Frozen": "tYES" if frozen else "tNO"}, replace=False)
        return answer({"frozen": frozen})

    async def period(self, request: web.Request) -> web.Response:
        until = (await read_json(request)).get("locked_until")
        checked = Settings.model_validate({"periods_locked_until": until})
        self._stand_in.settings.periods_locked_until = checked.periods_locked_until
        return answer({"locked_until": until})

    async def node(self, request: web.Request) -> web.Response:
        node = self._stand_in.access.nodes.get(".node" + request.match_info["node"])
        if node is None:
            return refusal("no such node", 404)
        node.alive = request.match_info["deed"] != "kill"
        if node.alive:
            restart(node)
        return answer({"name": node.name, "alive": node.alive})

    async def restart(self, request: web.Request) -> web.Response:
        for node in self._stand_in.access.nodes.values():
            node.alive = True
            restart(node)
        return answer({"restarted": len(self._stand_in.access.nodes)})

    async def hide(self, request: web.Request) -> web.Response:
        body = await read_json(request)
        node = self._stand_in.access.nodes.get(".node" + str(body.get("node", 1)))
        if node is None:
            return refusal("no such node", 404)
        node.hidden.add((str(body["table"]), str(body.get("field", ""))))
        return answer({"hidden": sorted(map(list, node.hidden))})

    async def unlock(self, request: web.Request) -> web.Response:
        for user in self._stand_in.access.users.values():
            user.locked, user.failures = False, 0
        return answer({"unlocked": True})

    async def cores(self, request: web.Request) -> web.Response:
        held = request.match_info["deed"] == "hold"
        (self._stand_in.released.clear if held else self._stand_in.released.set)()
        return answer({"held": held})

    def _person(self) -> Asked:
        """Somebody at the client, for whom nothing goes wrong."""
        access = self._stand_in.access
        node = next(iter(access.nodes.values()))
        user = access.users.get("manager") or access.users[USER]
        return Asked(Session("person", user, node.name, 0.0, "3"), node, {})

    def _read(self, entity_set: EntitySet, body: Mapping[str, Any]) -> Row:
        company = self._stand_in.company
        return Reading(lambda table: company.udfs(table, None), trusting=True).entity(entity_set, body)


def _reader(stand_in: BusinessOne, name: str) -> Callable[[Mapping[str, str]], list[Any]]:
    def read(query: Mapping[str, str]) -> list[Any]:
        table = stand_in.company.tables.get(name)
        if table is None:
            return []
        entity_set = SETS.get(name) or EntitySet(name, name, 0, "@" + name[2:])
        wanted = {REFERENCE: query["reference"]} if "reference" in query else {}
        if "field" in query:
            wanted[query["field"]] = query.get("value", "")
        is_number = entity_set.type.keys[0].kind == "int"
        after = query.get("after")
        since = None if after is None else int(after) + 1 if is_number else after
        found = [
            row
            for row in table.in_key_order(since)
            if all(str(row.get(each)) == value for each, value in wanted.items())
            and (is_number or row[entity_set.keys[0]] != after)
        ]
        found = found[: int(query["limit"])] if "limit" in query else found
        return [_shown(stand_in, entity_set, row) for row in found]

    return read


def _shown(stand_in: BusinessOne, entity_set: EntitySet, row: Row) -> Any:
    """As v1 writes it with plain days, amounts as exact texts."""
    company = stand_in.company
    writing = _Exact(1, Settings(), lambda table: company.udfs(table, None))
    return writing.entity(entity_set, row)


class _Exact(Writing):
    def plain(self, stored: Any) -> Any:
        return stored if isinstance(stored, Decimal) else super().plain(stored)


def _stock(stand_in: BusinessOne) -> list[Any]:
    return [
        {
            "ItemCode": item["ItemCode"],
            **{name: line.get(name) for name in ("WarehouseCode", "InStock", "Committed", "Ordered")},
        }
        for item in stand_in.company.table("Items").in_key_order()
        if item.get("InventoryItem") == "tYES"
        for line in item["ItemWarehouseInfoCollection"]
    ]
