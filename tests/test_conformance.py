"""The client of the public conformance suite: it verifies what is good, refuses the rest, and never breaks down."""

import base64
import copy
import hashlib
import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from rfc3161_client import decode_timestamp_response

from shipseal.cli import main
from shipseal.digest import Digest
from shipseal.local.sigstore import local_sigstore
from shipseal.locked.store import Store
from shipseal.signing.material import Material
from shipseal.tools.toolbox import Toolbox
from tests import bundles
from tests.bundles import FILE, SUBJECT, Case, Ground, Make
from tests.commands import pipeline


def now() -> datetime:
    """Return a time at which the identity's certificate is valid."""
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """Give the keys, the log and the authorities that all bundles here are made from; no test changes them."""
    return Ground(tmp_path_factory.mktemp("ground"))


def by_certificate(ground: Ground, of: str) -> Case:
    found = ground.of_file if of == "file" else ground.of_statement
    return Case(json.loads(found.to_json()), ground.root())


def logged_by(ground: Ground, entry: Callable[[bytes, bytes, bytes], dict[str, Any]], kind: str, version: str) -> Case:
    """Return the identity's statement with an entry of another kind."""
    case, payload = by_certificate(ground, "statement"), bundles.statement()
    bundle: Any = copy.deepcopy(case.bundle)
    raw = base64.b64decode(bundle["dsseEnvelope"]["payload"])
    assert json.loads(raw) == json.loads(payload)
    spec = entry(ground.of_statement.signature, bundles.certificate_of(ground.of_statement), raw)
    bundle["verificationMaterial"]["tlogEntries"] = [ground.log.entry(kind, version, spec, now())]
    return replace(case, bundle=bundle)


def stamped_by_identity(ground: Ground, seconds: int) -> Case:
    """Return the identity's file with a timestamp, whose authority is trusted until some seconds after it."""
    case = by_certificate(ground, "file")
    stamp = ground.stamps.stamp(ground.of_file.signature)
    bundle: Any = copy.deepcopy(case.bundle)
    entry = bundle["verificationMaterial"]["tlogEntries"][0]
    entry.pop("inclusionPromise")
    bundle["verificationMaterial"]["timestampVerificationData"] = {"rfc3161Timestamps": [{"signedTimestamp": stamp}]}
    return replace(case, bundle=bundle, root=ground.root(end=ends(stamp, seconds)))


def ends(stamp: str, seconds: int) -> datetime:
    at = decode_timestamp_response(base64.b64decode(stamp)).tst_info.gen_time
    return at + timedelta(seconds=seconds)


def pem(key: bundles.PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def file_by_key(ground: Ground, key: bundles.PrivateKey | None = None) -> Case:
    key = key or ground.key
    content, signature = bundles.file_signed(key)
    name = Material.of(key.public_key()).hash_name
    spec = bundles.hashedrekord(signature, pem(key), name=name)
    return replace(ground.kept(content, ground.log.entry("hashedrekord", "0.0.1", spec, now())), key=pem(key))


def file_in_rekor_2(ground: Ground, seconds: int = 0, *, stamped: bool = True) -> Case:
    content, signature = bundles.file_signed(ground.key)
    spec = bundles.hashedrekord_2(signature, ground.key, FILE)
    stamps = [ground.stamps.stamp(signature)] if stamped else []
    case = ground.kept(content, ground.log.entry("hashedrekord", "0.0.2", spec, None), stamps)
    return replace(case, root=ground.root(end=ends(stamps[0], seconds))) if stamps else case


def statement_by_key(ground: Ground, kind: str, payload: bytes | None = None, key: Any = None) -> Case:
    key, payload = key or ground.key, payload or bundles.statement()
    content, signature = bundles.statement_signed(key, payload)
    specs: dict[str, tuple[str, Any, datetime | None]] = {
        "dsse": ("0.0.1", lambda: bundles.dsse(signature, pem(key), payload), now()),
        "intoto": ("0.0.2", lambda: bundles.intoto(signature, pem(key), payload), now()),
        "hashedrekord": ("0.0.2", lambda: bundles.hashedrekord_2(signature, key, bundles.pae(payload)), None),
    }
    version, spec, at = specs[kind]
    return replace(ground.kept(content, ground.log.entry(kind, version, spec(), at)), key=pem(key))


def without_logs(ground: Ground) -> Case:
    case = ground.kept(bundles.file_signed(ground.key)[0], None)
    bundle: Any = copy.deepcopy(case.bundle)
    del bundle["verificationMaterial"]["tlogEntries"]
    case = replace(case, bundle=bundle)
    return replace(case, root={"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"})


GOOD: dict[str, Make] = {
    "a file by an identity": lambda ground: by_certificate(ground, "file"),
    "a statement by an identity": lambda ground: by_certificate(ground, "statement"),
    "a statement by an identity, logged as intoto": lambda ground: logged_by(ground, bundles.intoto, "intoto", "0.0.2"),
    "a time at the very end, by an identity": lambda ground: stamped_by_identity(ground, 0),
    "a file by a key": file_by_key,
    "a file by a key of P-384": lambda ground: file_by_key(ground, ec.generate_private_key(ec.SECP384R1())),
    "a file by an RSA key": lambda ground: file_by_key(ground, rsa.generate_private_key(65537, 2048)),
    "a file by a key, in Rekor 2": lambda ground: file_in_rekor_2(ground, stamped=False),
    "a time at the very end, by a key": file_in_rekor_2,
    "a statement by a key": lambda ground: statement_by_key(ground, "dsse"),
    "a statement by a key, in Rekor 2": lambda ground: statement_by_key(ground, "hashedrekord"),
    "a statement by a key, logged as intoto": lambda ground: statement_by_key(ground, "intoto"),
    "a file by a key, where no log is trusted": without_logs,
}


def verify(case: Case, work: Path, file: str = "", more: tuple[str, ...] = ()) -> int:
    """Ask the client in this process."""
    (work / "file").write_bytes(FILE)
    return main(["conformance", "verify-bundle", *more, *case.arguments(work, file or str(work / "file"))])


@pytest.mark.parametrize("name", GOOD)
def test_the_client_as_a_process_accepts(ground: Ground, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(FILE)
    arguments = GOOD[name](ground).arguments(tmp_path, str(tmp_path / "file"))
    ended = pipeline("conformance", "verify-bundle", *arguments, cwd=tmp_path)
    assert (ended.code, ended.stderr) == (0, "")


@pytest.mark.parametrize("name", [name for name in GOOD if "P-384" not in name])
def test_a_digest_is_as_good_as_the_file(ground: Ground, tmp_path: Path, name: str) -> None:
    assert verify(GOOD[name](ground), tmp_path, f"sha256:{hashlib.sha256(FILE).hexdigest()}") == 0


def test_a_digest_of_another_kind_than_the_key_signs_is_refused(
    ground: Ground, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = GOOD["a file by a key of P-384"](ground)
    assert verify(case, tmp_path, f"sha256:{hashlib.sha256(FILE).hexdigest()}") == 6
    assert "name the file itself" in capsys.readouterr().err


@pytest.fixture
def cosign(store: Store, locked: dict[str, Digest], tmp_path: Path) -> Callable[..., int]:
    """Give a function that starts the real Cosign, and returns its exit code."""
    path = str(Toolbox(store, locked, frozenset({"cosign"}), tmp_path / "log.txt").path("cosign"))

    def run(*arguments: str | Path) -> int:
        environment = {"PATH": "", "HOME": str(tmp_path), "COSIGN_PASSWORD": "a password"}
        done = subprocess.run([path, *arguments], env=environment, cwd=tmp_path, capture_output=True, check=False)
        (tmp_path / "said.txt").write_bytes(done.stderr)
        return done.returncode

    return run


# Cosign takes keys of every curve with SHA-256, which is not what the registry of algorithms says.
@pytest.mark.parametrize("name", [name for name in GOOD if "no log" not in name and "P-384" not in name])
def test_the_real_cosign_accepts_what_the_client_accepts(
    ground: Ground, tmp_path: Path, cosign: Callable[..., int], name: str
) -> None:
    (tmp_path / "file").write_bytes(FILE)
    case = GOOD[name](ground)
    verb = ("verify-blob-attestation", "--type", "https://example.test/p") if "statement" in name else ("verify-blob",)
    times = ("--use-signed-timestamps",) if "a time" in name else ()
    assert cosign(*verb, *times, *case.arguments(tmp_path, "file")) == 0, (tmp_path / "said.txt").read_text()


@pytest.mark.parametrize("what", ["a file", "a statement"])
def test_what_the_real_cosign_signs_by_a_key_is_accepted(
    tmp_path: Path, cosign: Callable[..., int], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(FILE)
    (tmp_path / "statement.json").write_bytes(bundles.statement())
    assert cosign("generate-key-pair") == 0
    with local_sigstore() as services:
        (tmp_path / "root.json").write_text(json.dumps(services.trusted_root()))
        (tmp_path / "config.json").write_text(json.dumps(services.signing_config()))
        where = ("--signing-config", "config.json", "--trusted-root", "root.json", "--bundle", "bundle.json", "--yes")
        signed = ("attest-blob", "--statement", "statement.json") if what == "a statement" else ("sign-blob", "file")
        assert cosign(*signed, "--key", "cosign.key", *where) == 0, (tmp_path / "said.txt").read_text()
    with_root = ("--bundle", tmp_path / "bundle.json", "--trusted-root", tmp_path / "root.json")
    words = ("conformance", "verify-bundle", *with_root, "--key", tmp_path / "cosign.pub", tmp_path / "file")
    assert main([str(each) for each in words]) == 0
    assert "verified" in capsys.readouterr().out


def flipped(text: str) -> str:
    raw = bytearray(base64.b64decode(text))
    raw[len(raw) // 2] ^= 1
    return base64.b64encode(raw).decode()


def content(bundle: Any) -> Any:
    return bundle.get("messageSignature") or bundle["dsseEnvelope"]


def bend_signature(bundle: Any) -> None:
    place = bundle.get("messageSignature") or bundle["dsseEnvelope"]["signatures"][0]
    name = "signature" if "signature" in place else "sig"
    place[name] = flipped(place[name])


def bend_content(bundle: Any) -> None:
    if "dsseEnvelope" in bundle:
        bundle["dsseEnvelope"]["payload"] = flipped(bundle["dsseEnvelope"]["payload"])
    else:
        digest = bundle["messageSignature"]["messageDigest"]
        digest["digest"] = flipped(digest["digest"])


def both(bundle: Any) -> None:
    digest = {"algorithm": "SHA2_256", "digest": base64.b64encode(hashlib.sha256(FILE).digest()).decode()}
    bundle["messageSignature"] = {"messageDigest": digest, "signature": "AAAA"}
    bundle.setdefault("dsseEnvelope", bundles.envelope(bundles.statement(), b"a signature")["dsseEnvelope"])


def entry(change: Callable[[dict[str, Any]], object]) -> Callable[[Any], object]:
    def apply(bundle: Any) -> object:
        (only,) = bundle["verificationMaterial"]["tlogEntries"]
        return change(only)

    return apply


def bend(*path: str) -> Callable[[dict[str, Any]], object]:
    def apply(document: dict[str, Any]) -> None:
        *above, last = path
        for name in above:
            document = document[name]
        document[last] = flipped(document[last])

    return apply


def material(change: Callable[[dict[str, Any]], object]) -> Callable[[Any], object]:
    return lambda bundle: change(bundle["verificationMaterial"])


BENT: dict[str, Callable[[Any], object]] = {
    "another signature": bend_signature,
    "another content": bend_content,
    "two contents": both,
    "no content": lambda bundle: (bundle.pop("messageSignature", None), bundle.pop("dsseEnvelope", None)),
    "no entry": material(lambda found: found.update(tlogEntries=[])),
    "the entry twice": material(lambda found: found["tlogEntries"].append(found["tlogEntries"][0])),
    "no proof": entry(lambda found: found.pop("inclusionProof")),
    "no checkpoint": entry(lambda found: found["inclusionProof"].pop("checkpoint")),
    "another root": entry(bend("inclusionProof", "rootHash")),
    "another body": entry(bend("canonicalizedBody")),
    "another index": entry(lambda found: found["inclusionProof"].update(logIndex="0")),
    "another log": entry(bend("logId", "keyId")),
    "another kind": entry(lambda found: found["kindVersion"].update(version="0.0.3")),
    "a body that is not valid JSON": entry(lambda found: found.update(canonicalizedBody="e30x")),
    "a size below the index": entry(lambda found: found["inclusionProof"].update(treeSize="0")),
    "no signer": material(lambda found: (found.pop("publicKey", None), found.pop("certificate", None))),
    "another version": lambda bundle: bundle.update(mediaType="application/vnd.dev.sigstore.bundle.v9.9+json"),
    "another type": lambda bundle: bundle.update(mediaType=7),
    "an unknown key": lambda bundle: bundle.update(unknown={}),
    "a timestamp of nobody": material(
        lambda found: found.update(timestampVerificationData={"rfc3161Timestamps": [{"signedTimestamp": "AAAA"}]})
    ),
}


@pytest.mark.parametrize("how", BENT)
@pytest.mark.parametrize("name", [name for name in GOOD if "no log" not in name])
def test_whatever_is_altered_is_refused(
    ground: Ground, tmp_path: Path, name: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    case = GOOD[name](ground)
    bundle = copy.deepcopy(case.bundle)
    BENT[how](bundle)
    assert verify(replace(case, bundle=bundle), tmp_path) == 6
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("name", GOOD)
def test_another_file_is_refused(ground: Ground, tmp_path: Path, name: str) -> None:
    (tmp_path / "other").write_bytes(b"something else\n")
    assert verify(GOOD[name](ground), tmp_path, str(tmp_path / "other")) == 6


@pytest.mark.parametrize("name", [name for name in GOOD if "by an identity" not in name])
def test_another_key_is_refused(ground: Ground, tmp_path: Path, name: str) -> None:
    case = replace(GOOD[name](ground), key=pem(ec.generate_private_key(ec.SECP256R1())))
    assert verify(case, tmp_path) == 6


@pytest.mark.parametrize("name", GOOD)
def test_the_entry_of_another_signature_stands_in_for_none(
    ground: Ground, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """CVE-2022-36056: each entry is a good one, and is of something else."""
    case = GOOD[name](ground)
    for other, make in GOOD.items():
        bundle: Any = copy.deepcopy(case.bundle)
        swapped = make(ground).bundle
        if swapped["verificationMaterial"].get("tlogEntries") and content(swapped) != content(bundle):
            bundle["verificationMaterial"]["tlogEntries"] = swapped["verificationMaterial"]["tlogEntries"]
            assert verify(replace(case, bundle=bundle, root=ground.root()), tmp_path) == 6, other
    capsys.readouterr()


@pytest.mark.parametrize("kind", ["dsse", "intoto", "hashedrekord"])
def test_a_statement_that_only_the_log_believes_is_refused(ground: Ground, tmp_path: Path, kind: str) -> None:
    """The log has recorded it as our key's, and another key has signed it."""
    other, payload = ec.generate_private_key(ec.SECP256R1()), bundles.statement()
    body, signature = bundles.statement_signed(other, payload)
    specs: dict[str, tuple[str, Any, datetime | None]] = {
        "dsse": ("0.0.1", bundles.dsse(signature, pem(ground.key), payload), now()),
        "intoto": ("0.0.2", bundles.intoto(signature, pem(ground.key), payload), now()),
        "hashedrekord": ("0.0.2", bundles.hashedrekord_2(signature, ground.key, bundles.pae(payload)), None),
    }
    version, spec, at = specs[kind]
    assert verify(ground.kept(body, ground.log.entry(kind, version, spec, at)), tmp_path) == 6


def test_an_old_statement_that_only_the_log_believes_is_refused(ground: Ground, tmp_path: Path) -> None:
    """As above, with a certificate: the entry names it, and another key has signed."""
    payload = bundles.statement()
    body, signature = bundles.statement_signed(ec.generate_private_key(ec.SECP256R1()), payload)
    case = by_certificate(ground, "statement")
    spec = bundles.intoto(signature, bundles.certificate_of(ground.of_statement), payload)
    signer = {"certificate": case.bundle["verificationMaterial"]["certificate"]}
    bundle = bundles.bundle(signer, body, ground.log.entry("intoto", "0.0.2", spec, now()), None)
    assert verify(replace(case, bundle=bundle), tmp_path) == 6


OBJECTIONS: dict[str, tuple[Callable[[Any], object], str]] = {
    "payload": (lambda spec: spec["content"]["payloadHash"].update(value="0" * 64), "another statement"),
    "type": (lambda spec: spec["content"]["envelope"].update(payloadType="text/plain"), "another type of statement"),
    "signature": (
        lambda spec: spec["content"]["envelope"]["signatures"][0].update(sig=bundles.b64(b"AAAA")),
        "another signature",
    ),
    "signer": (
        lambda spec: spec["content"]["envelope"]["signatures"][0].update(
            publicKey=bundles.b64(pem(ec.generate_private_key(ec.SECP256R1())))
        ),
        "another signer",
    ),
    "kept": (
        lambda spec: spec["content"]["envelope"].update(payload=bundles.b64(bundles.b64(b"other").encode())),
        "another statement",
    ),
    "two": (
        lambda spec: spec["content"]["envelope"]["signatures"].extend(spec["content"]["envelope"]["signatures"]),
        "cannot be read",
    ),
    "none": (lambda spec: spec["content"]["envelope"].update(signatures=[]), "cannot be read"),
    "no text": (lambda spec: spec["content"]["envelope"]["signatures"][0].update(sig=5), "cannot be read"),
}


@pytest.mark.parametrize("how", OBJECTIONS)
@pytest.mark.parametrize("by", ["an identity", "a key"])
def test_an_old_entry_is_compared_in_each_of_its_parts(
    ground: Ground, tmp_path: Path, how: str, by: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change, said = OBJECTIONS[how]

    def changed(signature: bytes, verifier: bytes, payload: bytes) -> dict[str, Any]:
        spec = bundles.intoto(signature, verifier, payload)
        change(spec)
        return spec

    if by == "an identity":
        case = logged_by(ground, changed, "intoto", "0.0.2")
    else:
        payload = bundles.statement()
        body, signature = bundles.statement_signed(ground.key, payload)
        spec = changed(signature, pem(ground.key), payload)
        case = ground.kept(body, ground.log.entry("intoto", "0.0.2", spec, now()))
    assert verify(case, tmp_path) == 6
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("make", [stamped_by_identity, file_in_rekor_2])
def test_a_time_after_the_end_of_its_authority_is_refused(
    ground: Ground, tmp_path: Path, make: Callable[[Ground, int], Case]
) -> None:
    assert verify(make(ground, -1), tmp_path) == 6


def test_the_validity_of_another_authority_lends_no_time(ground: Ground, tmp_path: Path) -> None:
    case = file_in_rekor_2(ground, -1)
    other = {
        "certChain": {"certificates": []},
        "validFor": bundles.since(),
        "subject": {"organization": "other", "commonName": "other"},
    }
    root: Any = copy.deepcopy(dict(case.root))
    root["timestampAuthorities"].append(other)
    assert verify(replace(case, root=root), tmp_path) == 6


def test_the_same_timestamp_twice_is_refused(ground: Ground, tmp_path: Path) -> None:
    case = file_in_rekor_2(ground)
    bundle: Any = copy.deepcopy(case.bundle)
    stamps = bundle["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"]
    stamps.append(stamps[0])
    assert verify(replace(case, bundle=bundle), tmp_path) == 6


VALID: dict[str, tuple[Callable[[datetime], dict[str, str] | None], int]] = {
    "until its promise": (bundles.since, 0),
    "until before its promise": (lambda at: bundles.since(at - timedelta(seconds=1)), 6),
    "from its promise on": (lambda at: {"start": at.strftime("%Y-%m-%dT%H:%M:%SZ")}, 0),
    "from after its promise on": (lambda at: {"start": (at + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")}, 6),
    "nobody says when": (lambda _: None, 6),
}


@pytest.mark.parametrize("when", VALID)
@pytest.mark.parametrize("by", ["a statement by an identity, logged as intoto", "a statement by a key", "identity"])
def test_a_log_is_trusted(ground: Ground, tmp_path: Path, by: str, when: str) -> None:
    """At the time of its promise, and not only when somebody asks."""
    case = by_certificate(ground, "statement") if by == "identity" else GOOD[by](ground)
    valid, code = VALID[when]
    (only,) = case.bundle["verificationMaterial"]["tlogEntries"]
    at = datetime.fromtimestamp(int(only["integratedTime"]), UTC)
    root: Any = copy.deepcopy(dict(case.root))
    for log in root["tlogs"]:
        log["publicKey"]["validFor"] = valid(at)
    assert verify(replace(case, root=root), tmp_path) == code


def ended_before(root: Any, part: str, end: datetime) -> None:
    for each in root[part]:
        (each if part == "certificateAuthorities" else each["publicKey"])["validFor"] = bundles.since(end)


@pytest.mark.parametrize("part", ["certificateAuthorities", "ctlogs"])
@pytest.mark.parametrize("name", [name for name in GOOD if "by an identity" in name])
def test_who_certifies_must_have_been_trusted_then(ground: Ground, tmp_path: Path, name: str, part: str) -> None:
    """A root ends an authority, or a log of certificates, when its key is no longer to be trusted."""
    case = GOOD[name](ground)
    root: Any = copy.deepcopy(dict(case.root))
    ended_before(root, part, now() + timedelta(hours=1))
    assert verify(replace(case, root=root), tmp_path) == 0
    ended_before(root, part, now() - timedelta(hours=1))
    assert verify(replace(case, root=root), tmp_path) == 6


STATEMENTS = {
    "of no type": {"subject": [{"digest": {"sha256": hashlib.sha256(FILE).hexdigest()}}], "predicateType": "p"},
    "of an unknown type": json.loads(bundles.statement(kind="https://in-toto.io/Statement/v9")),
    "about nothing": {**json.loads(bundles.statement()), "subject": []},
    "about another file": json.loads(bundles.statement(b"another")),
    "that is not a table": [],
    "without a predicate's type": {**json.loads(bundles.statement()), "predicateType": None},
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_is_refused(ground: Ground, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    case = statement_by_key(ground, "dsse", json.dumps(STATEMENTS[name]).encode())
    assert verify(case, tmp_path) == 6
    assert "statement" in capsys.readouterr().err


def test_a_statement_of_the_first_version_is_accepted(ground: Ground, tmp_path: Path) -> None:
    payload = bundles.statement(kind="https://in-toto.io/Statement/v0.1")
    assert verify(statement_by_key(ground, "intoto", payload), tmp_path) == 0


def test_a_key_does_not_stand_for_an_identity_nor_an_identity_for_a_key(ground: Ground, tmp_path: Path) -> None:
    assert verify(replace(file_by_key(ground), key=None), tmp_path) == 6
    assert verify(replace(by_certificate(ground, "file"), key=pem(ground.key)), tmp_path) == 6


@pytest.mark.parametrize("identity", [SUBJECT.upper(), SUBJECT[:-1], f"{SUBJECT}/", ".*"])
def test_an_identity_is_compared_exactly(ground: Ground, tmp_path: Path, identity: str) -> None:
    arguments = by_certificate(ground, "file").arguments(tmp_path, str(tmp_path / "file"))
    (tmp_path / "file").write_bytes(FILE)
    arguments[arguments.index(SUBJECT)] = identity
    assert main(["conformance", "verify-bundle", *arguments]) == 6


def test_a_key_and_an_identity_at_once_are_refused(ground: Ground, tmp_path: Path) -> None:
    who = ("--certificate-identity", SUBJECT, "--certificate-oidc-issuer", "https://issuer.example")
    assert verify(file_by_key(ground), tmp_path, more=who) == 2
    assert verify(file_by_key(ground), tmp_path, more=who[:2]) == 2


@pytest.mark.parametrize("staging", [(), ("--staging",)])
def test_the_public_instances_trust_nobody_here(ground: Ground, tmp_path: Path, staging: tuple[str, ...]) -> None:
    (tmp_path / "file").write_bytes(FILE)
    for case in (by_certificate(ground, "file"), file_by_key(ground)):
        arguments = case.arguments(tmp_path, str(tmp_path / "file"))
        place = arguments.index("--trusted-root")
        del arguments[place : place + 2]
        assert main(["conformance", "verify-bundle", *staging, *arguments]) == 6


@pytest.mark.parametrize("absent", [False, True])
def test_a_zero_may_be_absent_or_null(tmp_path: Path, absent: bool) -> None:
    """As in the entry of the first index of a log, and in a trust root without some kind of service."""
    ground = Ground(tmp_path)
    ground.log.leaves.clear()
    case = file_by_key(ground)
    bundle: Any = copy.deepcopy(case.bundle)
    (only,) = bundle["verificationMaterial"]["tlogEntries"]
    assert (only["logIndex"], only["inclusionProof"]["hashes"]) == ("0", [])
    root = {**case.root, "timestampAuthorities": None, "ctlogs": None}
    for place, name in ((only, "logIndex"), (only["inclusionProof"], "logIndex"), (only["inclusionProof"], "hashes")):
        place[name] = None
        if absent:
            del place[name]
    if absent:
        del root["timestampAuthorities"], root["ctlogs"]
    bundle["verificationMaterial"]["certificate"] = None
    assert verify(replace(case, bundle=bundle, root=root), tmp_path) == 0


FILES: dict[str, tuple[str, bytes | None, int]] = {
    "no bundle": ("bundle.json", None, 2),
    "an empty bundle": ("bundle.json", b"", 6),
    "a bundle cut short": ("bundle.json", b'{"mediaType": "application/vnd', 6),
    "a bundle of many brackets": ("bundle.json", b"[" * 100_000, 6),
    "a bundle that is a list": ("bundle.json", b"[]", 6),
    "no key": ("key.pub", None, 2),
    "a key that is none": ("key.pub", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", 6),
    "a key of another world": (
        "key.pub",
        ec.generate_private_key(ec.SECP256K1())
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        6,
    ),
    "a key that signs no digests": (
        "key.pub",
        ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        6,
    ),
    "no trust root": ("root.json", None, 6),
    "a trust root of nothing": ("root.json", b"{}", 6),
    "no file": ("file", None, 2),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_not_what_it_should_be_is_said(
    ground: Ground, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(FILE)
    arguments = file_by_key(ground).arguments(tmp_path, str(tmp_path / "file"))
    which, data, code = FILES[name]
    if data is None:
        (tmp_path / which).unlink()
    else:
        (tmp_path / which).write_bytes(data)
    assert main(["conformance", "verify-bundle", *arguments]) == code
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert "a bug" not in told
