"""A TUF repository of one target, `trusted_root.json`, as the public Sigstore has one, and a client that trusts it."""

import json
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from securesystemslib.signer._crypto_signer import CryptoSigner
from tuf.api._payload import Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.metadata import Metadata

TARGET = "trusted_root.json"


def publish(directory: Path, trusted_root: Mapping[str, Any]) -> Path:
    """Write the repository, signed by a key that is forgotten, and return its root."""
    signer, ends = CryptoSigner.generate_ed25519(), datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    content = json.dumps(trusted_root).encode()
    (directory / "targets").mkdir(parents=True)
    (directory / "targets" / TARGET).write_bytes(content)
    targets = {TARGET: TargetFile.from_data(TARGET, content, ["sha256", "sha512"])}
    root = Root(expires=ends, consistent_snapshot=False)
    for role in ("root", "timestamp", "snapshot", "targets"):
        root.add_key(signer.public_key, role)
    roles: dict[str, Metadata[Any]] = {
        "root": Metadata(root),
        "timestamp": Metadata(Timestamp(expires=ends)),
        "snapshot": Metadata(Snapshot(expires=ends)),
        "targets": Metadata(Targets(expires=ends, targets=targets)),
    }
    for name, metadata in roles.items():
        metadata.sign(signer)
        metadata.to_file(str(directory / f"{name}.json"))
    return directory / "root.json"


def trusted_by(cosign: Path, repository: Path, root: Path, home: Path) -> dict[str, str]:
    """Return the environment in which whatever asks for Sigstore's trust root gets that of a repository of files."""
    home.mkdir()
    environment = {"HOME": str(home), "TUF_ROOT": str(home / "tuf"), "PATH": "/usr/bin:/bin"}
    command: list[str | Path] = [cosign, "initialize", "--mirror", repository.as_uri(), "--root", root]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return environment
