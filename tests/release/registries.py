"""Real registries on loopback: one with the referrers API and open to all, one without it and with a password."""

import base64
import ctypes
import json
import secrets
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from shipseal.digest import Digest

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIGURATION = """\
version: 0.1
log: {{accesslog: {{disabled: false}}, level: warn}}
storage: {{filesystem: {{rootdirectory: {files}}}}}
http: {{addr: "{host}"}}
auth: {{htpasswd: {{realm: tests, path: {passwords}}}}}
"""


@dataclass(frozen=True)
class Login:
    """A user of a registry, made for one run of the tests."""

    user: str = "publisher"
    password: str = field(default_factory=lambda: f"pw-{secrets.token_hex(16)}")

    @property
    def auth(self) -> str:
        """Return it as Docker writes it."""
        return base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def configuration(self, host: str) -> str:
        """Return Docker's config.json for one registry."""
        return json.dumps({"auths": {host: {"auth": self.auth}}})

    @property
    def line(self) -> str:
        """Return it as a line of a password file: bcrypt, by the C library's own crypt."""
        library = ctypes.CDLL("libcrypt.so.1")
        library.crypt.restype = ctypes.c_char_p
        hashed: bytes | None = library.crypt(self.password.encode(), b"$2y$05$" + secrets.token_hex(11).encode())
        assert hashed is not None
        return f"{self.user}:{hashed.decode()}\n"


@dataclass(frozen=True)
class Served:
    """A registry that is up.

    Args:
        host: its address, with the port.
        log: what it says.
        login: who may use it; None for everybody.
    """

    host: str
    log: Path
    login: Login | None = None

    def environment(self) -> dict[str, str]:
        """Return what a release needs to write to it."""
        return {"DOCKER_AUTH_CONFIG": self.login.configuration(self.host)} if self.login else {}

    def get(self, path: str, accept: str = "*/*") -> bytes:
        """Return what it answers under `/v2/`; raise `HTTPError` for what is not there."""
        request = urllib.request.Request(f"http://{self.host}/v2/{path}", headers={"Accept": accept})
        if self.login:
            request.add_header("Authorization", f"Basic {self.login.auth}")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return bytes(answer.read())

    def tags(self, repository: str) -> list[str]:
        """Return the tags of a repository but for those in place of the referrers API; none if it is not there."""
        try:
            listed = json.loads(self.get(f"{repository}/tags/list"))["tags"] or []
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return []
            raise
        return sorted(tag for tag in listed if not tag.startswith("sha256-"))

    def tag(self, repository: str, digest: str, *names: str) -> None:
        """Give tags to a manifest that is there, as somebody else would; this registry has to be open to all."""
        data = self.get(f"{repository}/manifests/{digest}", f"{INDEX}, {MANIFEST}")
        for name in names:
            self.put(f"{repository}/manifests/{name}", data, json.loads(data)["mediaType"])

    def put(self, path: str, data: bytes, kind: str, method: str = "PUT") -> str:
        """Write something, as somebody else would, and return where the registry says that it is."""
        url = path if path.startswith("http") else f"http://{self.host}/v2/{path}"
        request = urllib.request.Request(url, data, {"Content-Type": kind}, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return str(answer.headers.get("Location") or "")

    def put_blob(self, repository: str, data: bytes) -> None:
        """Write a blob."""
        where = self.put(f"{repository}/blobs/uploads/", b"", "application/octet-stream", "POST")
        where = where if where.startswith("http") else f"http://{self.host}{where}"
        joint = "&" if "?" in where else "?"
        self.put(f"{where}{joint}digest={Digest.of(data)}", data, "application/octet-stream")

    def delete(self, path: str) -> None:
        """Remove a manifest."""
        self.put(path, b"", "application/octet-stream", "DELETE")

    def referrers(self, repository: str, digest: str) -> list[str]:
        """Return what refers to a manifest, by the API of the specification or by the tag in its place."""
        manifests = f"{repository}/manifests/{digest.replace(':', '-')}"
        path = manifests if self.login else f"{repository}/referrers/{digest}"
        index = json.loads(self.get(path, INDEX))
        return [str(each["digest"]) for each in index["manifests"]]


@contextmanager
def olareg(program: Path, directory: Path, *more: str) -> Iterator[Served]:
    """Run olareg, open to everybody, with further flags."""
    host = _free()
    where = ["--addr", "127.0.0.1", "--port", host.partition(":")[2], "--dir", str(directory / "files")]
    command = [str(program), "serve", *where, "--gc-frequency", "-1s", *more]
    with _running(command, directory, Served(host, directory / "log.txt")) as served:
        yield served


@contextmanager
def docker_registry(directory: Path) -> Iterator[Served]:
    """Run Debian's docker-registry, which knows no referrers API, with a login."""
    program = shutil.which("docker-registry")
    assert program, "docker-registry is not installed: type `sudo apt-get install docker-registry`"
    login, host = Login(), _free()
    (directory / "htpasswd").write_text(login.line)
    configuration = CONFIGURATION.format(files=directory / "files", host=host, passwords=directory / "htpasswd")
    (directory / "config.yml").write_text(configuration)
    command = [program, "serve", str(directory / "config.yml")]
    with _running(command, directory, Served(host, directory / "log.txt", login)) as served:
        yield served


def _free() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextmanager
def _running(command: list[str], directory: Path, served: Served) -> Iterator[Served]:
    (directory / "files").mkdir(exist_ok=True)
    with served.log.open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            _wait(served, server)
            yield served
        finally:
            server.kill()


def _wait(served: Served, server: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end and server.poll() is None:
        try:
            served.get("")
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the registry did not come up: {served.log.read_text()[-1000:]}")
