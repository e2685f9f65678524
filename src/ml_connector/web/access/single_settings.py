"""Single sign-on by OpenID Connect: where the provider is, and which of its groups have which role here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ml_connector.connectors.errors import UnsafeAddress
from ml_connector.connectors.safety import AddressPolicy
from ml_connector.domain.access import Role, level

ISSUER = "ML_CONNECTOR_OIDC_ISSUER"
CLIENT = "ML_CONNECTOR_OIDC_CLIENT_ID"
SECRET = "ML_CONNECTOR_OIDC_CLIENT_SECRET"  # noqa: S105 - the name of a variable
SECRET_FILE = "ML_CONNECTOR_OIDC_CLIENT_SECRET_FILE"  # noqa: S105 - the name of a variable
ROLE_CLAIM = "ML_CONNECTOR_OIDC_ROLE_CLAIM"
ROLES = "ML_CONNECTOR_OIDC_ROLES"
NAME = "ML_CONNECTOR_OIDC_NAME"
PRIVATE = "ML_CONNECTOR_OIDC_ALLOW_PRIVATE"


class UnusableSingleSignOn(ValueError):
    """The variables of single sign-on do not go together; the sentence says why."""


@dataclass(frozen=True, slots=True)
class SingleSignOn:
    """`roles`: value of the claim `role_claim` -> role; the highest that fits counts. `name`: of the button."""

    issuer: str
    client_id: str
    secret: str = field(repr=False)
    roles: Mapping[str, Role]
    role_claim: str = "roles"
    name: str = "single sign-on"
    policy: AddressPolicy = field(default_factory=AddressPolicy)

    def role_of(self, claimed: object) -> Role | None:
        """The role for what the provider says of somebody; None where nothing fits."""
        values: list[object] = claimed if isinstance(claimed, list) else [claimed]  # pyright: ignore[reportUnknownVariableType]
        found = [self.roles[value] for value in values if isinstance(value, str) and value in self.roles]
        return max(found, key=level) if found else None


def single_sign_on(environment: Mapping[str, str]) -> SingleSignOn | None:
    """From the environment; None where no issuer is given. Raises `UnusableSingleSignOn`."""
    issuer = environment.get(ISSUER, "").strip()
    if not issuer:
        return None
    policy = AddressPolicy(allow_private=environment.get(PRIVATE, "") == "1")
    try:
        policy.check_url(issuer)
    except UnsafeAddress as error:
        raise UnusableSingleSignOn(f"{ISSUER} cannot be used: {error}") from None
    client = environment.get(CLIENT, "").strip()
    if not client:
        raise UnusableSingleSignOn(
            f"{ISSUER} is set, so {CLIENT} is needed too: the provider's client ID of this console."
        )
    return SingleSignOn(
        issuer,
        client,
        _secret(environment),
        _roles(environment.get(ROLES, "")),
        environment.get(ROLE_CLAIM, "").strip() or "roles",
        environment.get(NAME, "").strip() or "single sign-on",
        policy,
    )


def _secret(environment: Mapping[str, str]) -> str:
    if path := environment.get(SECRET_FILE, "").strip():
        try:
            secret = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise UnusableSingleSignOn(f"{SECRET_FILE} names {path}, which cannot be read.") from None
    else:
        secret = environment.get(SECRET, "").strip()
    if not secret:
        raise UnusableSingleSignOn(f"{ISSUER} is set, so {SECRET} or {SECRET_FILE} is needed too.")
    return secret


def _roles(given: str) -> dict[str, Role]:
    """`it-admins=administrator,finance=clerk`"""
    found: dict[str, Role] = {}
    for each in filter(None, (part.strip() for part in given.split(","))):
        value, equals, role = each.rpartition("=")
        if not equals or role.strip() not in list(Role):
            raise UnusableSingleSignOn(
                f"{ROLES} holds {each!r}: write GROUP=ROLE with commas between; roles are {', '.join(Role)}."
            )
        found[value.strip()] = Role(role.strip())
    if not found:
        raise UnusableSingleSignOn(
            f"{ISSUER} is set, so {ROLES} is needed too: which group has which role, GROUP=ROLE."
        )
    return found
