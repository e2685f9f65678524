"""`/alerts`: what is wrong just now, which rules look, which channels are told; muting and testing them."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.requests import Request

from ml_connector.desk import alerts
from ml_connector.desk.actions import Refused
from ml_connector.desk.alerts import RuleLine
from ml_connector.domain.access import Person, Right
from ml_connector.engine.alert_rules import Channel
from ml_connector.engine.alerts import Alert
from ml_connector.web.access import requires
from ml_connector.web.access.parts import access_of
from ml_connector.web.api.parts import Looks, api_of
from ml_connector.web.api.problems import Refusal
from ml_connector.web.api.shapes import Name, Typed

router = APIRouter(prefix="/alerts", tags=["alerts"])
Rules = Annotated[Person, Depends(requires(Right.rule))]
LONGEST_MIN = 60 * 24 * 30


class AlertShown(BaseModel):
    """Something that is wrong, or was."""

    integration: str = Field(examples=["eu"], description="Empty: it belongs to several, or to the installation.")
    rule: str = Field(examples=["late"])
    subject: str = Field(examples=["orders"])
    state: str = Field(examples=["firing"], description="`firing` or `recovered`.")
    since: datetime
    fired_at: datetime | None
    recovered_at: datetime | None
    title: str = Field(examples=["eu: orders are 6 min late, the budget is 2 min"])
    body: str = Field(description="What was wanted, what the answer is, what to do.")


class RuleShown(BaseModel):
    """What is looked at. One of an integration stands before that of all of the same name."""

    name: str = Field(examples=["late"])
    integration: str = Field(examples=[""], description="Empty: of every integration.")
    kind: str = Field(examples=["late"])
    sentence: str = Field(examples=["When orders are later than 2 min for 5 min"])
    channels: list[str] = Field(description="Who is told; empty: every channel.")
    urgent: bool = Field(description="It speaks in quiet hours too.")
    off: bool
    firing: int = Field(description="How many subjects it finds wrong now.")
    fired_at: datetime | None
    recovered_at: datetime | None
    muted_until: datetime | None


class ChannelShown(BaseModel):
    """Where messages go; the address is shown to nobody."""

    name: str = Field(examples=["Finance chat"])
    quiet: dict[str, str] | None = Field(examples=[{"from": "22:00", "to": "07:00", "zone": "America/Chicago"}])
    failures: int = Field(description="In a row.")
    error: str
    sent_at: datetime | None


class AlertsShown(BaseModel):
    """Everything of alerts."""

    firing: list[AlertShown]
    recovered: list[AlertShown] = Field(description="The latest ten.")
    rules: list[RuleShown]
    channels: list[ChannelShown]


class Mute(BaseModel):
    """Nobody is told of a rule for a while; it goes on looking."""

    rule: Name = Field(examples=["late"])
    integration: Typed = Field(default="", description="Of this one alone; left out: of every integration.")
    minutes: float = Field(ge=0, le=LONGEST_MIN, examples=[60], description="0: it speaks again at once.")


class Muted(BaseModel):
    """Until when."""

    rule: str
    muted_until: datetime


class Test(BaseModel):
    """A message to a channel."""

    channel: Name = Field(examples=["Finance chat"])


class Sent(BaseModel):
    """What was sent, word for word."""

    title: str
    body: str


@router.get("", operation_id="alerts")
async def show(request: Request, person: Looks, integration: Typed = "") -> AlertsShown:
    """What fires, the rules and the channels."""
    api = api_of(request)
    scope = await api.scope(integration)
    found = await alerts.read(api.database, scope.integrations)
    names = scope.names
    return AlertsShown(
        firing=[_alert(each, names) for each in found.firing],
        recovered=[_alert(each, names) for each in found.recent],
        rules=[_rule(each) for each in found.rules],
        channels=[_channel(each) for each in found.channels],
    )


@router.post("/mute", operation_id="mute")
async def mute(request: Request, body: Mute, person: Rules) -> Muted:
    """Nobody is told of the rule until then."""
    api = api_of(request)
    of = (await api.one(body.integration)).id if body.integration else 0
    try:
        until = await alerts.mute(api.database, body.rule, of, body.minutes)
    except Refused as error:
        raise Refusal(404, str(error)) from error
    return Muted(rule=body.rule, muted_until=until)


@router.post("/test", operation_id="test_channel")
async def send_test(request: Request, body: Test, person: Rules) -> Sent:
    """Sends a message to a channel. 409 where the channel did not take it."""
    access = access_of(request)
    try:
        sent, problem = await alerts.send_test(access.database, access.vault, body.channel)
    except Refused as error:
        raise Refusal(404, str(error)) from error
    if problem:
        raise Refusal(409, f"{body.channel} did not take it: {problem}.")
    return Sent(title=sent.title, body=sent.body)


def _alert(each: Alert, names: dict[int, str]) -> AlertShown:
    return AlertShown(
        integration=names.get(each.integration, ""),
        rule=each.rule,
        subject=each.subject,
        state=each.state,
        since=each.since,
        fired_at=each.fired_at,
        recovered_at=each.recovered_at,
        title=each.title,
        body=each.body,
    )


def _rule(line: RuleLine) -> RuleShown:
    return RuleShown(
        name=line.rule.name,
        integration=line.of,
        kind=line.rule.kind,
        sentence=f"When {line.when}",
        channels=list(line.rule.channels),
        urgent=line.rule.urgent,
        off=line.rule.off,
        firing=line.firing,
        fired_at=line.fired_at,
        recovered_at=line.recovered_at,
        muted_until=line.muted,
    )


def _channel(each: Channel) -> ChannelShown:
    return ChannelShown(
        name=each.name,
        quiet=each.quiet.as_json() if each.quiet else None,
        failures=each.failures,
        error=each.error,
        sent_at=each.sent_at,
    )
