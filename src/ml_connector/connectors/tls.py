"""TLS of outgoing connections: own certificate authority, client certificate, minimum TLS 1.2, failures in words."""

import contextlib
import os
import ssl
import tempfile
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

from ml_connector.connectors.errors import Unreachable

_PEM = "-----BEGIN"

# OpenSSL's verification codes (X509_V_ERR_*), in the words of the person who has to act.
_VERIFY_WORDS = {
    9: "its certificate is not valid yet; check the clocks of both machines",
    10: "its certificate has expired; its administrator has to renew it",
    18: "its certificate is self-signed; name the file of its authority in ca_file",
    19: "its certificate chain ends in an authority that is not trusted here; name the authority's file in ca_file",
    20: "its certificate comes from an authority that is not trusted here; name the authority's file in ca_file",
    21: "its certificate comes from an authority that is not trusted here; name the authority's file in ca_file",
    62: "its certificate is for another host name; check the address of the connection, or set server_name",
    64: "its certificate is for another IP address; check the address of the connection",
}


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """`ca_file`: PEM file of the company's own authority, in place of the system's. `client_certificate` and
    `client_key`: PEM text or the path of a PEM file (the key may lie in the certificate's file). `server_name`: the
    name in the server's certificate, where it is not the one in the address."""

    ca_file: str = ""
    server_name: str = ""
    client_certificate: str = ""
    client_key: str = field(default="", repr=False)
    client_key_password: str = field(default="", repr=False)

    def context(self) -> ssl.SSLContext:
        """A client context. Raises `Unreachable` in words when a file is missing or unreadable."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file or None)
        except (OSError, ssl.SSLError) as error:
            raise Unreachable(
                f"the file of the certificate authority {self.ca_file!r} cannot be read: {error}"
            ) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.client_certificate:
            try:
                with _as_file(self.client_certificate) as certificate, _as_file(self.client_key) as key:
                    context.load_cert_chain(certificate, key or None, password=lambda: self.client_key_password)
            except (OSError, ssl.SSLError) as error:
                raise Unreachable(
                    f"the client certificate or its key cannot be used: {error}; both must be PEM and belong together"
                ) from error
        return context


@contextlib.contextmanager
def _as_file(pem_or_path: str) -> Generator[str]:
    """OpenSSL loads client certificates from files only; text lies in a private file for that moment."""
    if not pem_or_path.lstrip().startswith(_PEM):
        yield pem_or_path
        return
    descriptor, name = tempfile.mkstemp(prefix="ml-connector-", suffix=".pem")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(pem_or_path)
        yield name
    finally:
        Path(name).unlink()


def tls_words(error: BaseException) -> str:
    """Why a TLS connection failed, for the person who can act; empty when `error` is not about TLS."""
    seen: BaseException | None = error
    for _ in range(5):
        if seen is None:
            return ""
        # aiohttp's own errors derive from these classes too, without their fields, and carry the real one inside.
        inner = getattr(seen, "certificate_error", None) or getattr(seen, "os_error", None)
        if isinstance(inner, BaseException):
            seen = inner
            continue
        if isinstance(seen, ssl.SSLCertVerificationError):
            words = _VERIFY_WORDS.get(seen.verify_code)
            return words or f"its certificate is refused: {seen.verify_message}"
        if isinstance(seen, ssl.SSLError):
            return _handshake_words(seen)
        seen = seen.__cause__
    return ""


def _handshake_words(error: ssl.SSLError) -> str:
    reason = error.reason or str(error)
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return f"it refuses our client certificate or wants one ({reason})"
    if "WRONG_VERSION" in reason or "UNSUPPORTED_PROTOCOL" in reason or "PROTOCOL_VERSION" in reason:
        return f"it does not speak TLS 1.2 or newer at this address ({reason})"
    return f"the TLS handshake failed ({reason})"
