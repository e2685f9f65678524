"""A store and an ERP after some days of trade, and what a person may do to either behind our back."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from ml_connector.connectors.base import StoredDocument
from tests.crash import books
from tests.e2e.scene import Scene, no_polls
from tests.sandbox.s4hana.client import Sap, entry, sale

DAYS = 3


def yesterday() -> date:
    return datetime.now(UTC).date() - timedelta(days=1)


def _quiet(content: Any) -> None:
    """Polls are rare, and nothing is too young to be missed."""
    no_polls(content)
    content["integrations"]["us-store"]["reconcile"] = {"lag_s": 0}


class Shop:
    """Orders of the last days, everything posted by a real worker. Only the first poll finds orders by itself."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.sap = Sap(scene.stage.erp)
        scene.configure(_quiet)

    def trade(self, count: int, *, kinds: dict[str, float] | None = None, seed: int = 7) -> list[int]:
        """Places orders over the last days, the newest yesterday; their numbers."""
        start = datetime.now(UTC) - timedelta(days=DAYS)
        body = {
            "orders": count, "seed": seed, "customers": 3, "start": start.isoformat(), "spread_days": DAYS - 1.5,
            **({"profile": {"kinds": kinds}} if kinds else {}),
        }  # fmt: skip
        placed = books.call(f"{self.scene.store}/seed", body)
        return list(range(int(placed["first_id"]), int(placed["last_id"]) + 1))

    def settled(self) -> None:
        """Nothing waits, and everything that was posted was counted."""
        scene = self.scene
        scene.until(
            lambda: (
                scene.query("SELECT 1 FROM records WHERE flow = 'orders'")
                and not scene.query(
                    "SELECT 1 FROM records WHERE flow IN ('orders', 'customers') AND status IN ('waiting', 'running')"
                )
                and not scene.query("SELECT 1 FROM postings WHERE state NOT IN ('checked', 'held', 'planned', 'void')")
            ),
            lambda: str(
                scene.query("SELECT key, status, last_error FROM records WHERE status IN ('waiting','running')")
            ),
            s=90,
        )

    def reconcile(self, *options: str, status: int | None = None) -> Any:
        """What the command says of the days of trade."""
        first = datetime.now(UTC).date() - timedelta(days=DAYS + 1)
        said = self.scene.command(
            "reconcile", "--from", str(first), "--lag", "0", "--json", *options, status=status
        )  # fmt: skip
        return said.json["integrations"][0] if said.status in (0, 1) else said.json

    # -------------------------------------------------------------- what is in the ERP

    def live(self, order: int) -> StoredDocument:
        [found] = self.scene.documents(order)
        return found

    def deed(self, document: StoredDocument, deed: str, **arguments: object) -> None:
        number, company, year = document.number.split("/")
        books.call(f"{self.scene.erp}/documents/{company}/{year}/{number}/{deed}", dict(arguments))

    def reverse_by_hand(self, document: StoredDocument) -> None:
        number, company, year = document.number.split("/")
        (told,) = self.sap.post(
            entry(
                "", DocumentReferenceID="BY HAND", CreatedByUser="CLERK", BusinessTransactionType="RFBU",
                ReversalReason="01", ReversalReferenceDocument=f"{number}{company}{year}",
                PostingDate=str(document.posting_date), DocumentDate=str(document.posting_date),
            )
        )  # fmt: skip
        assert told.posted, told.notes

    def post_by_hand(self, reference: str, day: date) -> None:
        (told,) = self.sap.post(
            sale(
                DocumentReferenceID=reference, CreatedByUser="CLERK", PostingDate=str(day), DocumentDate=str(day)
            ).replace("17100001", "17100099")
        )  # fmt: skip
        assert told.posted, told.notes


def causes(said: Any) -> set[tuple[str, str]]:
    """(cause, order or reference) of every difference."""
    return {(each["cause"], str(each["order_id"] or each["reference"])) for each in said["differences"]}
