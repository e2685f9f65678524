"""Accounts at stores and ERPs: how they are, what uses them, and changing them. Secrets come in and never go out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ml_connector.config.apply import Applied
from ml_connector.config.edit import Edit, save
from ml_connector.config.load import checked
from ml_connector.config.problems import ConfigError
from ml_connector.config.setup import REMOVED
from ml_connector.config.source import Source
from ml_connector.connectors.base import Check
from ml_connector.connectors.systems import UnknownSystem, find_system, systems
from ml_connector.desk import forms
from ml_connector.desk.actions import Refused
from ml_connector.desk.forms import Form, Kept, Typed
from ml_connector.desk.sides import system_title
from ml_connector.engine import audit_queries
from ml_connector.engine.actor import actor
from ml_connector.engine.audit_queries import Question, Row
from ml_connector.engine.breaker import State, all_states
from ml_connector.engine.registry import Connection, Integration
from ml_connector.engine.vault import VaultError
from ml_connector.engine.views import connections as views
from ml_connector.engine.views.connections import Calls, Quota
from ml_connector.flows.pinging import ping
from ml_connector.flows.runtime import Runtime
from ml_connector.flows.trial import try_out

SHOWN_FROM: Final = 12
"""Characters that a secret has at least before its last four are shown."""

HISTORY = 20


@dataclass(frozen=True, slots=True)
class Credential:
    """`end`: last characters, for who may see them. `set_at` None: nothing is stored of it."""

    name: str
    title: str
    secret: bool
    set_at: datetime | None
    end: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A connection as the list shows it. `state`: ok, paced, failing or open."""

    connection: Connection
    title: str
    side: str
    state: str
    words: str
    calls: Calls | None
    quota: Quota | None
    credentials: Sequence[Credential]
    used_by: Sequence[Integration]
    last_delivery: datetime | None

    @property
    def missing(self) -> Sequence[Credential]:
        return [each for each in self.credentials if each.set_at is None]

    @property
    def active(self) -> Sequence[Integration]:
        return [each for each in self.used_by if each.active]


async def read(runtime: Runtime, *, secrets: bool = False) -> list[Line]:
    """All, stores first. `secrets`: with the last characters of what is stored."""
    found = await runtime.registry.connections()
    integrations = [each for each in await runtime.registry.integrations(active=False) if not removed(each)]
    ids = [each.id for each in found]
    async with runtime.database.connect() as sql:
        breakers = await all_states(sql)
        called = await views.calls(sql, [0, *(each.id for each in integrations)])
        quotas = await views.quotas(sql)
        deliveries = await views.last_deliveries(sql)
        set_at = await views.set_at(sql, ids)
    lines = [
        Line(
            each, system_title(each.system), _side(each.system), *_state(breakers.get(each.id), quotas.get(each.id)),
            called.get(each.id), quotas.get(each.id),
            await _credentials(runtime, each, set_at.get(each.id, {}), secrets=secrets),
            [one for one in integrations if each.id in (one.store, one.erp)], deliveries.get(each.id),
        )
        for each in found
    ]  # fmt: skip
    return sorted(lines, key=lambda line: (line.side != "store", line.connection.name))


async def one(runtime: Runtime, name: str, *, secrets: bool = False) -> Line | None:
    """The connection of that name; None: there is none."""
    return next((line for line in await read(runtime, secrets=secrets) if line.connection.name == name), None)


async def history(runtime: Runtime, connection: int) -> Sequence[Row]:
    """What was changed, and when its breaker moved; newest first."""
    asked = Question(integration=0, connection=connection, kinds=("config", "breaker"))
    return (await audit_queries.page(runtime.database, asked, limit=HISTORY)).rows


def removed(integration: Integration) -> bool:
    """No longer in the configuration; kept because postings name it."""
    return bool(integration.content.get(REMOVED))


def form_of(line: Line) -> Form | None:
    """To change it; None where its system is not installed."""
    try:
        system = find_system(line.connection.system)
    except UnknownSystem:
        return None
    kept = {each.name: Kept(each.end, each.set_at) for each in line.credentials if each.set_at is not None}
    return forms.stored(system, line.connection, kept)


# ---------------------------------------------------------------------- changing


@dataclass(frozen=True, slots=True)
class Unusable(Exception):
    """Nothing was changed; `problems` by blank, `""` for the whole."""

    problems: Mapping[str, str]


async def add(runtime: Runtime, form: Form, typed: Typed, *more: Edit) -> Applied:
    """A new connection, with what else belongs to the same change. Raises `Unusable`."""
    known = {each.name for each in await runtime.registry.connections()}
    if typed.name in known:
        raise Unusable({**typed.problems, "name": f"There is a connection {typed.name} already: choose another name."})
    return await _save(runtime, form, typed, *more)


async def change(runtime: Runtime, line: Line, form: Form, typed: Typed) -> Applied:
    """Another setting or credential. Raises `Unusable`."""
    return await _save(runtime, form, _bound(line, form, typed))


async def put(runtime: Runtime, name: str, entry: Mapping[str, Any], secrets: Mapping[str, str]) -> Applied:
    """Makes the connection, or puts `entry` in its place; credentials that are not given stay. Raises `Unusable`."""
    try:
        system = find_system(str(entry["system"]))
    except UnknownSystem as error:
        raise Unusable({"system": str(error)}) from None
    line = await one(runtime, name)
    form = (form_of(line) if line is not None else None) or forms.empty(system, name)
    kept = {each.name for each in line.credentials if each.set_at is not None} if line is not None else set[str]()
    lacking = {
        each.name: f"{each.title} is missing."
        for each in system.fields
        if each.secret and each.required and each.name not in secrets and each.name not in kept
    }
    typed = Typed(name, entry, secrets, {}, lacking)
    return await _save(runtime, form, typed if line is None else _bound(line, form, typed))


def entry_of(connection: Connection) -> dict[str, Any]:
    """As the configuration file has it."""
    content = {name: value for name, value in connection.content.items() if name != "removed"}
    return {"system": connection.system, **({"sandbox": True} if connection.sandbox else {}), **content}


async def _save(runtime: Runtime, form: Form, typed: Typed, *more: Edit) -> Applied:
    if typed.problems:
        raise Unusable(typed.problems)

    def edit(data: dict[str, Any]) -> None:
        entry = dict(typed.entry)
        if credentials := dict(data["connections"].get(typed.name, {}).get("credentials", {})):
            entry["credentials"] = credentials
        data["connections"][typed.name] = entry
        for each in more:
            each(data)

    try:
        return await save(
            runtime.database, runtime.vault, edit, author=actor.get(), secrets={typed.name: typed.secrets}
        )
    except ConfigError as error:
        raise Unusable(forms.placed(error.problems, typed.name, form)) from None
    except VaultError as error:
        raise Unusable({"": str(error)}) from None


def _bound(line: Line, form: Form, typed: Typed) -> Typed:
    """Secrets that are stored go nowhere but where they were typed for."""
    if not forms.leads_elsewhere(entry_of(line.connection), typed.entry):
        return typed
    again = {
        blank.name: f"The address has changed. Type {blank.of.title} again, so that it goes there knowingly."
        for blank in form.blanks
        if blank.kept is not None and blank.secret and blank.of.name not in typed.secrets and not blank.of.generated
    }
    return Typed(typed.name, typed.entry, typed.secrets, typed.written, {**again, **typed.problems})


async def delete(runtime: Runtime, line: Line, typed: str) -> Applied:
    """Takes it out of the configuration, with the set-ups that were never finished. Raises `Refused`."""
    name = line.connection.name
    if line.active:
        names = ", ".join(each.name for each in line.active)
        raise Refused(
            f"{name} is used by {names}, which is live. Switch that off first, on the last page of its set-up."
        )
    if typed.strip() != name:
        raise Refused(f"To delete it, type its name: {name}.")

    def edit(data: dict[str, Any]) -> None:
        data["connections"].pop(name, None)
        for each in line.used_by:
            data["integrations"].pop(each.name, None)

    try:
        return await save(runtime.database, runtime.vault, edit, author=actor.get())
    except ConfigError as error:
        raise Refused(" ".join(problem.message for problem in error.problems)) from None


# ---------------------------------------------------------------------- trying


async def check(runtime: Runtime, line: Line) -> Sequence[Check]:
    """The checks of what is stored."""
    return (await ping(runtime, line.connection, active=False)).checks


async def check_typed(runtime: Runtime, form: Form, typed: Typed, line: Line | None) -> Sequence[Check]:
    """The checks of what was typed, before it is saved; nothing is stored. Raises `Unusable`."""
    if line is not None:
        typed = _bound(line, form, typed)
    if typed.problems:
        raise Unusable(typed.problems)
    for value in typed.secrets.values():
        runtime.vault.secrets.add(value)
    name = typed.name or "trial"
    entry = {**typed.entry, "credentials": {each: {"env": "TYPED"} for each in typed.secrets}}
    if line is not None:
        entry["credentials"] = {**dict(line.connection.credentials), **entry["credentials"]}
    try:
        checked(Source("console", {"version": 1, "connections": {name: entry}, "integrations": {}}), systems())
    except ConfigError as error:
        raise Unusable(forms.placed(error.problems, name, form)) from None
    secrets = dict(typed.secrets)
    if line is not None:
        secrets = {**await runtime.vault.all(line.connection.id), **secrets}
    content = {key: value for key, value in entry.items() if key not in ("system", "sandbox")}
    trial = Connection(0, name, str(entry["system"]), bool(entry.get("sandbox")), 0, content)
    return await try_out(runtime.audit, trial, secrets)


def stops(line: Line) -> Sequence[str]:
    """What ends with the connection, in sentences."""
    found = [f"The set-up {each.name} goes with it; it never went live." for each in line.used_by if not each.active]
    credentials = [each.title for each in line.credentials if each.set_at is not None]
    if credentials:
        found.append(f"What is kept of it is forgotten: {', '.join(credentials)}.")
    found.append("What was booked through it stays booked, and stays in the audit.")
    return found


# ---------------------------------------------------------------------- parts


def _side(system: str) -> str:
    try:
        return find_system(system).side
    except UnknownSystem:
        return ""


def _state(breaker: State | None, quota: Quota | None) -> tuple[str, str]:
    if breaker is not None and breaker.state != "closed":
        return "open", f"does not answer; tried again in {max(0.0, breaker.retry_in_s):.0f} s. {breaker.error}".strip()
    if breaker is not None and breaker.failures:
        return "failing", f"the last {breaker.failures} calls failed. {breaker.error}".strip()
    if quota is not None and quota.limit and quota.left * 10 < quota.limit:
        return "paced", f"paced: {quota.left:,} of {quota.limit:,} calls left"
    return "ok", "answers" if breaker is not None else "no failure known"


async def _credentials(
    runtime: Runtime, connection: Connection, set_at: Mapping[str, datetime], *, secrets: bool
) -> Sequence[Credential]:
    try:
        declared = {each.name: each for each in find_system(connection.system).fields}
    except UnknownSystem:
        declared = {}
    values: Mapping[str, str] = await _values(runtime, connection.id) if secrets else dict[str, str]()
    return [
        Credential(
            name,
            declared[name].title if name in declared else name,
            declared[name].secret if name in declared else True,
            set_at.get(name),
            _end(values.get(name, "")),
        )
        for name in sorted({*connection.credentials, *set_at})
    ]


async def _values(runtime: Runtime, connection: int) -> Mapping[str, str]:
    try:
        return await runtime.vault.all(connection)
    except VaultError:  # another master key: that it is there is all that can be said
        return {}


def _end(value: str) -> str:
    return value[-4:] if len(value) >= SHOWN_FROM and "\n" not in value else ""
