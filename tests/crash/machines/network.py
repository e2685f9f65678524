"""Machines as network namespaces. Each has one line to the database, one to the store and one to the ERP, so that any
of them can be cut by taking its far end down: what is sent then is lost without a word, in both directions.

Nothing but `ip` is needed, and the right to use it. The address space is private and drawn anew for each run.
"""

import json
import os
import random
import shutil
import subprocess
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass

LINES = ("database", "store", "erp")
MACHINES = 3
_PREFIX = "mlc"


class NoNamespaces(Exception):
    """Network namespaces cannot be made here; the message says why."""


@dataclass(frozen=True, slots=True)
class Network:
    """`address(line)`: where this machine, the one that serves, is reached over the line."""

    tag: str
    base: str

    def address(self, line: str) -> str:
        return f"{self.subnet(line)}.1"

    def subnet(self, line: str) -> str:
        """The first three octets."""
        first, second, third = self.base.split(".")
        return f"{first}.{second}.{int(third) + LINES.index(line)}"

    def through(self, machine: int) -> tuple[str, ...]:
        """What to put before a command so that it runs on this machine (1, 2, 3)."""
        return ("ip", "netns", "exec", self.namespace(machine))

    def cut(self, machine: int, lines: Iterable[str]) -> None:
        for line in lines:
            _ip("link", "set", self._far_end(machine, line), "down")

    def heal(self, machine: int) -> None:
        for line in LINES:
            _ip("link", "set", self._far_end(machine, line), "up")

    def reaches(self, machine: int, line: str) -> bool:
        """Whether a connection to somebody who listens there would come about: the line carries."""
        [link] = json.loads(_ip("-json", "-n", self.namespace(machine), "link", "show", line))
        return link["operstate"] == "UP"

    def namespace(self, machine: int) -> str:
        return f"{_PREFIX}-{self.tag}-{machine}"

    def bridge(self, line: str) -> str:
        return f"{_PREFIX}{self.tag}{line[0]}"

    def _far_end(self, machine: int, line: str) -> str:
        return f"{self.bridge(line)}{machine}"

    def make(self) -> None:
        for line in LINES:
            _ip("link", "add", self.bridge(line), "type", "bridge")
            _ip("address", "add", f"{self.address(line)}/24", "dev", self.bridge(line))
            _ip("link", "set", self.bridge(line), "up")
        for machine in range(1, MACHINES + 1):
            name = self.namespace(machine)
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
            for line in LINES:
                far = self._far_end(machine, line)
                _ip("link", "add", far, "type", "veth", "peer", "name", line, "netns", name)
                _ip("link", "set", far, "master", self.bridge(line), "up")
                _ip("-n", name, "address", "add", f"{self.subnet(line)}.{10 + machine}/24", "dev", line)
                _ip("-n", name, "link", "set", line, "up")

    def remove(self) -> None:
        """Whatever of it exists. The lines go with their machines."""
        for machine in range(1, MACHINES + 1):
            with suppress(NoNamespaces):
                _ip("netns", "delete", self.namespace(machine))
        for line in LINES:
            with suppress(NoNamespaces):
                _ip("link", "delete", self.bridge(line))


@contextmanager
def network() -> Generator[Network]:
    """Three machines, removed in the end whatever happened. Raises `NoNamespaces`."""
    if shutil.which("ip") is None:
        raise NoNamespaces("there is no `ip` (iproute2)")
    _remove_left_behind()
    made = Network(f"{os.getpid():x}", _free_base())
    try:
        made.make()
        yield made
    finally:
        made.remove()


def _remove_left_behind() -> None:
    """What a run left that was killed: the process that its name carries is gone."""
    tags = {name.split("-")[1] for name in _names() if name.startswith(f"{_PREFIX}-") and name.count("-") == 2}
    for tag in tags:
        with suppress(ValueError):
            if not os.path.exists(f"/proc/{int(tag, 16)}"):
                Network(tag, "0.0.0").remove()


def _names() -> list[str]:
    return [each["name"] for each in json.loads(_ip("-json", "netns", "list") or "[]")]


def _free_base() -> str:
    """Three subnets side by side that nothing here uses."""
    used = {
        address["local"].rpartition(".")[0]
        for link in json.loads(_ip("-json", "-4", "address"))
        for address in link["addr_info"]
    }
    while True:
        second, third = random.randrange(100, 250), random.randrange(0, 250)
        if not used & {f"10.{second}.{third + step}" for step in range(len(LINES))}:
            return f"10.{second}.{third}"


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoNamespaces(f"ip {' '.join(arguments)}: {done.stderr.strip() or f'status {done.returncode}'}")
    return done.stdout
