"""The tables of access: users, their sessions and second factors, API tokens, one-time links, tries to sign in.

They describe the installation, not one integration. What lets somebody in is kept as a digest, or sealed in the vault.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from ml_connector.engine.schema import metadata

_ROLES = "role IN ('viewer', 'clerk', 'operator', 'administrator')"


def _at() -> DateTime:
    return DateTime(timezone=True)


def _now() -> Column[object]:
    return Column("created_at", _at(), nullable=False, server_default=text("statement_timestamp()"))


users = Table(
    "users",
    metadata,
    Column("person", Integer, Identity(always=False), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("password", Text),
    Column("issuer", Text),
    Column("subject", Text),
    Column("totp_at", _at()),
    Column("totp_step", BigInteger),
    Column("locale", Text, nullable=False, server_default=text("''")),
    Column("zone", Text, nullable=False, server_default=text("''")),
    Column("theme", Text, nullable=False, server_default=text("''")),
    Column("disabled_at", _at()),
    Column("seen_at", _at()),
    _now(),
    CheckConstraint(_ROLES, name="role"),
    CheckConstraint("num_nulls(issuer, subject) IN (0, 2)", name="single"),
    UniqueConstraint("issuer", "subject"),
    comment="name: folded to lower case. password: argon2id; none until a link was used, or with single sign-on. "
    "totp_step: the last time step whose code was taken; no code is taken twice",
)

user_sessions = Table(
    "user_sessions",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("person", Integer, ForeignKey("users.person", ondelete="CASCADE"), nullable=False),
    Column("via", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("seen_at", _at(), nullable=False, server_default=text("statement_timestamp()")),
    Column("expires_at", _at(), nullable=False),
    _now(),
    CheckConstraint("via IN ('password', 'single', 'link')", name="via"),
    Index("user_sessions_person", "person"),
    comment="Who is signed in. digest: SHA-256 of what the cookie holds",
)

user_recovery = Table(
    "user_recovery",
    metadata,
    Column("person", Integer, ForeignKey("users.person", ondelete="CASCADE"), primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    comment="Codes for who has lost the second factor, as SHA-256; each goes when it is used",
)

user_links = Table(
    "user_links",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("person", Integer, ForeignKey("users.person", ondelete="CASCADE")),
    Column("expires_at", _at(), nullable=False),
    _now(),
    comment="Links that let somebody choose a password, once, as SHA-256. Without person: the first administrator",
)

user_attempts = Table(
    "user_attempts",
    metadata,
    Column("bucket", Text, primary_key=True),
    Column("tries", Integer, nullable=False),
    Column("within", Integer, nullable=False, server_default=text("0")),
    Column("since", _at(), nullable=False, server_default=text("statement_timestamp()")),
    Column("locked_until", _at()),
    comment="Tries to sign in, by account and by address. within: tries since it was locked",
    postgresql_with={"fillfactor": 50},
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("token", Integer, Identity(always=False), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("person", Integer, ForeignKey("users.person", ondelete="CASCADE"), nullable=False),
    Column("role", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("start", Text, nullable=False),
    Column("expires_at", _at(), nullable=False),
    Column("used_at", _at()),
    Column("revoked_at", _at()),
    _now(),
    CheckConstraint(_ROLES, name="role"),
    Index("api_tokens_person", "person"),
    comment="Tokens of the API. person: who made it. start: its first characters, to tell it by. digest: SHA-256",
)
