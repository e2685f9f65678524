"""The arithmetic of the pace: pauses, quotas with a part kept for orders, a rate that is halved and grows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_connector.connectors.base import Quota
from ml_connector.engine.limiter import deal
from ml_connector.engine.pace import RATE_MIN, Pace, Rate


def paced(left: int, *, limit: int = 100, reset_s: float = 10.0, in_flight: int = 0) -> Pace:
    pace = Pace()
    pace.started(0.0)
    pace.observe(Quota(limit, left, reset_s), 0.0, in_flight=in_flight)
    return pace


def test_with_nothing_known_calls_go_at_once() -> None:
    assert Pace().delay("orders", 0.0) == 0
    assert Pace().delay("background", 0.0) == 0


def test_with_a_full_quota_everybody_goes_at_once() -> None:
    assert [paced(90).delay(who, 0.0) for who in ("orders", "catalogue", "background")] == [0, 0, 0]


def test_as_the_quota_runs_low_the_catalogue_is_spread_and_orders_are_not() -> None:
    pace = paced(40)
    assert pace.delay("orders", 0.0) == 0
    assert pace.delay("catalogue", 0.0) == pytest.approx(10 / 15)  # 40 left, 25 are kept for orders
    assert pace.delay("background", 0.0) == 10


def test_the_reserve_is_for_orders() -> None:
    pace = paced(20)
    assert pace.delay("catalogue", 0.0) == 10
    assert pace.delay("orders", 0.0) == 0
    assert paced(10).delay("orders", 0.0) == pytest.approx(1.0)


def test_an_empty_quota_waits_for_its_renewal_and_no_longer() -> None:
    pace = paced(0)
    assert pace.delay("orders", 4.0) == pytest.approx(6.0)
    assert pace.delay("background", 10.0) == 0


def test_calls_in_flight_count_as_made() -> None:
    assert paced(4, in_flight=4).delay("orders", 0.0) == 10


def test_answers_of_one_window_may_overtake_each_other() -> None:
    pace = paced(5)
    pace.observe(Quota(100, 60, 9.0), 1.0)  # an older answer of the same window
    assert pace.delay("catalogue", 1.0) > 0
    pace.observe(Quota(100, 99, 10.0), 11.0)
    assert pace.delay("catalogue", 11.0) == 0


def test_calls_made_since_the_answer_count() -> None:
    pace = paced(60)
    for _ in range(20):
        pace.started(1.0)
    assert pace.delay("catalogue", 1.0) > 0


def test_a_part_of_the_places_is_a_part_of_the_quota() -> None:
    whole, half = paced(10), paced(10)
    half.share = 0.5
    assert half.delay("orders", 0.0) == pytest.approx(2 * whole.delay("orders", 0.0))


@given(st.integers(1, 1500), st.sampled_from([1.0, 0.5, 0.1]))
def test_no_minute_has_more_calls_than_the_system_takes(per_minute: int, share: float) -> None:
    pace = Pace()
    pace.per_minute, pace.share = per_minute, share
    now, starts = 0.0, list[float]()
    for _ in range(min(2 * per_minute, 300)):
        now += pace.delay("orders", now)
        pace.started(now)
        starts.append(now)
    allowed = max(1, int(per_minute * share))
    assert starts[min(allowed, len(starts)) - 1] <= 60, "the share of a minute is there to be used"
    for number, start in enumerate(starts):
        assert sum(start <= later < start + 59.999 for later in starts[number:]) <= allowed


def test_a_pause_holds_everybody() -> None:
    pace = Pace()
    pace.pause(5.0)
    pace.pause(3.0)
    assert pace.delay("orders", 1.0) == 4
    assert pace.delay("orders", 5.0) == 0


def test_a_throttle_without_figures_halves_what_was_done() -> None:
    pace = Pace()
    for tenth in range(100):
        pace.started(tenth / 10)
    assert pace.speed(10.0) == pytest.approx(10, rel=0.05)
    pace.rate = Rate(pace.halved(10.0), 10.0)
    assert pace.rate.base == pytest.approx(5, rel=0.05)
    assert pace.delay("orders", 10.0) == pytest.approx(0.1, abs=0.02)


def test_the_rate_grows_slowly_and_is_forgotten_when_it_says_nothing_any_more() -> None:
    rate = Rate(4.0, 0.0)
    assert rate.now(60.0) == pytest.approx(8.0)
    assert not rate.over(100.0)
    assert rate.over(200.0)
    pace = Pace()
    pace.rate = rate
    pace.started(199.9)
    assert pace.delay("orders", 200.0) == 0
    assert pace.rate is None


def test_throttles_in_a_row_do_not_stop_it_for_ever() -> None:
    pace = Pace()
    now = 0.0
    for _ in range(50):
        pace.started(now)
        pace.rate = Rate(pace.halved(now), now)
        now += 2
    assert pace.rate is not None
    assert pace.rate.base >= RATE_MIN


# ---------------------------------------------------------------------- places

holders = st.dictionaries(st.sampled_from("abcdefg"), st.integers(0, 12), min_size=1)


@given(st.integers(1, 12), holders, st.integers(0, 1000))
def test_places_are_dealt_out_evenly_and_none_is_left_over(total: int, wants: dict[str, int], turn: int) -> None:
    given_out = deal(total, wants, turn)
    assert sum(given_out.values()) == min(total, sum(wants.values()))
    for one, places in given_out.items():
        assert 0 <= places <= wants[one]
        for other in wants:
            assert places <= given_out[other] + 1 or given_out[other] == wants[other]


@given(st.integers(1, 12), st.dictionaries(st.sampled_from("abcdefg"), st.integers(1, 12), min_size=1))
def test_everybody_has_a_turn(total: int, wants: dict[str, int]) -> None:
    assert {
        holder for turn in range(len(wants)) for holder, places in deal(total, wants, turn).items() if places
    } == set(wants)
