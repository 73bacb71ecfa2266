"""The locks of Python packages and of tools."""

import re

import pytest

from shipseal.digest import Digest
from shipseal.errors import ConfigError, ToolFailed
from shipseal.locked import locks
from shipseal.locked.inputs import Inputs
from shipseal.project.config import HOME, Config

A, B = "a" * 64, "b" * 64
LOCK = f"""\
# made by hand
waitress==3.0.2 \\
    --hash=sha256:{A} \\
    --hash=sha256:{B}
    # via a comment
"""


def test_a_requirement_has_its_name_version_and_every_hash() -> None:
    """As pip-compile and uv write it, comments and continued lines included."""
    [requirement] = locks.requirements(LOCK, "requirements.lock")
    assert (requirement.name, requirement.version) == ("waitress", "3.0.2")
    assert requirement.hashes == {Digest("sha256", A), Digest("sha256", B)}
    assert requirement.where == "requirements.lock:2"


def test_names_are_compared_in_their_canonical_form() -> None:
    """PEP 503: Typing_Extensions and typing-extensions are one package. Extras are in the lock on their own."""
    [requirement] = locks.requirements(f"Typing_Extensions[extra]==4.16.0 --hash=sha256:{A}", "lock")
    assert requirement.name == "typing-extensions"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("waitress==3.0.2", "waitress 3.0.2 has no --hash"),
        (f"waitress>=3 --hash=sha256:{A}", "not locked to one version"),
        (f"waitress==3.* --hash=sha256:{A}", "not locked to one version"),
        (f"waitress --hash=sha256:{A}", "not locked to one version"),
        (f"waitress @ https://example.invalid/w.whl --hash=sha256:{A}", "not locked to one version"),
        ("waitress==3.0.2 --hash=md5:abc", "not a sha256"),
        (f"waitress==3.0.2 --hash=sha256:{A[1:]}", "not a sha256"),
        ("--index-url https://example.invalid/simple", "not a locked requirement"),
        ("-r other.txt", "not a locked requirement"),
        ("-e .", "not a locked requirement"),
        (f"waitress==3.0.2 ; nonsense == 'x' --hash=sha256:{A}", "not a locked requirement"),
    ],
)
def test_a_line_that_locks_nothing_is_refused_with_its_file_and_number(line: str, complaint: str) -> None:
    """What is not locked to the byte, or says where it comes from, has no place in a lock."""
    with pytest.raises(ConfigError, match=re.escape("service/requirements.lock:7: ")) as raised:
        locks.requirements(LOCK + "\n" + line + "\n", "service/requirements.lock")
    assert complaint in raised.value.what


def test_markers_choose_what_applies_to_an_environment() -> None:
    """PEP 508: a lock for all platforms names packages that only some of them need."""
    text = f"""
colorama==0.4.6 ; sys_platform == 'win32' --hash=sha256:{A}
numpy==1.0 ; python_version < '3.11' --hash=sha256:{A}
numpy==2.0 ; python_version >= '3.11' --hash=sha256:{B}
"""
    locked = locks.requirements(text, "lock")
    chosen = locks.applying(locked, {"sys_platform": "linux", "python_version": "3.11"})
    assert [str(requirement) for requirement in chosen] == ["numpy 2.0"]


def test_a_package_that_is_locked_twice_for_one_environment_is_refused() -> None:
    """Which of the two would come is nobody's to guess."""
    locked = locks.requirements(f"a==1 --hash=sha256:{A}\nA==2 --hash=sha256:{B}\n", "lock")
    with pytest.raises(ConfigError, match=r"lock:2: a is locked twice"):
        locks.applying(locked, {})


TOOL = f"""\
[oras]
version = "1.3.6"
package = "oras.land/oras/cmd/oras"
ldflags = "-s -w"
sha256 = {{ "linux/amd64" = "{A}" }}
"""


def test_a_tool_has_its_version_and_its_bytes_for_each_platform() -> None:
    """A platform without recorded bytes is refused, with the platforms that have some."""
    tool = locks.tools(TOOL, "tools.lock.toml")["oras"]
    assert (tool.version, tool.package) == ("1.3.6", "oras.land/oras/cmd/oras")
    assert tool.digest("linux/amd64") == Digest("sha256", A)
    with pytest.raises(ToolFailed, match=r"oras 1\.3\.6 has no recorded sha256 for darwin/arm64") as raised:
        tool.digest("darwin/arm64")
    assert raised.value.why == ("recorded: linux/amd64",)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "tools.lock.toml: the lock names no tools"),
        ("[oras", "tools.lock.toml: not TOML"),
        ("oras = 1", "oras is not a table"),
        (TOOL.replace("version", "versoin"), "tools.lock.toml:1: oras has no version"),
        (TOOL + 'url = "x"\n', "tools.lock.toml:1: oras has a key that no tool has: url"),
        (TOOL.replace(A, "abc"), "tools.lock.toml:1: not a sha256"),
        (TOOL.replace('"1.3.6"', "1.3"), "another type than str"),
    ],
)
def test_a_lock_of_tools_that_cannot_be_believed_is_refused(text: str, complaint: str) -> None:
    """An empty one, too: no tools is not a pass."""
    with pytest.raises(ConfigError) as raised:
        locks.tools(text, "tools.lock.toml")
    assert complaint in raised.value.what


def test_a_platform_is_named_as_oci_names_it() -> None:
    """Image specification, image-index.md, "platform": values of GOOS and GOARCH."""
    assert locks.platform_name("linux", "x86_64") == "linux/amd64"
    assert locks.platform_name("linux", "aarch64") == "linux/arm64"


OURS = {"kubernetes": "k8s.io/kubernetes", "metrics-server": "sigs.k8s.io/metrics-server"}
"""Tools whose main package is our own, and the module that gives each its version."""


@pytest.mark.parametrize("lock", ["tools.lock.toml", "cluster.lock.toml", "sigstore.lock.toml"])
def test_every_tool_is_locked_for_both_platforms_at_the_version_of_its_module_graph(lock: str) -> None:
    """`go.mod` decides what is built and the lock says what it is called: the two must not part."""
    path = HOME / "tools" / lock
    for name, tool in locks.tools(path.read_text(encoding="utf-8"), path.name).items():
        graph = (path.parent / name / "go.mod").read_text(encoding="utf-8")
        modules = dict(re.findall(r"^\t?(?:require )?(\S+) v(\S+)", graph, re.MULTILINE))
        holding = [module for module in modules if f"{tool.package}/".startswith(f"{module}/")]
        assert modules[OURS.get(name) or max(holding, key=len)] == tool.version, name
        assert (f"module {tool.package}\n" if name in OURS else f"tool {tool.package}\n") in graph, name
        assert set(tool.digests) == {"linux/amd64", "linux/arm64"}, name


def test_kubernetes_is_one_release_and_says_so() -> None:
    """Its parts are modules of their own (`v0.MINOR.PATCH`), and compare what the linker wrote into them."""
    path = HOME / "tools" / "cluster.lock.toml"
    tool = locks.tools(path.read_text(encoding="utf-8"), path.name)["kubernetes"]
    major, minor, patch = tool.version.split(".")
    graph = (path.parent / "kubernetes" / "go.mod").read_text(encoding="utf-8")
    replaced = dict(re.findall(r"^\t(\S+) => (\S+ \S+)$", graph, re.MULTILINE))
    assert {name: f"{name} v0.{minor}.{patch}" for name in replaced} == replaced
    assert len(replaced) > 20
    written = dict(re.findall(r"-X \S+/component-base/version\.(\S+)=(\S+)", tool.ldflags))
    assert {"gitVersion": f"v{tool.version}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"} == written
    assert tool.ldflags.count(f"gitVersion=v{tool.version}") == 2


OTHERS = {
    "a cluster": (Inputs.of_cluster, {"kubernetes", "kwok", "metrics-server"}),
    "a Sigstore": (Inputs.of_sigstore, {"fulcio", "rekor-tiles", "timestamp-authority"}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_tests_alone_start_is_no_input_of_a_stage(name: str) -> None:
    """Nobody who only builds waits for Kubernetes to be compiled."""
    config = Config.load(HOME / "pipeline.toml")
    read, expected = OTHERS[name]
    others = {tool.name for tool in read().tools}
    assert others == expected
    for inputs in (Inputs.of_tools(), Inputs.of(config), Inputs.of(config).with_containers()):
        assert not others & {tool.name for tool in inputs.tools}
        assert not read().named() & inputs.named()
