"""The embedded server: shared, killed, restarted, without loosening anybody's permissions."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from ml_connector.engine.embedded import EmbeddedPostgres, _Owner, _reachable_directory


@pytest.fixture
def server(open_directory: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(open_directory / "postgres")
    server.start()
    yield server
    if server.pid() is not None:
        server.stop()


def query(server: EmbeddedPostgres, statement: str, *, tcp: bool = False) -> object:
    url = server.url(tcp=tcp).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)  # type: ignore[arg-type]
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def test_it_answers_on_its_socket_and_on_loopback_only_with_the_password(server: EmbeddedPostgres) -> None:
    assert query(server, "SHOW autovacuum_naptime") == "5s"
    assert query(server, "SHOW listen_addresses", tcp=True) == "127.0.0.1"
    wrong = server.url(tcp=True).set(drivername="postgresql", password="wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong.render_as_string(hide_password=False))
    assert stat.S_IMODE((server.directory / "password").stat().st_mode) == 0o600


def test_starting_twice_gives_the_same_server(server: EmbeddedPostgres) -> None:
    pid = server.pid()
    assert EmbeddedPostgres(server.directory).start() == server.url()
    assert server.pid() == pid


def test_a_killed_server_starts_again_with_what_was_committed(server: EmbeddedPostgres) -> None:
    query(server, "CREATE TABLE kept AS SELECT 7 AS n")
    pid = server.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=5)
    assert (server.data / "postmaster.pid").exists(), "a killed server leaves its file behind"
    server.start()
    assert server.pid() not in (None, pid)
    assert query(server, "SELECT n FROM kept") == 7


def test_a_stale_file_that_names_a_living_stranger_is_no_server(server: EmbeddedPostgres) -> None:
    server.stop()
    lines = f"{os.getpid()}\n{server.data}\n0\n5432\n{server.data}\n127.0.0.1\n0 0\nready\n"
    (server.data / "postmaster.pid").write_text(lines)
    assert server.pid() is None
    server.start()
    assert query(server, "SELECT 1") == 1


def test_a_zombie_is_no_server(server: EmbeddedPostgres) -> None:
    server.stop()
    child = subprocess.Popen(["/bin/true", str(server.data)], user=server._owner.uid)  # nobody waits for it
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    words = f"{child.pid}\n{server.data}\n0\n5432\n{server.data}\n127.0.0.1\n0 0\n"
    (server.data / "postmaster.pid").write_text(words)
    (server.data / f".s.PGSQL.{(server.directory / 'port').read_text()}.lock").write_text(words)
    assert server.pid() is None
    server.start()
    child.wait()
    assert query(server, "SELECT 1") == 1


def test_the_last_user_stops_it(server: EmbeddedPostgres) -> None:
    program = (
        "import sys; from ml_connector.engine.embedded import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(sys.argv[1]); server.start(); print('up', flush=True); sys.stdin.readline()\n"
        "server.release()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(server.directory)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert other.stdout is not None
    assert other.stdout.readline() == "up\n"
    server.release()
    assert server.pid() is not None, "the other process still uses it"
    other.communicate("\n", timeout=30)
    assert server.pid() is None


def test_a_killed_user_does_not_keep_it_up(server: EmbeddedPostgres) -> None:
    program = (
        "import sys, time; from ml_connector.engine.embedded import EmbeddedPostgres\n"
        "EmbeddedPostgres(sys.argv[1]).start(); print('up', flush=True); time.sleep(600)"
    )
    other = subprocess.Popen([sys.executable, "-c", program, str(server.directory)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "up\n"
    other.kill()
    other.communicate()
    server.release()
    assert server.pid() is None


def test_a_private_home_keeps_its_permissions(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    chosen = _reachable_directory(home / "project" / "postgres", _Owner(uid=65534, gid=65534))
    assert home not in chosen.parents
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert _reachable_directory(home / "postgres", _Owner()) == home / "postgres", "our own user reaches it"
