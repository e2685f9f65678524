"""Every attempt has a message ID of its own: SAP takes one that it has seen for the same message."""

from datetime import UTC, datetime, timedelta

from ml_connector.connectors.s4hana.wire import message_id

NOW = datetime(2026, 11, 21, 23, 45, 0, 123_000, tzinfo=UTC)


def test_two_attempts_within_one_second_are_two_messages() -> None:
    ids = {message_id("S1-O10250", NOW + timedelta(milliseconds=step)) for step in range(50)}
    assert len(ids) == 50


def test_it_has_room_beside_the_longest_reference() -> None:
    assert len(message_id("S1234-O9007199254740993-9", NOW)) <= 35
    assert message_id("S1-O10250", NOW).startswith("S1-O10250-")


def test_the_zone_of_the_clock_does_not_matter() -> None:
    assert message_id("S1-O1", NOW) == message_id("S1-O1", NOW.astimezone())
