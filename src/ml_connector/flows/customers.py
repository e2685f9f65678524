"""Registered customers of the store, as customers of the ERP; their master data belongs to this flow alone.

Creation is generation 1 of the customer's reference; every later change of what the ERP holds is an update, the next
generation, and a posting of its own (P8): only one is in flight, and it has happened when the ERP says so.
"""

from collections.abc import Mapping
from dataclasses import replace

from ml_connector.connectors.errors import ConnectorError
from ml_connector.domain.codec import document_from_json
from ml_connector.domain.customers import Customer
from ml_connector.domain.documents import Document, Documents, Excluded, Held, Kind
from ml_connector.engine import postings
from ml_connector.engine.apply import Applier, Work
from ml_connector.engine.outcomes import Applied, Stopped
from ml_connector.engine.postings import Posting, State
from ml_connector.engine.records import Status
from ml_connector.engine.runs import Again, Done, Outcome, Run
from ml_connector.flows.answers import outcome_of_error, outcome_of_exclusion, outcome_of_hold, outcome_of_stop
from ml_connector.flows.batches import each_by_itself
from ml_connector.flows.books import recognise
from ml_connector.flows.context import Context
from ml_connector.flows.labels import label_customers
from ml_connector.flows.runtime import Runtime
from ml_connector.planning.customers import plan_customer
from ml_connector.planning.facts import Facts

NAME = "customers"
BATCH = 50


class CustomersFlow:
    """Store to ERP. A record's key is the store's customer ID."""

    name = NAME
    batch = BATCH

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.lease_s = runtime.lease_s

    async def run(self, run: Run) -> Mapping[str, Outcome]:
        context = await self._runtime.context(run.integration, run.epoch)
        outcomes: dict[str, Outcome] = {}
        try:
            await recognise(self._runtime, context)
            await _process(context, run, self._runtime.applier(context, run), outcomes)
        except ConnectorError as error:
            outcome = outcome_of_error(
                error, connection=context.failed_connection(error), epoch=context.epoch_of(error)
            )
            for key in run.keys:
                outcomes.setdefault(key, outcome)
        return outcomes


async def _process(context: Context, run: Run, applier: Applier, outcomes: dict[str, Outcome]) -> None:
    erp = {"connection": context.erp.id, "epoch": context.erp.epoch}
    for key, result in (await applier.resolve(run.keys)).items():
        outcomes[key] = outcome_of_stop(result, **erp)
    keys = [key for key in run.keys if key not in outcomes]
    customers, failures = await each_by_itself(context.customers.customers, keys)
    for key, error in failures.items():
        outcomes[key] = outcome_of_error(error, connection=context.store.id, epoch=context.store.epoch)
    await label_customers(context, NAME, customers)
    work: list[Work] = []
    for key in [key for key in keys if key not in outcomes]:
        customer = customers.get(key)
        if customer is None:
            outcomes[key] = Done(status=Status.EXCLUDED, reason=f"not_in_store: the store has no customer {key}")
            continue
        outcome = await _plan(context, run, customer)
        if isinstance(outcome, Document):
            work.append(Work(key, (outcome,), context.mapping.version, context.policy.version))
        else:
            outcomes[key] = outcome
    for key, result in (await applier.apply(work)).items():
        if isinstance(result, Applied):
            outcomes[key] = await _arrived(context, run, customers[key])
        else:
            outcomes[key] = outcome_of_stop(result, **erp)


async def _plan(context: Context, run: Run, customer: Customer) -> Document | Outcome:
    """The creation or the next update that the ERP lacks; an outcome where nothing is to be done."""
    plan = plan_customer(customer, context.mapping, context.policy, _facts(context))
    if isinstance(plan, Held):
        return outcome_of_hold(plan)
    if isinstance(plan, Excluded):
        return outcome_of_exclusion(plan, customer.modified)
    wanted = _customer_of(plan)
    if wanted is None:
        return Done(stamp=customer.modified)
    async with context.database.connect() as connection:
        rows = await postings.read(connection, run.integration, [wanted.base_reference])
    held = next((posting for posting in rows.values() if posting.state is State.HELD), None)
    if held is not None:
        message = held.error or f"a person must look at {held.name.written} in the ERP"
        return outcome_of_stop(
            Stopped("posting_held", held.name.reference, message), connection=context.erp.id, epoch=context.erp.epoch
        )
    latest = max(rows.values(), key=lambda posting: posting.name.generation, default=None)
    if latest is None:
        return wanted
    gone = latest.state is State.VOID
    bound = [row for _, row in sorted(rows.items()) if row.state in postings.LIVE and row.number]
    account = bound[-1].number or "" if bound else ""
    if latest.is_open or latest.state in _TO_SEND or (gone and latest.name.generation == 1):
        return _at(wanted, latest.name.generation, account)
    if not gone and _says_the_same(latest, wanted):
        return Done(stamp=customer.modified)
    return _at(wanted, latest.name.generation + 1, account)


def _facts(context: Context) -> Facts:
    style = "sales" if context.style == "sales" else "journal"
    return Facts(periods=context.periods, style=style, family=context.family, kinds=context.kinds)


_TO_SEND = (State.PLANNED, State.REJECTED)


async def _arrived(context: Context, run: Run, customer: Customer) -> Outcome:
    """Done, or once more: an open posting of an order's, or an older change, has arrived and may say something else."""
    left = await _plan(context, run, customer)
    return Again(0, why="the customer has changed since what has just arrived") if isinstance(left, Document) else left


def _customer_of(plan: Documents) -> Document | None:
    return next((d for d in plan.documents if d.kind is Kind.CUSTOMER), None)


def _says_the_same(posting: Posting, wanted: Document) -> bool:
    """Compares the person, not the fingerprint: an order may have created the customer with the name alone."""
    return document_from_json(posting.content).party == wanted.party


def _at(document: Document, generation: int, account: str) -> Document:
    """`account`: of the customer in the ERP; an update names it, for nothing else of a customer is sure to stay."""
    if generation == 1:
        return replace(document, generation=1, reference=document.base_reference)
    reference = f"{document.base_reference}-{generation}"
    return replace(document, generation=generation, reference=reference, customer=account)
