"""A program verifies an image of others by one function: by who is in the certificates, and by what is newest."""

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.distribution.referrers import EMPTY, attach
from shipseal.errors import VerificationFailed
from shipseal.image.verification import VerifiedImage, verify_image
from shipseal.local.sigstore import LocalSigstore, local_sigstore
from shipseal.locked.store import Store
from shipseal.oci.layout import Layout
from shipseal.project.config import HOME
from shipseal.signing.signer import Signer
from shipseal.tools.toolbox import Toolbox
from shipseal.verification.policy_file import read_policy
from tests import upstream
from tests.conftest import NOW
from tests.test_signers import REPOSITORY, WORKFLOW, certified, job

REVISION = "4b825dc6" * 5
POLICY = f"""
trust-root = "file"
trust-root-file = "root.json"
slsa-build-level = 1
source = "{REPOSITORY}"
test-result-of = "image"
maximum-age-days = {{ vulns = 30, openvex = 30, verdict = 30 }}

[[policies.production.signers]]
repository = "{REPOSITORY}"
workflow = "{WORKFLOW}"
ref = ["refs/heads/main", "refs/tags/v*"]
runner = "github-hosted"
issuer = "https://local-sigstore.invalid"
"""


def claims(ref: str = "refs/heads/main", runner: str = "github-hosted") -> dict[str, str]:
    said = {"source_repository_digest": REVISION, "run_invocation_uri": f"{REPOSITORY}/actions/runs/1/attempts/1"}
    return {**job(ref), **said, "runner_environment": runner}


def as_a_release(statement: Any) -> Any:
    """Return a statement of a dry run as the release of the repository would have made it."""
    predicate = statement["predicate"]
    if "buildDefinition" in predicate:
        definition, made = predicate["buildDefinition"], claims()
        definition["externalParameters"]["source"] = {"uri": REPOSITORY, "ref": made["source_repository_ref"]}
        definition["internalParameters"] = {"world": "release", "runner": made["runner_environment"]}
        source = definition["resolvedDependencies"][0]
        source |= {"digest": {"gitCommit": REVISION}, "annotations": {**source["annotations"], "dirty": False}}
        predicate["runDetails"]["builder"]["id"] = made["build_signer_uri"]
        predicate["runDetails"]["metadata"]["invocationId"] = made["run_invocation_uri"]
    elif "scanner" in predicate:
        built = datetime.now(UTC).strftime("%Y-%m-%dT00:00:00Z")
        predicate["scanner"]["db"] |= {"annotations": {"sample": False, "checksum": ""}, "lastUpdate": built}
    return statement


@dataclass(frozen=True)
class Published:
    """An image with its evidence, as a layout, and what it takes to sign more of it."""

    directory: Path
    statements: Mapping[str, Any]
    authority: LocalSigstore
    tools: Toolbox

    @property
    def layout(self) -> Layout:
        return Layout(self.directory / "layout")

    def copy(self, target: Path) -> "Published":
        return replace(self, directory=Path(shutil.copytree(self.directory, target, symlinks=True)))

    def attach(self, statement: Any, said: Mapping[str, str]) -> Digest:
        """Sign a statement as a job, attach it to all that it speaks of, and return the digest of its bundle."""
        work = self.directory
        (work / "statement.json").write_text(json.dumps(statement))
        token = self.authority.token(said["build_signer_uri"], said)
        signer = Signer(
            self.tools, "tests", lambda _: certified(said), lambda _: token, work / "signing.json", work / "root.json"
        )
        anyio.run(signer.sign, work / "statement.json", work / "bundle.json")
        bundle = (work / "bundle.json").read_bytes()
        index, platforms = self.layout.image(self.layout.only_image())
        for subject in (index, *(each.descriptor for each in platforms)):
            if str(subject["digest"]).removeprefix("sha256:") in json.dumps(statement["subject"]):
                referrer = attach(bundle, statement["predicateType"], subject, NOW)
                for blob in (EMPTY, bundle, referrer.manifest):
                    self.layout.put(blob)
                self.layout.list_more([referrer.descriptor])
        return Digest.of(bundle)

    def verify(self, digest: Digest | None = None) -> VerifiedImage:
        policy = read_policy(self.directory / "verification.toml", "production")
        root = policy.root(None, Path("nowhere"), self.directory)

        async def verified() -> VerifiedImage:
            return await verify_image(
                str(self.layout.path), policy, root=root, store=self.tools.store, now=datetime.now(UTC), digest=digest
            )

        return anyio.run(verified)

    def refused(self) -> str:
        with pytest.raises(VerificationFailed) as failure:
            self.verify()
        return "\n".join((failure.value.what, *failure.value.why))


@pytest.fixture(scope="module")
def unsigned(store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """Give an image that nobody has signed, and all that can be said of it; no test touches it."""
    run = upstream.performed(tmp_path_factory.mktemp("run"), store, locked, upstream.ATTEST)
    directory = tmp_path_factory.mktemp("published")
    digest = Digest.parse(json.loads((run.directory / "image" / "image.json").read_bytes())["digest"])
    Layout.of_image(run.directory / "image" / "layout", digest).copy_to(directory / "layout")
    statements = {path.stem: json.loads(path.read_bytes()) for path in (run.directory / "attest/statements").iterdir()}
    tools = Toolbox(store, locked, frozenset({"cosign"}), directory / "log.txt")
    required = (HOME / "policy" / "verification.toml").read_text().partition("[policies")[0]
    (directory / "verification.toml").write_text(f"{required}[policies.production]{POLICY}")
    with local_sigstore() as authority:
        (directory / "root.json").write_text(json.dumps(authority.trusted_root()))
        (directory / "signing.json").write_text(json.dumps(authority.signing_config()))
        yield Published(directory, {name: as_a_release(each) for name, each in statements.items()}, authority, tools)


@pytest.fixture(scope="module")
def released(unsigned: Published, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """Give the image with the evidence of a release; no test touches it."""
    published = unsigned.copy(tmp_path_factory.mktemp("released") / "image")
    for statement in published.statements.values():
        published.attach(statement, claims())
    return published


@pytest.fixture
def published(released: Published, tmp_path: Path) -> Published:
    return released.copy(tmp_path / "image")


def denial(statement: Any) -> Any:
    changed = json.loads(json.dumps(statement))
    changed["predicate"]["properties"] = []
    return changed


def test_what_others_attach_to_an_image_is_refused_by_its_own_reason_and_stops_nobody(published: Published) -> None:
    signature, verdict = published.statements["signature"], published.statements["verdict"]
    pull_request = published.attach(signature, claims("refs/pull/1/merge"))
    own_runner = published.attach(denial(verdict), claims(runner="self-hosted"))
    again = published.attach(verdict, claims("refs/tags/v1.0"))
    found = published.verify().document()
    refused = found.refused
    assert {str(pull_request), str(own_runner)} == set(refused)
    assert "signed it: its ref is refs/pull/1/merge" in refused[str(pull_request)]
    assert "its runner is self-hosted, and not github-hosted" in refused[str(own_runner)]
    assert again in {each.bundle for each in found.statements}


def test_what_is_proved_is_said_with_what_it_is_from_and_what_is_not_too(published: Published) -> None:
    found = published.verify(published.layout.only_image()).document()
    proofs = {each.what: each.by for each in found.proved}
    assert len(found.required) + 1 == len(proofs)
    said = f"built from {REPOSITORY} at {REVISION}, refs/heads/main; the certificate says so too of its source, commit"
    [by] = [by for what, by in proofs.items() if what.startswith(f"provenance for the image: {said}")]
    assert by.endswith(f"by {REPOSITORY}/{WORKFLOW}@refs/heads/main")
    for words in ("reach the signer", "nothing newer was said", "no key was withdrawn", "database for linux/amd64"):
        assert any(words in line for line in found.not_proved), words


def test_the_page_for_programs_names_what_is_there() -> None:
    page = (HOME / "docs" / "verification.md").read_text(encoding="utf-8")
    example = page.partition("```python\n")[2].partition("```")[0]
    wanted = re.findall(r"^from (shipseal\S+) import (.+)$", example, re.MULTILINE)
    assert len(wanted) > 3
    pairs = [(where, name) for where, names in wanted for name in names.split(", ")]
    assert [pair for pair in pairs if not hasattr(import_module(pair[0]), pair[1])] == []


def test_another_image_than_was_asked_for_is_refused_before_it_is_looked_at(published: Published) -> None:
    with pytest.raises(VerificationFailed, match="is another image"):
        published.verify(Digest.of(b"another"))


def test_a_denial_that_came_later_is_overruled_by_nothing_that_is_attached_again(published: Published) -> None:
    published.attach(denial(published.statements["verdict"]), claims())
    index = json.loads((published.layout.path / "index.json").read_bytes())
    index["manifests"].append(index["manifests"].pop(1))  # an older one comes last
    (published.layout.path / "index.json").write_text(json.dumps(index))
    assert "the verdict is not to allow this image, and no older one overrules it" in published.refused()


def another_repository(statement: Any) -> Any:
    changed = json.loads(json.dumps(statement))
    changed["predicate"]["buildDefinition"]["externalParameters"]["source"]["uri"] = f"{REPOSITORY}-evil"
    return changed


def a_dry_run(statement: Any) -> Any:
    changed = json.loads(json.dumps(statement))
    changed["predicate"]["buildDefinition"]["internalParameters"]["world"] = "dry-run"
    return changed


@pytest.mark.parametrize(
    ("change", "said", "objection"),
    [
        (a_dry_run, claims(), "it was made by a dry-run, and by no release"),
        (another_repository, claims(), f"it was built from {REPOSITORY}-evil"),
        (lambda statement: statement, claims("refs/pull/1/merge"), "its ref is refs/pull/1/merge"),
    ],
)
def test_evidence_of_something_else_in_place_of_what_was_removed_is_refused(
    unsigned: Published, tmp_path: Path, change: Callable[[Any], Any], said: Mapping[str, str], objection: str
) -> None:
    published = unsigned.copy(tmp_path / "image")
    published.attach(change(published.statements["provenance"]), said)
    assert objection in published.refused()
