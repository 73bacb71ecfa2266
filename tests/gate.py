"""A gate before a real registry: it passes everything on, with TLS and tokens if asked, and breaks what a test says."""

import base64
import datetime
import http.client
import ipaddress
import json
import secrets
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_HOP = {"connection", "transfer-encoding", "content-length", "authorization", "keep-alive"}
_NAMES = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]


@dataclass
class Asked:
    """One request as it arrived, before anything is done with it."""

    method: str
    path: str
    authorization: str
    handler: BaseHTTPRequestHandler
    body: bytes = b""

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Answer it."""
        self.handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()
        if self.method != "HEAD":
            self.handler.wfile.write(body)

    def cut(self) -> None:
        """Close the connection without a word."""
        self.handler.close_connection = True
        self.handler.connection.close()


Fault = Callable[[Asked], bool]
"""Does something to a request; False where it is none of those that it is for, and is passed on."""


@dataclass
class Gate:
    """A gate that is up.

    Args:
        host: its address, with the port.
        behind: the registry, and the `Authorization` it wants of the gate.
        fault: what is done to requests.
        seen: all requests, in order.
        tokens: asks for tokens, made for whoever has this `Authorization`; each is good for so many requests.
        scheme: http or https.
        changed: changes the headers of an answer: lies.
    """

    host: str
    behind: tuple[str, str] = ("", "")
    fault: Fault = lambda _: False
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    tokens: tuple[str, int] | None = None
    scheme: str = "http"
    changed: Callable[[Asked, dict[str, str]], None] = lambda *_: None
    left: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request: by the fault, by a token, or as the registry does."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        asked = Asked(handler.command, handler.path, handler.headers.get("Authorization", ""), handler, body)
        with self.lock:
            self.seen.append((asked.method, asked.path, asked.authorization))
            stopped = self.fault(asked) or (self.tokens is not None and self._token(asked, *self.tokens))
        if not stopped:
            self._pass_on(asked)

    def _token(self, asked: Asked, login: str, uses: int) -> bool:
        """Ask for a token, or give one; False where the request has one that is still good."""
        if asked.path.startswith("/token"):
            if asked.authorization != login:
                asked.answer(401)
                return True
            token = secrets.token_hex(8)
            self.left[token] = uses
            asked.answer(200, json.dumps({"token": token}).encode(), Content_Type="application/json")
            return True
        token = asked.authorization.removeprefix("Bearer ")
        if self.left.get(token, 0) > 0:
            self.left[token] -= 1
            return False
        realm = f'Bearer realm="{self.scheme}://{self.host}/token",service="tests",scope="repository:x:pull,push"'
        asked.answer(401, WWW_Authenticate=realm)
        return True

    def _pass_on(self, asked: Asked) -> None:
        host, authorization = self.behind
        headers = {name: value for name, value in asked.handler.headers.items() if name.lower() not in _HOP}
        headers |= {"Authorization": authorization or asked.authorization, "X-Forwarded-Proto": self.scheme}
        connection = http.client.HTTPConnection(host, timeout=60)
        try:
            connection.request(asked.method, asked.path, asked.body, headers)
            answer = connection.getresponse()
            body = answer.read()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
            length = answer.getheader("Content-Length") if asked.method == "HEAD" else str(len(body))
            kept["Content-Length"] = length or "0"
            self.changed(asked, kept)
            asked.handler.send_response(answer.status)
            for name, value in kept.items():
                asked.handler.send_header(name, value)
            asked.handler.end_headers()
            asked.handler.wfile.write(body)
        finally:
            connection.close()


@contextmanager
def gate(*, tls: "Authority | None" = None, name: str = "127.0.0.1") -> Iterator[Gate]:
    """Have a gate on a free port of loopback for as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self) -> None:
            with suppress(ConnectionError, ssl.SSLError, ValueError):  # whoever asked has gone, or was cut off
                own.serve(self)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - the base class's names

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Say nothing of a client that does not trust us."""

    with Server(("127.0.0.1", 0), Handler) as server:
        if tls:
            server.socket = tls.context().wrap_socket(server.socket, server_side=True)
        own = Gate(f"{name}:{server.server_port}", scheme="https" if tls else "http")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield own
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class Authority:
    """An authority of the test's own, and the certificate that it has given to loopback.

    Args:
        file: its certificate.
        key: the server's certificate and key.
    """

    file: Path
    key: Path

    @classmethod
    def make(cls, directory: Path, *names: str) -> "Authority":
        """Make one, for further names too; its key is gone when this returns."""
        root, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority of a test")])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
        basic = x509.BasicConstraints(ca=True, path_length=0)
        ca = _certificate(issuer, issuer, root, root).add_extension(basic, critical=True).sign(root, hashes.SHA256())
        called = x509.SubjectAlternativeName([*_NAMES, *map(x509.DNSName, names)])
        leaf = (
            _certificate(subject, issuer, own, root).add_extension(called, critical=False).sign(root, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        key = own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        made = cls(directory / "authority.pem", directory / "server.pem")
        made.file.write_bytes(ca.public_bytes(pem))
        made.key.write_bytes(leaf.public_bytes(pem) + key)
        return made

    def context(self) -> ssl.SSLContext:
        """Return how a server shows its certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.key)
        return context


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    today = datetime.datetime.now(datetime.UTC)
    known = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(today - datetime.timedelta(days=1))
    builder = builder.not_valid_after(today + datetime.timedelta(days=1))
    return builder.add_extension(known, critical=False).add_extension(by, critical=False)


def basic(user: str, password: str) -> str:
    """Return a login as a client sends it."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def once(
    matches: Callable[[Asked], bool], act: Callable[[Asked], None], times: int = 1, *, passing: bool = False
) -> Fault:
    """Return a fault that befalls the first so many of the requests that match; `passing`: they are passed on too."""
    left = times

    def fault(asked: Asked) -> bool:
        nonlocal left
        if left <= 0 or not matches(asked):
            return False
        left -= 1
        act(asked)
        return not passing

    return fault
