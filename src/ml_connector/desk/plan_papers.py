"""The documents of a plan as a person reads them: lines as a diff, totals, what they are called; and their progress."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import ValidationError

from ml_connector.desk import wording
from ml_connector.desk.record import amount_of
from ml_connector.domain.codec import document_from_json
from ml_connector.domain.documents import ITEMISED, Document, Kind, Line
from ml_connector.engine import plans, postings
from ml_connector.engine.audit_queries import csv_line
from ml_connector.engine.database import Database
from ml_connector.engine.plans import FLOW, Act, Order, Paper, Plan
from ml_connector.engine.postings import LIVE, Name, Posting
from ml_connector.engine.rows import name_of
from ml_connector.engine.standings import Standing, standings

Sign = Literal["", "added", "removed"]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a document. Journal lines have `debit` or `credit`, lines of sales documents `amount`. `called`: the
    account's name in the ERP, or else what it is for."""

    sign: Sign
    account: str
    called: str
    text: str
    debit: Decimal | None = None
    credit: Decimal | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A document. `stands`: where it stands, in words; `was`: the total of what it takes the place of."""

    act: Act
    title: str
    reference: str
    stands: str
    day: date
    currency: str
    itemised: bool
    rows: Sequence[Row]
    total: Decimal | None
    was: Decimal | None
    balanced: bool
    about: str


def shown(paper: Paper, names: Mapping[str, str]) -> Shown | None:
    """`names`: of accounts. None: it was written by another version of the program, and cannot be shown."""
    try:
        document = document_from_json(paper.content)
        before = document_from_json(paper.before) if paper.before else None
    except ValidationError:
        return None
    itemised = document.kind in ITEMISED
    if before is None:
        new: Sign = "" if paper.act == "right" else "added"
        rows = [_row(new, line, names, itemised=itemised) for line in document.lines]
    else:
        rows = _diff(before.lines, document.lines, names, itemised=itemised)
    was = amount_of(before) if before is not None else None
    total = amount_of(document)
    return Shown(
        paper.act, _title(document), document.reference, _stands(paper, document), document.posting_date,
        document.currency, itemised, rows, total, was if was != total else None,
        document.balance == 0, _about(document),
    )  # fmt: skip


def _title(document: Document) -> str:
    title = wording.document(document.kind.value)
    if document.kind is Kind.CUSTOMER and document.party is not None:
        who = document.party.address
        name = who.company or f"{who.first_name} {who.last_name}".strip()
        return f"{title} {name}".rstrip()
    return title


def _stands(paper: Paper, document: Document) -> str:
    where = document.home
    if paper.act == "right":
        return f"{paper.number} in the {where}" if paper.number else f"in the {where}"
    if paper.act == "update":
        return f"changes {paper.stands} in the {where}"
    if paper.act == "reverse":
        return f"reverses {paper.stands}"
    return f"in place of {paper.stands}, which is reversed" if paper.stands else f"not in the {where}"


def _about(document: Document) -> str:
    facts = [document.text]
    if document.applies_to:
        facts.append(f"pays {document.applies_to}")
    if document.adjusts:
        facts.append(f"corrects {document.adjusts}")
    if document.draws:
        facts.append(f"draws on {document.draws}")
    if document.document_date != document.posting_date:
        facts.append(f"of {document.document_date:%b} {document.document_date.day}")
    return ", ".join(fact for fact in facts if fact)


def _diff(before: Sequence[Line], after: Sequence[Line], names: Mapping[str, str], *, itemised: bool) -> list[Row]:
    """Lines of the new document in its order, with those that are gone before the first that is new."""
    left = Counter(_content(line) for line in before)
    rows: list[Row] = []
    for line in after:
        same = left[_content(line)] > 0
        left[_content(line)] -= same
        rows.append(_row("" if same else "added", line, names, itemised=itemised))
    gone: list[Row] = []
    for line in reversed(before):
        if left[_content(line)] > 0:
            left[_content(line)] -= 1
            gone.insert(0, _row("removed", line, names, itemised=itemised))
    place = next((at for at, row in enumerate(rows) if row.sign == "added"), len(rows))
    return [*rows[:place], *gone, *rows[place:]]


def _content(line: Line) -> Line:
    """What makes two lines the same: not why, nor which parts of the order they were planned from."""
    return replace(line, why="", parts=(), assignment="")


def _row(sign: Sign, line: Line, names: Mapping[str, str], *, itemised: bool) -> Row:
    words = str(line.role.value).replace("_", " ")
    called = names.get(line.account, words)
    if not itemised:
        debit = line.amount if line.signed >= 0 else None
        credit = line.amount if line.signed < 0 else None
        text = ", ".join(filter(None, (line.text, line.tax_code)))
        return Row(sign, line.account, called, text, debit, credit)
    sold = line.itemised
    text = f"{sold.item} {line.text}".strip() if sold is not None and sold.item else line.text or words
    quantity, price = (sold.quantity, sold.unit_price) if sold is not None and sold.quantity else (None, None)
    return Row(sign, line.account, called, text, quantity=quantity, price=price, amount=abs(line.signed))


COLUMNS = (
    "order", "customer", "outcome", "act", "document", "reference", "posting_date", "sign", "account",
    "account_name", "text", "debit", "credit", "quantity", "price", "amount", "currency",
)  # fmt: skip


def as_csv(found: "Read") -> Iterator[str]:
    """One line for each line of each document; ISO dates, dot decimals. An order without documents has one line."""
    yield csv_line(COLUMNS)
    for order in found.orders:
        if not order.papers:
            yield csv_line([order.title, order.party, order.outcome, *[""] * 7, order.message, *[""] * 6])
        for paper in filter(None, (shown(each, found.plan.names) for each in order.papers)):
            head = [order.title, order.party, order.outcome, paper.act, paper.title, paper.reference, paper.day]
            for row in paper.rows:
                amounts = (row.debit, row.credit, row.quantity, row.price, row.amount)
                yield csv_line([*head, row.sign, row.account, row.called, row.text, *amounts, paper.currency])


# ------------------------------------------------------------------ progress


@dataclass(frozen=True, slots=True)
class Step:
    """An order of an applied plan. `state` has a shape; `result`: booked, changed, stopped, or empty while it is on its
    way."""

    order: Order
    state: str
    words: str
    result: Literal["", "booked", "changed", "stopped"]


@dataclass(frozen=True, slots=True)
class Progress:
    """What became of an applied plan so far: the orders of which something was to be posted."""

    steps: Sequence[Step]

    def count(self, result: str) -> int:
        return sum(1 for step in self.steps if step.result == result)

    @property
    def done(self) -> bool:
        return all(step.result for step in self.steps)

    @property
    def words(self) -> str:
        """`21 booked, 2 changed since and were left out`."""
        booked, changed, stopped = map(self.count, ("booked", "changed", "stopped"))
        said = [f"{booked:,} booked"]
        if changed:
            said.append(f"{changed:,} changed since and {'was' if changed == 1 else 'were'} left out")
        if stopped:
            said.append(f"{stopped:,} {'waits' if stopped == 1 else 'wait'} for a person")
        on_way = len(self.steps) - booked - changed - stopped
        if on_way:
            said.append(f"{on_way:,} on {'its' if on_way == 1 else 'their'} way")
        return ", ".join(said)


async def progress(database: Database, plan: Plan, orders: Sequence[Order]) -> Progress:
    """Read from the records and postings, whatever has moved them since."""
    mine = [order for order in orders if order.news]
    keys = [order.key for order in mine]
    customers = {
        str(paper.content["reference"]) for order in mine for paper in order.papers if _is_customer(paper)
    }  # fmt: skip
    async with database.connect() as sql:
        rows = {row.key: row for row in await standings(sql, plan.integration, FLOW, keys)}
        standing = await postings.standing(sql, plan.integration, FLOW, keys)
        made = await postings.read(sql, plan.integration, customers) if customers else {}
    accounts = {name.written: row.number or "" for name, row in made.items() if row.state in LIVE}
    steps = [_step(order, rows.get(order.key), standing, accounts) for order in mine]
    return Progress(steps)


def _is_customer(paper: Paper) -> bool:
    return paper.content.get("kind") == Kind.CUSTOMER.value


def _step(
    order: Order, row: Standing | None, standing: Mapping[Name, Posting], accounts: Mapping[str, str]
) -> Step:  # fmt: skip
    if all(_booked(paper, standing, accounts) for paper in order.news if not _is_customer(paper)):
        numbers = [standing[_name(paper)].shown for paper in order.news if not _is_customer(paper)]
        return Step(order, "synced", ", ".join(filter(None, numbers)), "booked")
    if row is None:
        return Step(order, "waiting", "Next in line", "")
    mine = [each for each in standing.values() if each.record_key == order.key]
    if any(each.is_open for each in mine) and row.status not in ("held", "dead"):
        return Step(order, "uncertain", "No answer yet; it is looked up, never sent twice", "")
    match row.status:
        case "held" if row.hold == "plan_changed":
            return Step(order, "held", "Changed since, left out. Make a plan of it again", "changed")
        case "held":
            return Step(order, "held", row.why, "stopped")
        case "dead":
            return Step(order, "dead", row.why, "stopped")
        case "running":
            return Step(order, "running", "Being worked on now", "")
        case "synced" | "excluded":
            return Step(order, "excluded", "Changed since, left out; what it became is on its page", "changed")
        case _:
            return Step(order, "waiting", f"Tried again: {row.why}" if row.why else "Next in line", "")


def _name(paper: Paper) -> Name:
    return name_of(document_from_json(paper.content))


def _booked(paper: Paper, standing: Mapping[Name, Posting], accounts: Mapping[str, str]) -> bool:
    """It stands with the content that was shown; a customer who was new has an account by now."""
    try:
        document = document_from_json(paper.content)
    except ValidationError:
        return False
    row = standing.get(name_of(document))
    if row is None or row.state not in LIVE:
        return False
    known = replace(document, customer=accounts.get(document.customer, document.customer))
    return row.fingerprint in (document.fingerprint, known.fingerprint)


@dataclass(frozen=True, slots=True)
class Read:
    """A plan with its orders; `progress` once it was applied."""

    plan: Plan
    orders: Sequence[Order]
    progress: Progress | None


async def read(database: Database, integration: int, plan: int) -> Read | None:
    """None: there is none of that number."""
    async with database.connect() as sql:
        found = await plans.read(sql, integration, plan)
        if found is None:
            return None
        orders = await plans.orders_of(sql, integration, plan)
    moved = await progress(database, found, orders) if found.applied_at is not None else None
    return Read(found, orders, moved)
