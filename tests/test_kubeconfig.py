"""A kubeconfig says how a cluster is reached; what is unsafe in it, or is not done here, is refused in clear words."""

import base64
import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from shipseal.cluster import kubeconfig, plugin
from shipseal.errors import ConfigError, ToolFailed

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
SECRET = "very-secret-word"

Write = Callable[..., Path]


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def document(user: Any = None, cluster: Any = None, context: Any = None, name: str = "production") -> dict[str, Any]:
    """Return a kubeconfig with one context."""
    known = {"server": "https://cluster.example:6443", "certificate-authority-data": encoded(PEM)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": f"{name}-cluster", "cluster": known if cluster is None else cluster}],
        "users": [{"name": "ann", "user": {"token": SECRET} if user is None else user}],
        "contexts": [{"name": name, "context": {"cluster": f"{name}-cluster", "user": "ann", **(context or {})}}],
        "current-context": name,
    }


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Give a function that writes a kubeconfig."""

    def to(content: Any, name: str = "config") -> Path:
        (tmp_path / name).write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return tmp_path / name

    return to


def refused(*files: Path, context: str = "", start: plugin.Start | None = plugin.start) -> str:
    """Return what a kubeconfig is refused with, which never quotes a credential."""
    with pytest.raises(ConfigError) as raised:
        kubeconfig.read(files, context, start)
    assert SECRET not in raised.value.explain()
    return raised.value.explain()


async def test_the_current_context_is_read_with_all_that_it_takes(write: Write) -> None:
    cluster = {
        "server": "https://cluster.example:6443/k8s/one",
        "certificate-authority-data": encoded(PEM),
        "tls-server-name": "kubernetes",
        "proxy-url": "http://proxy.example:3128",
    }
    access = kubeconfig.read([write(document(cluster=cluster, context={"namespace": "shop"}))], "", None)
    assert (access.server, access.context, access.namespace) == (cluster["server"], "production", "shop")
    assert (access.authority, access.server_name, access.proxy) == (PEM, "kubernetes", cluster["proxy-url"])
    assert access.token is not None
    assert await access.token() == SECRET
    assert SECRET not in repr(access)


def test_a_context_without_a_namespace_is_in_default(write: Write) -> None:
    assert kubeconfig.read([write(document())], "", None).namespace == "default"


def test_certificates_stand_in_it_or_in_files_beside_it(write: Write, tmp_path: Path) -> None:
    for name in ("ca", "crt", "key"):
        (tmp_path / f"{name}.pem").write_text(f"{name} in PEM")
    cluster = {"server": "https://h", "certificate-authority": "ca.pem"}
    user = {"client-certificate": "crt.pem", "client-key-data": encoded("the key"), "client-key": "key.pem"}
    access = kubeconfig.read([write(document(user, cluster))], "", None)
    assert (access.authority, access.certificate, access.key) == ("ca in PEM", "crt in PEM", "the key")
    assert "the key" not in repr(access)


async def test_a_token_in_a_file_is_read_when_it_is_needed(write: Write, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first\n")
    token = kubeconfig.read([write(document({"tokenFile": "token", "token": SECRET}))], "", None).token
    assert token is not None
    assert await token() == "first"
    (tmp_path / "token").write_text("second\n")
    assert await token() == "second"


def test_of_several_files_the_first_that_names_something_has_it(write: Write, tmp_path: Path) -> None:
    one = write(document(cluster={"server": "https://one.example"}), "one")
    two = document(cluster={"server": "https://two.example"})
    both = {**two, "clusters": [*two["clusters"], *document(name="staging")["clusters"]]}
    other = write({**both, "contexts": [*two["contexts"], *document(name="staging")["contexts"]]}, "two")
    files = [tmp_path / "absent", one, other]
    assert kubeconfig.read(files, "", None).server == "https://one.example"
    assert kubeconfig.read(files, "staging", None).server == "https://cluster.example:6443"


def test_without_a_file_it_says_where_it_has_looked(tmp_path: Path) -> None:
    assert f"not there: {tmp_path / 'one'}, {tmp_path / 'two'}" in refused(tmp_path / "one", tmp_path / "two")
    assert "none is named" in refused()


def test_a_context_that_is_not_there_is_named_with_those_that_are(write: Write) -> None:
    said = refused(write(document()), context="staging")
    assert "there is no context staging" in said
    assert "there are: production" in said


def test_without_a_current_context_one_has_to_be_named(write: Write) -> None:
    assert "no context is named, and none is current" in refused(write({**document(), "current-context": ""}))


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        ({"server": "https://h", "insecure-skip-tls-verify": True}, "insecure-skip-tls-verify lets anybody between"),
        ({"server": "http://cluster.example"}, "server: not an address of https: http://cluster.example"),
        ({"server": "http://localhost.example"}, "not an address of https"),
        ({"server": "cluster.example:6443"}, "not an address of http or https"),
        ({"server": f"https://ann:{SECRET}@cluster.example"}, "holds more than an address: https://cluster.example"),
        ({}, "not an address of http or https: ''"),
        ({"server": ["https://h"]}, "server is not text"),
        ({"server": "https://h", "certificate-authority-data": "%%%"}, "data is not PEM in base64"),
        ({"server": "https://h", "certificate-authority": "absent.pem"}, "cannot be read"),
        ({"server": "https://h", "proxy-url": "socks5://h"}, "proxy-url: not an address of http or https"),
    ],
)
def test_a_cluster_that_nobody_should_trust_is_refused(write: Write, cluster: Any, said: str) -> None:
    assert said in refused(write(document(cluster=cluster)))


def test_loopback_is_reached_without_tls(write: Write) -> None:
    cluster = {"server": "http://127.0.0.1:8001"}
    assert kubeconfig.read([write(document(cluster=cluster))], "", None).server == cluster["server"]


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ({"username": "ann", "password": SECRET}, "username: a name and a password are not a login"),
        ({"password": SECRET}, "password: a name and a password are not a login"),
        ({"auth-provider": {"name": "gcp"}}, "auth-provider: Kubernetes has given it up"),
        ({"token": SECRET, "as": "system:admin"}, "as: a deploy acts as nobody else"),
        ({"client-certificate-data": encoded(PEM)}, "a client certificate and no key"),
        ({"client-key-data": encoded(SECRET)}, "a client key and no certificate"),
        ({"client-certificate-data": encoded(PEM), "client-key-data": SECRET + "%"}, "client-key-data is not PEM"),
        ({"tokenFile": "absent"}, "tokenFile of user ann cannot be read"),
        ({"tokenFile": "."}, "tokenFile of user ann is not a file"),
        ({"token": {SECRET: SECRET}}, "token is not text"),
    ],
)
def test_a_login_that_is_unsafe_or_incomplete_is_refused(write: Write, user: Any, said: str) -> None:
    assert said in refused(write(document(user)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clusters: &a [1]\nusers: *a\n", "line 2: it holds an alias"),
        (f"kind: Config\nusers: []\nusers: [{SECRET}]\n", "key 'users' comes twice"),
        (f"users:\n- name: ann\n  user: {{token: a, token: {SECRET}}}\n", "key 'token' comes twice"),
        ("[" * 100, "nests deeper than 32 levels"),
        (f"a: [{SECRET}\n", "is not a valid kubeconfig"),
        ("- a\n", "it is not an object of kind Config"),
        ("kind: Secret\n", "it is not an object of kind Config"),
        ("a: \x1b[2J\n", "is not a valid kubeconfig"),
        ("users: [ann]\n", "users of"),
        ("clusters: [{name: a, cluster: [b]}]\n", "is not a mapping"),
        ("contexts: [{name: a}, {name: a}]\n", "has a context twice"),
        ("contexts: {name: a}\n", "is not a list of things with names"),
        ("contexts: [{name: a, context: {user: u}}]\ncurrent-context: a\n", "it names no cluster"),
        (
            "contexts: [{name: a, context: {cluster: c}}]\ncurrent-context: a\n",
            "it names cluster c, which is not there",
        ),
        ("contexts: [{name: a, context: {cluster: [c]}}]\ncurrent-context: a\n", "cluster is not text"),
        ("", "no context is named"),
        ("a: 1\n" + "# " + "x" * (1 << 20), "has more than 1 MiB"),
    ],
)
def test_what_is_no_kubeconfig_is_refused(write: Write, text: str, said: str) -> None:
    assert said in refused(write(text))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config").write_bytes(b"\xff\xfe\x00")
    assert "it is not text" in refused(tmp_path / "config")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config")
    assert "the kubeconfig is not a file" in refused(tmp_path / "config")


def test_a_context_with_a_name_for_the_terminal_is_shown_as_a_line(write: Write) -> None:
    said = refused(write(document(name="\x1b[2Jproduction")), context="other")
    assert "there are: \\x1b[2Jproduction" in said


@pytest.mark.parametrize("key", ["tokenFile", "client-key"])
def test_a_kubeconfig_of_the_project_reads_no_file_of_the_user(write: Write, tmp_path: Path, key: str) -> None:
    """Else it could have any of them sent to a server of its own."""
    (tmp_path / "project").mkdir()
    (tmp_path / "mine").write_text(SECRET)
    (tmp_path / "project" / "link").symlink_to(tmp_path / "mine")
    for named in ("../mine", str(tmp_path / "mine"), "link"):
        path = write(document({key: named}), "project/config")
        assert f"{key} leads out of its directory, and the project has named this kubeconfig" in refused(
            path, start=None
        )
    access = kubeconfig.read([write(document({"tokenFile": "../mine"}), "project/config")], "", plugin.start)
    assert access.token is not None


def script(tmp_path: Path, body: str) -> str:
    """Write a program that speaks for a user; return its name beside the kubeconfig."""
    program = tmp_path / "give-token"
    program.write_text(f"#!{sys.executable}\nimport json, os, sys\n{body}")
    program.chmod(0o700)
    return f"./{program.name}"


def credential(**status: Any) -> str:
    return f"print(json.dumps({{'apiVersion': '{plugin.VERSIONS[0]}', 'kind': 'ExecCredential', 'status': {status}}}))"


def user_of(program: str, **more: Any) -> dict[str, Any]:
    return {"exec": {"apiVersion": plugin.VERSIONS[0], "command": program, "interactiveMode": "Never", **more}}


async def token_of(write: Write, user: Any) -> str:
    token = kubeconfig.read([write(document(user))], "", plugin.start).token
    assert token is not None
    return await token()


def test_a_program_that_the_project_names_is_not_started(write: Write, tmp_path: Path) -> None:
    command = script(tmp_path, f"open({str(tmp_path / 'started')!r}, 'w')")
    assert "the project has named this kubeconfig: it starts nothing here" in refused(
        write(document(user_of(command))), start=None
    )
    assert not (tmp_path / "started").exists()


async def test_a_program_gives_the_token_and_sees_what_the_kubeconfig_says(write: Write, tmp_path: Path) -> None:
    command = script(tmp_path, "told = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
                     "token = '/'.join([os.environ['WHO'], sys.argv[1], told['spec']['cluster']['server'][8:]])\n"
                     + credential(token="?").replace("'?'", "token"))  # fmt: skip
    user = user_of(command, args=["one"], env=[{"name": "WHO", "value": "ann"}], provideClusterInfo=True)
    assert await token_of(write, user) == "ann/one/cluster.example:6443"


@pytest.mark.parametrize(("ends", "runs"), [("2020-01-01T00:00:00Z", 2), ("2999-01-01T00:00:00Z", 1), (None, 1)])
async def test_a_program_is_asked_again_when_its_token_ends(
    write: Write, tmp_path: Path, ends: str | None, runs: int
) -> None:
    body = f"open({str(tmp_path / 'runs')!r}, 'a').write('x')\n{credential(token='t', expirationTimestamp=ends)}"
    token = kubeconfig.read([write(document(user_of(script(tmp_path, body))))], "", plugin.start).token
    assert token is not None
    assert [await token(), await token()] == ["t", "t"]
    assert (tmp_path / "runs").read_text() == "x" * runs


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (credential(), "gives none"),
        (credential(clientCertificateData=PEM), "gives a client certificate"),
        (f"print('{SECRET}')", "gives none"),
        (credential(token="t").replace("ExecCredential", "Secret"), "gives none"),
        (credential(token="t").replace("/v1", "/v1beta1"), "gives none"),
        ("print('[' * 100000)", "gives none"),
    ],
)
async def test_a_program_that_gives_no_token_is_said(write: Write, tmp_path: Path, body: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        await token_of(write, user_of(script(tmp_path, body)))
    assert said in raised.value.explain()
    assert SECRET not in raised.value.explain()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (f"print('{SECRET}'); sys.stderr.write('log in first \\x1b[2J'); sys.exit(3)", "log in first \\x1b[2J"),
        ("print('x' * (1 << 22))", "it said too much"),
    ],
)
async def test_a_program_that_fails_is_told_by_what_it_tells_people_alone(
    write: Write, tmp_path: Path, body: str, said: str
) -> None:
    with pytest.raises(ToolFailed) as raised:
        await token_of(write, user_of(script(tmp_path, body)))
    assert said in raised.value.explain()
    assert SECRET not in raised.value.explain()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"apiVersion": "client.authentication.k8s.io/v1alpha1"}, "exec speaks none of"),
        ({"command": "no-such-program-here", "installHint": "get it \x1b[2J"}, "get it \\x1b[2J"),
        ({"command": ["sh"]}, "exec is not a command"),
        ({"args": "one"}, "exec is not a command"),
        ({"args": [1]}, "exec is not a command"),
        ({"env": [{"name": "A"}]}, "exec is not a command"),
        ({"interactiveMode": "Always"}, "exec wants to ask somebody"),
    ],
)
def test_a_program_that_cannot_be_asked_is_refused_before_it_is_needed(
    write: Write, changed: dict[str, Any], said: str
) -> None:
    assert said in refused(write(document(user_of("sh", **changed))))


def test_json_is_a_kubeconfig_too(write: Write, tmp_path: Path) -> None:
    path = write(json.dumps(document()))
    path.chmod(stat.S_IRUSR)
    assert kubeconfig.read([path], "", None).context == "production"
