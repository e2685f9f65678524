"""The one HTTP session layer of all connectors.

`read` is for calls that are safe to repeat: pooled connections, same-origin redirects of GET.
`write` is for calls that must not happen twice: each goes out on a connection of its own, is never repeated and never
redirected, and asks its `Permit` when the connection stands (TLS included), before the first byte of the request
leaves (`docs/exactly-once.md`). aiohttp by itself repeats GET, HEAD, PUT and DELETE once when a connection drops: a
write refuses that second request.

Status codes are not judged here: every answer is returned, except a redirect of a write.
"""

import asyncio
import contextvars
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.client_reqrep import ClientRequest, ClientResponse
from aiohttp.connector import Connection
from multidict import CIMultiDict
from yarl import URL

from ml_connector.connectors.base import Call, Permit, Priority, Services, effective
from ml_connector.connectors.errors import ConnectorError, NotSent, Transient, Uncertain, Unreachable, UnsafeAddress
from ml_connector.connectors.http_answer import Params, Response, Timeouts, encode_query, read_answer
from ml_connector.connectors.http_write import PermittedRequest, WriteAttempt
from ml_connector.connectors.redaction import Redactor
from ml_connector.connectors.safety import AddressPolicy, SafeResolver, is_plain_path, same_origin
from ml_connector.connectors.tls import TlsSettings, tls_words

MAX_REDIRECTS = 5
USER_AGENT = "ml-connector"
_DEFAULT_TIMEOUTS = Timeouts()
_DEFAULT_TLS = TlsSettings()
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AIOHTTP_REPEATS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})

__all__ = ["HttpSession", "Params", "Response", "Timeouts", "TlsSettings", "encode_query"]


def failing_by_status(response: Response) -> bool:
    return response.status >= 500


class HttpSession:
    """Calls to one system. `system` names it in errors; `secrets` are masked in everything that is kept.

    `failing`: which answers are failures of the system, for the breaker; some send 500 where they refuse a document.
    """

    def __init__(
        self,
        base_url: str,
        *,
        services: Services,
        timeouts: Timeouts = _DEFAULT_TIMEOUTS,
        tls: TlsSettings = _DEFAULT_TLS,
        proxy: str | None = None,
        sandbox: bool = False,
        system: str = "",
        secrets: Sequence[str] = (),
        allow_private: bool = False,
        failing: Callable[[Response], bool] = failing_by_status,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._services = services
        self._timeouts = timeouts
        self._tls = tls
        self._proxy = proxy or None
        self._system = system
        self._failing = failing
        self._redactor = Redactor(secrets)
        proxy_host = urlsplit(proxy).hostname if proxy else None
        if proxy and (proxy_password := urlsplit(proxy).password):
            self._redactor.hide(proxy_password)
        self._policy = AddressPolicy(
            sandbox=sandbox,
            allow_private=allow_private,
            trusted_hosts=frozenset({proxy_host}) if proxy_host else frozenset(),
        )
        self._resolver = SafeResolver(self._policy)
        self._base_is_checked = False
        self._context: ssl.SSLContext | None = None
        self._pool: aiohttp.ClientSession | None = None
        self._writes: aiohttp.ClientSession | None = None

    @property
    def base_url(self) -> str:
        return self._base_url

    def hide(self, secret: str) -> None:
        """From now on `secret` is masked in the audit and in errors."""
        self._redactor.hide(secret)

    async def close(self) -> None:
        for pool in (self._pool, self._writes):
            if pool is not None:
                await pool.close()
        self._pool = self._writes = None

    # -------------------------------------------------------------- reads

    async def read(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        priority: Priority = "orders",
    ) -> Response:
        """A call that is safe to repeat. Raises `Unreachable` when no complete answer came, `UnsafeAddress`."""
        url = self._url(path, params)
        async with self._services.limiter.slot(effective(priority)):
            for _ in range(MAX_REDIRECTS):
                response = await self._read_once(method, url, headers, body)
                location = response.headers.get("Location", "")
                if response.status not in _REDIRECTS or method not in ("GET", "HEAD") or not location:
                    return response
                target = self._redirected(url, location)
                if not same_origin(target, url):
                    raise UnsafeAddress(
                        f"the answer of {urlsplit(url).path} redirects to another host, {urlsplit(target).hostname}; "
                        "check the address of the connection",
                        system=self._system,
                        status=response.status,
                    )
                url = target
        raise Unreachable(f"{urlsplit(url).path} redirects in a circle", system=self._system)

    def _redirected(self, url: str, location: str) -> str:
        try:
            target = urljoin(url, location)
        except ValueError as error:
            raise UnsafeAddress(f"the answer redirects to {location[:80]!r}: {error}", system=self._system) from error
        self._policy.check_url(target)
        return target

    async def _read_once(
        self, method: str, url: str, headers: Mapping[str, str] | None, body: bytes | None
    ) -> Response:
        attempt = _ReadAttempt()
        token = _read_attempt.set(attempt)
        started = time.monotonic()
        try:
            pool = self._read_pool()
            async with asyncio.timeout(self._timeouts.read_s):
                response = await self._exchange(pool, method, url, headers, body, attempt)
        except (ConnectorError, aiohttp.ClientError, OSError, TimeoutError) as error:
            ours = isinstance(error, ConnectorError)
            failure = error if ours else Unreachable(self._words(error, url), system=self._system)
            await self._note(method, url, body, started, error=failure, sent=attempt.sends > 0)
            await self._services.breaker.failure(failure)
            if ours:
                raise
            raise failure from error
        except BaseException as error:  # cancelled beside a read that failed, out of time, at the end of the process
            if attempt.sends:
                await self._note(method, url, body, started, error=_given_up(error))
            raise
        finally:
            _read_attempt.reset(token)
            for _ in range(attempt.sends - 1):  # every request that left is in the audit
                await self._note(method, url, body, started, error=Unreachable("the connection dropped: sent again"))
        await self._note(method, url, body, started, response=response)
        await self._feed_breaker(response)
        return response

    async def _exchange(
        self,
        pool: aiohttp.ClientSession,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        body: bytes | None,
        attempt: "_ReadAttempt",
    ) -> Response:
        while True:
            try:
                async with pool.request(
                    method,
                    URL(url, encoded=True),
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                    proxy=self._proxy,
                    server_hostname=self._tls.server_name or None,
                ) as raw:
                    return await read_answer(raw, url)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                # A read by POST meets a dropped kept connection like any other read; aiohttp repeats the others.
                dropped = attempt.reused and not isinstance(error, aiohttp.ClientConnectorError)
                if method in _AIOHTTP_REPEATS or not dropped or attempt.sends > 1:
                    raise

    def _read_pool(self) -> aiohttp.ClientSession:
        if self._pool is None:
            self._pool = self._client(
                aiohttp.TCPConnector(resolver=self._resolver, ssl=self._ssl(), limit=0, keepalive_timeout=30),
                _CountedRequest,
            )
        return self._pool

    # -------------------------------------------------------------- writes

    async def write(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        permit: Permit,
        references: Sequence[str] = (),
        priority: Priority = "orders",
    ) -> Response:
        """One request, at most once. `references` go to the audit.

        Raises `Unreachable` before the connection stands, `NotSent` (or what `permit.arm` raised) when it stood and
        nothing left, `Uncertain` when bytes may have left and no complete answer came, or a redirect came.
        """
        url = self._url(path, params)
        async with self._services.limiter.slot(priority):
            started = time.monotonic()
            attempt = WriteAttempt(permit, self._services, self._timeouts.write_s)
            try:
                response = await self._write_once(method, url, headers, body, attempt)
            except BaseException as error:
                failure = self._judge(error, attempt, url)
                kept = failure if isinstance(failure, Exception) else _given_up(failure)
                await self._note(method, url, body, started, error=kept, references=references, sent=attempt.written)
                if isinstance(failure, Unreachable | Uncertain):
                    await self._services.breaker.failure(failure)
                if failure is error:
                    raise
                raise failure from error
            await self._note(method, url, body, started, response=response, references=references)
            await self._feed_breaker(response)
        if response.status in _REDIRECTS:
            raise Uncertain(
                f"the write was answered with a redirect to {urlsplit(response.headers.get('Location', '')).hostname}; "
                "it was not followed, but a proxy may have passed the request on; check the address of the connection",
                system=self._system,
                status=response.status,
                request_id=response.request_id,
            )
        return response

    async def _write_once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        body: bytes | None,
        attempt: WriteAttempt,
    ) -> Response:
        sent_headers = CIMultiDict(headers or {})
        if body is not None:
            sent_headers["Content-Length"] = str(len(body))  # some servers refuse chunked requests
        try:
            async with asyncio.timeout(self._timeouts.connect_s) as attempt.deadline:
                with attempt.under_way():
                    request = self._write_pool().request(
                        method,
                        URL(url, encoded=True),
                        headers=sent_headers,
                        data=None if body is None else attempt.pieces(body),
                        allow_redirects=False,
                        expect100=False,
                        compress=False,
                        proxy=self._proxy,
                        server_hostname=self._tls.server_name or None,
                    )
                    async with request as raw:
                        response = await read_answer(raw, url)
        except BaseException:
            attempt.kill()  # before anything is awaited, or an orderly close comes first
            raise
        await self._services.trace("answer.read")
        return response

    def _write_pool(self) -> aiohttp.ClientSession:
        """Keeps no connection: each request opens its own, which is closed after the answer."""
        if self._writes is None:
            connector = aiohttp.TCPConnector(
                resolver=self._resolver, ssl=self._ssl(), force_close=True, use_dns_cache=False, limit=0
            )
            self._writes = self._client(connector, PermittedRequest)
        return self._writes

    def _judge(self, error: BaseException, attempt: WriteAttempt, url: str) -> BaseException:
        """What a failed write means: did a byte leave, could it have, or surely not?"""
        if not isinstance(error, Exception):
            return error
        if not attempt.written:
            if attempt.refusal is not None:
                return attempt.refusal
            if attempt.connected:
                return NotSent(f"the connection closed before the first byte: {error}", system=self._system)
            if isinstance(error, ConnectorError):
                return error
            return Unreachable(self._words(error, url), system=self._system)
        if isinstance(error, TimeoutError):
            return Uncertain(f"no answer within {self._timeouts.write_s:g} s", system=self._system)
        return Uncertain(f"the connection broke before the answer: {self._words(error, url)}", system=self._system)

    # -------------------------------------------------------------- shared

    def _client(self, connector: aiohttp.TCPConnector, request_class: type[ClientRequest]) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            request_class=request_class,
            cookie_jar=aiohttp.DummyCookieJar(),  # who needs cookies sends them by name
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._timeouts.connect_s),
            headers={"User-Agent": USER_AGENT},
            trust_env=False,
        )

    def _ssl(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = self._tls.context()
        return self._context

    def _url(self, path: str, params: Params | None) -> str:
        if "://" in path.split("?", 1)[0]:
            if not same_origin(path, self._base_url):
                raise UnsafeAddress(f"{path} is not on {self._base_url}", system=self._system)
            url = path
        else:
            url = f"{self._base_url}{path}"
        if params:
            url = f"{url}{'&' if '?' in url else '?'}{encode_query(params)}"
        plain = url.startswith(self._base_url) and is_plain_path(url[len(self._base_url) :])
        if not (plain and self._base_is_checked):
            self._policy.check_url(url)
            self._base_is_checked = plain and not {"?", "#"}.intersection(self._base_url)
        return url

    def _words(self, error: BaseException, url: str) -> str:
        host = urlsplit(url).hostname or ""
        if words := tls_words(error):
            return f"no secure connection to {host}: {words}"
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return f"the name {host} is not known; check the address of the connection"
        if isinstance(error, aiohttp.ClientHttpProxyError):
            return f"the proxy answered {error.status} {error.message} for {host}"
        if isinstance(error, TimeoutError):
            return f"{host} did not answer in time"
        return self._redactor.text(f"{host}: {error or type(error).__name__}")

    async def _feed_breaker(self, response: Response) -> None:
        if self._failing(response):
            await self._services.breaker.failure(
                Transient(f"answered {response.status}", system=self._system, status=response.status)
            )
        elif response.status not in (408, 429):
            await self._services.breaker.success()

    async def _note(
        self,
        method: str,
        url: str,
        body: bytes | None,
        started: float,
        *,
        response: Response | None = None,
        error: Exception | None = None,
        references: Sequence[str] = (),
        sent: bool = True,
    ) -> None:
        call = Call(
            method=method,
            url=self._redactor.text(url),
            status=response.status if response else None,
            duration_s=time.monotonic() - started,
            request_id=response.request_id if response else "",
            error=self._redactor.text(str(error)) if error else "",
            request_body=self._redactor.body(body) if body else "",
            response_body=self._redactor.body(response.body) if response else "",
            references=tuple(references),
            sent=sent,
        )
        await self._services.calls.call(call)


def _given_up(error: BaseException) -> Exception:
    """In words of the audit, whose reader knows no `CancelledError`."""
    cancelled = isinstance(error, asyncio.CancelledError)
    return Uncertain("cancelled: its answer was not waited for" if cancelled else str(error) or type(error).__name__)


@dataclass(slots=True)
class _ReadAttempt:
    """How often a read really left: aiohttp repeats some by itself."""

    sends: int = 0
    reused: bool = False


_read_attempt: contextvars.ContextVar[_ReadAttempt] = contextvars.ContextVar("read_attempt")
_USED = "ml_connector_used"


class _CountedRequest(ClientRequest):
    """Counts what leaves on pooled connections."""

    async def send(self, conn: Connection) -> ClientResponse:
        attempt = _read_attempt.get()
        attempt.sends += 1
        attempt.reused = conn.protocol is not None and hasattr(conn.protocol, _USED)
        if conn.protocol is not None and not attempt.reused:
            setattr(conn.protocol, _USED, True)
        return await super().send(conn)
