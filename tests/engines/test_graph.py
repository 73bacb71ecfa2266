"""The containers that each function of the Dagger module describes are those that the table declares, and no others."""

import json
import os
import subprocess
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import dagger
import pytest
from dagger.mod import default_module

from shipseal.engine import dagger_arguments, dagger_module
from shipseal.engine.dagger_graph import CONFIG, COUNTED, GIVEN, MODULE, PROJECT, RUN, STORE
from shipseal.engine.dagger_graph import HOME as OWN
from shipseal.engine.stage import Stage
from shipseal.engine.table import TABLE
from shipseal.project import reads
from shipseal.project.config import HOME
from tests.engines.session import Call, Session, everything, serving

ROWS = {row.name: row for row in TABLE}
TOKEN, LOGIN = "SIGSTORE_ID_TOKEN", "DOCKER_AUTH_CONFIG"
OFFLINE = ("unshare", "--net", "--", *MODULE, "shipseal.engine.offline", "without-privilege")
NAMESPACES = (
    *("unshare", "--user", "--map-root-user", "--net", "--"),
    *(*MODULE, "shipseal.engine.offline", "within-namespaces"),
)


def tool(number: int) -> dict[str, str]:
    return {"version": "1", "digest": f"sha256:{number:064x}"}


def wheel(number: int) -> dict[str, str]:
    return {"name": "a", "filename": "a", **tool(number)}


def package(number: int) -> dict[str, str]:
    return {"architecture": "amd64", **wheel(number)}


TOOLS = ("cosign", "grype", "kustomize", "olareg", "oras", "syft")
INPUTS = {
    "wheels": {
        "build": [wheel(1)],
        "runtime": [wheel(2)],
        "test": [wheel(3)],
        "linux/amd64": [wheel(4)],
        "suite/linux/amd64": [wheel(6)],
    },
    "debian": {"linux/amd64": [package(5)], "suite/linux/amd64": [package(7)], "sandbox": [package(8)]},
    "tools": {name: tool(100 + number) for number, name in enumerate(TOOLS)},
}
GROUPS = {
    "wheels/build": [1], "wheels/runtime": [2], "wheels/test": [3], "wheels/linux/": [4], "wheels/suite/": [6],
    "debian/linux/": [5], "debian/": [5, 7, 8],
}  # fmt: skip

OUTSIDE = """
[registry]
ca-file = "authority.pem"
[scan]
database = "advisories"
[sign]
signing-config = "services.json"
"""
SERVICES = {
    "caUrls": [{"url": "https://fulcio.example:8443"}],
    "rekorTlogUrls": [{"url": "https://rekor.example:8443"}],
    "tsaUrls": [{"url": "https://fulcio.example:8443/times"}],
}


def contents(call: Call) -> str:
    """Return the text of a file of the project, or of what a stage has written."""
    match call["path"]:
        case "pipeline.toml":
            return (HOME / "pipeline.toml").read_text() + OUTSIDE
        case "inputs.json":
            return json.dumps(INPUTS)
        case "record.json":
            return json.dumps({"headline": "it went well"})
        case "services.json":
            return json.dumps(SERVICES)
    return "some text"


current = [Session(contents)]


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    with serving(lambda: current[0]) as port:
        os.environ |= {"DAGGER_SESSION_PORT": str(port), "DAGGER_SESSION_TOKEN": "a token"}
        yield
        for name in ("DAGGER_SESSION_PORT", "DAGGER_SESSION_TOKEN"):
            del os.environ[name]


class Described:
    """What one call of a function has described."""

    def __init__(self, session: Session, result: Any) -> None:
        """Find the container of each stage in what was evaluated, or comes back."""
        self.session = session
        self.result = result
        asked = [*session.evaluated, *([session.known[result]] if result in session.known else [])]
        self.calls = everything(asked)
        self.execs = {call for call in self.calls if call.name == "withExec"}
        found = [(name, call) for call in self.execs if (name := stage_of(call))]
        self.stages = dict(found)
        assert len(self.stages) == len(found), "a stage was described twice"


def stage_of(call: Call) -> str:
    """Return the stage that a container's command runs, empty for any other command."""
    command = call["args"]
    return str(command[command.index("stage") + 1]) if "stage" in command else ""


def mounts(call: Call, kind: str = "withMountedDirectory", key: str = "path") -> dict[str, Call]:
    """Return what a container has mounted, by path; for secrets in variables, by name."""
    return {each[key]: each for each in call.chain() if each.name == kind}


Describe = Callable[..., Described]


@pytest.fixture(scope="module")
def describe(server: None) -> Describe:
    """Give a function that calls one of the module, as an engine would, in a session; `again` gives another one."""

    @cache
    def call(
        function: str,
        /,
        *,
        store: bool = True,
        again: bool = False,
        mirror: str = "",
        reached: tuple[str, ...] = (),
        **arguments: Any,
    ) -> Described:
        session = current[0] = Session(contents)
        given = {
            "source": session.give("Directory", "source"),
            "base": dagger_module.BASE,
            "store": None,
            "mirror": mirror,
            "registry_service": None,
            "signing_service": None,
        }
        for service in reached:
            given[f"{service}_service"] = session.give("Service", service)
        if store:
            given["store"] = session.give("Directory", "store")
        for argument in ("token", "registry_auth", "kubeconfig"):
            if argument in arguments:
                arguments[argument] = session.give("Secret", arguments[argument])
        if "run" in arguments:
            arguments["run"] = session.give("Directory", arguments["run"])

        async def main() -> Any:
            async with await dagger.connect():
                return await default_module().get_result("Shipseal", given, function, arguments)

        return Described(session, anyio.run(main))

    return call


@pytest.fixture(scope="module")
def whole(describe: Describe) -> Described:
    """Give what a dry run describes."""
    return describe("dry_run")


@pytest.fixture(scope="module")
def released(describe: Describe) -> Described:
    """Give what a release describes."""
    return describe("release", token="the token", registry_auth="the login")


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_a_stage_is_one_container_that_runs_the_command_of_the_host(whole: Described, row: Stage) -> None:
    command = whole.stages[row.name]["args"]
    ours = command[command.index("shipseal.engine.offline") + 2 :] if "shipseal.engine.offline" in command else command
    assert ours[:6] == (*MODULE, "shipseal", "stage", row.name)
    assert ours[6:14] == ("--config", CONFIG, "--run-dir", RUN, "--store", STORE, "--world", "dry-run")


@pytest.mark.parametrize(
    ("function", "given"),
    [
        ("dry_run", {}),
        ("build", {"store": False}),
        ("verify", {"reference": "registry.example/acme/sample@sha256:1", "policy": "policy/verification.toml"}),
    ],
)
def test_no_interpreter_imports_from_the_directory_that_it_stands_in(
    describe: Describe, function: str, given: dict[str, Any]
) -> None:
    """A project may hold a `shipseal/`, a `socket.py` or an `anyio/`: none of them is what -m or import means."""
    described = describe(function, **given)
    commands = [" ".join(call["args"]) for call in described.execs]
    starts = [words for words in commands if " -m " in words]
    assert len(starts) > 2
    assert [words for words in starts if words.count("-m ") != words.count(" -P -m ")] == []
    ours = [call for call in described.execs if "shipseal" in call["args"]]
    assert {place for call in ours for place in places(call)} == {OWN}
    assert {each["value"] for call in ours for each in call.chain() if each["name"] == "PYTHONSAFEPATH"} == {"1"}


def places(call: Call) -> set[str]:
    """Return where a container's command starts: the last directory that was set before it."""
    return {next(each["path"] for each in call.chain() if each.name == "withWorkdir")}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_a_stage_without_a_network_gets_none_and_one_with_it_gets_no_privilege(whole: Described, row: Stage) -> None:
    call = whole.stages[row.name]
    start = NAMESPACES if row.name == "smoke" else OFFLINE
    assert (call["args"][: len(start)] == start) is not row.network
    assert bool(call["insecureRootCapabilities"]) is not row.network


def test_smoke_alone_makes_namespaces_and_is_root_of_a_user_namespace_instead_of_the_machine() -> None:
    assert [row.name for row in TABLE if row.namespaces] == ["smoke"]
    assert "--user" in NAMESPACES[: NAMESPACES.index("--")]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_a_stage_reads_the_finished_directories_of_its_needs_and_may_not_write_them(
    whole: Described, row: Stage
) -> None:
    needs = {path: call for path, call in mounts(whole.stages[row.name]).items() if path.startswith(RUN)}
    assert needs.keys() == {f"{RUN}/{need}" for need in row.needs}
    for need in row.needs:
        source = needs[f"{RUN}/{need}"]["source"]
        assert (source.name, source["path"], source.on) == ("directory", f"{RUN}/{need}", whole.stages[need])


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_all_that_a_stage_has_mounted_is_read_only(whole: Described, row: Stage) -> None:
    assert [path for path, call in mounts(whole.stages[row.name]).items() if not call["readOnly"]] == []


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_a_stage_sees_its_own_tools_and_inputs_of_the_store_and_no_other(whole: Described, row: Stage) -> None:
    source = mounts(whole.stages[row.name])[STORE]["source"]
    if row.name in {"inputs", "tools"}:
        assert source == Call("Directory", "store")
        return
    numbers = [number for group in row.inputs for number in GROUPS[group]]
    numbers += [100 + TOOLS.index(tool) for tool in row.tools if tool in TOOLS]
    if not (row.tools or row.inputs):
        assert source == Call("Directory", "directory")
        return
    assert (source.name, source.on) == ("filter", Call("Directory", "store"))
    assert source["include"] == tuple(f"sha256/{number:064x}/*" for number in sorted(numbers))


@pytest.mark.parametrize(
    ("stage", "paths"),
    [
        ("build", ("pipeline.toml", "service", "service/**")),
        ("test", ("pipeline.toml", "tests/service", "tests/service/**")),
        ("assess", ("pipeline.toml", "policy", "policy/**")),
        ("sbom", ("pipeline.toml",)),
    ],
)
def test_a_stage_sees_what_it_reads_of_the_project_and_nothing_else(
    whole: Described, stage: str, paths: tuple[str, ...]
) -> None:
    source = mounts(whole.stages[stage])[PROJECT]["source"]
    assert (source.name, source["include"]) == ("filter", paths)
    assert (source.on.name, source.on["path"]) == ("directory", COUNTED)
    assert source.on.on["args"] == (*OFFLINE, *MODULE, "shipseal.project.checkout", PROJECT, COUNTED)


@pytest.mark.parametrize(
    ("stage", "paths", "beside"),
    [
        ("scan", ("advisories", "advisories/**"), ()),
        ("attest", ("services.json", "services.json/**", "authority.pem", "authority.pem/**"), ()),
        ("deploy", ("authority.pem", "authority.pem/**", "services.json", "services.json/**"), ("k8s", "k8s/**")),
    ],
)
def test_files_that_a_configuration_names_for_a_tool_are_given_to_it_whether_or_not_git_ignores_them(
    whole: Described, stage: str, paths: tuple[str, ...], beside: tuple[str, ...]
) -> None:
    seen = mounts(whole.stages[stage])[PROJECT]["source"]
    assert (seen.name, seen["path"]) == ("withDirectory", ".")
    assert (seen["source"].on, seen["source"]["include"]) == (Call("Directory", "source"), paths)
    assert seen.on["include"] == ("pipeline.toml", *beside, "policy", "policy/**")


def test_facts_alone_is_given_the_repository_itself(whole: Described) -> None:
    given = {name: mounts(call)[PROJECT]["source"] for name, call in whole.stages.items()}
    assert [name for name, source in given.items() if source == Call("Directory", "source")] == ["facts"]


REGISTRY, SIGNING = Call("Service", "registry"), Call("Service", "signing")
NAMES = {"docker.io": REGISTRY, "fulcio.example": SIGNING, "rekor.example": SIGNING}


def reaches(call: Call) -> dict[str, Call]:
    """Return what a container reaches by the name of a service."""
    return {name: each["service"] for name, each in mounts(call, "withServiceBinding", "alias").items()}


def test_services_that_the_caller_reaches_have_their_own_names_in_the_stages_that_ask_them(describe: Describe) -> None:
    told = {"token": "the token", "registry_auth": "the login", "reached": ("registry", "signing")}
    described = describe("release", **told)
    ask = {"attest", "publish", "verify", "promote"}
    assert {name: reaches(call) for name, call in described.stages.items() if reaches(call)} == dict.fromkeys(
        ask, NAMES
    )
    [sign] = [call for call in describe("sign", run="the run", **told).execs if "sign" in call["args"]]
    assert reaches(sign) == NAMES


def test_a_dry_run_has_its_own_registry_whatever_the_caller_reaches(describe: Describe) -> None:
    described = describe("dry_run", reached=("registry", "signing"))
    assert [call for call in described.execs if reaches(call)] == []


def test_an_image_is_verified_in_the_registry_that_the_caller_reaches(describe: Describe) -> None:
    described = describe("verify", reference=f"docker.io/acme/a@sha256:{1:064}", reached=("registry",))
    [verify] = [call for call in described.execs if "verify" in call["args"]]
    assert reaches(verify) == {"docker.io": REGISTRY}


@pytest.mark.parametrize(
    "url",
    ["https://localhost:8443", "https://127.0.0.1:8443", "https://fulcio", "https://a.example:x@b$", "", "//[::1"],
)
def test_a_name_that_no_container_can_be_given_is_refused(
    describe: Describe, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setitem(SERVICES, "rekorTlogUrls", [{"url": url}])
    with pytest.raises(Exception, match="has no name that a container can be given a service by"):
        describe("build", reached=("signing",))


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_the_policy_that_comes_with_the_pipeline_goes_to_the_stages_that_read_one(whole: Described, row: Stage) -> None:
    assert ("/shipseal/policy" in mounts(whole.stages[row.name])) is ("policy" in row.reads)


def test_the_run_is_named_in_live_stages_and_the_report_so_that_no_cache_answers_for_them_and_in_no_other(
    describe: Describe,
) -> None:
    first, second = describe("dry_run"), describe("dry_run", again=True)
    changed = {name for name in ROWS if first.stages[name]["args"] != second.stages[name]["args"]}
    assert changed == {row.name for row in TABLE if row.uncached or row.name == "report"}
    named = {call["args"][-1] for call in first.execs if "--run-id" in call["args"]}
    assert len(named) == 1
    assert {name for name in ROWS if first.stages[name] == second.stages[name]} == {
        row.name for row in TABLE if not row.uncached and row.name != "report"
    }


@pytest.mark.parametrize("stage", ROWS)
def test_each_stage_is_finished_once_a_call(whole: Described, stage: str) -> None:
    directory = Call("Directory", "directory", (("path", f"{RUN}/{stage}"),), whole.stages[stage])
    assert whole.session.evaluated.count(directory) == 1


@pytest.mark.parametrize(
    ("function", "stages"),
    [
        ("build", {"inputs", "build", "image"}),
        ("image", {"inputs", "build", "image"}),
        ("test", {"inputs", "build", "test"}),
        ("scan", {"inputs", "tools", "build", "image", "sbom", "scan"}),
        (
            "admit",
            {"facts", "inputs", "tools", "build", "image", "smoke", "sbom", "scan", "vex", "assess", "admit"},
        ),
        ("dry_run", set(ROWS)),
        ("summary", set(ROWS)),
    ],
)
def test_a_function_describes_the_stages_that_it_needs_and_no_other(
    describe: Describe, function: str, stages: set[str]
) -> None:
    assert describe(function).stages.keys() == stages


def test_deploying_asks_the_cluster_before_the_first_stage_and_gives_its_secrets_to_no_other_than_the_last(
    describe: Describe,
) -> None:
    told = {"token": "the token", "registry_auth": "the login", "kubeconfig": "the kubeconfig"}
    described = describe("deploy", **told)
    [check] = [call for call in described.execs if "--check" in call["args"]]
    assert check["args"] == (*MODULE, "shipseal", "deploy", "--check", "--config", CONFIG, "--store", STORE)
    evaluated = [set(execs(call)) for call in described.session.evaluated]
    assert next(index for index, calls in enumerate(evaluated) if check in calls) < next(
        index for index, calls in enumerate(evaluated) if any(map(stage_of, calls))
    )
    opened = {name for name, call in described.stages.items() if mounts(call, "withMountedSecret")}
    assert opened == {"deploy"}
    for call in (check, described.stages["deploy"]):
        mounted = mounts(call, "withMountedSecret")
        assert {path: each["source"] for path, each in mounted.items()} == {
            "/run/secrets/KUBECONFIG": Call("Secret", "the kubeconfig")
        }
        assert mounts(call, "withEnvVariable", "name")["KUBECONFIG"]["value"] == "/run/secrets/KUBECONFIG"


def test_a_run_that_is_given_is_told_by_its_own_report_and_no_stage_is_run(describe: Describe) -> None:
    assert functions()["summary"].cache_policy == "never"
    described = describe("summary", run="a run directory")
    assert described.stages == {}
    assert [call["path"] for call in described.session.evaluated] == ["report/summary.md"]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_a_secret_goes_to_the_stages_that_declare_it(released: Described, row: Stage) -> None:
    if row.name not in released.stages:
        assert row.name in {"deploy", "report"}  # a release ends with the tag
        return
    call = released.stages[row.name]
    given = {TOKEN: Call("Secret", "the token"), LOGIN: Call("Secret", "the login")}
    variables = mounts(call, "withSecretVariable", "name")
    assert {name: each["secret"] for name, each in variables.items()} == {
        name: secret for name, secret in given.items() if name in row.secrets
    }
    assert mounts(call, "withMountedSecret") == {}


def test_a_release_says_yes_to_the_stages_that_write_outside_and_nothing_else_does(
    whole: Described, released: Described, describe: Describe
) -> None:
    said = {name for name, call in released.stages.items() if "--yes" in call["args"]}
    assert said == {"attest", "publish", "promote"}
    alone = describe("stage", name="promote", world="release")
    for described in (whole, alone):
        assert [call for call in described.execs if "--yes" in call["args"]] == []


def test_several_stages_are_one_run_directory_and_what_they_share_is_done_once(describe: Describe) -> None:
    described = describe("stage", name="facts,test,admit", world="release")
    assert {"facts", "build", "test", "scan", "admit"} <= described.stages.keys()
    assert not {"attest", "publish"} & described.stages.keys()


def test_a_release_comes_back_with_a_report_of_its_own(released: Described) -> None:
    [report] = [call for call in released.execs if "report" in call["args"]]
    ours = report["args"][report["args"].index("shipseal.engine.offline") + 2 :]
    assert ours == (*MODULE, "shipseal", "report", "--config", CONFIG, "--run-dir", RUN)
    assert mounts(report, "withSecretVariable", "name") == {}
    assert report in set(released.session.known[released.result].chain())


def test_a_run_of_another_job_is_signed_by_one_command_and_no_stage_is_described(describe: Describe) -> None:
    described = describe("sign", run="the run", token="the token", registry_auth="the login")
    assert described.stages == {}
    [sign] = [call for call in described.execs if "sign" in call["args"]]
    where = ("--config", CONFIG, "--store", STORE, "--run", GIVEN, "--run-dir", RUN, "--yes")
    assert sign["args"] == (*MODULE, "shipseal", "sign", *where)
    assert mounts(sign)[GIVEN]["source"] == Call("Directory", "the run")
    assert mounts(sign, "withSecretVariable", "name").keys() == {TOKEN, LOGIN}
    assert not sign["insecureRootCapabilities"]


def test_a_release_reads_its_secrets_before_the_first_stage(released: Described) -> None:
    first = next(index for index, call in enumerate(released.session.evaluated) if any(map(stage_of, execs(call))))
    read = [
        call["source"]
        for each in released.session.evaluated[:first]
        for call in each.chain()
        if call.name == "withMountedSecret"
    ]
    assert set(read) == {Call("Secret", "the token"), Call("Secret", "the login")}


def execs(call: Call) -> Iterator[Call]:
    return (each for each in call.chain() if each.name == "withExec")


@pytest.mark.parametrize("function", ["build", "image", "dry_run"])
def test_every_image_is_named_by_digest(describe: Describe, function: str) -> None:
    addresses = {call["address"] for call in describe(function).calls if call.name == "from"}
    assert addresses == {dagger_module.BASE}
    assert "@sha256:" in dagger_module.BASE


def test_the_image_of_the_module_itself_is_the_same_one() -> None:
    assert f'base-image = "{dagger_module.BASE}"' in (HOME / "pyproject.toml").read_text()
    assert dagger_module.BASE not in Path(dagger_module.__file__).read_text()  # it stands once


def networked(described: Described) -> set[tuple[str, ...]]:
    """Return the commands that have a network and are no stage."""
    return {call["args"] for call in described.execs if not stage_of(call)}


def test_a_store_that_is_given_is_all_that_is_read(describe: Describe) -> None:
    (install,) = [command for command in networked(describe("build")) if "pip install" in " ".join(command)]
    assert "--no-index" in install[-1]
    assert "--require-hashes" in install[-1]


def test_without_a_store_one_container_fetches_the_inputs_and_sees_the_locks_alone(describe: Describe) -> None:
    described = describe("build", store=False)
    fetches = [call for call in described.execs if call["args"][4:6] == ("store", "fetch")]
    (fetch,) = fetches
    assert mounts(fetch, "withMountedCache").keys() == {"/fetched", "/go", "/go-build"}
    project = mounts(fetch)[PROJECT]["source"]
    locks = reads.paths(tomllib.loads((HOME / "pipeline.toml").read_text()), "locks")
    assert project["include"] == ("pipeline.toml", *locks)
    source = mounts(described.stages["inputs"])[STORE]["source"]
    assert (source.name, source["path"]) == ("directory", STORE)
    assert fetch in set(source.chain())


def test_mirrors_are_told_to_the_container_that_fetches_and_to_no_other(describe: Describe) -> None:
    mirror = "oci://registry.example/inputs https://mirror.example/inputs"
    described = describe("build", store=False, mirror=mirror)
    told = [
        call
        for call in described.execs
        if any(each.name == "withEnvVariable" and each["value"] == mirror for each in call.chain())
    ]
    [fetch] = [call for call in described.execs if call["args"][4:6] == ("store", "fetch")]
    assert fetch in told
    assert [stage_of(call) for call in told if stage_of(call)] == []


@pytest.mark.parametrize("mirror", ["/srv/mirror", "https://ann:secret@mirror.example/inputs", "ftp://mirror.example"])
def test_a_mirror_that_no_container_could_or_should_know_is_refused(describe: Describe, mirror: str) -> None:
    with pytest.raises(Exception, match=r"does not see it|is named with a login|is not a valid mirror") as raised:
        describe("build", store=False, mirror=mirror)
    assert "secret" not in str(raised.value)


def test_requirements_are_installed_by_hash_in_a_layer_that_no_code_is_in(describe: Describe) -> None:
    described = describe("build", store=False)
    (install,) = [call for call in described.execs if "pip install" in " ".join(call["args"])]
    assert "--require-hashes" in install["args"][-1]
    assert [call.name for call in install.chain() if call.name == "withDirectory"] == []


@pytest.mark.parametrize("name", ["admit", "deploy", "dry_run", "release", "scan", "sign", "stage", "verify"])
def test_what_has_an_effect_or_a_clock_is_never_answered_from_the_cache(name: str) -> None:
    assert functions()[name].cache_policy == "never"


def test_the_rest_depends_on_its_inputs_alone() -> None:
    assert {name for name, each in functions().items() if each.cache_policy is None and name} == {
        "build", "image", "test",
    }  # fmt: skip


def test_checks_are_the_functions_that_judge_without_a_secret() -> None:
    assert {name for name, each in functions().items() if each.check} == {"admit", "scan", "test"}


def test_every_function_and_argument_says_what_it_is() -> None:
    for name, each in functions().items():
        assert each.doc, name
        assert [argument.name for argument in each.parameters.values() if not argument.doc] == []


def functions() -> Mapping[str, Any]:
    described = default_module().get_object("Shipseal")
    return {name: each for name, each in described.functions.items() if name}


def test_what_git_ignores_here_is_sent_to_no_engine() -> None:
    listed = subprocess.run(["git", "ls-files", "*.gitignore"], cwd=HOME, check=True, capture_output=True, text=True)
    missing = []
    for file in listed.stdout.split():
        below = file.removesuffix(".gitignore")
        for pattern in (HOME / file).read_text().split():
            name = pattern.strip("/")
            said = {f"{below}{name}"} if pattern.startswith("/") else {f"**/{name}", f"{below}**/{name}"}
            missing += [] if said & set(dagger_arguments.IGNORED) else [f"{file}: {pattern}"]
    assert missing == []
