"""How the ERP and the store answer: too late, too early, not now, or no more."""

import time
from typing import Any

from ml_connector.sandbox.bigcommerce.routes import ALL_SCOPES
from tests.crash import books
from tests.crash.stage import POST
from tests.e2e.scene import TIMEOUT_S
from tests.scenarios.playing import Play, alone, delete

LOOK_UP = {"method": "GET", "path": "CUBE"}


def _look_ups(play: Play) -> list[dict[str, Any]]:
    return [r for r in books.call(f"{play.erp}/state/requests")["items"] if "CUBE" in r["path"]]


def _was_unknown(play: Play) -> None:
    assert play.query("SELECT 1 FROM postings WHERE recount_at IS NOT NULL"), "no outcome was ever unknown"


@alone("ERP commits then times out")
def erp_commits_then_times_out(play: Play) -> None:
    """Everything is posted, the answer comes long after we stopped waiting."""
    play.fault({"fault": "slow_answer", "match": {**POST, "nth": 1}, "args": {"delay_s": TIMEOUT_S + 4}})
    orders = [play.place("paid") for _ in range(2)]
    play.worker()
    play.posted(*orders)
    _was_unknown(play)
    play.ties()


@alone("ERP commits late, after our look-up said absent")
def erp_commits_late_after_our_look_up_said_absent(play: Play) -> None:
    """The look-up at 5 s finds nothing, the document appears at 8 s: absence counts only from H."""
    commit_after_s, t_and_l_s = 8.0, 9.0
    play.configure(lambda content: content["connections"]["ledger"]["timing"].update(l_s=t_and_l_s - TIMEOUT_S))
    args = {"commit_after_s": commit_after_s, "answer_after_s": 0.05}
    play.fault({"fault": "late_commit", "match": {**POST, "nth": 1}, "args": args})
    order = play.place("paid")
    play.worker()
    play.until(lambda: play.posts(), lambda: f"nothing was sent: {play.busy()}")
    before = len(_look_ups(play))
    play.until(lambda: len(_look_ups(play)) > before, lambda: "nobody looked")
    assert play.documents(order) == [], "the ERP has committed before anybody looked"
    play.posted(order)
    _was_unknown(play)
    play.ties()


@alone("look-up index lagging")
def look_up_index_lagging(play: Play) -> None:
    """The document stands and the look-up does not show it for as long as the connector says it may not (V)."""
    lag_s = 7.0
    play.configure(lambda content: content["connections"]["ledger"]["timing"].update(v_s=lag_s + 0.5))
    books.call(f"{play.erp}/seed", {"lookup_lag_s": lag_s})
    play.fault({"fault": "reset_after_commit", "match": {**POST, "nth": 1}})
    order = play.place("paid")
    play.worker()
    play.until(lambda: play.documents(order), lambda: f"nothing was sent: {play.busy()}")
    before = len(_look_ups(play))
    play.until(lambda: len(_look_ups(play)) > before, lambda: "nobody looked")
    assert play.record(order)["status"] != "synced", "the look-up showed what it must not show yet"
    play.posted(order)
    _was_unknown(play)
    play.ties()


@alone("429 with and without a reset header")
def throttled_with_and_without_a_reset_header(play: Play) -> None:
    """Seconds, a date, or nothing at all; from the ERP and from the store. Nothing is an attempt, nothing is lost."""
    play.fault(
        {"fault": "throttle", "match": {**POST, "nth": 1}, "args": {"retry_after": 1}},
        {"fault": "throttle", "match": {**POST, "nth": 2}, "args": {"retry_after": "none"}},
        {"fault": "throttle", "match": {**LOOK_UP, "nth": 1}, "args": {"retry_after": "http-date", "seconds": 2}},
    )
    play.fault(
        {"fault": "throttle", "match": {"path": "transactions", "nth": 1}, "args": {"retry_after": "none"}},
        {"fault": "throttle", "match": {"path": "transactions", "nth": 2}, "args": {"retry_after": 1}},
        system="store",
    )
    orders = [play.place("paid") for _ in range(3)]
    play.worker()
    told: dict[str, int] = {}  # who was told to wait -> attempts that were counted for it

    def synced() -> bool:
        for row in play.query("SELECT key, attempts, last_error FROM records WHERE flow = 'orders'"):
            if "429" in (row["last_error"] or ""):
                told[row["key"]] = max(told.get(row["key"], 0), row["attempts"])
        return all(play.record(order).get("status") == "synced" for order in orders)

    play.until(synced, play.busy)
    assert told, "nobody was told to wait"
    assert set(told.values()) == {0}, f"a throttled run was counted as an attempt: {told}"
    play.posted(*orders)
    play.ties()
    for control in (play.store, play.erp):
        refused = [r for r in books.call(f"{control}/state/requests")["items"] if r["status"] == 429]
        assert 2 <= len(refused) <= 6, refused


@alone("token revoked mid-batch")
def token_revoked_mid_batch(play: Play) -> None:
    """The ERP's token is renewed by itself. The store's is not: the orders wait for the repair, by its name."""
    slow = {"fault": "slow", "match": POST, "args": {"delay_s": 0.3}}
    play.fault(slow)
    first = play.place("paid", orders=10)
    play.worker()
    play.until(lambda: len(books.documents_in(play.erp)) >= 2, play.busy)
    assert len(books.documents_in(play.erp)) < 20, "the batch was over before the token was revoked"
    books.call(f"{play.erp}/revoke_tokens", {})
    play.posted(*range(first, first + 10))
    play.check()
    refused = [r for r in books.call(f"{play.erp}/state/requests")["items"] if r["status"] == 401]
    assert refused, "the revoked token was never used"

    play.clear_faults()
    slow = {"fault": "slow", "match": {"path": "transactions"}, "args": {"delay_s": 0.5}}
    play.fault(slow, system="store")
    second = play.place("paid", orders=6)
    orders = list(range(second, second + 6))
    play.until(lambda: any(play.record(order).get("token") for order in orders), play.busy)
    account = play.stage.store.credentials
    delete(f"{play.store}/accounts/{account['client_id']}")
    holds = play.all_held(*orders)
    assert {hold.kind for hold in holds.values()} == {"connection"}
    assert all("401" in hold.message for hold in holds.values()), holds
    renewed = {"access_token": "renewed-token", "client_id": account["client_id"], "scopes": sorted(ALL_SCOPES)}
    books.call(f"{play.store}/accounts", {**renewed, "client_secret": account["client_secret"]})
    play.clear_faults("store")
    play.configure(BC_ACCESS_TOKEN="renewed-token")
    play.posted(*orders)
    play.ties()


@alone("two workers with the same key")
def two_workers_with_the_same_key(play: Play) -> None:
    """Two processes, marked again and again: a record runs once at a time, whoever has it."""
    for _ in range(2):
        play.worker()
    slow = {"fault": "slow", "match": {"path": "transactions"}, "args": {"delay_s": 0.2}}
    play.fault(slow, system="store")
    first = play.place("paid", orders=6)
    orders = list(range(first, first + 6))
    for round_ in range(3):
        play.until(lambda: all(play.record(order) for order in orders), play.busy)
        for order in orders:
            play.act(order, "touch", fields={"staff_notes": f"round {round_}"})
        time.sleep(1.1)  # the store's stamps have whole seconds
    play.posted(*orders)
    play.rest()
    play.ties()
    told = play.query("SELECT key, kind, token FROM audit WHERE flow = 'orders' AND token IS NOT NULL ORDER BY at, id")
    for order in orders:
        # each run begins (read) after the one before had said how it ended
        mine = [row for row in told if row["key"] == str(order) and row["kind"] in ("read", "synced")]
        assert [row["kind"] for row in mine] == ["read", "synced"] * (len(mine) // 2), mine
        assert all(a["token"] == b["token"] for a, b in zip(mine[::2], mine[1::2], strict=True)), mine
        assert len(mine) >= 4, "the order was marked in vain"
