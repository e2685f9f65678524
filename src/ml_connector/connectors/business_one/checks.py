"""What the master data says against a document before it is sent, and what writing one needs of it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal

from ml_connector.connectors.base import Problem
from ml_connector.connectors.business_one.client import B1Client, literal
from ml_connector.connectors.business_one.master_data import MasterData, Standing, account_refused
from ml_connector.connectors.business_one.tables import TARGETS
from ml_connector.connectors.business_one.wire import (
    Facts,
    FieldError,
    dimensions,
    freight_lines,
    is_service,
    means,
    tax_code,
    unit_price,
    value_of,
    written_lines,
)
from ml_connector.connectors.errors import Rejected, Transient
from ml_connector.connectors.odata_values import text_of
from ml_connector.domain.documents import Document, LineType
from ml_connector.domain.money import decimals


async def problems(data: MasterData, client: B1Client, documents: Sequence[Document]) -> Mapping[str, list[Problem]]:
    """Per reference, what the master data has against a document. Reversals need none."""
    ours = [document for document in documents if document.kind in TARGETS]
    if not ours:
        return {}
    settings = client.settings
    items = await data.items(code for document in ours for code in _items(document, client))
    partners = await data.partners(document.customer for document in ours if document.customer)
    found: dict[str, list[Problem]] = {}
    for document in ours:
        listed = [
            *_period(document, settings.open_from, settings.open_to),
            *_missing("customer", [document.customer], partners, "the business partner"),
            *_missing("item", _items(document, client), items, "the item"),
            *await _currency(document, data),
            *await _codes(document, data, client),
        ]
        if listed:
            found[document.reference] = listed
    return found


def _items(document: Document, client: B1Client) -> list[str]:
    settings = client.settings
    if TARGETS[document.kind].payment or is_service(document, settings):
        return []
    codes = [
        line.itemised.item
        if line.itemised is not None and line.itemised.type is LineType.ITEM
        else settings.charge_item
        for line in written_lines(document, settings)
    ]
    return [code for code in dict.fromkeys(codes) if code]


def _missing(kind: str, keys: Iterable[str], known: Mapping[str, Standing], words: str) -> list[Problem]:
    found: list[Problem] = []
    for key in dict.fromkeys(keys):
        if key not in known:
            found.append(Problem(kind, key, f"{words} {key!r} does not exist in Business One"))
        elif known[key].refused:
            found.append(Problem(kind, key, f"{words} {key!r} {known[key].refused} in Business One"))
    return found


def _period(document: Document, first: date | None, last: date | None) -> list[Problem]:
    day = document.posting_date
    if (first is None or day >= first) and (last is None or day <= last):
        return []
    open_days = f"{first or '...'} to {last or '...'}"
    return [Problem("period", day.isoformat(), f"{day} lies outside the open posting period {open_days}")]


async def _currency(document: Document, data: MasterData) -> list[Problem]:
    """One that is there, and whose totals are rounded as the plan has rounded them."""
    code = await data.currency_code(document.currency)
    if not code:
        words = f"Business One has no currency with the ISO code {document.currency}"
        return [Problem("currency", document.currency, words)]
    kept, needed = await data.total_decimals(code), decimals(document.currency)
    loses = any(line.amount != line.amount.quantize(Decimal(1).scaleb(-kept)) for line in document.lines)
    computes = not TARGETS[document.kind].payment and any(line.tax_code for line in document.lines)
    if not loses and (kept <= needed or not computes):
        return []
    words = (
        f"the company keeps {kept} decimals of {document.currency}, the store {needed}: Business One would round "
        f"amounts and tax otherwise. Set the decimals of the currency to {needed}"
    )
    return [Problem("setting", "totals_decimals", words)]


async def _codes(document: Document, data: MasterData, client: B1Client) -> list[Problem]:
    """Accounts, tax codes, warehouses, freight, distribution rules, and prices that can be hit."""
    settings = client.settings
    keys, chart = await data.account_keys(), await data.chart()

    def account(number: str) -> list[Problem]:
        code = keys.get(number)
        refused = "does not exist" if code is None else account_refused(chart[code])
        return [Problem("gl_account", number, f"the account {number} {refused} in Business One")] if refused else []

    if TARGETS[document.kind].payment:
        try:
            return account(means(document)[0])
        except FieldError as error:
            return [Problem("field", "TransferAccount", str(error))]
    lines, freight = written_lines(document, settings), freight_lines(document, settings)
    codes = [tax_code(line, settings) for line in (*lines, *freight) if line.tax_code]
    warehouses = [line.itemised.warehouse for line in lines if line.itemised is not None and line.itemised.warehouse]
    rules = [rule for line in lines for rule in dimensions(line, settings).values()]
    found = _missing("tax", codes, await data.tax_codes(), "the tax code") if codes else []
    if warehouses:
        found += _missing("warehouse", warehouses, await data.warehouses(), "the warehouse")
    if rules:
        active = {code: Standing(code) for code, row in (await data.rules()).items() if text_of(row, "Active") != "tNO"}
        found += _missing("distribution_rule", rules, active, "the distribution rule")
    for role in {line.role for line in freight}:
        if str(settings.freight[role]) not in await data.expenses():
            words = f"the additional expense {settings.freight[role]} ({role}) does not exist in Business One"
            found.append(Problem("freight", str(settings.freight[role]), words))
    for number in dict.fromkeys(line.account for line in lines if line.account):
        found += account(number)
    return found + await _writable(document, data, client)


async def _writable(document: Document, data: MasterData, client: B1Client) -> list[Problem]:
    settings = client.settings
    lines = written_lines(document, settings)
    with_items = any(line.itemised is not None and line.itemised.type is LineType.ITEM for line in lines)
    on_accounts = [line for line in lines if line.itemised is None or line.itemised.type is not LineType.ITEM]
    if with_items and on_accounts and not settings.charge_item:
        what = ", ".join(sorted({line.role.value for line in on_accounts}))
        words = (
            f"{what} needs a line without an item, which a Business One document with items does not take: set "
            "charge_item to an item without stock (or freight to an additional expense)"
        )
        return [Problem("setting", "charge_item", words)]
    kept = (await data.company()).price_decimals
    for line in lines:
        sold = line.itemised
        if sold is None or sold.type is not LineType.ITEM:
            continue
        try:
            price = unit_price(line, value_of(line, document), sold.quantity or Decimal(1), document.currency)
        except FieldError as error:
            return [Problem("field", "UnitPrice", str(error))]
        if price != price.quantize(Decimal(1).scaleb(-kept)):
            words = (
                f"the price {price.normalize():f} of {sold.item} has more decimals than the company keeps "
                f"({kept}): raise the decimals of prices to 6 in the general settings"
            )
            return [Problem("setting", "price_decimals", words)]
    return []


async def facts_of(data: MasterData, document: Document, invoice: int | None) -> Facts:
    """Raises `Rejected` for a currency that Business One does not have."""
    code = await data.currency_code(document.currency)
    if not code:
        raise Rejected(f"Business One has no currency with the ISO code {document.currency}", code="currency")
    foreign = code != (await data.company()).local
    return Facts(code, foreign, await data.account_keys(), invoice)


async def invoice_entry(client: B1Client, number: str, customer: str) -> int | None:
    """The key of an ERP invoice that the store knows by its number alone; None: not exactly one."""
    where = f"DocNum eq {number} and CardCode eq {literal(customer)} and CancelStatus eq 'csNo'"
    rows = await client.rows("Invoices", where=where, select=("DocEntry", "DocNum"))
    if len(rows) != 1:
        return None
    entry = rows[0].get("DocEntry")
    if not isinstance(entry, int):
        raise Transient("an invoice came without its key", system="Business One")
    return entry
