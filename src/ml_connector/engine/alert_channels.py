"""Channels: where messages go, through Apprise, and what becomes of each message on its way.

The address of a channel is a secret (it mostly holds a token): kept in the vault, never in a log, an error or the
audit; what Apprise logs itself is switched off for the same reason. A message is leased by its next time before it is
sent, so that a process which dies over it leaves it to the next one: told twice at worst, never not at all.
"""

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import structlog
from sqlalchemy import text

from ml_connector.connectors.safety import AddressPolicy
from ml_connector.engine import alert_rules
from ml_connector.engine.alert_rules import Channel, RuleError
from ml_connector.engine.database import Database
from ml_connector.engine.vault import UnknownSecret, Vault

log = structlog.get_logger()

SEND_WITHIN_S = 30.0
LEASE_S = 120.0
BACK_OFF_S = (30, 60, 300, 900, 3_600)
GIVE_UP_S = 86_400
INSTALLATION: Final = 0

# These reach into the machine.
_LOCAL = frozenset(("dbus", "qt", "kde", "glib", "gnome", "macosx", "windows", "syslog", "blink1", "vapid"))
_FILES = frozenset(("keyfile", "subfile", "pgpkey", "pgppub", "pgpprv"))
"""Parameters that name a file of this machine. `template` may be one, or another address, or only a name: the service
that was made of the address tells."""

TAKE = text("""
WITH due AS (
  SELECT integration, id FROM alert_messages
   WHERE integration = ANY(CAST(:integrations AS int[])) AND sent_at IS NULL AND due_at <= statement_timestamp()
   ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED)
UPDATE alert_messages m SET due_at = statement_timestamp() + :lease_s * interval '1 second', attempts = attempts + 1
  FROM due WHERE m.integration = due.integration AND m.id = due.id
RETURNING m.integration, m.id, m.channel, m.event, m.title, m.body, m.quiet, m.attempts,
          extract(epoch FROM statement_timestamp() - m.made_at)::float8 AS age_s
""")

SENT = text("""
UPDATE alert_messages SET sent_at = statement_timestamp(), error = NULL
 WHERE integration = :integration AND id = ANY(CAST(:ids AS bigint[]))
""")
LATER = text("""
UPDATE alert_messages SET error = :error,
       due_at = CASE WHEN :give_up THEN 'infinity' ELSE statement_timestamp() + :wait_s * interval '1 second' END
 WHERE integration = :integration AND id = ANY(CAST(:ids AS bigint[]))
""")
WORKED = text("""
UPDATE alert_channels SET failures = 0, error = NULL, sent_at = statement_timestamp() WHERE name = :channel
""")
FAILED = text("""
UPDATE alert_channels SET failures = failures + 1, error = :error, failed_at = statement_timestamp()
 WHERE name = :channel
""")
OLD = text(
    "DELETE FROM alert_messages WHERE integration = ANY(CAST(:integrations AS int[]))"
    " AND made_at < statement_timestamp() - interval '30 days'"
)


class ChannelError(Exception):
    """A message could not be sent; the words hold no address."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent, word for word."""

    title: str
    body: str


async def check_address(address: str, *, allow_private: bool = False) -> None:
    """Raises `RuleError` where `address` is no address of Apprise, reaches into this machine, or names a host that may
    not be called (private networks need `allow_private`; link-local and metadata addresses are refused always)."""
    scheme = urlsplit(address).scheme.lower()
    if scheme in _LOCAL:
        raise RuleError(f"{scheme}:// reaches into this machine: choose a channel elsewhere")
    asked = address.partition("?")[2].translate(str.maketrans("#;?", "&&&"))  # as loosely as anybody may read it
    named = _FILES.intersection(name.strip().lower() for name, _ in parse_qsl(asked, keep_blank_values=True))
    if named:
        raise RuleError(f"{min(named)} would read a file of this machine: leave it out, or choose another service")
    target: Any = _instance(address)
    if target is None:
        raise RuleError(
            "the address is none that Apprise knows: see its list of services, for example jsons://HOST/PATH, "
            "mailtos://USER:PASSWORD@HOST?to=ADDRESS or slack://TOKENS"
        )
    held: dict[str, Any] = target.__dict__
    attached: type[Any] = _apprise().AppriseAttachment
    if any(isinstance(each, attached) and len(each) for each in held.values()):
        raise RuleError("template would send a file of this machine, or what another address holds: leave it out")
    await _check_hosts(target, AddressPolicy(allow_private=allow_private))


async def set_address(db: Database, vault: Vault, channel: Channel, address: str) -> None:
    """Makes or replaces a channel. Raises `RuleError`."""
    vault.secrets.add(address)
    await check_address(address, allow_private=channel.allow_private)
    async with db.transaction() as sql:
        await alert_rules.save_channel(sql, channel)
        await vault.put(INSTALLATION, _secret(channel.name), address, on=sql)


async def remove(db: Database, vault: Vault, name: str) -> None:
    """The channel and its address are gone."""
    async with db.transaction() as sql:
        await sql.execute(alert_rules.DELETE_CHANNEL, {"name": name})
        await vault.delete(INSTALLATION, _secret(name), on=sql)


async def address(vault: Vault, name: str) -> str:
    """The channel's address, a secret. Raises `UnknownSecret`."""
    return await vault.get(INSTALLATION, _secret(name))


async def send(vault: Vault, channel: Channel, message: Message) -> None:
    """Raises `ChannelError`."""
    try:
        where = await address(vault, channel.name)
    except UnknownSecret:
        raise ChannelError("the channel has no address") from None
    try:
        await check_address(where, allow_private=channel.allow_private)
    except RuleError as error:
        raise ChannelError(str(error)) from None
    target: Any = _instance(where)
    target.redirects = False  # the host that was checked is the one that is called
    target.socket_connect_timeout = target.socket_read_timeout = SEND_WITHIN_S / 3
    try:
        async with asyncio.timeout(SEND_WITHIN_S):
            taken = await asyncio.to_thread(_notify, target, message)
    except TimeoutError:
        raise ChannelError(f"no answer within {SEND_WITHIN_S:.0f} s") from None
    if not taken:
        raise ChannelError("the service did not take the message: is it up, and is the address still right?")


async def send_test(vault: Vault, channel: Channel) -> Message:
    """Sends a test; exactly what was sent. Raises `ChannelError`."""
    message = Message(
        f"Test of the channel {channel.name}",
        "Wanted: a message in this channel\nAnswer: you are reading it\nDo: nothing, alerts look like this",
    )
    await send(vault, channel, message)
    return message


async def deliver(db: Database, vault: Vault, integrations: Sequence[int]) -> int:
    """Sends what is due of these integrations; how many messages went. A channel that fails gets its messages again,
    ever more slowly, for a day; that it fails is kept with the channel. What was held back goes as one message."""
    async with db.connect() as sql:
        parameters = {"integrations": list(integrations), "lease_s": LEASE_S}
        due = (await sql.execute(TAKE, parameters)).all()
        channels = (await alert_rules.read(sql)).channels
        await sql.execute(OLD, {"integrations": list(integrations)})
    went = 0
    for rows in _together(sorted(due, key=lambda row: row.id)):
        channel = channels.get(rows[0].channel)
        error = "the channel is gone"
        if channel is not None:
            try:
                await send(vault, channel, _told(rows))
            except ChannelError as failure:
                error = str(failure)
                log.warning("alert.not_sent", channel=channel.name, error=error, attempts=rows[0].attempts)
            else:
                error = ""
                went += 1
        async with db.transaction() as sql:
            ids = {"integration": rows[0].integration, "ids": [row.id for row in rows]}
            if not error:
                await sql.execute(SENT, ids)
                await sql.execute(WORKED, {"channel": rows[0].channel})
                continue
            wait_s = BACK_OFF_S[min(int(rows[0].attempts), len(BACK_OFF_S)) - 1]
            give_up = channel is None or rows[0].age_s > GIVE_UP_S
            await sql.execute(LATER, {**ids, "error": error, "wait_s": wait_s, "give_up": give_up})
            await sql.execute(FAILED, {"channel": rows[0].channel, "error": error})
    return went


def _together(rows: Sequence[Any]) -> list[list[Any]]:
    """Each by itself, but what was held back of one channel in one."""
    groups: dict[object, list[Any]] = {}
    for row in rows:
        key = (row.integration, row.channel) if row.quiet else (row.integration, row.id, "alone")
        groups.setdefault(key, []).append(row)
    return list(groups.values())


def _told(rows: Sequence[Any]) -> Message:
    if len(rows) == 1:
        return Message(rows[0].title, rows[0].body)
    fired = sum(row.event == "fired" for row in rows)
    return Message(
        f"While it was quiet: {fired} alerts, {len(rows) - fired} well again",
        "\n\n".join(f"{row.title}\n{row.body}" for row in rows),
    )


def _secret(name: str) -> str:
    return f"alert:{name}"


def _instance(address: str) -> Any:
    return _apprise().Apprise.instantiate(address, suppress_exceptions=True)


def _notify(target: Any, message: Message) -> bool:
    sender = _apprise().Apprise()
    sender.add(target)
    return bool(sender.notify(body=message.body, title=message.title, body_format=_apprise().NotifyFormat.TEXT))


@cache
def _apprise() -> Any:
    """Loaded with the first message: it takes as long as everything else of a process. Its log and that
    of its HTTP library are switched off, for they write addresses and answers there."""
    module = import_module("apprise")
    for name in ("apprise", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return module


async def _check_hosts(target: Any, policy: AddressPolicy) -> None:
    """Every host that an address of the self-hosted kind would call; hosted services have tokens in that place."""
    hosts = [getattr(target, "smtp_host", None)]
    if any("{host}" in template for template in target.templates):
        hosts.append(getattr(target, "host", None))
    for host in filter(None, hosts):
        for found in await _addresses(str(host)):
            why = policy.refuse_address(found)
            if why:
                raise RuleError(f"the channel's host {why.replace('on the connection', 'of the channel')}")


async def _addresses(host: str) -> list[str]:
    try:
        return [str(ipaddress.ip_address(host.strip("[]")))]
    except ValueError:
        pass
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []  # nothing is called where nothing is found
    return sorted({str(each[4][0]) for each in found})
