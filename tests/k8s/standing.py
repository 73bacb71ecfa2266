"""What `shipseal status` found somewhere, as a value: a receipt, three pods, and the project's own policy."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import cast

from shipseal.cluster.api import Api
from shipseal.cluster.identity import ClusterIdentity
from shipseal.deploying.running import Match, Running
from shipseal.digest import Digest
from shipseal.judging.policy_files import PolicyFiles
from shipseal.judging.waivers import DeployWaiver, Waiver
from shipseal.project.config import HOME, Config
from shipseal.rollout import metrics
from shipseal.rollout.history import Genuine, ReceiptConfigMap
from shipseal.rollout.status import NamespaceStatus
from shipseal.rollout.target import DeployTarget
from shipseal.signing.roots import ends, public_root
from shipseal.statements.deployment import Manifests, Receipt, Verification, Where
from shipseal.verification.policy_file import read_policy

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
IMAGE = f"docker.io/example/simpletimeservice@{Digest.of(b'image')}"
UID = "0b1e7a52-6f0c-4c1e-9d3a-5f3f8f0c2b11"
SINCE, UNTIL = date(2026, 11, 1), date(2026, 12, 24)
NAMESPACE = "simpletimeservice"
# Nobody is asked anything by it.
TARGET = DeployTarget(cast(Api, None), ClusterIdentity(UID, "1.35", "v1.35.2"), "ann")


def genuine() -> Genuine:
    """Return a receipt of this morning."""
    receipt = Receipt(
        sequence=7,
        deployed_at="2026-11-29T08:00:00Z",
        deployer="ann",
        image=IMAGE,
        where=Where(uid=UID, version="1.35", namespace=NAMESPACE),
        manifests=Manifests(digest=str(Digest.of(b"set")), objects=["Deployment simpletimeservice"]),
        verification=Verification(policy="production", policy_digest=str(Digest.of(b"policy")), bundles=[]),
        pods=[],
    )
    return Genuine(ReceiptConfigMap("deploy-receipt-000007", 7, UID, b"", b""), receipt, "ann")


def standing() -> NamespaceStatus:
    """Return a namespace in which all is as it was deployed."""
    pods = tuple(Running(f"one-{number}", UID, "node", IMAGE, Match.EQUAL, "") for number in range(3))
    return NamespaceStatus(NAMESPACE, TARGET, genuine(), pods=pods)


def rules() -> metrics.ExpiringInputs:
    """Return the project's policy with a waiver of each kind."""
    policy = read_policy(HOME / "policy" / "verification.toml", "production")
    files = PolicyFiles.load(Config.load(Path(HOME) / "pipeline.toml"))
    days, why = {"since": "2026-11-01", "until": "2026-12-24"}, "nobody can reach it where it is used"
    waiver = Waiver.model_validate(
        {"finding": "CVE-2030-1", "package": "pkg:deb/debian/libc6", "reason": why, "owner": "ann", **days},
        strict=False,
    )
    deploy = DeployWaiver.model_validate(
        {"image": str(Digest.of(b"image")), "reason": why, "owner": "ann", **days}, strict=False
    )
    roots = ends(public_root().read_bytes())
    return metrics.ExpiringInputs(policy, replace(files, waivers=(waiver,)), (deploy,), roots)


def text() -> str:
    """Return what `status --metrics` writes of it."""
    return metrics.text(standing(), rules(), NOW)
