"""Somebody touches a posted document in the ERP: the count finds it, the order shows it, and a person decides."""

from collections.abc import Callable

from ml_connector.connectors.base import StoredDocument
from tests.crash import books
from tests.e2e.scene import Said, Scene, audit
from tests.sandbox.s4hana.client import Sap, entry, sale


def _payments(scene: Scene) -> list[StoredDocument]:
    return [d for d in books.documents_in(scene.erp) if d.reference.startswith("S1-P")]


def _delete(scene: Scene, document: StoredDocument) -> None:
    number, company, year = document.number.split("/")
    books.call(f"{scene.erp}/documents/{company}/{year}/{number}/delete", {})


def test_a_deleted_document_holds_its_order_until_a_person_decides(scene: Scene) -> None:
    scene.configure()
    order = scene.place("paid")
    scene.run("worker", "--lease", "5", "--sweep", "0.5", "--poll", "0.2", "--count", "3600")
    scene.posted(order)
    [payment] = _payments(scene)
    _delete(scene, payment)

    def counted() -> bool:
        """Counted as soon as the ERP must show it; asked for here, because the schedule is far away."""
        scene.command("replay", "us-store", "--flow", "system:count", "--", "-")
        return scene.record(order).get("status") == "held"

    scene.until(counted, lambda: str(scene.record(order)))
    hold = scene.holds()[str(order)]
    assert (hold.kind, hold.key) == ("posting_held", payment.reference)
    assert f"the ERP shows 0 documents under {payment.reference}" in hold.message
    assert _payments(scene) == []

    said = scene.command("decide", "us-store", payment.reference, "right", status=1)
    assert "the ERP shows no live document" in said.problems, "what is not there is not right"
    scene.command("decide", "us-store", payment.reference, "gone", "--why", "deleted by mistake")
    scene.until(lambda: scene.record(order).get("status") == "synced", lambda: str(scene.record(order)))
    assert [d.reference for d in _payments(scene)] == [f"{payment.reference}-2"]
    assert any(row["data"].get("verdict") == "gone" for row in audit(scene, kind="released"))


def test_a_look_up_that_has_gone_blind_holds_the_count_and_no_document(scene: Scene) -> None:
    """A right was taken away, and the ERP says "nothing there" of everything."""
    scene.configure()
    first = scene.place("paid")
    scene.run("worker", "--lease", "5", "--sweep", "0.5", "--poll", "0.2", "--count", "3600")
    scene.posted(first)

    def count_until(condition: Callable[[], object]) -> None:
        def counted() -> bool:
            scene.command("replay", "us-store", "--flow", "system:count", "--", "-")
            return bool(condition())

        scene.until(counted, lambda: str(scene.query("SELECT state, reference FROM postings")))

    def states() -> set[str]:
        return {row["state"] for row in scene.query("SELECT state FROM postings WHERE kind <> 'customer'")}

    count_until(lambda: states() == {"checked"})
    second = scene.place("paid")
    scene.posted(second)
    fault = {"match": {"path": "OPLACCTG", "times": 500}, "fault": "stale_lookup", "args": {"lag_s": 100_000}}
    books.call(f"{scene.erp}/faults", fault)
    held = "SELECT * FROM records WHERE flow = 'system:count' AND status = 'held'"
    count_until(lambda: scene.query(held))
    [record] = scene.query(held)
    assert record["hold_kind"] == "connection"
    assert states() == {"posted", "checked"}
    scene.clear_faults()
    count_until(lambda: states() == {"checked"})


def test_a_document_that_stands_in_the_erp_cannot_be_declared_gone(scene: Scene) -> None:
    """A slip of the hand in the reference must not book twice."""
    scene.configure()
    order = scene.place("paid")
    scene.run("worker", "--lease", "5", "--sweep", "0.5", "--poll", "0.2", "--count", "3600")
    scene.posted(order)
    [payment] = _payments(scene)

    tried: list[Said] = []

    def old_enough() -> bool:
        """Too soon after the post nothing can be proved, and the command says so."""
        tried.append(scene.command("decide", "us-store", payment.reference, "gone", status=1))
        return "was posted a moment ago" not in tried[-1].problems

    scene.until(old_enough, lambda: tried[-1].problems)
    said = tried[-1]
    assert f"{payment.reference} is not gone" in said.problems
    assert payment.number in said.problems
    scene.command("sync", "us-store", str(order), "--wait", "30")
    assert [d.reference for d in _payments(scene)] == [payment.reference]


def test_a_document_that_a_person_put_in_the_place_of_ours_is_the_one_that_stands(scene: Scene) -> None:
    """With the number of the one that was reversed, each reconciliation would find a stranger's document again."""
    scene.configure()
    order = scene.place("paid")
    scene.run("worker", "--lease", "5", "--sweep", "0.5", "--poll", "0.2", "--count", "3600")
    scene.posted(order)
    [payment] = _payments(scene)
    number, company, year = payment.number.split("/")
    day = str(payment.posting_date)
    by_hand = {"CreatedByUser": "CLERK", "PostingDate": day, "DocumentDate": day}
    (undone,) = Sap(scene.stage.erp).post(
        entry(
            "", DocumentReferenceID="BY HAND", BusinessTransactionType="RFBU", ReversalReason="01",
            ReversalReferenceDocument=f"{number}{company}{year}", **by_hand,
        )
    )  # fmt: skip
    (posted,) = Sap(scene.stage.erp).post(
        sale(DocumentReferenceID=payment.reference, **by_hand).replace("17100001", "17100099")
    )
    assert undone.posted, undone.notes
    assert posted.posted, posted.notes

    def counted() -> bool:
        scene.command("replay", "us-store", "--flow", "system:count", "--", "-")
        return scene.record(order).get("status") == "held"

    scene.until(counted, lambda: str(scene.record(order)))
    scene.command("decide", "us-store", payment.reference, "right", "--why", "keyed anew")
    scene.until(lambda: scene.record(order).get("status") == "synced", lambda: str(scene.record(order)))
    [live] = [each for each in _payments(scene) if not each.reversed_by]
    [row] = scene.query(f"SELECT number, adopted FROM postings WHERE reference = '{payment.reference}'")
    assert (row["number"], row["adopted"]) == (live.number, True)
