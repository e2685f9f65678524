"""Writes: create, patch, delete and bound actions, each to the part of the company that knows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ml_connector.sandbox.business_one import cancelling, reconciliations
from ml_connector.sandbox.business_one.access import Access
from ml_connector.sandbox.business_one.company import Asked, Company
from ml_connector.sandbox.business_one.documents import Documents
from ml_connector.sandbox.business_one.errors import B1Error, bad_query, refused, unsupported
from ml_connector.sandbox.business_one.fields import MARKETING, EntitySet, Row, words
from ml_connector.sandbox.business_one.journals import Journals
from ml_connector.sandbox.business_one.masterdata import MasterData
from ml_connector.sandbox.business_one.payments import Payments
from ml_connector.sandbox.business_one.queries import Queries
from ml_connector.sandbox.business_one.reconciliations import RECONCILIATIONS
from ml_connector.sandbox.business_one.store import Key
from ml_connector.sandbox.business_one.userobjects import UserObjects
from ml_connector.sandbox.business_one.webhooks import Webhooks

PAYMENT_SETS = ("IncomingPayments", "VendorPayments")
PAYMENT_SOFT = frozenset(words("Remarks JournalRemarks Reference1 Reference2 CounterReference TransferReference"))
JOURNAL_SOFT = frozenset(words("Memo Reference Reference2 Reference3 Indicator"))
MANAGED = ("UserFieldsMD", "UserTablesMD", "UserKeysMD", "SQLQueries", "EventSubscriptions")


@dataclass
class Writer:
    company: Company
    access: Access
    webhooks: Webhooks

    def __post_init__(self) -> None:
        self.documents = Documents(self.company)
        self.payments = Payments(self.company)
        self.journals = Journals(self.company)
        self.master = MasterData(self.company)
        self.user_objects = UserObjects(self.company)
        self.queries = Queries(self.company)

    def create(self, entity_set: EntitySet, given: Row, asked: Asked) -> tuple[Key, Row]:
        """Raises ``B1Error``."""
        if not entity_set.creatable:
            raise unsupported()
        name = entity_set.name
        self._check_rights(name, asked)
        row = self._create(entity_set, name, given, asked)
        return tuple(row[each] for each in entity_set.keys), row

    def _create(self, entity_set: EntitySet, name: str, given: Row, asked: Asked) -> Row:
        if name == "Drafts":
            return self.documents.save_draft(given, asked)
        if name in MARKETING:
            return self.documents.post(name, given, asked)
        if name in PAYMENT_SETS:
            return self.payments.post(name, given, asked)
        if name.startswith("U_"):
            return self.user_objects.create_row(name, given)
        nodes = self.access.nodes.values()
        makers: Mapping[str, Callable[[], Row]] = {
            "JournalEntries": lambda: self.journals.post(given, asked),
            RECONCILIATIONS: lambda: reconciliations.reconcile(self.company, given, asked),
            "UserFieldsMD": lambda: self.user_objects.create_field(given, nodes),
            "UserTablesMD": lambda: self.user_objects.create_table(given, nodes),
            "UserKeysMD": lambda: self.user_objects.create_key(given),
            "SQLQueries": lambda: self.queries.create(given),
            "EventSubscriptions": lambda: self.webhooks.subscribe(given),
        }
        maker = makers.get(name)
        return maker() if maker is not None else self.master.create(entity_set.name, given)

    def patch(self, entity_set: EntitySet, key: Key, row: Row, given: Row, asked: Asked, *, replace: bool) -> None:
        """Raises ``B1Error``."""
        name = entity_set.name
        if not entity_set.updatable and not name.startswith("U_"):
            raise unsupported()
        self._check_rights(name, asked)
        if name in MARKETING:
            self.documents.patch(name, row, given, asked, replace=replace)
        elif name in (*PAYMENT_SETS, "JournalEntries"):
            allowed = JOURNAL_SOFT if name == "JournalEntries" else PAYMENT_SOFT
            soft = {each: value for each, value in given.items() if each in allowed or each.startswith("U_")}
            self.company.table(name).change(key, **soft)
            self.company.tell(name, key, "Updated")
        elif name == "SQLQueries":
            self.queries.change(key, given)
        elif name == "EventSubscriptions":
            self.webhooks.change(key, given)
        elif name.startswith("U_"):
            self.company.table(name).change(key, **given)
        else:
            self.master.patch(name, key, given, replace=replace)

    def delete(self, entity_set: EntitySet, key: Key, row: Row, asked: Asked) -> None:
        """Raises ``B1Error`` -5006 for what cannot be deleted, as posted documents."""
        name = entity_set.name
        if not entity_set.deletable and not name.startswith("U_"):
            raise unsupported()
        self._check_rights(name, asked)
        if name == "Drafts" and row["AuthorizationStatus"] == "dasGenerated":
            raise refused("The draft was already turned into a document")
        if name == "UserTablesMD":
            self.company.table("U_" + str(key[0])).rows.clear()
        if name in ("BusinessPartners", "Items"):
            self.master.delete(name, key)
        else:
            self.company.table(name).delete(key)

    def act(self, entity_set: EntitySet, key: Key, row: Row, action: str, asked: Asked) -> Row | None:
        """A bound action; a row is answered with 200, None with 204. Raises ``B1Error``."""
        name = entity_set.name
        if name in MARKETING:
            return self._act_on_document(name, row, action)
        if name in PAYMENT_SETS and action in ("Cancel", "CancelbyCurrentSystemDate"):
            self.payments.cancel(name, row)
            return None
        if name == "JournalEntries" and action == "Cancel":
            self.journals.cancel(row)
            return None
        if name == RECONCILIATIONS and action == "Cancel":
            reconciliations.cancel(self.company, row)
            return None
        if name == "EventSubscriptions":
            self._check_rights(name, asked)
            self.webhooks.act(key, action)
            return None
        raise bad_query(f"Action '{action}' of '{entity_set.type.name}' is invalid")

    def _act_on_document(self, name: str, row: Row, action: str) -> Row | None:
        if action in ("Cancel", "CreateCancellationDocument"):
            counter = cancelling.cancel(self.company, name, row)
            return counter if action == "CreateCancellationDocument" else None
        if action == "Close":
            cancelling.close(self.company, name, row)
        elif action == "Reopen":
            cancelling.reopen(self.company, name, row)
        else:
            raise bad_query(f"Action '{action}' of 'Document' is invalid")
        return None

    def _check_rights(self, name: str, asked: Asked) -> None:
        settings = self.company.settings
        forbidden = name in MANAGED and not asked.session.user.may_manage
        forbidden |= name == "SQLQueries" and not settings.sql_queries_allowed
        forbidden |= name.startswith("User") and not settings.user_objects_allowed
        if forbidden:
            raise B1Error(400, 804 if name == "SQLQueries" else -5002, "You are not permitted to perform this action")
