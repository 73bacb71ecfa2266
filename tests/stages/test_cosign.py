"""One question to the real Cosign about a subject gives what its questions type by type give together."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from shipseal.digest import Digest
from shipseal.distribution.referrers import attached
from shipseal.engine.run import Run
from shipseal.local.signer import SUBJECT
from shipseal.local.sigstore import ISSUER
from shipseal.locked.store import Store
from shipseal.oci.layout import Layout
from shipseal.signing.cosign import Cosign, lay_out
from shipseal.statements.builders import SignerIdentity
from shipseal.tools.toolbox import Toolbox
from tests import upstream

BUILDER = SignerIdentity(SUBJECT, ISSUER)


@pytest.fixture(scope="module")
def run(store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give a run in which everything until `attest` has finished; no test touches it."""
    return upstream.performed(tmp_path_factory.mktemp("project"), store, locked, upstream.ATTEST)


@pytest.fixture
def tools(store: Store, locked: dict[str, Digest], tmp_path: Path) -> Toolbox:
    return Toolbox(store, locked, frozenset({"cosign"}), tmp_path / "log.txt")


def statements(run: Run) -> dict[Digest, Any]:
    """Return what was signed, by digest."""
    files = (run.directory / "attest" / "statements").iterdir()
    return {Digest.of(data): json.loads(data) for data in (path.read_bytes() for path in files)}


def about(run: Run, subject: Digest) -> dict[Digest, str]:
    """Return the statements that name a subject, with their types."""
    return {
        digest: each["predicateType"]
        for digest, each in statements(run).items()
        if subject.hex in {item["digest"]["sha256"] for item in each["subject"]}
    }


def laid_out(run: Run, where: Path) -> list[Digest]:
    """Lay out the subjects of a run for Cosign; return them."""
    layout = Layout(run.directory / "attest" / "layout")
    digest = Digest.parse(json.loads((run.directory / "image" / "image.json").read_bytes())["digest"])
    index, platforms = layout.image(digest)
    descriptors = [index, *(each.descriptor for each in platforms)]
    for each in descriptors:
        subject = Digest.parse(str(each["digest"]))
        lay_out(where, each, attached(layout.listed(), subject, layout.read))
    return [Digest.parse(str(each["digest"])) for each in descriptors]


async def by_type(tools: Toolbox, root: Path, layout: Path, kind: str) -> set[Digest]:
    """Return what `cosign verify-attestation` accepts of one type, as a consumer asks it."""
    identity = ("--certificate-identity", BUILDER.identity, "--certificate-oidc-issuer", BUILDER.issuer)
    asked = ("verify-attestation", "--type", kind, "--trusted-root", root, *identity, "--local-image", layout)
    done = await tools.run("cosign", *asked)
    return {Digest.of(base64.b64decode(json.loads(line)["payload"])) for line in done.stdout.splitlines()}


@pytest.mark.anyio
async def test_on_each_subject_it_accepts_every_statement_that_it_accepts_by_type(
    run: Run, tools: Toolbox, tmp_path: Path
) -> None:
    root = run.directory / "attest" / "trusted_root.json"
    for subject in laid_out(run, tmp_path / "layouts"):
        expected = about(run, subject)
        found = await Cosign(tools, root, tmp_path / "layouts").accepted(subject, BUILDER)
        assert expected == found.statements
        asked = [await by_type(tools, root, tmp_path / "layouts" / str(subject), kind) for kind in expected.values()]
        assert set(found.statements) == set().union(*asked)


@pytest.mark.anyio
async def test_of_another_signer_it_accepts_nothing_and_says_why(run: Run, tools: Toolbox, tmp_path: Path) -> None:
    root = run.directory / "attest" / "trusted_root.json"
    subject, *_ = laid_out(run, tmp_path / "layouts")
    found = await Cosign(tools, root, tmp_path / "layouts").accepted(subject, SignerIdentity(f"{SUBJECT}-2", ISSUER))
    assert found.statements == {}
    assert "no matching CertificateIdentity found" in found.said[0]


@pytest.mark.anyio
async def test_where_nothing_is_attached_it_accepts_nothing(run: Run, tools: Toolbox, tmp_path: Path) -> None:
    root = run.directory / "attest" / "trusted_root.json"
    layout = Layout(run.directory / "attest" / "layout")
    digest = Digest.parse(json.loads((run.directory / "image" / "image.json").read_bytes())["digest"])
    lay_out(tmp_path / "layouts", layout.image(digest)[0], [])
    assert (await Cosign(tools, root, tmp_path / "layouts").accepted(digest, BUILDER)).statements == {}
