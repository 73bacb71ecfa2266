"""An OpenID Connect issuer of the tests: its tokens, its keys, and a login page that lets everybody in.

OpenID Connect Core, sections 3.1 and 10; Discovery, section 4; PKCE is RFC 7636.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Issuer:
    """Whoever vouches for whoever signs.

    Args:
        url: where it is.
        person: the e-mail address of whoever logs in.
        lifetime: of a token, in seconds.
        asked: the paths that were asked for.
    """

    url: str = ""
    person: str = "somebody@example.test"
    lifetime: int = 600
    asked: list[str] = field(default_factory=list)
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    _codes: dict[str, tuple[str, str]] = field(default_factory=dict)

    def token(self, **claims: Any) -> str:
        """Return a token for signing."""
        times = {"iat": int(time.time()), "nbf": int(time.time()) - 5, "exp": int(time.time()) + self.lifetime}
        body = {"iss": self.url, "aud": "sigstore", **times, **claims}
        return jwt.encode(body, self.key, "RS256", {"kid": "1"})

    def answer(self, path: str, body: bytes) -> tuple[int, dict[str, str], Any]:
        """Return the status, the headers and the JSON of an answer."""
        place, asked = urlsplit(path), {name: each[0] for name, each in parse_qs(urlsplit(path).query).items()}
        self.asked.append(place.path)
        match place.path:
            case "/.well-known/openid-configuration":
                return 200, {}, self._discovery()
            case "/keys":
                return 200, {}, {"keys": [self._key()]}
            case "/auth":
                code = secrets.token_urlsafe()
                self._codes[code] = (asked["code_challenge"], asked.get("nonce", ""))
                query = urlencode({"code": code, "state": asked["state"]})
                return 302, {"Location": f"{asked['redirect_uri']}?{query}"}, None
            case "/token":
                return self._redeem({name: each[0] for name, each in parse_qs(body.decode()).items()})
        return 404, {}, {"error": "there is nothing here"}

    def _redeem(self, asked: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        challenge, nonce = self._codes.pop(asked["code"], ("", ""))
        if challenge != b64url(hashlib.sha256(asked["code_verifier"].encode()).digest()):
            return 400, {}, {"error": "invalid_grant"}
        token = self.token(sub="1", email=self.person, email_verified=True, nonce=nonce)
        return 200, {}, {"access_token": token, "token_type": "Bearer", "id_token": token}

    def _discovery(self) -> dict[str, Any]:
        places = {"authorization_endpoint": "auth", "token_endpoint": "token", "jwks_uri": "keys"}
        return {
            "issuer": self.url,
            **{name: f"{self.url}/{place}" for name, place in places.items()},
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def _key(self) -> dict[str, str]:
        numbers = self.key.public_key().public_numbers()
        parts = {"n": numbers.n.to_bytes(256, "big"), "e": numbers.e.to_bytes(3, "big")}
        return {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1", **{k: b64url(v) for k, v in parts.items()}}


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, answering: Any, *args: Any) -> None:
        self._answering = answering
        super().__init__(*args)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        status, headers, value = self._answering(self.path, body)
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, each in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, each)
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_PUT = do_GET  # noqa: N815 - the names are the base class's


@contextmanager
def serving(answering: Any) -> Iterator[str]:
    """Serve a function of a path and a body on loopback; yield the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, answering))
    server.daemon_threads = True
    threading.Thread(target=partial(server.serve_forever, 0.02), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def issuer() -> Iterator[Issuer]:
    """Run an issuer on loopback."""
    there = Issuer()
    with serving(there.answer) as there.url:
        yield there
