"""What is attached already is adopted for its signatures, its signer and what it says, and for nothing else."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.distribution.referrers import Attached, attached
from shipseal.engine.run import Run
from shipseal.engine.world import choose
from shipseal.errors import VerificationFailed
from shipseal.locked.store import Store
from shipseal.oci.layout import Layout
from shipseal.tools.toolbox import Toolbox
from shipseal.verification.adoption import Adoption
from shipseal.verification.both_verifiers import Both
from shipseal.verification.decision import ImageIndex
from shipseal.verification.trust import Ages, Policy, SignerRule
from tests import upstream

NAMES = ("signature", "scan-linux-arm64", "test", "smoke")
PLACES = {"signature": 3, "scan-linux-arm64": 2, "test": 3, "smoke": 2}


@pytest.fixture(scope="module")
def run(store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give a run in which everything until `attest` has finished; no test touches it."""
    return upstream.performed(tmp_path_factory.mktemp("project"), store, locked, upstream.ATTEST)


@pytest.fixture
def adoption(run: Run, tmp_path: Path) -> Adoption:
    """Give what decides, with all that the run has attached."""
    attest, image = run.directory / "attest", json.loads((run.directory / "image" / "image.json").read_bytes())
    tools = Toolbox(run.store, run.locked, frozenset({"cosign"}), tmp_path / "log.txt")
    platforms = {name: Digest.parse(each["digest"]) for name, each in image["platforms"].items()}
    about = ImageIndex(Digest.parse(image["digest"]), platforms, upstream.NAME)
    layout = Layout(attest / "layout")
    places = (about.digest, *platforms.values())
    found = [each for place in places for each in attached(layout.listed(), place, layout.read)]
    policy, _ = choose("dry-run", run.config).policy()
    return Adoption(policy, about, Both.by(tools, attest / "trusted_root.json"), datetime.now(UTC), found)


def statements(run: Run) -> dict[str, bytes]:
    return {name: (run.directory / "attest" / "statements" / f"{name}.json").read_bytes() for name in NAMES}


def adopted(adoption: Adoption, run: Run, work: Path) -> dict[str, int]:
    """Return how many places each statement has that is adopted."""
    found = anyio.run(adoption.adopt, statements(run), work)
    return {name: len(piece.places) for name, piece in found.items()}


def only(adoption: Adoption, keep: Callable[[Attached], bool]) -> Adoption:
    return replace(adoption, found=[each for each in adoption.found if keep(each)])


def signed_by(policy: Policy, identity: str, *kinds: str) -> Policy:
    rule = SignerRule(identity=identity, issuer=policy.rules.signers[0].issuer, statements=kinds)
    return replace(policy, rules=policy.rules.model_copy(update={"signers": (rule,)}))


def test_it_is_adopted_with_the_places_that_have_it(adoption: Adoption, run: Run, tmp_path: Path) -> None:
    assert adopted(adoption, run, tmp_path) == PLACES


def test_one_of_two_places_is_enough_and_the_other_is_missing(adoption: Adoption, run: Run, tmp_path: Path) -> None:
    index = adoption.image.digest
    partly = only(adoption, lambda each: each.subject == index)
    assert adopted(partly, run, tmp_path) == dict.fromkeys(PLACES, 1)
    (piece,) = (each for name, each in anyio.run(partly.adopt, statements(run), tmp_path).items() if "scan" in name)
    assert piece.missing == {adoption.image.platforms["linux/arm64"]}


def test_a_signer_whom_the_policy_does_not_name_is_not_adopted(adoption: Adoption, run: Run, tmp_path: Path) -> None:
    stranger = replace(adoption, policy=signed_by(adoption.policy, "https://stranger.invalid"))
    assert adopted(stranger, run, tmp_path) == {}


def test_a_signer_who_may_not_say_this_is_not_adopted(adoption: Adoption, run: Run, tmp_path: Path) -> None:
    (rule,) = adoption.policy.rules.signers
    scanner = replace(adoption, policy=signed_by(adoption.policy, rule.identity, "vulns"))
    assert adopted(scanner, run, tmp_path) == {"scan-linux-arm64": 2}


def test_a_bundle_that_was_tampered_with_is_not_adopted(adoption: Adoption, run: Run, tmp_path: Path) -> None:
    def tampered(bundle: bytes) -> bytes:
        value = json.loads(bundle)
        signature = value["dsseEnvelope"]["signatures"][0]
        signature["sig"] = signature["sig"][:-8] + "AAAA" + signature["sig"][-4:]
        return json.dumps(value).encode()

    broken = [replace(each, bundle=(data := tampered(each.bundle)), digest=Digest.of(data)) for each in adoption.found]
    assert adopted(replace(adoption, found=broken), run, tmp_path) == {}


def test_what_is_too_old_for_the_policy_is_not_adopted(adoption: Adoption, run: Run, tmp_path: Path) -> None:
    rules = adoption.policy.rules.model_copy(update={"maximum_age_days": Ages(vulns=1)})
    later = replace(adoption, policy=replace(adoption.policy, rules=rules), now=adoption.now + timedelta(days=2))
    assert adopted(later, run, tmp_path) == {name: n for name, n in PLACES.items() if not name.startswith("scan")}


def test_another_image_has_nothing_to_adopt(adoption: Adoption, run: Run, tmp_path: Path) -> None:
    said = {name: data.replace(adoption.image.digest.hex.encode(), b"0" * 64) for name, data in statements(run).items()}
    assert anyio.run(adoption.adopt, said, tmp_path) == {}


def test_what_cosign_refuses_ends_it(adoption: Adoption, run: Run, tmp_path: Path) -> None:
    """A trust root that names no log: sigstore-python has read the whole one."""
    root = json.loads(adoption.both.root.read_bytes())
    (tmp_path / "root.json").write_text(json.dumps({**root, "tlogs": []}))
    split = replace(adoption, both=replace(adoption.both, root=tmp_path / "root.json"))
    with pytest.raises(VerificationFailed, match="the two verifiers disagree about"):
        anyio.run(split.adopt, statements(run), tmp_path)
