"""Where master keys come from: the environment, a key file, or for the embedded database a key file of our own.

A master key is 32 random bytes, written in base64. Several may be given, separated by commas or lines: during a
rotation both are needed. Its public name tells keys apart and says nothing about the key.
"""

import base64
import binascii
import hashlib
import hmac
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ml_connector.engine.masking import known_secrets

SIZE = 32
ENVIRONMENT = "ML_CONNECTOR_KEY"
FILE_ENVIRONMENT = "ML_CONNECTOR_KEY_FILE"


class VaultError(Exception):
    """Secrets cannot be read or written; the message says what to do, and holds no secret."""


@dataclass(frozen=True, slots=True)
class MasterKey:
    """`name`: public. `material`: 32 bytes, shown nowhere."""

    name: str
    material: bytes = field(repr=False)

    @classmethod
    def of(cls, material: bytes) -> "MasterKey":
        """Raises `VaultError` when `material` is not a key."""
        if len(material) != SIZE:
            raise VaultError(
                f"a master key has {SIZE} bytes, not {len(material)}: make one with `openssl rand -base64 32`"
            )
        name = hmac.new(material, b"ml-connector master key name", hashlib.sha256).hexdigest()[:12]
        return cls(name, material)

    @classmethod
    def new(cls) -> "MasterKey":
        return cls.of(os.urandom(SIZE))


class MasterKeys:
    """The master keys at hand; the first one founds an empty database. `path`: a file that a miss reads again."""

    def __init__(self, keys: Iterable[MasterKey], *, path: Path | None = None, own: bool = False) -> None:
        self._keys = {key.name: key for key in keys}
        self._path = path
        self._own = own
        if not self._keys:
            raise VaultError(
                f"no master key is given: set {ENVIRONMENT} (`openssl rand -base64 32`) or {FILE_ENVIRONMENT}"
            )

    def __repr__(self) -> str:
        return f"MasterKeys({', '.join(self._keys)})"

    @property
    def first(self) -> MasterKey:
        return next(iter(self._keys.values()))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._keys)

    @property
    def advice(self) -> str:
        """What a person does who lacks a key."""
        if self._path is not None:
            return f"put the missing key into {self._path}, from the backup that was made with the database"
        return f"set {ENVIRONMENT} or {FILE_ENVIRONMENT} to the key of this database"

    def get(self, name: str) -> MasterKey | None:
        """The key of that name; reads the key file again if another process may have rotated meanwhile."""
        if name not in self._keys and self._path is not None and self._path.exists():
            for key in read_keys(self._path):
                self.add(key)
        return self._keys.get(name)

    def add(self, key: MasterKey) -> None:
        self._keys.setdefault(key.name, key)

    def next_after(self, current: str) -> MasterKey:
        """The key to rotate to. In a key file of ours it is made (or found, if an earlier rotation was interrupted)."""
        if self._path is None or not self._own:
            if self.first.name == current:
                raise VaultError(
                    f"master key {current} is the first one given and current already: put the new key first and keep "
                    f"the old one behind it, e.g. {ENVIRONMENT}=NEW,OLD, in every process, then rotate again"
                )
            return self.first
        keys = read_keys(self._path)  # the newest is the last
        if len(keys) > 1 and (keys[-1].name == current or keys[0].name == current):
            new = keys[-1]  # an earlier rotation was interrupted, after or before its transaction
        else:
            new = MasterKey.new()
            _write(self._path, [self._keys[current], new])
        self.add(new)
        return new

    def retire_all_but(self, key: MasterKey) -> None:
        """Nothing is wrapped by the other keys any more: they leave a key file of ours."""
        if self._path is not None and self._own:
            _write(self._path, [key])


def parse_keys(value: str) -> list[MasterKey]:
    """Keys in base64, separated by commas or blanks. Raises `VaultError`, never naming what was given."""
    keys: list[MasterKey] = []
    for part in value.replace(",", " ").split():
        try:
            material = base64.b64decode(part.replace("-", "+").replace("_", "/"), validate=True)
        except (binascii.Error, ValueError):
            raise VaultError(
                "a master key must be 32 bytes in base64: make one with `openssl rand -base64 32`"
            ) from None
        keys.append(MasterKey.of(material))
        known_secrets.add(part)
    return keys


def read_keys(path: Path) -> list[MasterKey]:
    """The keys in a file. Raises `VaultError`."""
    try:
        return parse_keys(path.read_text())
    except OSError as error:
        raise VaultError(f"the key file {path} cannot be read: {error.strerror}") from error


def master_keys(environment: Mapping[str, str], *, own_file: Path | None = None) -> MasterKeys:
    """The master keys of this installation.

    `ML_CONNECTOR_KEY`, else `ML_CONNECTOR_KEY_FILE`, else `own_file` (mode 0600, made on first use), which belongs
    beside the data directory of the embedded database. Raises `VaultError`.
    """
    if value := environment.get(ENVIRONMENT, "").strip():
        return MasterKeys(parse_keys(value))
    if name := environment.get(FILE_ENVIRONMENT, "").strip():
        return MasterKeys(read_keys(Path(name)), path=Path(name))
    if own_file is None:
        return MasterKeys(())
    _found(own_file)
    mode = stat.S_IMODE(own_file.stat().st_mode)
    if mode & 0o077:
        raise VaultError(
            f"{own_file} is open to others (mode {mode:04o}): `chmod 600 {own_file}`, and consider rotating"
        )
    return MasterKeys(read_keys(own_file), path=own_file, own=True)


def _found(path: Path) -> None:
    """Makes the key file unless it exists: complete or not at all, whoever comes first."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = _draft(path, [MasterKey.new()])
    try:
        os.link(draft, path)  # fails if another process was first
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    _sync_directory(path.parent)


def _write(path: Path, keys: Iterable[MasterKey]) -> None:
    """Replaces the file at once; it is on the disk before the database may depend on it."""
    _draft(path, keys).replace(path)
    _sync_directory(path.parent)


def _draft(path: Path, keys: Iterable[MasterKey]) -> Path:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("".join(base64.b64encode(key.material).decode() + "\n" for key in keys))
        file.flush()
        os.fsync(file.fileno())
    return draft


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
