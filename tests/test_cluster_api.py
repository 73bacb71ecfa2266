"""However an API server answers, it is asked within bounds, believed in nothing, and told of in words."""

import gzip
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import anyio
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from shipseal.cluster import resources, tls
from shipseal.cluster.access import Access
from shipseal.cluster.api import Api, Refused, connect
from shipseal.cluster.identity import ClusterIdentity, identify
from shipseal.cluster.rights import lacking
from shipseal.deploying.manifests import Manifest
from shipseal.deploying.platform import Right
from shipseal.errors import ConfigError, RemoteFailed, UsageError, VerificationFailed
from shipseal.judging.policy_files import policy_of
from shipseal.local.cluster_keys import CertificateAuthority
from shipseal.project.config import HOME, Config
from shipseal.rollout import history
from shipseal.signing.roots import public_root
from shipseal.signing.verifiers import trusted_root
from tests.api_server import ApiServer, Reply, api_server, cut, cut_within, endless, hang, refusal, reply
from tests.origins import answering

PATH = "/api/v1/namespaces/shop/configmaps"
ONE = f"{PATH}/one"
OBJECT = {"kind": "ConfigMap", "metadata": {"name": "one"}}
AWAY = refusal(503, "ServiceUnavailable", "etcd is away")
PATIENCE = 10  # seconds that the server is given here
# Seconds that a busy machine may need for what takes one; whoever waited too long here, would wait for longer.
LONG = 20


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ApiServer]:
    """Give a server that answers everything with one object, until it is told otherwise."""
    with api_server(tmp_path, reply(200, OBJECT)) as running:
        yield running


@pytest.fixture
def said() -> list[str]:
    """Give the list of what has been said aloud."""
    return []


Reach = Callable[..., AbstractAsyncContextManager[Api]]


@pytest.fixture
def reach(server: ApiServer, said: list[str]) -> Reach:
    """Give a function that connects to the server, and has it give these replies; the last one for ever."""

    def to(
        *replies: Reply, patience: float = PATIENCE, access: Access | None = None
    ) -> AbstractAsyncContextManager[Api]:
        server.replies[:] = replies or server.replies
        return connect(access or server.access, say=said.append, patience=patience)

    return to


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
async def test_a_server_that_is_away_for_a_while_is_asked_again_and_that_is_said_once(
    server: ApiServer, reach: Reach, said: list[str], code: int
) -> None:
    async with reach(refusal(code, "", "not now"), refusal(code, "", "not now"), reply(200, OBJECT)) as api:
        assert await api.get(ONE) == OBJECT
    assert [f"GET {ONE}"] * 3 == server.asked
    away, back = said
    assert away == f"the API server does not answer ({code} not now): it is asked again for 10 s"
    assert re.fullmatch(r"the API server answers again, after [1-9] s", back)


@pytest.mark.parametrize("broken", [cut, cut_within, reply(503, b"<html>no backend</html>")])
async def test_a_connection_that_is_cut_is_made_again(
    server: ApiServer, reach: Reach, said: list[str], broken: Reply
) -> None:
    async with reach(broken, reply(200, OBJECT)) as api:
        assert await api.get(ONE) == OBJECT
    assert len(server.asked) == 2
    assert len(said) == 2


async def test_what_many_requests_meet_at_once_is_said_once(reach: Reach, said: list[str]) -> None:
    async with reach(*[AWAY] * 6, reply(200, OBJECT)) as api, anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(api.get, ONE)
    assert len(said) == 2


async def test_a_busy_server_is_given_the_time_that_it_asks_for(reach: Reach) -> None:
    began = time.monotonic()
    async with reach(reply(429, {}, ("Retry-After", "2")), reply(200, OBJECT)) as api:
        assert await api.get(ONE) == OBJECT
    assert 2 <= time.monotonic() - began < PATIENCE


@pytest.mark.parametrize("asked", ["30", "9999999999999", "-1", "Wed, 21 Oct 2065 07:28:00 GMT", "\u0664"])
async def test_a_server_is_given_no_more_time_than_there_is(reach: Reach, asked: str) -> None:
    busy = reply(429, {}, ("Retry-After", asked.encode().decode("latin-1")))
    began = time.monotonic()
    async with reach(busy, patience=1) as api:
        with pytest.raises(Refused) as raised:
            await api.get(ONE)
    assert raised.value.code == 429
    assert time.monotonic() - began < LONG


async def test_when_patience_is_over_the_last_answer_is_the_failure(reach: Reach, said: list[str]) -> None:
    began = time.monotonic()
    async with reach(AWAY, patience=1) as api:
        with pytest.raises(Refused, match="does not read configmaps/one in shop: ServiceUnavailable") as raised:
            await api.get(ONE)
    assert (raised.value.code, raised.value.kind, raised.value.said) == (503, "ServiceUnavailable", "etcd is away")
    assert 1 <= time.monotonic() - began < LONG
    assert len(said) == 1


async def test_a_server_that_hangs_is_waited_for_no_longer_than_that(reach: Reach) -> None:
    began = time.monotonic()
    async with reach(hang, patience=1) as api:
        with pytest.raises(RemoteFailed, match="did not answer for 1 s"):
            await api.get(ONE)
    assert time.monotonic() - began < LONG


async def test_an_answer_that_comes_byte_by_byte_is_not_waited_for(reach: Reach) -> None:
    """Each byte comes in time, and the whole never would."""
    began = time.monotonic()
    async with reach(endless(b" ", 0.2), patience=1) as api:
        with pytest.raises(RemoteFailed, match="did not answer for 1 s"):
            await api.get(ONE)
    assert time.monotonic() - began < LONG


async def test_a_server_that_is_not_there_is_said(server: ApiServer, reach: Reach) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    async with reach(access=replace(server.access, server=f"https://127.0.0.1:{port}"), patience=0.5) as api:
        with pytest.raises(RemoteFailed) as raised:
            await api.get(ONE)
    assert f"https://127.0.0.1:{port}: All connection attempts failed" in raised.value.why


async def test_a_host_that_nobody_knows_is_said_at_once(server: ApiServer, reach: Reach, said: list[str]) -> None:
    async with reach(access=replace(server.access, server=f"https://{'x' * 70}.example")) as api:
        with pytest.raises(RemoteFailed, match="there is no host of that name"):
            await api.get(ONE)
    assert not said


@pytest.mark.parametrize("address", ["https://1.2.3.999", "https://xn--zzz--.example"])
async def test_an_address_that_is_none_is_said_before_anything_is_asked(
    server: ApiServer, reach: Reach, address: str
) -> None:
    with pytest.raises(ConfigError, match="the address of test is none"):
        async with reach(access=replace(server.access, server=address)):
            pytest.fail("there is nothing to ask")


@pytest.mark.parametrize("named", ["environment", "kubeconfig"])
async def test_a_proxy_is_asked_for_the_way_and_hears_nothing_else(
    server: ApiServer, reach: Reach, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    heard: list[bytes] = []
    with answering(b"HTTP/1.1 403 Forbidden\r\n\r\n", heard) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy if named == "environment" else "http://127.0.0.1:9")
        access = replace(server.access, server="https://cluster.example:6443", token=tokens("secret"))
        access = replace(access, proxy=proxy if named == "kubeconfig" else "")
        async with reach(access=access, patience=0.5) as api:
            with pytest.raises(RemoteFailed) as raised:
                await api.get(ONE)
    assert heard[0].startswith(b"CONNECT cluster.example:6443 ")
    assert b"secret" not in b"".join(heard)
    assert "403 Forbidden" in raised.value.explain()


async def test_loopback_and_what_no_proxy_names_are_reached_without_one(
    server: ApiServer, reach: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "cluster.example")
    async with reach() as api:
        assert await api.get(ONE) == OBJECT
    async with reach(access=replace(server.access, server=f"https://{'x' * 70}.cluster.example")) as api:
        with pytest.raises(RemoteFailed, match="there is no host of that name"):
            await api.get(ONE)


async def test_a_hundred_megabytes_are_not_taken_for_an_object(reach: Reach, said: list[str]) -> None:
    async with reach(endless(b" " * (1 << 16))) as api:
        with pytest.raises(RemoteFailed, match="more than 32 MiB: read configmaps/one in shop"):
            await api.get(ONE)
    assert not said


async def test_of_a_text_that_is_too_long_the_beginning_is_read(reach: Reach) -> None:
    async with reach(endless(b"a line\x1b[2J\n" * 1000)) as api:
        text = await api.text("/api/v1/namespaces/shop/pods/one/log", most=24, container="app", tailLines="5")
    assert text == "a line\\x1b[2J\na line\\x1b[2J\na "


async def test_an_answer_that_is_compressed_is_none(server: ApiServer, reach: Reach) -> None:
    """A few bytes could become any number of them, and nobody has asked for it."""
    async with reach(reply(200, gzip.compress(b'{"kind": "ConfigMap"}'), ("Content-Encoding", "gzip"))) as api:
        with pytest.raises(RemoteFailed, match="is none: read configmaps/one in shop"):
            await api.get(ONE)
    assert server.headers[0]["accept-encoding"] == "identity"


@pytest.mark.parametrize("body", [b"<html>log in \x1b[2J</html>", b"[1]", b"[" * 100_000, b'{"a":%s}' % (b"1" * 9999)])
async def test_what_is_no_object_is_no_answer(reach: Reach, body: bytes) -> None:
    async with reach(reply(200, body)) as api:
        with pytest.raises(RemoteFailed, match="what answers for the API server of test is none") as raised:
            await api.get(ONE)
    assert "\x1b" not in raised.value.explain()
    assert len(raised.value.explain()) < 1000


async def test_a_server_that_another_authority_has_certified_is_told_nothing(
    server: ApiServer, reach: Reach, said: list[str], tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = CertificateAuthority(tmp_path / "other", "cluster").certificate.read_text()
    async with reach(access=replace(server.access, authority=other)) as api:
        with pytest.raises(RemoteFailed, match="is not trusted, or does not trust this login") as raised:
            await api.get(ONE)
    assert "certificate" in raised.value.why[0]
    assert (server.asked, said) == ([], [])


async def test_the_authorities_of_this_machine_do_not_know_a_cluster(server: ApiServer, reach: Reach) -> None:
    async with reach(access=replace(server.access, authority="")) as api:
        with pytest.raises(RemoteFailed, match="is not trusted"):
            await api.get(ONE)
    assert server.asked == []


async def test_the_name_in_a_certificate_is_the_one_that_was_named(server: ApiServer, reach: Reach) -> None:
    async with reach(access=replace(server.access, server_name="kubernetes")) as api:
        assert await api.get(ONE) == OBJECT
    async with reach(access=replace(server.access, server_name="other.example")) as api:
        with pytest.raises(RemoteFailed) as raised:
            await api.get(ONE)
    assert "other.example" in raised.value.explain()


async def test_a_server_that_speaks_no_tls_is_said_at_once(server: ApiServer, reach: Reach, said: list[str]) -> None:
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\nClient sent an HTTP request") as address:
        async with reach(access=replace(server.access, server=address.replace("http:", "https:"))) as api:
            with pytest.raises(RemoteFailed, match="is not trusted") as raised:
                await api.get(ONE)
    assert "wrong version number" in raised.value.explain()
    assert not said


async def test_a_login_that_has_expired_is_said_with_the_clocks_where_they_differ(
    server: ApiServer, reach: Reach
) -> None:
    late = ("Date", formatdate(time.time() + 3600, usegmt=True))
    async with reach(reply(401, {"kind": "Status", "message": "Unauthorized"}, late)) as api:
        assert api.skew is None
        with pytest.raises(Refused, match="does not let this login in: read configmaps/one in shop") as raised:
            await api.get(ONE)
        assert api.skew == pytest.approx(3600, abs=3)
    assert raised.value.code == 401
    assert "its credentials have expired, or are none of this cluster's" in raised.value.why
    assert any("clock is 3" in why and "behind the server's" in why for why in raised.value.why)
    assert len(server.asked) == 1


@pytest.mark.parametrize("date", ["", "yesterday", "Wed, 99 Foo 99999 99:99:99 GMT"])
async def test_a_date_that_is_none_says_nothing_of_the_clocks(reach: Reach, date: str) -> None:
    async with reach(reply(401, {}, ("Date", date))) as api:
        with pytest.raises(Refused) as raised:
            await api.get(ONE)
        assert api.skew is None
    assert "clock" not in raised.value.explain()


def tokens(*values: str) -> Callable[[], Any]:
    left = list(values)

    async def token() -> str:
        return left.pop(0) if len(left) > 1 else left[0]

    return token


async def test_a_token_that_has_expired_is_followed_by_the_next(server: ApiServer, reach: Reach) -> None:
    access = replace(server.access, token=tokens("old", "new"))
    async with reach(refusal(401), reply(200, OBJECT), access=access) as api:
        assert await api.get(ONE) == OBJECT
    assert [each["authorization"] for each in server.headers] == ["Bearer old", "Bearer new"]


async def test_a_token_that_no_header_can_hold_is_refused(server: ApiServer, reach: Reach) -> None:
    async with reach(access=replace(server.access, token=tokens("a\r\nb: secret"))) as api:
        with pytest.raises(ConfigError) as raised:
            await api.get(ONE)
    assert "secret" not in raised.value.explain()
    assert server.asked == []


async def test_a_token_goes_to_no_place_that_the_server_names(server: ApiServer, reach: Reach) -> None:
    heard: list[bytes] = []
    with answering(b"HTTP/1.1 200 OK\r\n\r\n{}", heard) as elsewhere:
        access = replace(server.access, token=tokens("secret"))
        async with reach(reply(302, {}, ("Location", elsewhere)), access=access) as api:
            with pytest.raises(Refused) as raised:
                await api.get(ONE)
    assert raised.value.code == 302
    assert not heard


async def test_a_refusal_is_shown_as_lines_of_bounded_length(reach: Reach) -> None:
    causes = [{"field": "a\x1b]0;b\x07", "message": "x" * 9999, "reason": "r"}] * 999
    nasty = refusal(422, "Invalid", "one\n::error::two\x1b[2J\u202e" + "y" * 9999, details={"causes": causes})
    async with reach(nasty) as api:
        with pytest.raises(Refused) as raised:
            await api.apply(ONE, OBJECT, "pipeline")
    assert raised.value.kind == "Invalid"
    assert raised.value.causes[0][0] == "a\\x1b]0;b\\x07"
    assert raised.value.said.startswith("one ::error::two\\x1b[2J\\u202eyyy")
    assert not {"\x1b", "\x07", "\u202e"} & set(raised.value.explain())
    assert len(raised.value.explain()) < 15_000
    assert "immutable" in raised.value.remedy


@pytest.mark.parametrize(
    "details", [None, [], {"causes": {}}, {"causes": [1, None, {"field": 1}]}, {"causes": "x"}, "x"]
)
async def test_a_refusal_of_an_odd_shape_is_one_still(reach: Reach, details: Any) -> None:
    async with reach(refusal(409, "Conflict", "somebody else has it", details=details)) as api:
        with pytest.raises(Refused) as raised:
            await api.merge(ONE, OBJECT)
    assert (raised.value.code, raised.value.kind) == (409, "Conflict")
    assert "somebody else has it" in raised.value.explain()


async def test_what_a_login_may_not_do_is_named_as_the_right_that_it_lacks(reach: Reach) -> None:
    message = (
        'deployments.apps "one" is forbidden: User "ann" cannot patch resource "deployments" in API group "apps" '
        'in the namespace "shop"'
    )
    async with reach(refusal(403, "Forbidden", message)) as api:
        with pytest.raises(Refused, match=r"this login may not patch deployments\.apps in shop") as raised:
            await api.apply("/apis/apps/v1/namespaces/shop/deployments/one", OBJECT, "pipeline")
    assert message in raised.value.why


async def test_an_unknown_field_is_refused_at_once_though_the_server_says_500(
    server: ApiServer, reach: Reach, said: list[str]
) -> None:
    unknown = "failed to create typed patch object (shop/one; /v1, Kind=ConfigMap): .dat: field not declared in schema"
    async with reach(refusal(500, "", unknown)) as api:
        with pytest.raises(Refused) as raised:
            await api.apply(ONE, OBJECT, "pipeline")
    assert (raised.value.kind, len(server.asked), said) == ("BadRequest", 1, [])


async def test_an_object_that_is_not_there_is_none_and_one_that_is_gone_is_deleted(reach: Reach) -> None:
    async with reach(refusal(404, "NotFound", "not found")) as api:
        assert await api.get(ONE) is None
        await api.delete(ONE, "uid")


async def test_an_apply_names_its_manager_forces_nothing_and_gives_the_warnings_back(
    server: ApiServer, reach: Reach
) -> None:
    warnings = [("Warning", '299 - "one \\"quoted\\" \x1b[2J"'), ("Warning", '299 k8s "two", 299 - "three"')]
    async with reach(reply(200, OBJECT, *warnings, ("Warning", "nonsense"), ("Warning", '110 - "stale"'))) as api:
        answer = await api.apply(ONE, OBJECT, "pipeline", dry_run=True)
    assert answer.warnings == ('one "quoted" \\x1b[2J', "two", "three")
    assert [f"PATCH {ONE}?fieldManager=pipeline&fieldValidation=Strict&dryRun=All"] == server.asked
    assert server.headers[0]["content-type"] == "application/apply-patch+yaml"


def page(*names: str, more: str = "") -> Reply:
    items = [{"metadata": {"name": name}} for name in names]
    return reply(200, {"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"continue": more}, "items": items})


async def test_a_collection_is_read_page_by_page(server: ApiServer, reach: Reach) -> None:
    async with reach(page("a", "b", more="next page"), page("c")) as api:
        found = await api.entries(PATH, labels="app=one,tier in (web)")
    assert [each["metadata"]["name"] for each in found] == ["a", "b", "c"]
    assert {(each["apiVersion"], each["kind"]) for each in found} == {("v1", "ConfigMap")}
    assert server.asked[1] == f"GET {PATH}?labelSelector=app%3Done%2Ctier+in+%28web%29&limit=250&continue=next+page"


async def test_a_collection_that_has_changed_too_much_meanwhile_is_read_again(reach: Reach) -> None:
    async with reach(page("a", more="x"), refusal(410, "Expired", "too old"), page("b", more="y"), page("c")) as api:
        assert [each["metadata"]["name"] for each in await api.entries(PATH)] == ["b", "c"]


async def test_a_collection_without_an_end_is_not_read_for_ever(server: ApiServer, reach: Reach) -> None:
    async with reach(page(more="again")) as api:
        with pytest.raises(RemoteFailed, match="more objects than anybody deploys"):
            await api.entries(PATH)
    assert len(server.asked) == 100


@pytest.mark.parametrize("items", [None, {}, "x", [None, 1, "x"]])
async def test_a_list_of_an_odd_shape_has_no_entries(reach: Reach, items: Any) -> None:
    async with reach(reply(200, {"kind": "ConfigMapList", "items": items, "metadata": []})) as api:
        assert await api.entries(PATH) == ()


@pytest.mark.parametrize(
    "path", [f"{PATH}/..", f"{PATH}/../secrets", f"{PATH}/a?x=y", f"{PATH}/a\x1b", "https://h/", f"{PATH}/a b", ""]
)
async def test_a_name_leads_nowhere_else(server: ApiServer, reach: Reach, path: str) -> None:
    async with reach() as api:
        with pytest.raises(RemoteFailed, match="no object is called so"):
            await api.get(path)
    assert server.asked == []


async def test_what_stands_behind_the_server_is_asked_once_whatever_it_answers(server: ApiServer, reach: Reach) -> None:
    path = "/api/v1/namespaces/shop/services/one:http/proxy/health?full=yes"
    async with reach(reply(503, b"starting")) as api:
        assert await api.proxied(path) == (503, b"starting")
    assert [f"GET {path}"] == server.asked


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only how many


def test_a_key_is_on_no_disk_while_tls_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/nonexistent")
    pair = CertificateAuthority(tmp_path, "cluster").client("ann", "ann")
    access = Access("https://h", "test", "default", "", "", pair.certificate.read_text(), pair.key.read_text())
    before = descriptors()
    tls.context(access)
    assert before == descriptors()


@pytest.mark.parametrize("wrong", ["passphrase", "other", "none"])
def test_a_key_that_does_not_fit_is_refused_and_nobody_is_asked_for_a_passphrase(tmp_path: Path, wrong: str) -> None:
    authority = CertificateAuthority(tmp_path, "cluster")
    pair = authority.client("ann", "ann")
    key = load_pem_private_key(pair.key.read_bytes(), None)
    keys = {
        "passphrase": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")).decode(),
        "other": authority.client("bob", "bob").key.read_text(),
        "none": "secret-word",
    }
    access = Access("https://h", "test", "default", "", "", pair.certificate.read_text(), keys[wrong])
    with pytest.raises(ConfigError, match="client certificate of test and its key") as raised:
        tls.context(access)
    assert "secret-word" not in raised.value.explain()


@pytest.mark.parametrize("authority", ["no certificate", "-----BEGIN CERTIFICATE-----\nMIIB\n", "m\u00f6bel"])
def test_an_authority_that_is_none_is_refused(authority: str) -> None:
    with pytest.raises(ConfigError, match="is not a valid certificate in PEM"):
        tls.context(Access("https://h", "test", "default", authority))


@pytest.mark.parametrize(
    ("version", "kind", "namespace", "where"),
    [
        ("v1", "Service", "shop", "/api/v1/namespaces/shop/services/one"),
        ("v1", "Namespace", "", "/api/v1/namespaces/one"),
        ("apps/v1", "Deployment", "shop", "/apis/apps/v1/namespaces/shop/deployments/one"),
        ("networking.k8s.io/v1", "NetworkPolicy", "s", "/apis/networking.k8s.io/v1/namespaces/s/networkpolicies/one"),
        ("autoscaling/v1", "HorizontalPodAutoscaler", "s",
         "/apis/autoscaling/v1/namespaces/s/horizontalpodautoscalers/one"),
    ],
)  # fmt: skip
def test_an_object_is_where_its_version_kind_and_namespace_say(
    version: str, kind: str, namespace: str, where: str
) -> None:
    metadata = {"name": "one", **({"namespace": namespace} if namespace else {})}
    assert where == resources.path(Manifest({"apiVersion": version, "kind": kind, "metadata": metadata}))


def test_a_name_is_one_part_of_a_path() -> None:
    assert resources.member("/api/v1/pods", "../a b", "log") == "/api/v1/pods/..%2Fa%20b/log"
    assert resources.collection("a/b", "apps", "deployments") == "/apis/apps/v1/namespaces/a%2Fb/deployments"


def test_a_group_without_a_known_version_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no version is known of the API group 'example\.com'"):
        resources.collection("shop", "example.com", "widgets")


@pytest.mark.parametrize("uid", [None, 1, "", "\x1b[2J", "not-a-uid"])
async def test_a_cluster_that_does_not_say_which_it_is_is_refused(reach: Reach, uid: Any) -> None:
    told = {"major": "1", "minor": "35+", "gitVersion": "v1.35.4-eks-\x1b"}
    async with reach(reply(200, {"metadata": {"uid": uid}}), reply(200, told)) as api:
        with pytest.raises(RemoteFailed, match="does not say which cluster it is") as raised:
            await identify(api)
    assert "\x1b" not in raised.value.explain()


async def test_a_provider_s_version_is_read_as_the_minor_that_it_is(reach: Reach) -> None:
    uid = "5e1e2a4c-0f6b-4f0e-9d3c-6f0b1c2d3e4f"
    told = {"major": "1", "minor": "35+", "gitVersion": "v1.35.4-eks-1\x1b"}
    async with reach(reply(200, {"metadata": {"uid": uid}}), reply(200, told)) as api:
        assert await identify(api) == ClusterIdentity(uid, "1.35", "v1.35.4-eks-1\\x1b")


@pytest.mark.parametrize("status", [None, {}, {"allowed": "yes"}, {"allowed": 1}, {"denied": False}, []])
async def test_a_right_that_is_not_plainly_given_is_lacking(reach: Reach, status: Any) -> None:
    right = Right("shop", "apps", "deployments", "patch")
    async with reach(reply(201, {"status": status})) as api:
        assert await lacking(api, [right, right]) == (right,)


async def test_text_that_is_none_in_the_place_of_a_receipt_is_no_bundle_and_no_traceback(reach: Reach) -> None:
    """JSON can say half of a pair (RFC 8259, 8.2), which is no UTF-8."""
    data = {"receipt.sigstore.json": "\ud800", "rendered.yaml": "\ud800"}
    listed = {"kind": "ConfigMapList", "items": [{"metadata": {"name": "deploy-receipt-000001"}, "data": data}]}
    async with reach(reply(200, listed)) as api:
        [found] = await history.kept(api, "shop")
    root = trusted_root(public_root())
    with pytest.raises(VerificationFailed, match="is not a receipt that anybody signed"):
        history.verified(found, "shop", "uid", policy_of(Config.load(HOME / "pipeline.toml"), "production")[0], root)
