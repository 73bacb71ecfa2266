"""The pipeline's own client, against a real API server: what it changes, what it is refused, and what it is told."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import anyio
import pytest
import yaml

from shipseal.cluster.access import Access
from shipseal.cluster.api import Api, Refused, connect
from shipseal.cluster.identity import identify
from shipseal.cluster.resources import collection, member, path
from shipseal.cluster.rights import lacking
from shipseal.deploying.manifests import Manifest
from shipseal.project.config import HOME
from tests.cluster.apis import administrator, eventually, give, line_to, rights_of, user
from tests.cluster.running import Kubectl

MANAGER = "pipeline-test"


@pytest.fixture
def said() -> list[str]:
    """Give the list of what has been said aloud."""
    return []


@pytest.fixture
async def api(kubectl: Kubectl, said: list[str]) -> AsyncIterator[Api]:
    """Give the API server, as its administrator."""
    async with connect(administrator(kubectl), say=said.append) as it:
        yield it


def settings(namespace: str, name: str = "one", **data: str) -> Manifest:
    metadata = {"name": name, "namespace": namespace, "labels": {"app": name}}
    return Manifest({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def deployment(namespace: str, app: str = "sample") -> Manifest:
    labels = {"app": app}
    container = {"name": "app", "image": "registry.example/a@sha256:" + "a" * 64}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": "sample", "namespace": namespace}
    return Manifest({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})


async def apply(api: Api, manifest: Manifest, manager: str = MANAGER) -> Any:
    return (await api.apply(path(manifest), manifest.body, manager)).body


async def test_an_apply_creates_an_object_and_changes_it(api: Api, kubectl: Kubectl) -> None:
    created = await apply(api, settings(kubectl.namespace, color="red", size="small"))
    assert created["data"] == {"color": "red", "size": "small"}
    changed = await apply(api, settings(kubectl.namespace, color="blue"))
    assert changed["metadata"]["uid"] == created["metadata"]["uid"]
    assert kubectl.read("configmap", "one")["data"] == {"color": "blue"}
    (managed,) = kubectl.read("configmap", "one", "--show-managed-fields")["metadata"]["managedFields"]
    assert (managed["manager"], managed["operation"]) == (MANAGER, "Apply")


async def test_a_conflict_names_the_field_and_its_manager_and_takes_nothing(api: Api, kubectl: Kubectl) -> None:
    kubectl("apply", "--server-side", "--field-manager=ann", "-f", "-", given=settings("", color="red").body)
    with pytest.raises(Refused) as raised:
        await apply(api, settings(kubectl.namespace, color="blue"))
    assert (raised.value.code, raised.value.kind) == (409, "Conflict")
    assert raised.value.causes == ((".data.color", 'conflict with "ann"'),)
    assert '.data.color: conflict with "ann"' in raised.value.explain()
    assert kubectl.read("configmap", "one")["data"] == {"color": "red"}


async def test_a_dry_run_says_what_would_be_and_changes_nothing(api: Api, kubectl: Kubectl) -> None:
    manifest = settings(kubectl.namespace, color="red")
    answer = await api.apply(path(manifest), manifest.body, MANAGER, dry_run=True)
    assert answer.body["data"] == {"color": "red"}
    assert await api.get(path(manifest)) is None


async def test_what_pod_security_warns_of_is_given_back(api: Api, kubectl: Kubectl) -> None:
    kubectl("label", "namespace", kubectl.namespace, "pod-security.kubernetes.io/warn=restricted")
    manifest = deployment(kubectl.namespace)
    (warning,) = (await api.apply(path(manifest), manifest.body, MANAGER)).warnings
    assert warning.startswith('would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false')


async def test_an_immutable_field_is_named(api: Api, kubectl: Kubectl) -> None:
    await apply(api, deployment(kubectl.namespace))
    with pytest.raises(Refused) as raised:
        await apply(api, deployment(kubectl.namespace, "other"))
    assert (raised.value.code, raised.value.kind) == (422, "Invalid")
    assert [field for field, _ in raised.value.causes] == ["spec.selector"]
    assert "field is immutable" in raised.value.explain()


async def test_an_unknown_field_is_refused_at_once(api: Api, kubectl: Kubectl, said: list[str]) -> None:
    manifest = settings(kubectl.namespace)
    with pytest.raises(Refused) as raised:
        await api.apply(path(manifest), {**manifest.body, "dat": {}}, MANAGER)
    assert raised.value.kind == "BadRequest"
    assert ".dat: field not declared in schema" in raised.value.said
    assert not said


async def test_a_namespace_that_is_not_there_is_named(api: Api) -> None:
    with pytest.raises(Refused) as raised:
        await apply(api, settings("nowhere"))
    assert (raised.value.code, raised.value.kind) == (404, "NotFound")
    assert 'namespaces "nowhere" not found' in raised.value.explain()


async def test_a_quota_that_is_used_up_is_named(api: Api, kubectl: Kubectl) -> None:
    kubectl("create", "quota", "few", "--hard=configmaps=0")
    with pytest.raises(Refused) as raised:
        await eventually_refused(api, kubectl.namespace)
    assert (raised.value.code, raised.value.kind) == (403, "Forbidden")
    assert "exceeded quota: few" in raised.value.explain()


async def eventually_refused(api: Api, namespace: str) -> None:
    """Apply objects until one is refused: the quota's own numbers come a moment after it."""
    for number in range(100):
        await apply(api, settings(namespace, f"number-{number}"))
        await anyio.sleep(0.05)


async def test_a_collection_of_more_than_one_page_is_read_whole(api: Api, kubectl: Kubectl) -> None:
    manifests = [settings(kubectl.namespace, f"number-{number}") for number in range(260)]
    slots = anyio.CapacityLimiter(8)

    async def create(manifest: Manifest) -> None:
        async with slots:
            await apply(api, manifest)

    async with anyio.create_task_group() as group:
        for each in manifests:
            group.start_soon(create, each)
    where = collection(kubectl.namespace, "", "configmaps")
    found = await api.entries(where)
    names = {each["metadata"]["name"] for each in found}
    assert {each.name for each in manifests} <= names
    assert len(found) == len(names)
    assert {(each["apiVersion"], each["kind"]) for each in found} == {("v1", "ConfigMap")}
    (one,) = await api.entries(where, labels="app=number-7")
    assert one["metadata"]["name"] == "number-7"
    (same,) = await api.entries(where, fields="metadata.name=number-7")
    assert one == same


async def test_only_the_object_that_was_meant_is_deleted(api: Api, kubectl: Kubectl) -> None:
    manifest = settings(kubectl.namespace)
    uid = (await apply(api, manifest))["metadata"]["uid"]
    with pytest.raises(Refused) as raised:
        await api.delete(path(manifest), "00000000-0000-0000-0000-000000000000")
    assert (raised.value.code, raised.value.kind) == (409, "Conflict")
    assert await api.get(path(manifest)) is not None
    await api.delete(path(manifest), uid)
    assert await api.get(path(manifest)) is None
    await api.delete(path(manifest), uid)


async def test_what_is_created_twice_exists_already(api: Api, kubectl: Kubectl) -> None:
    where = collection(kubectl.namespace, "", "configmaps")
    await api.create(where, settings(kubectl.namespace).body)
    with pytest.raises(Refused) as raised:
        await api.create(where, settings(kubectl.namespace).body)
    assert (raised.value.code, raised.value.kind) == (409, "AlreadyExists")


async def test_a_merge_changes_only_what_is_still_of_its_version(api: Api, kubectl: Kubectl) -> None:
    manifest = settings(kubectl.namespace, color="red")
    first = await apply(api, manifest)
    version = {"metadata": {"resourceVersion": first["metadata"]["resourceVersion"]}}
    changed = await api.merge(path(manifest), {**version, "data": {"color": "blue"}})
    assert changed["data"] == {"color": "blue"}
    with pytest.raises(Refused) as raised:
        await api.merge(path(manifest), {**version, "data": {"color": "green"}})
    assert (raised.value.code, raised.value.kind) == (409, "Conflict")
    assert "run this again" in raised.value.remedy


async def test_a_text_is_read_as_far_as_it_was_asked_for(api: Api) -> None:
    assert (await api.text("/readyz", most=1 << 20, verbose="")).splitlines()[0] == "[+]ping ok"
    assert await api.text("/readyz", most=6, verbose="") == "[+]pin"


async def test_a_service_without_a_pod_is_asked_and_says_so(api: Api, kubectl: Kubectl) -> None:
    kubectl("create", "service", "clusterip", "one", "--tcp=80:80")
    where = member(collection(kubectl.namespace, "", "services"), "one:80-80", "proxy", "health")
    status, body = await api.proxied(where)
    assert status == 503
    assert b"no endpoints available" in body


async def test_each_kind_of_the_shipped_manifests_is_where_its_path_says(api: Api, kubectl: Kubectl) -> None:
    """A path of a kind that the server does not know is answered 404, as an object that is not there: ask for all."""
    manifests = [yaml.safe_load(each.read_bytes()) for each in sorted((HOME / "k8s" / "base").glob("[!k]*.yaml"))]
    for body in manifests:
        metadata = {**body["metadata"], "namespace": kubectl.namespace}
        where = path(Manifest({**body, "metadata": metadata})).rpartition("/")[0]
        assert await api.entries(where) is not None


async def test_the_cluster_is_known_by_its_kube_system(api: Api, kubectl: Kubectl) -> None:
    cluster = await identify(api)
    assert cluster.uid == kubectl.read("namespace", "kube-system")["metadata"]["uid"]
    assert (cluster.version, cluster.git_version) == ("1.35", "v1.35.4")


async def test_who_is_unknown_is_not_let_in(kubectl: Kubectl, said: list[str]) -> None:
    async def token() -> str:
        return "no-token-of-this-cluster"

    access = replace(administrator(kubectl), certificate="", key="", token=token)
    async with connect(access, say=said.append) as api:
        with pytest.raises(Refused, match="the cluster does not let this login in") as raised:
            await api.get("/version")
    assert raised.value.code == 401
    assert not said


@pytest.fixture
def nobody(kubectl: Kubectl) -> Access:
    """Give the access of somebody who has no right."""
    return user(kubectl, "deployer")


async def test_who_has_no_right_is_told_which(kubectl: Kubectl, nobody: Access, said: list[str]) -> None:
    async with connect(nobody, say=said.append) as api:
        with pytest.raises(Refused) as raised:
            await apply(api, deployment(kubectl.namespace))
    assert raised.value.what == f"this login may not patch deployments.apps in {kubectl.namespace}"


async def test_of_the_shipped_rights_each_rule_that_is_missing_is_named(
    kubectl: Kubectl, nobody: Access, said: list[str]
) -> None:
    """By all of its rights, and by nothing else."""
    rules = yaml.safe_load((HOME / "k8s" / "platform" / "role.yaml").read_bytes())["rules"]
    rights = rights_of(kubectl.namespace, rules)
    async with connect(nobody, say=said.append) as api:
        assert await lacking(api, rights) == tuple(rights)
        give(kubectl, "deployer", rules)
        await eventually((), lambda: lacking(api, rights))
        for rule in rules:
            give(kubectl, "deployer", [each for each in rules if each is not rule])
            missing = tuple(rights_of(kubectl.namespace, [rule]))
            assert missing
            await eventually(missing, lambda: lacking(api, rights))
    assert len(rules) > 10


async def test_a_cluster_that_cannot_be_asked_about_rights_is_one_failure(kubectl: Kubectl, said: list[str]) -> None:
    async def token() -> str:
        return "no-token-of-this-cluster"

    access = replace(administrator(kubectl), certificate="", key="", token=token)
    rights = rights_of(kubectl.namespace, [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}])
    async with connect(access, say=said.append) as api:
        with pytest.raises(Refused, match="does not let this login in"):
            await lacking(api, rights)


async def test_a_change_goes_on_when_the_line_to_the_server_was_cut(kubectl: Kubectl, said: list[str]) -> None:
    with line_to(administrator(kubectl)) as line:
        async with connect(line.access, say=said.append) as api:
            await apply(api, settings(kubectl.namespace, color="red"))
            line.cut()
            async with anyio.create_task_group() as group:
                group.start_soon(apply, api, settings(kubectl.namespace, color="blue"))
                await anyio.sleep(2)
                line.mend()
    assert kubectl.read("configmap", "one")["data"] == {"color": "blue"}
    assert [each.partition(" (")[0].partition(",")[0] for each in said] == [
        "the API server does not answer",
        "the API server answers again",
    ]
