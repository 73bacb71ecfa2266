"""A statement that is published already, signed again by somebody else and attached in its place."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shipseal.digest import Digest
from tests.commands import Ended
from tests.release.called import Called
from tests.release.projects import REPOSITORY
from tests.release.registries import MANIFEST


def sign(signer: Called, cosign: Path, name: str, work: Path) -> bytes:
    """Return the bundle of one of a release's statements, as a job with the signer's claims signs it."""
    statement = signer.run_dir / "attest" / "statements" / f"{name}.json"
    command: list[str | Path] = [cosign, "attest-blob", "--statement", statement, "--yes"]
    command += ["--bundle", work / "bundle.json", "--signing-config", signer.services]
    command += ["--trusted-root", signer.policy.with_name("authority.json")]
    token = {"SIGSTORE_ID_TOKEN": signer.token(), "HOME": str(work)}
    ended = subprocess.run(command, env=token, capture_output=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return (work / "bundle.json").read_bytes()


def verified(signer: Called, name: str, bundle: bytes) -> Ended:
    """Verify what was released as a consumer does, while another bundle is attached in the place of a statement's."""
    reference = str(signer.read("publish/receipt.json")["reference"])
    with _in_place_of(signer, name, bundle):
        return signer.run("verify", reference, "--policy", signer.policy)


@contextmanager
def _in_place_of(signer: Called, name: str, bundle: bytes) -> Iterator[None]:
    """Have another bundle attached wherever that of a statement was, for as long as the block runs."""
    registry = signer.registry
    ours = str(Digest.of((signer.run_dir / "attest" / "bundles" / f"{name}.sigstore.json").read_bytes()))
    theirs = {"digest": str(Digest.of(bundle)), "size": len(bundle)}
    registry.put_blob(REPOSITORY, bundle)
    put, removed = list[str](), dict[str, bytes]()
    try:
        for subject in signer.read("publish/receipt.json")["subjects"]:
            for referrer in registry.referrers(REPOSITORY, subject):
                data = registry.get(f"{REPOSITORY}/manifests/{referrer}", MANIFEST)
                manifest = json.loads(data)
                if manifest["layers"][0]["digest"] != ours:
                    continue
                manifest["layers"][0] |= theirs
                other = json.dumps(manifest).encode()
                put.append(str(Digest.of(other)))
                removed[referrer] = data
                registry.put(f"{REPOSITORY}/manifests/{put[-1]}", other, MANIFEST)
                registry.delete(f"{REPOSITORY}/manifests/{referrer}")
        assert put, f"{name} is attached nowhere"
        yield
    finally:
        for digest in put:
            registry.delete(f"{REPOSITORY}/manifests/{digest}")
        for digest, data in removed.items():
            registry.put(f"{REPOSITORY}/manifests/{digest}", data, MANIFEST)
