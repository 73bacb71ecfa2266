"""The verify verb decides about a layout, or about a registry's image, with nothing of the run but what it is given."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

from shipseal.cli import main
from shipseal.digest import Digest
from shipseal.engine.run import Run
from shipseal.engine.world import loopback_registry
from shipseal.locked.store import Store
from shipseal.oci.layout import Layout
from shipseal.project.config import HOME
from shipseal.tools.toolbox import Toolbox
from tests import upstream

POLICY = str(HOME / "policy" / "verification.toml")


@pytest.fixture(scope="module")
def signed(store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give a run whose image is signed; no test touches it."""
    return upstream.performed(tmp_path_factory.mktemp("signed"), store, locked, upstream.ATTEST)


@pytest.fixture
def run(signed: Run, tmp_path: Path) -> Run:
    """Give a copy of it."""
    return upstream.copy(signed, tmp_path / "run")


@pytest.fixture
def layout(run: Run) -> Path:
    return run.directory / "attest" / "layout"


@pytest.fixture
def root(run: Run, tmp_path: Path) -> str:
    """Give the run's trust root, in a place of its own."""
    return str(shutil.copy(run.directory / "attest" / "trusted_root.json", tmp_path / "root.json"))


def digest(run: Run) -> str:
    return str(json.loads((run.directory / "image" / "image.json").read_bytes())["digest"])


def test_a_signed_layout_satisfies_the_policy_of_its_world(
    run: Run, layout: Path, root: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["verify", str(layout), "--policy", POLICY, "--as", "dry-run", "--trusted-root", root])
    said = capsys.readouterr().out
    assert (code, said.splitlines()[0]) == (0, f"verified  layout/image@{digest(run)}")
    assert "accepted by sigstore-python and Cosign" in said
    assert "cyclonedx    linux/arm64" in said
    assert "    built from " in said
    assert "not proved\n  who ran it: the trust root is one that a run has left" in said


def test_what_was_found_is_there_for_machines(
    run: Run, layout: Path, root: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["verify", str(layout), "--policy", POLICY, "--as", "dry-run", "--trusted-root", root, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (found["digest"], len(found["statements"])) == (digest(run), 12)
    assert len(found["required"]) + 1 == len(found["proved"])
    assert any("could not reach the signer" in line for line in found["not_proved"])


def test_a_dry_run_is_refused_by_production(layout: Path, root: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(layout), "--policy", POLICY]) == 6
    assert "does not satisfy the policy production" in capsys.readouterr().err
    assert main(["verify", str(layout), "--policy", POLICY, "--trusted-root", root]) == 6
    assert "the policy production does not trust" in capsys.readouterr().err


def test_an_altered_layout_is_refused_before_anything_is_served(
    layout: Path, root: str, capsys: pytest.CaptureFixture[str]
) -> None:
    victim = Layout(layout).blob(Digest.of(b"a layer for linux/amd64"))
    victim.write_bytes(b"A layer for linux/amd64")
    assert main(["verify", str(layout), "--policy", POLICY, "--as", "dry-run", "--trusted-root", root]) == 6
    assert "a layer for linux/amd64 was altered" in capsys.readouterr().err


def referrer(layout: Layout) -> Path:
    """Return the manifest of an attestation."""
    documents = ((item, json.loads(layout.read(Digest.parse(item["digest"])))) for item in layout.listed())
    return next(layout.blob(Digest.parse(item["digest"])) for item, document in documents if "subject" in document)


def bundle(layout: Layout) -> Path:
    return layout.blob(Digest.parse(json.loads(referrer(layout).read_bytes())["layers"][0]["digest"]))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def resize(layout: Layout) -> None:
    document = json.loads((layout.path / "index.json").read_bytes())
    document["manifests"][0]["size"] += 1
    (layout.path / "index.json").write_text(json.dumps(document))


ALTERED: dict[str, tuple[Callable[[Layout], object], str]] = {
    "a bundle": (lambda layout: flip(bundle(layout)), "a blob was altered"),
    "a bundle that is missing": (lambda layout: bundle(layout).unlink(), "is missing from"),
    "a referrer": (lambda layout: flip(referrer(layout)), "the manifest of an attestation was altered"),
    "a size": (resize, "a blob, or its size, was altered"),
    "a version": (
        lambda layout: (layout.path / "oci-layout").write_text('{"imageLayoutVersion":"9.9.9"}'),
        "says 9.9.9, and only 1.0.0 is known",
    ),
}


@pytest.mark.parametrize("name", ALTERED)
def test_a_layout_that_is_altered_in_one_place_is_refused_without_a_registry(
    layout: Path, root: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    alter, said = ALTERED[name]
    alter(Layout(layout))
    nothing = ["--store", str(tmp_path / "no tools here")]
    arguments = ["verify", str(layout), "--policy", POLICY, "--as", "dry-run", "--trusted-root", root]
    assert main([*arguments, *nothing]) == 6
    assert said in capsys.readouterr().err


def test_a_layout_is_verified_whatever_else_it_holds(
    layout: Path, root: str, capsys: pytest.CaptureFixture[str]
) -> None:
    of_nobody = {"mediaType": "text/plain", "digest": "sha512:" + "0" * 128, "size": 1, "artifactType": "text/plain"}
    Layout(layout).list_more([of_nobody])
    assert main(["verify", str(layout), "--policy", POLICY, "--as", "dry-run", "--trusted-root", root]) == 0
    assert capsys.readouterr().out.startswith("verified  layout/image@")


@pytest.fixture
def served(run: Run, layout: Path, tmp_path: Path) -> Iterator[str]:
    """Give the host of a registry that has the image, tagged 1.2.3, as long as the test runs."""
    tools = Toolbox(run.store, run.locked, frozenset({"oras", "olareg"}), tmp_path / "log.txt")
    (tmp_path / "registry").mkdir()

    with anyio.from_thread.start_blocking_portal() as portal:

        async def push() -> None:
            await registry.push(layout, Digest.parse(digest(run)))
            await registry.tag(Digest.parse(digest(run)), "1.2.3")

        manager = loopback_registry(tools, tmp_path / "registry", "acme/sample", writable=True)
        with portal.wrap_async_context_manager(manager) as registry:
            portal.call(push)
            yield registry.host


@pytest.mark.parametrize("by_tag", [False, True])
def test_a_tag_is_resolved_once_and_the_digest_is_what_is_verified(
    run: Run, served: str, root: str, capsys: pytest.CaptureFixture[str], by_tag: bool
) -> None:
    name = f"{served}/acme/sample"
    image = f"{name}:1.2.3" if by_tag else f"{name}@{digest(run)}"
    assert main(["verify", image, "--policy", POLICY, "--as", "dry-run", "--trusted-root", root]) == 0
    assert capsys.readouterr().out.startswith(f"verified  {name}@{digest(run)}\n")


def test_a_tag_that_is_not_there_is_no_image(served: str, root: str, capsys: pytest.CaptureFixture[str]) -> None:
    image = f"{served}/acme/sample:9.9.9"
    assert main(["verify", image, "--policy", POLICY, "--as", "dry-run", "--trusted-root", root]) == 6
    assert "has no tag 9.9.9" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("example/app:1.0", "example is not a valid host to Docker"),
        ("docker.io/app:1.0", "write docker.io/library/app"),
        ("registry.example/App:1.0", "is not a valid repository"),
        ("registry.example/app@sha512:00", "not a sha256 digest"),
    ],
)
def test_a_name_that_others_would_read_otherwise_is_not_looked_up(
    image: str, said: str, root: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", image, "--policy", POLICY, "--as", "dry-run", "--trusted-root", root]) in {2, 6}
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("image", ["nothing", "host/repository", "/nowhere"])
def test_what_is_no_image_is_said(image: str, root: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", image, "--policy", POLICY, "--as", "dry-run", "--trusted-root", root]) == 2
    assert "neither a reference nor a layout" in capsys.readouterr().err


def test_a_policy_that_is_not_there_lets_nothing_pass(layout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(layout), "--policy", "nowhere.toml"]) == 2
    assert "nowhere.toml cannot be read" in capsys.readouterr().err
