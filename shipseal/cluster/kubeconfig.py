"""Read how a cluster is reached out of kubeconfig files (kubernetes.io, "kubeconfig (v1)").

Files are merged as kubectl does: the first that names something has it. What cannot be done safely, or is not done
here, is refused rather than passed over; no message quotes a credential.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shipseal.address import Address, without_secrets
from shipseal.cluster.access import Access, Token
from shipseal.cluster.kubeconfig_file import below, content, read_file
from shipseal.cluster.plugin import VERSIONS, Plugin, Start
from shipseal.errors import ConfigError
from shipseal.terminal_text import line
from shipseal.tools.environment import find

_NOT_DONE = {
    "username": "a name and a password are not a login that a cluster should take",
    "password": "a name and a password are not a login that a cluster should take",
    "auth-provider": "Kubernetes has given it up for `exec`",
    "as": "a deploy acts as nobody else",
    "as-uid": "a deploy acts as nobody else",
    "as-groups": "a deploy acts as nobody else",
    "as-user-extra": "a deploy acts as nobody else",
}


@dataclass(frozen=True)
class _Entry:
    """One cluster, user or context: what it is called, what it says, and the file that says it."""

    title: str
    body: Mapping[str, object] = field(repr=False)
    file: Path
    foreign: bool
    """Whether the project has named the file: then it may lead to nothing of the user's."""

    def text(self, key: str) -> str:
        """Return a text; empty where there is none."""
        value = self.body.get(key)
        if value is None or isinstance(value, str):
            return value or ""
        raise self.wrong(f"{key} is not text")

    def pem(self, key: str) -> str:
        """Return a certificate or key that stands here (`KEY-data`), or in the file that is named (`KEY`)."""
        if data := self.text(f"{key}-data"):
            try:
                return base64.b64decode(data, validate=True).decode("ascii")
            except (binascii.Error, UnicodeDecodeError):
                raise self.wrong(f"{key}-data is not PEM in base64") from None
        return self.content(key) if self.text(key) else ""

    def content(self, key: str) -> str:
        """Return what is in the file that a key names; relative to the kubeconfig."""
        path = self.file.parent / self.text(key)
        if self.foreign and not below(path, self.file.parent):
            raise self.wrong(
                f"{key} leads out of its directory, and the project has named this kubeconfig",
                "put the file beside it, or name the kubeconfig yourself: KUBECONFIG",
            )
        return content(path, f"{key} of {self.title}")

    def wrong(
        self, why: str, remedy: str = "correct the kubeconfig, or get it again from where it came"
    ) -> ConfigError:
        """Return an error about this entry."""
        return ConfigError(f"{self.title} of {self.file} cannot be used", why=why, remedy=remedy)


def read(files: Sequence[Path], context: str, start: Start | None) -> Access:
    """Return how a context reaches its cluster; nothing is asked and started yet.

    Args:
        files: as `KUBECONFIG` lists them; one that is not there is passed over, unless none is.
        context: its name; empty: the current one.
        start: runs the program that a user's `exec` names (`plugin.start`); None where the project has named the
            files: what it names is not started, and its files are read beside it alone.

    Raises:
        ConfigError: there is no file or no such context, or it asks for what is not done here.
    """
    documents = {path: document for path in files if (document := read_file(path)) is not None}
    if not documents:
        named = ", ".join(map(str, files))
        raise ConfigError(
            "there is no kubeconfig, and so no cluster to deploy to",
            why=f"not there: {named}" if named else "none is named",
            remedy="set KUBECONFIG, or [deploy] kubeconfig in pipeline.toml",
        )
    contexts, clusters, users = (_named(documents, kind, start is None) for kind in ("context", "cluster", "user"))
    wanted = context or _current(documents)
    if wanted not in contexts:
        raise ConfigError(
            f"there is no context {line(wanted)}" if wanted else "no context is named, and none is current",
            why=f"there are: {line(', '.join(sorted(contexts)))[:1000]}" if contexts else "the kubeconfig has none",
            remedy="name one of them: [deploy] context, or `kubectl config use-context`",
        )
    found = contexts[wanted]
    cluster, user = _of(found, "cluster", clusters), _of(found, "user", users)
    certificate, key, token = _login(user, cluster, start)
    return Access(
        server=_server(cluster),
        context=line(wanted),
        namespace=found.text("namespace") or "default",
        authority=cluster.pem("certificate-authority"),
        server_name=cluster.text("tls-server-name"),
        certificate=certificate,
        key=key,
        token=token,
        proxy=_address(cluster, "proxy-url") if cluster.text("proxy-url") else "",
    )


def _named(documents: Mapping[Path, Mapping[str, object]], kind: str, foreign: bool) -> dict[str, _Entry]:
    """Return the entries of a kind by name: the first file that has one has it whole."""
    found: dict[str, _Entry] = {}
    for path, document in documents.items():
        entries = document.get(f"{kind}s") or []
        listed = [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
        names = [name for each in listed if isinstance(name := each.get("name"), str)]
        if not isinstance(entries, list) or len(names) < len(entries):
            raise ConfigError(f"{kind}s of {path} is not a list of things with names", remedy="correct the kubeconfig")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigError(
                f"{path} has a {kind} twice",
                why=line(", ".join(twice))[:300],
                remedy="take one of them out of the file",
            )
        for entry in entries:
            body = entry.get(kind) or {}
            title = f"{kind} {line(entry['name'])}"
            if not isinstance(body, dict):
                raise ConfigError(f"{title} of {path} is not a mapping", remedy="correct the kubeconfig")
            found.setdefault(entry["name"], _Entry(title, body, path, foreign))
    return found


def _current(documents: Mapping[Path, Mapping[str, object]]) -> str:
    return next((str(each["current-context"]) for each in documents.values() if each.get("current-context")), "")


def _of(context: _Entry, key: str, there: Mapping[str, _Entry]) -> _Entry:
    if (name := context.text(key)) in there:
        return there[name]
    raise context.wrong(f"it names {key} {line(name)}, which is not there" if name else f"it names no {key}")


def _server(cluster: _Entry) -> str:
    if cluster.body.get("insecure-skip-tls-verify"):
        raise cluster.wrong(
            "insecure-skip-tls-verify lets anybody between answer for the cluster",
            "take it out, and name the cluster's authority: certificate-authority-data",
        )
    return _address(cluster, "server", private=True)


def _address(cluster: _Entry, key: str, *, private: bool = False) -> str:
    text = cluster.text(key)
    try:
        address = Address.parse(text)
        if private:
            address.require_private()
    except ValueError as error:
        raise cluster.wrong(f"{key}: {error}") from None
    if private and (address.login or "?" in text or "#" in text):
        raise cluster.wrong(f"{key} holds more than an address: {without_secrets(text)}")
    return text


def _login(user: _Entry, cluster: _Entry, start: Start | None) -> tuple[str, str, Token | None]:
    """Return a user's certificate and key, and its token."""
    for key, why in _NOT_DONE.items():
        if user.body.get(key):
            raise user.wrong(f"{key}: {why}", "give the user a certificate, a token or `exec`")
    certificate, key = user.pem("client-certificate"), user.pem("client-key")
    if bool(certificate) != bool(key):
        raise user.wrong(f"it has a client {'certificate and no key' if certificate else 'key and no certificate'}")
    if user.text("tokenFile"):
        user.content("tokenFile")

        async def from_file() -> str:
            return user.content("tokenFile").strip()  # whoever writes it writes a newer one in time

        return certificate, key, from_file
    if token := user.text("token"):

        async def fixed() -> str:
            return token

        return certificate, key, fixed
    return certificate, key, _plugin(user, cluster, start) if user.body.get("exec") else None


def _plugin(user: _Entry, cluster: _Entry, start: Start | None) -> Plugin:
    asked = user.body["exec"]
    if not isinstance(asked, dict) or asked.get("apiVersion") not in VERSIONS:
        raise user.wrong(f"exec speaks none of {', '.join(VERSIONS)}")
    command, arguments, variables = asked.get("command"), asked.get("args") or [], asked.get("env") or []
    if start is None:
        raise user.wrong(
            "exec names a program, and the project has named this kubeconfig: it starts nothing here",
            "name the kubeconfig yourself: KUBECONFIG; or use [deploy.eks], or a token",
        )
    if asked.get("interactiveMode") == "Always":
        raise user.wrong("exec wants to ask somebody, and nobody is there", "log in beforehand")
    try:
        environment = {each["name"]: each["value"] for each in variables}
    except (TypeError, KeyError):
        environment = {"": None}
    if not isinstance(arguments, list) or not all(
        isinstance(each, str) and "\0" not in each for each in (command, *arguments, *environment.values())
    ):
        raise user.wrong("exec is not a command with arguments and an environment")
    told = {"server": _server(cluster), "certificate-authority-data": _encoded(cluster)}
    provided = {name: value for name, value in told.items() if value} if asked.get("provideClusterInfo") else None
    return Plugin([_program(str(command), user, asked), *arguments], environment, asked["apiVersion"], provided, start)


def _encoded(cluster: _Entry) -> str:
    return base64.b64encode(cluster.pem("certificate-authority").encode()).decode()


def _program(command: str, user: _Entry, asked: Mapping[str, object]) -> str:
    """Return where a program is: beside the kubeconfig where it is a relative path, else on the search path."""
    found = str(user.file.parent.absolute() / command) if "/" in command else find(command)
    if not found:
        hint = asked.get("installHint")
        raise user.wrong(
            f"exec names {line(command)[:100]}, which is not installed on this machine",
            line(hint)[:300] if isinstance(hint, str) and hint else "install it, and run this again",
        )
    return found
