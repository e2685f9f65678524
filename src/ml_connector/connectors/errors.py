"""Every failure of a connector is one of these. Each carries the system's own words, code and request ID.

| error | the engine's answer |
|---|---|
| `Unreachable`, `Transient` | back-off; opens the connection's circuit breaker when it repeats |
| `Throttled` | pace the connection, no attempt is counted |
| `Unauthorized` | the connector has renewed the session once already: hold the connection, alert |
| `Conflict` | read again, plan again |
| `Rejected` | hold the record, show the message |
| `Uncertain` | the write may or may not have happened: only a look-up resolves it |
| `NotSent` | no byte of the write left: plan again |
"""


class ConnectorError(Exception):
    """A call to another system failed: `message` in its own words, with its code, status and request ID."""

    def __init__(
        self, message: str, *, system: str = "", code: str = "", status: int | None = None, request_id: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.system = system
        self.code = code
        self.status = status
        self.request_id = request_id

    def __str__(self) -> str:
        facts = [
            f"{name} {value}"
            for name, value in (("code", self.code), ("status", self.status), ("request", self.request_id))
            if value
        ]
        where = f"{self.system}: " if self.system else ""
        return f"{where}{self.message}" + (f" ({', '.join(facts)})" if facts else "")


class Unreachable(ConnectorError):
    """No connection: name, network, TLS or proxy. Nothing was sent."""


class Transient(ConnectorError):
    """The system answered that it cannot now: maintenance, lock, overload. Nothing was written."""


class Throttled(ConnectorError):
    """The quota is used up; `retry_after_s` when the system said so. Nothing was written."""

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        system: str = "",
        code: str = "",
        status: int | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(message, system=system, code=code, status=status, request_id=request_id)
        self.retry_after_s = retry_after_s


class Unauthorized(ConnectorError):
    """Credentials, a right or an arrangement is missing, and renewing the session did not help."""


class Conflict(ConnectorError):
    """The object changed or exists already: read again, plan again. Nothing was written."""


class Rejected(ConnectorError):
    """The system refuses the content for good; its message says why. Nothing was written."""


class Uncertain(ConnectorError):
    """Bytes of a write left and no definite answer came: time-out, reset, 5xx, unreadable answer."""


class NotSent(ConnectorError):
    """The permit to send was refused or ran out before the first byte: nothing left this process."""


class UnsafeAddress(ConnectorError):
    """A base URL, redirect or next link leads to an address or host that the connection may not call."""


class Forged(Exception):
    """A webhook delivery that did not prove where it comes from. `reason` is for us, never for the sender."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
