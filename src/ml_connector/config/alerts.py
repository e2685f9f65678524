"""The file of alerts: rules and channels, with addresses by reference."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ml_connector.engine.alert_rules import DEFAULTS, Channel, Quiet, Rule, RuleError, Setup, rule_from


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Reference(_Part):
    """Where an address comes from: the environment or a file. Never the address itself: it holds a token."""

    env: str = ""
    file: str = ""


class ChannelEntry(_Part):
    """`url` may be left out where the channel is known already: its address stays."""

    url: Reference | None = None
    quiet: dict[str, str] | None = None
    allow_private: bool = False

    def channel(self, name: str) -> Channel:
        """Raises `RuleError`."""
        return Channel(name, Quiet.read(self.quiet) if self.quiet else None, self.allow_private)


class RuleEntry(_Part):
    """As `alert_rules.Rule`; `integration` by name."""

    name: str
    kind: str
    over: float | None = None
    for_s: float = 0
    flow: str = ""
    channels: list[str] = Field(default_factory=list[str])
    urgent: bool = False
    off: bool = False
    integration: str = ""


class AlertsFile(_Part):
    """The whole file."""

    channels: dict[str, ChannelEntry] = Field(default_factory=dict[str, ChannelEntry])
    rules: list[RuleEntry] = Field(default_factory=list[RuleEntry])

    def rules_for(self, integrations: Mapping[str, int]) -> list[Rule]:
        """Raises `RuleError` for names that are not known, or named twice."""
        found: dict[tuple[str, int], Rule] = {}
        for given in self.rules:
            if given.integration and given.integration not in integrations:
                raise RuleError(f"rule {given.name!r}: no integration is called {given.integration!r}")
            of = integrations[given.integration] if given.integration else 0
            if (given.name, of) in found:
                raise RuleError(f"two rules are called {given.name!r}")
            content = given.model_dump(exclude={"name", "integration"})
            found[given.name, of] = rule_from(given.name, content, of)
        return list(found.values())


def read_alerts(file: Path) -> AlertsFile:
    """Raises `RuleError` with the first thing that is wrong."""
    try:
        data: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        return AlertsFile.model_validate(data or {})
    except OSError as error:
        raise RuleError(f"the file cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RuleError(f"the file is no YAML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise RuleError(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from None


def address_of(name: str, given: ChannelEntry, folder: Path) -> str | None:
    """The address that a channel's reference leads to; None: it has no reference. Raises `RuleError`."""
    if given.url is None:
        return None
    if bool(given.url.env) == bool(given.url.file):
        raise RuleError(f"channel {name!r}: url is {{env: NAME}} or {{file: PATH}}")
    if given.url.env:
        value = os.environ.get(given.url.env, "")
    else:
        try:
            value = (folder / given.url.file).read_text(encoding="utf-8")
        except OSError as error:
            raise RuleError(f"channel {name!r}: {given.url.file} cannot be read: {error.strerror}") from None
    if not value.strip():
        raise RuleError(f"channel {name!r}: {given.url.env or given.url.file} is empty")
    return value.strip()


def written(setup: Setup, integrations: Mapping[int, str]) -> dict[str, Any]:
    """The file that asks for what is set. Rules that come with the product are left out."""
    own = [rule for rule in setup.rules if rule not in DEFAULTS]
    channels: dict[str, Any] = {}
    for each in setup.channels.values():
        quiet = {"quiet": each.quiet.as_json()} if each.quiet else {}
        channels[each.name] = {**quiet, **({"allow_private": True} if each.allow_private else {})}
    rules: list[dict[str, Any]] = []
    for rule in own:
        of = {"integration": integrations[rule.integration]} if rule.integration in integrations else {}
        rules.append({"name": rule.name, **of, **rule.as_json()})
    return {"channels": channels, "rules": rules}
