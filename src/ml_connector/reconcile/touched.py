"""The ERP's documents against what we sent: gone, reversed by hand, doubled, changed, not ours."""

from ml_connector.connectors.base import StoredDocument
from ml_connector.domain.documents import Document
from ml_connector.domain.money import ZERO
from ml_connector.engine.postings import OPEN, Posting, State
from ml_connector.reconcile.causes import Cause
from ml_connector.reconcile.measures import accounts_in, measured, measured_by_role, sums_by_account
from ml_connector.reconcile.values import About, Thing
from ml_connector.reconcile.view import View


def touched(view: View, posting: Posting, part: Thing, about: About) -> bool:
    """What became of one document that we posted. True: there is something to say of it."""
    name = posting.name.written
    live = [document for document in part.live if document.reference == name]
    gone = [document for document in part.reversed if document.reference == name]
    content = view.content(posting)
    if not live:
        if posting.name in view.undoing:
            return False  # our own reversal is on its way
        if gone:
            words = f"{gone[0].number} ({name}) was reversed in the ERP by {gone[0].reversed_by}"
            view.say(Cause.REVERSED, about, words, name, gone, touched=True)
        elif posting.posted_at is not None and view.is_unseen(posting):
            view.say(Cause.WAITING, about, f"{name} was posted a moment ago as {posting.number}", name)
        else:
            view.say(Cause.DELETED, about, f"{name} was posted as {posting.number} and is no longer there", name,
                      touched=True)  # fmt: skip
        return True
    others = [d for d in part.live if d not in live] if part.kind != "D" else []
    if len(live) > 1 or others:
        numbers = ", ".join(document.number for document in (*live, *others))
        view.say(Cause.DUPLICATE, about, f"{name} is booked {len(live) + len(others)} times: {numbers}", name,
                  [*live, *others], touched=True)  # fmt: skip
        return True
    [stored] = live
    if posting.number and stored.number != posting.number:
        words = f"{stored.number} stands under {name}; what we posted was {posting.number}"
        view.say(Cause.FOREIGN, about, words + created_by(stored), name, live, touched=True)
        return True
    if posting.adopted:
        return False  # somebody said that it is right as it is
    return _changed(view, content, stored, about)


def _changed(view: View, content: Document, stored: StoredDocument, about: About) -> bool:
    """Where the document is not what we sent, by the most telling difference."""
    ours = view.comparable(content, [stored])
    was, has = sums_by_account(ours), sums_by_account(stored)
    words = list(view.rules.differs(content, stored)) if view.rules.differs else []
    if view.rules.differs is None and was != has:
        words = [
            f"{account}: sent {was.get(account, ZERO)}, stored {has.get(account, ZERO)}"
            for account in sorted(was.keys() | has.keys())
            if was.get(account, ZERO) != has.get(account, ZERO)
        ]
    if stored.currency and stored.currency != content.currency:
        cause, words = Cause.CURRENCY, [f"sent in {content.currency}, stored in {stored.currency}"]
    elif words:
        sent = measured_by_role(about.thing.kind, content)
        accounts = accounts_in(content, view.usual)
        booked = measured(about.thing.kind, stored, accounts)
        cause = Cause.AMOUNT if sent.amount != booked.amount else Cause.ACCOUNT
        if cause is Cause.ACCOUNT and sent.tax != booked.tax:
            cause = Cause.TAX
    elif stored.posting_date and stored.posting_date != content.posting_date:
        cause, words = Cause.DATE, [f"sent for {content.posting_date}, stored on {stored.posting_date}"]
    else:
        return False
    text = f"{stored.number} ({stored.reference}) is not what we sent: {'; '.join(words)}"
    view.say(cause, about, text, stored.reference, [stored], touched=True)
    return True


def stranger(view: View, part: Thing, about: About) -> bool:
    """Live documents under the name that no posting of ours made. True: there is one."""
    told = False
    known = {p.name.written: p for p in part.postings}
    if any(view.stands(p) for p in part.postings) and part.kind != "D":
        return False  # counted as doubled above
    for document in part.live:
        posting = known.get(document.reference)
        if posting is not None and posting.name in view.undone and not view.is_unseen(view.reversals[posting.name]):
            told = True
            reversal = view.reversals[posting.name]
            words = f"{reversal.name.written}, posted as {reversal.number}, is no longer there: what it reversed, "
            view.say(Cause.DELETED, about, f"{words}{document.number} ({document.reference}), stands",
                      reversal.name.written, [document], touched=True)  # fmt: skip
            continue
        if posting is not None and (view.stands(posting) or posting.name in view.undoing):
            continue
        told = True
        if posting is not None and posting.state in OPEN:
            view.say(Cause.WAITING, about, f"{document.reference} is in the ERP as {document.number}; our record of "
                      "it is not written yet", document.reference, [document])  # fmt: skip
        elif len(part.live) > 1:
            numbers = ", ".join(each.number for each in part.live)
            view.say(Cause.DUPLICATE, about, f"{document.reference} is booked {len(part.live)} times: {numbers}",
                      document.reference, part.live)  # fmt: skip
            return True
        else:
            known_as = ""
            if posting is not None and posting.state in (State.VOID, State.HELD):
                known_as = " (it was declared gone)" if posting.state is State.VOID else f" ({posting.error})"
            words = f"{document.number} stands under {document.reference}, and we did not post it{known_as}"
            view.say(
                Cause.FOREIGN, about, words + created_by(document), document.reference, [document]
            )  # fmt: skip
    return told


def created_by(document: StoredDocument) -> str:
    return f" (created by {document.created_by})" if document.created_by else ""
