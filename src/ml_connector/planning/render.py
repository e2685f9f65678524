"""A plan as a text table, for the person who asks what would be posted and why."""

from ml_connector.domain.documents import (
    ITEMISED,
    Dimension,
    Document,
    Excluded,
    Held,
    Itemised,
    Line,
    LineType,
    Plan,
    Side,
)
from ml_connector.planning.lookups import plain

_COLUMNS = ("account", "debit", "credit", "tax", "role", "text")


def render_plan(plan: Plan, why: bool = False) -> str:
    """One block per document, or the reason why there is none. `why` adds the reasoning under each line."""
    if isinstance(plan, Held):
        return _reason("held", plan.code.value, plan.message, dict(plan.facts or {}))
    if isinstance(plan, Excluded):
        return _reason("excluded", plan.code.value, plan.message, {})
    blocks = [_document(document, why) for document in plan.documents]
    blocks += [f"note: {note.about}: {note.code} {note.text}".rstrip() for note in plan.notes]
    return "\n\n".join(blocks) if blocks else "nothing has to be posted"


def _reason(outcome: str, code: str, message: str, facts: dict[str, str]) -> str:
    width = max((len(name) for name in facts), default=0)
    figures = [f"  {name:<{width}}  {value}" for name, value in facts.items()]
    return "\n".join([f"{outcome}: {code}", f"  {message}", *figures])


def _document(document: Document, why: bool) -> str:
    state = "already posted" if document.already else "to post"
    head = [
        f"{document.reference}  {document.kind.value}  {document.posting_date}  {document.currency}  "
        f"customer {document.customer or '-'}  ({state})",
        f"  {document.text}",
    ]
    for name in ("applies_to", "draws", "reverses", "adjusts", "updates", "exchange_rate", "customer_reference"):
        if value := getattr(document, name):
            head.append(f"  {name.replace('_', ' ')} {value}")
    if document.kind in ITEMISED:
        head.append(f"  total {document.total}")
    if document.posting_date != document.document_date:
        head.append(f"  document date {document.document_date}")
    return "\n".join([*head, *_table(document.lines, why)])


def _table(lines: tuple[Line, ...], why: bool) -> list[str]:
    if not lines:
        return []
    rows = [_COLUMNS, *(_row(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    shown: list[str] = []
    for index, row in enumerate(rows):
        cells = [
            cell.rjust(width) if name in ("debit", "credit") else cell.ljust(width)
            for name, cell, width in zip(_COLUMNS, row, widths, strict=True)
        ]
        shown.append(f"  {'  '.join(cells)}".rstrip())
        if why and index:
            shown.append(f"      {lines[index - 1].why}")
    return shown


def _row(line: Line) -> tuple[str, ...]:
    debit = str(line.amount) if line.side is Side.DEBIT else ""
    credit = str(line.amount) if line.side is Side.CREDIT else ""
    extra = _dimension(line.dimension) + _item(line.itemised)
    assignment = f" [{line.assignment}]" if line.assignment else ""
    return (line.account, debit, credit, line.tax_code, line.role.value + extra, line.text + assignment)


def _item(sold: Itemised | None) -> str:
    if sold is None:
        return ""
    if sold.type is LineType.ITEM:
        warehouse = f" from {sold.warehouse}" if sold.warehouse else ""
        off = f" less {sold.discount_amount}" if sold.discount_amount else ""
        return f" ({plain(sold.quantity)} {sold.item} at {plain(sold.unit_price)}{off}{warehouse})"
    return " (predicted)" if sold.predicted else ""


def _dimension(dimension: Dimension) -> str:
    names = [part for part in (dimension.profit_center, dimension.cost_center, dimension.segment) if part]
    return f" ({', '.join(names)})" if names else ""
