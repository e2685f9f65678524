"""Orders, captured payments and refunds of the store, as documents of the ERP.

One run: resolve what is unknown -> read the store -> plan -> make customers exist -> make documents exist -> say what
became of each order. All orders of a batch move together; one that is stopped does not stop the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ml_connector.connectors.errors import ConnectorError
from ml_connector.domain.documents import Document, Excluded, Held, HoldCode, Kind, Plan, plan_digest
from ml_connector.domain.orders import OrderSnapshot
from ml_connector.engine import crash, records, tracing, wishes
from ml_connector.engine.apply import Applier, Work
from ml_connector.engine.outcomes import Applied, Changed, Stop, Stopped, Waits
from ml_connector.engine.postings import State, live_generations
from ml_connector.engine.records import Claimed, Lane, Status
from ml_connector.engine.runs import Done, Fail, Hold, Outcome, Run, fence
from ml_connector.engine.wishes import Wishes
from ml_connector.flows.accounts import made_elsewhere, new_customer
from ml_connector.flows.answers import outcome_of_error, outcome_of_exclusion, outcome_of_hold, outcome_of_stop
from ml_connector.flows.batches import each_by_itself
from ml_connector.flows.books import recognise
from ml_connector.flows.context import Context
from ml_connector.flows.facts import standing_by_record
from ml_connector.flows.labels import label_orders
from ml_connector.flows.order_plans import OrderPlans
from ml_connector.flows.runtime import Runtime
from ml_connector.flows.stock_orders import note_orders

NAME = "orders"
BATCH = 50
LOOKS_FOR_UNKNOWN = 4
UNKNOWN_FLOOR_S = 2.0


class OrdersFlow:
    """Store to ERP. A record's key is the store's order ID."""

    name = NAME
    batch = BATCH

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.lease_s = runtime.lease_s

    async def run(self, run: Run) -> Mapping[str, Outcome]:
        context = await self._runtime.context(run.integration, run.epoch)
        batch = _Batch(context, run, self._runtime.applier(context, run))
        try:
            await recognise(self._runtime, context)
            await batch.process()
        except ConnectorError as error:
            batch.stop_rest(error)
        return batch.outcomes


@dataclass(slots=True)
class _Batch:
    """The orders of one run. `outcomes` fills up; what is not in it yet is still on its way."""

    context: Context
    run: Run
    applier: Applier
    outcomes: dict[str, Outcome] = field(default_factory=dict[str, Outcome])

    async def process(self) -> None:
        for key, result in (await self.applier.resolve(self.run.keys)).items():
            self.outcomes[key] = self._stopped(result)
        snapshots = await self._read([key for key in self.run.keys if key not in self.outcomes])
        await note_orders(self.context, self.run, snapshots)
        await label_orders(self.context, NAME, snapshots)
        await crash.point("source.read.a")
        await self._plan_and_apply(snapshots)
        await self._leave_nothing_behind()

    def stop_rest(self, error: ConnectorError) -> None:
        """A call that all records needed has failed: each of them says so."""
        outcome = outcome_of_error(
            error, connection=self.context.failed_connection(error), epoch=self.context.epoch_of(error)
        )
        for key in self.run.keys:
            self.outcomes.setdefault(key, outcome)

    # -------------------------------------------------------------- read

    async def _read(self, keys: Sequence[str]) -> dict[str, OrderSnapshot]:
        """What the store says of the orders; those that it does not know, or says nothing usable of, are stopped."""
        with tracing.span("read", records=len(keys)):
            found, failures = await each_by_itself(self.context.orders.orders, keys)
        for key, error in failures.items():
            self.outcomes[key] = outcome_of_error(
                error, connection=self.context.store.id, epoch=self.context.store.epoch
            )
        claimed = {record.key: record for record in self.run.records}
        for key in keys:
            if key not in found and key not in self.outcomes:
                self.outcomes[key] = _unknown(claimed[key])
        for key, snapshot in found.items():
            self.context.story(
                "read", key, "", {"modified": snapshot.order.modified.isoformat(), "status": snapshot.order.status_id}
            )
        return found

    # -------------------------------------------------------------- plan and apply

    async def _plan_and_apply(self, snapshots: Mapping[str, OrderSnapshot]) -> None:
        with tracing.span("plan", records=len(snapshots)):
            orders = await OrderPlans.read(self.context, snapshots)
            plans = await orders.all()
        await crash.point("plan.a")
        for key in [key for key in orders.wishes.approved if not orders.is_approved(key, plans[key])]:
            self.outcomes[key] = wishes.plan_changed(key)
            del plans[key]
        newcomers = {key: customer for key, made in plans.items() if (customer := new_customer(made))}
        if newcomers:
            await self._create_customers(newcomers, orders.accounts)
            plans |= {key: orders.one(key) for key in newcomers if key not in self.outcomes}
        work: list[Work] = []
        for key, made in plans.items():
            if key in self.outcomes:
                continue
            if isinstance(made, Held):
                self.context.story("planned", key, "", {"held": made.code.value, "key": made.key, **(made.facts or {})})
                self.outcomes[key] = outcome_of_hold(made)
            elif isinstance(made, Excluded):
                self.outcomes[key] = outcome_of_exclusion(made, snapshots[key].order.modified)
            else:
                self.context.story(
                    "planned",
                    key,
                    "",
                    {"documents": [d.reference for d in made.documents], "notes": [n.code for n in made.notes]},
                )
                work.append(Work(key, made.documents, self.context.mapping.version, self.context.policy.version))
        applied = await self._apply(work)
        for key in applied:
            self.outcomes[key] = Done(stamp=snapshots[key].order.modified)
        await self._answer_wishes(orders.wishes, plans, applied)

    async def _answer_wishes(self, asked: Wishes, plans: Mapping[str, Plan], applied: Sequence[str]) -> None:
        """What is done was granted. An approval lapses with it, or with a plan that has changed; it outlives a run that
        could not post everything, or the next would post what nobody has seen."""
        left = {key: plan_digest(plans[key]) for key in asked.approved if key in plans and key not in applied}
        database, fence = self.context.database, self.run.fence
        await wishes.granted(database, fence, NAME, asked, "approve", asked.approved.keys() - left.keys())
        await wishes.granted(database, fence, NAME, asked, "repost", asked.reposted.intersection(applied))
        await wishes.carried(database, fence, NAME, asked, left)

    async def _apply(self, work: Sequence[Work]) -> list[str]:
        """Returns the orders whose documents all stand. Those with new ones are marked for the note in the store."""
        done: list[str] = []
        changed: list[str] = []
        died = {record.key for record in self.run.records if record.suspect}  # it may have posted and not said so
        with tracing.span("apply", documents=sum(len(each.documents) for each in work)):
            results = await self.applier.apply(work)
        for key, result in results.items():
            if isinstance(result, Applied):
                done.append(key)
                if result.numbers or key in died:
                    changed.append(key)
            else:
                self.outcomes[key] = self._stopped(result)
        if changed and self.context.writes_back:
            await self._mark("write_back", changed)
        return done

    async def _create_customers(self, newcomers: Mapping[str, Document], accounts: dict[str, str]) -> None:
        """Customers that the ERP does not have yet, before the documents that name them; each under its own posting."""
        versions = (self.context.mapping.version, self.context.policy.version)
        results = await self.applier.apply([Work(key, (d,), *versions) for key, d in newcomers.items()])
        met = [newcomers[key] for key, result in results.items() if isinstance(result, Waits | Changed)]
        accounts |= await made_elsewhere(self.context, met)
        created: list[str] = []
        for key, result in results.items():
            party = newcomers[key].party
            if party is not None and party.key in accounts:
                continue
            if isinstance(result, Applied) and party is not None:
                accounts[party.key] = result.numbers[newcomers[key].reference]
                if party.key.isdigit():
                    created.append(party.key)
            elif not isinstance(result, Applied):
                self.outcomes[key] = self._stopped(result)
        if created and self.context.integration.flow("customers").enabled:
            await self._mark("customers", created)

    async def _leave_nothing_behind(self) -> None:
        """No order is done while a document of it waits for a person, or left out while one stands in the ERP.

        The plan may not name that document any more: the order was cancelled, or a later generation took its place.
        """
        done = [key for key, outcome in self.outcomes.items() if isinstance(outcome, Done)]
        known = await standing_by_record(self.context.database, self.context.integration.id, NAME, done)
        for key, rows in known.items():
            outcome = self.outcomes[key]
            held = next((row for row in rows if row.state is State.HELD), None)
            standing = [row for row in live_generations(rows).values() if row.kind != Kind.CUSTOMER.value]
            if held is not None:
                message = held.error or f"a person must look at {held.name.written} in the ERP"
                self.outcomes[key] = self._stopped(Stopped("posting_held", held.name.reference, message))
            elif standing and isinstance(outcome, Done) and outcome.status is Status.EXCLUDED:
                name = standing[0].name.written
                message = f"{name} is posted, and by now the order would be left out: {outcome.reason}"
                self.outcomes[key] = Hold(HoldCode.AMENDED_AFTER_POSTING.value, name, message)

    def _stopped(self, result: Stop) -> Outcome:
        return outcome_of_stop(result, connection=self.context.erp.id, epoch=self.context.erp.epoch)

    async def _mark(self, flow: str, keys: Sequence[str]) -> None:
        async with self.context.database.transaction() as connection:
            await fence(connection, self.run.fence)
            await records.mark(connection, self.run.integration, flow, keys)
        async with self.context.database.connect() as connection:
            await records.notify(connection, [Lane(self.run.integration, flow)])


def _unknown(record: Claimed) -> Outcome:
    """The store does not know the order: a read may lag behind its webhook, so look a few times before saying so."""
    if record.attempts + 1 < LOOKS_FOR_UNKNOWN:
        return Fail(f"the store does not know order {record.key} (yet)", wakes=True, floor_s=UNKNOWN_FLOOR_S)
    return Done(status=Status.EXCLUDED, reason=f"not_in_store: the store does not know order {record.key}")
