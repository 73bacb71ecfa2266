"""`pipeline.toml` is read strictly, and what is wrong with it is said by key."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shipseal.digest import Reference
from shipseal.errors import ConfigError
from shipseal.project import reads
from shipseal.project.config import HOME, Config
from shipseal.project.config_errors import example_of


def rewritten(project: Path, old: str, new: str) -> Path:
    path = project / "pipeline.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def test_defaults_are_those_that_the_documentation_names(project: Path) -> None:
    config = Config.load(project / "pipeline.toml")
    assert (config.service.port, config.service.health) == (8080, "/health")
    assert config.image.platforms == ("linux/amd64", "linux/arm64")
    assert config.image.package_lock == HOME / "image" / "debian.lock.toml"
    assert config.policy.directory == project / "policy"
    assert config.scan.database is None


def test_the_repositorys_own_configuration_is_valid() -> None:
    assert Config.load(HOME / "pipeline.toml").service.name == "simpletimeservice"


def test_a_missing_file_is_said_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no .*pipeline\.toml"):
        Config.load(tmp_path / "pipeline.toml")


@pytest.mark.parametrize("content", [b"[service", b"\xff\xfe", b"a = 1\na = 2\n"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read"):
        Config.load(path)


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pipeline.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        Config.load(tmp_path / "pipeline.toml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("repository =", "repositroy =", "image.repositroy: there is no such key; did you mean image.repository?"),
        ("[test]", "[tset]", "tset: there is no such key; did you mean test?"),
        ('paths = ["tests"]', "paths = []", "test.paths: "),
        ('source = "service"', 'source = "../elsewhere"', "leaves the project's directory"),
        ('name = "sample"', 'name = "Sample Service"', "service.name: "),
        ('name = "sample"', 'name = "sample"\nport = 70000', "service.port: "),
        ("[test]", '[smoke]\nwritable = ["tmp"]\n[test]', "smoke.writable.0: "),
        ("[test]", '[smoke]\nwritable = ["/tmp;id"]\n[test]', "smoke.writable.0: "),
        ("[test]", '[smoke]\nwritable = ["/tmp/../etc"]\n[test]', "/tmp/../etc is not as short as it can be"),
        ("[test]", '[smoke]\nwritable = ["/tmp", "/tmp"]\n[test]', "one of them is named twice"),
        ('name = "sample"', 'name = "sample"\nport = "http"', "service.port: "),
        ('command = ["-m", "sample"]', 'command = ["-m", "a"]\ncallable = "a:b"', "exactly one of command"),
        ('command = ["-m", "sample"]', "", "exactly one of command"),
        ("acme/sample", "acme/sample:latest", "image.repository: "),
        ("[test]", '[registry]\nrealm = "https://auth.example/token"\n[test]', "registry.realm: "),
        ("[test]", '[registry]\nplain-http = true\nca-file = "ca.pem"\n[test]', "give one of them"),
        ("[image]", '[smoke]\nwritable = ["/tmp", "/tmp"]\n[image]', "smoke.writable: "),
        ("[image]", "[smoke]\nrequests = [{ }]\n[image]", "smoke.requests.0.path: "),
        ("[image]", '[smoke]\nrequests = [{ path = "/", headers = { content-length = "1" } }]\n[image]', "from body"),
        ("[image]", f'[smoke]\nrequests = [{{ path = "/", body = "{"x" * 40_000}" }}]\n[image]', "requests hold more"),
    ],
)
def test_what_cannot_be_is_said_by_its_key(project: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.load(rewritten(project, old, new))
    assert any(said in line for line in caught.value.why), caught.value.why


@pytest.mark.parametrize(
    ("repository", "said"),
    [
        (
            "example/greetings",
            "example is not a valid host to Docker: write HOST/PATH, which for Docker Hub is docker.io",
        ),
        ("greetings", "which for Docker Hub is docker.io/library/greetings"),
        ("docker.io/greetings", "Docker reads docker.io/greetings otherwise: write docker.io/library/greetings"),
        ("index.docker.io/example/greetings", "write docker.io/example/greetings"),
        ("docker.io/example/greetings/", "is not a valid repository"),
        ("ghcr.io/acme//x", "is not a valid repository"),
        ("docker.io/example/x-", "is not a valid repository"),
        ("docker.io/example/x__y___z", "is not a valid repository"),
        ("docker.io/example/Greetings", "is not a valid repository"),
        ("docker.io/", "is not a valid repository"),
        ("registry.example/" + "a" * 240, "255 characters"),
        ("registry.example.com:99999/a/b", "is not a valid host"),
        ("registry.example.com:0/a/b", "is not a valid host"),
        ("registry.example.com:/a/b", "is not a valid host"),
        ("..:5000/x", "is not a valid host"),
        ("-a.example/x", "is not a valid host"),
        ("a_b.example/x", "is not a valid host"),
        ("Registry.example/x", "is not a valid host"),
        ("https://registry.example/x", "is not a valid host"),
        ("[::1/x", "is not a valid host"),
        ("registry.example/x:1.0", "is not a valid repository"),
        ("registry.example/x@sha256:00", "is not a valid repository"),
    ],
)
def test_a_name_that_not_everybody_reads_alike_is_no_repository(project: Path, repository: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.load(rewritten(project, "registry.example/acme/sample", repository))
    (why,) = caught.value.why
    assert why.startswith("image.repository: ")
    assert said in why
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "repository",
    [
        *("docker.io/example/greetings", "docker.io/library/greetings", "ghcr.io/acme/a.b_c__d--e", "localhost/x"),
        *("localhost:5000/x", "registry:5000/a", "127.0.0.1:5000/a/b/c", "[::1]:5000/x", "registry.example.com/1/2"),
    ],
)
def test_a_name_that_everybody_reads_alike_is_one(project: Path, repository: str) -> None:
    config = Config.load(rewritten(project, "registry.example/acme/sample", repository))
    assert repository == config.image.repository
    reference = f"{repository}@sha256:{'0' * 64}"
    assert reference == str(Reference.parse(reference))


def patterned(schema: dict[str, Any], whole: dict[str, Any], key: str = "") -> Iterator[str]:
    """Yield the keys of a JSON schema whose texts have to be of one form; `*` is any one part of a key."""
    schema = whole["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if {"pattern", "patternProperties"} & schema.keys() or "pattern" in schema.get("propertyNames", {}):
        yield key
    inner = {**schema.get("properties", {}), **({"*": schema["items"]} if "items" in schema else {})}
    if isinstance(schema.get("additionalProperties"), dict):
        inner["*"] = schema["additionalProperties"]
    for name, each in inner.items():
        yield from patterned(each, whole, f"{key}.{name}".strip("."))


def test_whatever_has_to_be_of_one_form_is_told_with_an_example_and_without_the_pattern() -> None:
    schema = Config.model_json_schema(mode="validation")
    found = set(patterned(schema, schema))
    assert {"service.name", "smoke.writable.*", "smoke.requests.*.path"} <= found
    assert [key for key in sorted(found) if not example_of(key) and not example_of(f"{key}.*")] == []


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('writable = ["tmp"]', "smoke.writable.0: 'tmp' is not of the form that it needs; as in /var/cache/greetings"),
        ('requests = [{ path = "health" }]', "smoke.requests.0.path: 'health' is not of the form that it needs; as in"),
        (
            'requests = [{ path = "/", json = { ip = "x" } }]',
            "'ip' is not of the form that it needs; as in /items/0",
        ),
    ],
)
def test_a_text_of_another_form_is_told_with_an_example(project: Path, section: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.load(rewritten(project, "[image]", f"[smoke]\n{section}\n[image]"))
    (line,) = caught.value.why
    assert said in line
    assert "^" not in line


@pytest.mark.parametrize(
    "path",
    ["/", "//tmp", "/tmp/", "/tmp/..", "/./tmp", "/var//tmp", "/proc", "/proc/x", "/dev/shm", "/sys", "/a b", ""],
)
def test_a_directory_that_no_service_may_write_is_refused(project: Path, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.load(rewritten(project, "[image]", f"[smoke]\nwritable = ['{path}']\n[image]"))
    assert all("as in /var/cache/greetings" in line for line in caught.value.why)


def test_every_fault_is_said_at_once(project: Path) -> None:
    path = rewritten(project, 'name = "sample"', 'name = "Sample"\nport = 0')
    with pytest.raises(ConfigError) as caught:
        Config.load(path)
    assert len(caught.value.why) == 2


def test_the_digest_sees_values_and_not_comments_or_the_place_of_the_checkout(project: Path, tmp_path: Path) -> None:
    before = Config.load(project / "pipeline.toml").digest
    moved = project.rename(tmp_path / "moved")
    assert Config.load(rewritten(moved, "[test]", "# a comment\n[test]")).digest == before
    assert Config.load(rewritten(moved, '"sample"\n', '"other"\n')).digest != before


def test_a_platform_that_is_not_there_is_named(project: Path) -> None:
    path = project / "pipeline.toml"
    path.write_text(path.read_text() + '[deploy]\nplatform = "gone/platform"\n')
    with pytest.raises(ConfigError) as failure:
        Config.load(path).require(["manifests"])
    assert failure.value.why == ("deploy.platform: there is no gone/platform",)


@pytest.mark.parametrize(
    ("platform", "expected"), [("", ("deploy",)), ("other/place", ("deploy", "other")), ("deploy/x", ("deploy",))]
)
def test_what_deploys_read_is_the_top_directory_of_both_sets_of_manifests(
    platform: str, expected: tuple[str, ...]
) -> None:
    deploy = {"manifests": "deploy/overlay", "platform": platform}
    assert expected == reads.paths({"deploy": deploy}, "manifests")
