"""Log lines: JSON with the correlation, without secrets, whoever writes them."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from ml_connector.engine.correlation import correlated
from ml_connector.engine.logs import configure
from ml_connector.engine.masking import KnownSecrets

SECRET = "hunter2-of-the-shop"


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    secrets = KnownSecrets()
    secrets.add(SECRET)
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    configure(json=True, stream=stream, secrets=secrets)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_says_on_whose_behalf(out: io.StringIO) -> None:
    with correlated(integration=1, flow="orders", key="100", token=7) as now:
        structlog.get_logger().info("order.posted", number="0100000008")
    [line] = lines(out)
    assert line["event"] == "order.posted"
    assert line["level"] == "info"
    assert (line["correlation"], line["flow"], line["key"], line["token"]) == (now.id, "orders", "100", 7)


def test_secrets_are_masked_in_text_fields_and_tracebacks(out: io.StringIO) -> None:
    log = structlog.get_logger()
    log.info(f"login with {SECRET}", url=f"https://x/?p={SECRET}", facts={"a": [SECRET], "client_secret": "other"})
    log.warning("headers", authorization="Basic abc", cookie="s=1")
    try:
        int(SECRET)
    except ValueError:
        log.exception("failed")
    assert SECRET not in out.getvalue()
    first, second, third = lines(out)
    assert first["facts"] == {"a": ["***"], "client_secret": "***"}
    assert second["authorization"] == second["cookie"] == "***"
    assert "ValueError: invalid literal for int() with base 10: '***'" in third["exception"]


def test_libraries_take_the_same_way(out: io.StringIO) -> None:
    logging.getLogger("some.library").warning("retry of %s", SECRET)
    logging.getLogger("aiohttp.access").info("GET /")
    [line] = lines(out)
    assert line["event"] == "retry of ***"
    assert line["logger"] == "some.library"
