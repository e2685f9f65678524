"""Which customers of a plan have an account in the ERP already."""

import asyncio
import time
from collections.abc import Iterable

from ml_connector.domain.documents import Document, Documents, Kind, Plan
from ml_connector.engine import postings
from ml_connector.engine.apply import name_of
from ml_connector.flows.context import Context

ELSEWHERE_S = 2.0
LOOK_AGAIN_S = 0.1


def new_customer(plan: Plan) -> Document | None:
    """The customer that the plan wants to exist first, if it wants one."""
    if isinstance(plan, Documents):
        return next((d for d in plan.documents if d.kind is Kind.CUSTOMER and not d.already), None)
    return None


async def made_elsewhere(context: Context, customers: Iterable[Document]) -> dict[str, str]:
    """Customer key -> ERP account, for customers that other runs are sending at this moment.

    Orders of one new customer often come together, and their runs meet at the customer: one sends, the others wait here
    for what it records, for a second or two, rather than read and plan their orders again. Reads our own rows alone.
    """
    wanted = {name_of(document): document for document in customers}
    accounts: dict[str, str] = {}
    deadline = time.monotonic() + ELSEWHERE_S
    while wanted:
        async with context.database.connect() as connection:
            rows = await postings.read(connection, context.integration.id, [name.reference for name in wanted])
        for name, document in list(wanted.items()):
            row = rows.get(name)
            if row is not None and row.state in postings.LIVE and row.number and document.party is not None:
                accounts[document.party.key] = row.number
            if row is None or row.state is not postings.State.SENDING:
                del wanted[name]
        if time.monotonic() > deadline:
            break
        if wanted:
            await asyncio.sleep(LOOK_AGAIN_S)
    return accounts


async def known_accounts(context: Context, plans: Iterable[Plan]) -> dict[str, str]:
    """Customer key -> ERP account, for the customers of these plans that were posted by any record before."""
    wanted = {name_of(d): d for plan in plans if (d := new_customer(plan)) is not None}
    if not wanted:
        return {}
    async with context.database.connect() as connection:
        rows = await postings.read(connection, context.integration.id, [name.reference for name in wanted])
    accounts: dict[str, str] = {}
    for name, document in wanted.items():
        row = rows.get(name)
        if row is not None and row.state in postings.LIVE and row.number and document.party is not None:
            accounts[document.party.key] = row.number
    return accounts
