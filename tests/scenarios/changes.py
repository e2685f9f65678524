"""The merchant changes an order: between our reading and our posting, and after it."""

from decimal import Decimal

from tests.scenarios.playing import Acts, Play, alone, together


@alone("order edited between read and post")
def order_edited_between_read_and_post(play: Play) -> None:
    """What was read is posted, and the edit amends it: never half of each."""
    order = play.place("paid", several=True)
    before = play.head(order)["total_inc_tax"]
    worker = play.worker("plan.a:stop")
    worker.stopped_at("plan.a")  # read and planned, nothing sent
    play.passes(1.1)  # the store's stamps have whole seconds
    play.take_one_away(order)
    after = play.head(order)["total_inc_tax"]
    assert after < before
    worker.go_on()
    play.until(lambda: any(name.endswith("-2") for name in play.entries(order)), play.busy)
    play.rest()
    assert play.sums(play.entry(order, "O"))["receivable"] == after
    assert play.owed(order) == after - before  # paid more than is owed now: a credit, until it is refunded
    play.ties()


@together("order edited after post", "polled")
def order_edited_after_post(play: Play) -> Acts:
    order = play.sell("paid", "guest", "several", "promotion")
    first = play.head(order)["total_inc_tax"]
    yield
    assert play.sums(play.entry(order, "O"))["receivable"] == first
    day = play.entry(order, "O").posting_date
    play.take_one_away(order)
    yield
    second = play.entry(order, "O")
    assert second.reference == f"S1-O{order}-2"
    assert second.posting_date == day  # the period is open: the correction stands where the error stood
    assert play.sums(second)["receivable"] == play.head(order)["total_inc_tax"] < first
    play.act(order, "touch", fields={"staff_notes": "texts are no content", "customer_message": "thanks"})
    yield
    assert play.entry(order, "O") == second
    assert play.owed(order) == play.head(order)["total_inc_tax"] - first < Decimal(0)
