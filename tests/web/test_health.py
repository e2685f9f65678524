"""Health, readiness and metrics, and that no answer carries anything of the inside."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from tests.web.line import Line
from tests.web.serving import Served, serving


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url) as running:
        yield running


async def get(served: Served, path: str, method: str = "GET") -> tuple[int, str]:
    async with served.client.request(method, f"{served.url}{path}") as answer:
        return answer.status, await answer.text()


async def test_up_and_ready(served: Served) -> None:
    assert await get(served, "/healthz") == (200, '{"status":"up"}')
    assert await get(served, "/readyz") == (200, '{"status":"ready"}')


async def test_an_older_database_is_not_ready(served: Served) -> None:
    async with served.database.connect() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert await get(served, "/readyz") == (503, '{"status":"not ready","waits_for":"migration"}')
    assert (await get(served, "/healthz"))[0] == 200


async def test_without_the_database_the_process_is_up_and_not_ready(database_url: str) -> None:
    async with Line(database_url) as line, serving(line.url) as served:
        await served.order(1)
        await line.cut()
        assert await get(served, "/readyz") == (503, '{"status":"not ready","waits_for":"database"}')
        assert (await get(served, "/healthz"))[0] == 200
        status, told = await get(served, "/metrics")
        assert status == 200
        assert "ml_connector_database_up 0.0" in told
        assert await served.order(2) == (503, b"")
        await line.mend()
        assert await served.order(2) == (200, b"")
        assert await get(served, "/readyz") == (200, '{"status":"ready"}')
        assert (await served.marked()).keys() == {"1", "2"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing-here", 404),
        ("GET", "/docs", 404),
        ("GET", "/openapi.json", 404),
        ("GET", "/hooks/web-store", 405),
        ("DELETE", "/metrics", 405),
        ("POST", "/hooks/", 401),
    ],
)
async def test_what_is_not_there_is_answered_with_a_status_alone(
    served: Served, method: str, path: str, status: int
) -> None:
    assert await get(served, path, method) == (status, "")


async def test_the_metrics_show_depth_and_lag(served: Served) -> None:
    await served.order(118)
    _, told = await get(served, "/metrics")
    assert 'ml_connector_records{flow="orders",integration="us-store",status="waiting"} 1.0' in told
    assert 'ml_connector_records_due{flow="orders",integration="us-store"} 1.0' in told


HTML = {"Accept": "text/html,application/xhtml+xml", "Connection": "close"}


async def test_a_browser_is_told_on_a_page_what_is_not_there_and_what_is_broken(served: Served) -> None:
    async def broken() -> None:
        raise RuntimeError("of ours: S3CRET")

    served.app.add_api_route("/broken", broken, methods=["GET", "POST"])
    for method, path, status, words in (
        ("GET", "/nothing-here", 404, "There is no page at this address"),
        ("GET", "/broken", 500, "This is a defect of ml-connector"),
        ("POST", "/broken", 500, "look at it before you send it again"),
    ):
        async with served.client.request(method, served.url + path, headers=HTML) as answer:
            told = await answer.text()
            assert (answer.status, words in told) == (status, True)
            assert "S3CRET" not in told
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert await get(served, "/broken") == (500, "")
