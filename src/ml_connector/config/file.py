"""The shape of a configuration file. What each key means: `docs/configuration.md`; what it follows: `examples/`."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from ml_connector.config.mapping import MappingFile
from ml_connector.config.policy import policy_schema

NAME = r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"
"""Names stand in URLs and on command lines."""

Name = Annotated[str, Field(pattern=NAME)]
Url = Annotated[str, Field(pattern=r"^https?://[^\s/@]+(/\S*)?$", max_length=500)]
Seconds = Annotated[
    Decimal,
    Field(ge=0, le=86_400, strict=False),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^\d+(\.\d+)?$"}]}),
]
PolicyValues = Annotated[dict[str, Any], WithJsonSchema(policy_schema())]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FromEnvironment(Part):
    """The value of an environment variable of the process that applies the configuration."""

    env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class FromFile(Part):
    """The content of a file, without the line's end; relative to the configuration file."""

    file: Annotated[str, Field(min_length=1)]


CREDENTIAL_FORMS = "{env: NAME} or {file: PATH}"

Credential = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [
                FromEnvironment.model_json_schema(),
                FromFile.model_json_schema(),
                {"type": "string", "description": "Only for fields that are no secret, such as a client ID"},
            ]
        }
    ),
]
"""Where a credential comes from. `fields` checks it, to say what is wrong without repeating what was written."""


class TlsFiles(Part):
    """Paths on the machines that call the system. `server_name`: the name in the server's certificate, where it is not
    the one in the address."""

    ca_file: str = ""
    server_name: str = ""
    certificate_file: str = ""
    key_file: str = ""


class TimingSeconds(Part):
    """The assumptions of exactly-once, in seconds; shorter ones are accepted for sandboxes only."""

    p_s: Seconds | None = None
    t_s: Seconds | None = None
    l_s: Seconds | None = None
    v_s: Seconds | None = None
    s_s: Seconds | None = None


NO_TLS = TlsFiles()
NO_TIMING = TimingSeconds()


class ConnectionEntry(Part):
    """One account at one system. `sandbox` permits plain HTTP, loopback addresses and short timing."""

    system: str
    base_url: Url
    sandbox: bool = False
    settings: dict[str, Any] = {}
    credentials: dict[str, Credential] = {}
    tls: TlsFiles = NO_TLS
    proxy: str = ""
    allow_private: bool = False
    concurrency: int | None = Field(None, ge=1, le=100)
    timing: TimingSeconds = NO_TIMING


class FlowEntry(Part):
    """`poll_s`: pause between polls. `overlap_s`: how far a poll looks behind the one before.
    `latency_budget_s`: within which a change is to be done (orders: 120, others: 900)."""

    enabled: bool = True
    poll_s: int = Field(60, ge=1, le=86_400)
    overlap_s: int = Field(600, ge=30, le=86_400)
    latency_budget_s: int | None = Field(None, ge=5, le=604_800)


class RetentionDays(Part):
    """Days after which stored deliveries and audit entries are deleted; postings and records never are."""

    audit_days: Annotated[int, Field(ge=7, le=36_500)] = 400
    webhook_days: Annotated[int, Field(ge=7, le=36_500)] = 30


NO_RETENTION = RetentionDays()


class ReconcileEntry(Part):
    """The nightly reconciliation. `hour` of the store's day; `days` back; `lag_s`: what is not posted that
    long after it came into being is late."""

    enabled: bool = True
    hour: Annotated[int, Field(ge=0, le=23)] = 3
    days: Annotated[int, Field(ge=1, le=92)] = 3
    lag_s: Annotated[int, Field(ge=0, le=604_800)] = 3600


NIGHTLY = ReconcileEntry()


class CheckEntry(Part):
    """The synthetic check: a test order every `every_s` seconds that must come through within `within_s`. `staging`:
    the pair is for tests although its connections are no sandboxes."""

    enabled: bool = False
    staging: bool = False
    every_s: Annotated[int, Field(ge=60, le=604_800)] = 3600
    within_s: Annotated[int, Field(ge=10, le=3_600)] = 300
    sku: str = ""
    name: Annotated[str, Field(min_length=1, max_length=250)] = "Synthetic check"
    price: Annotated[str, Field(pattern=r"^[0-9]{1,6}(\.[0-9]{1,4})?$")] = "1.00"
    payment_method: Annotated[str, Field(min_length=1)] = "Bank Deposit"


NO_CHECK = CheckEntry()


class PlansEntry(Part):
    """Plans that persons apply. `second_person`: never the one who made it."""

    second_person: bool = False


PLANS = PlansEntry()

FLOWS = ("orders", "customers", "stock", "shipments")
Flow = Literal["orders", "customers", "stock", "shipments"]


class IntegrationEntry(Part):
    """One store connection joined with one ERP connection."""

    store: Name
    erp: Name
    active: bool = True
    webhook_url: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""
    flows: dict[Flow, FlowEntry] = {}
    retention: RetentionDays = NO_RETENTION
    reconcile: ReconcileEntry = NIGHTLY
    check: CheckEntry = NO_CHECK
    plans: PlansEntry = PLANS
    policy: PolicyValues
    mapping: MappingFile = MappingFile()


class ConfigFile(Part):
    """A whole configuration: what is not in it is switched off by `config apply`."""

    version: Literal[1]
    connections: dict[Name, ConnectionEntry] = {}
    integrations: dict[Name, IntegrationEntry] = {}
