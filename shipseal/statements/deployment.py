"""What is signed of a deploy: which rendered set belongs to an image, and a receipt of what came to run. Pure.

Both predicate types are ours, and described in docs/deploying.md: there is no common one.
"""

from collections.abc import Mapping
from typing import Self

from pydantic import Field

from shipseal.digest import Digest, Reference
from shipseal.errors import VerificationFailed
from shipseal.statements.envelopes import unverified
from shipseal.statements.predicates import ImageName, Own, Said, Sha256, read

APART = frozenset({"deployedAt", "deployer", "verification"})
"""What a second run says otherwise of the same deployment: its receipt is adopted, and no other signed."""


class RenderedSet(Own):
    """The rendered set of an image: the digest of its YAML, the namespace and the objects in it."""

    image: ImageName
    digest: Sha256
    namespace: str
    objects: list[str]
    kubernetes: str


class Where(Said):
    """A cluster, by the UID of its namespace kube-system, its version, and the namespace."""

    uid: str
    version: str
    namespace: str


class Manifests(Said):
    """The rendered set that was applied: its digest, and the objects in it."""

    digest: Sha256
    objects: list[str]


class Verification(Said):
    """By which policy the image was verified right before, and the bundles that satisfied it."""

    policy: str
    policy_digest: Sha256
    bundles: list[Sha256]
    waiver: str = ""


class Pod(Said):
    """A pod as it ran: what its node says of the image, and whether that is the verified one."""

    name: str
    uid: str
    node: str
    image_id: str
    match: str


class Probe(Said):
    """What the service was asked, and the status of its answer; nothing and 0 where nobody asked."""

    asked: str = ""
    status: int = 0


class Rollback(Said):
    """From which image it was rolled back, and why."""

    image: ImageName
    reason: str


class Receipt(Own):
    """One deployment: what, where, by which verification, by whom, and what ran.

    `sequence` counts the receipts of a namespace, from 1; `deployer` is who the API server says that it was.
    """

    sequence: int = Field(ge=1, le=999_999)
    deployed_at: str
    deployer: str
    image: ImageName
    where: Where
    manifests: Manifests
    verification: Verification
    pods: list[Pod]
    probe: Probe = Probe()
    rollback: Rollback | None = None

    @property
    def reference(self) -> Reference:
        """The image."""
        return Reference.parse(self.image)

    @property
    def rendered(self) -> Digest:
        """The digest of the rendered set."""
        return Digest.parse(self.manifests.digest)

    @property
    def proven(self) -> bool:
        """Whether every pod was seen to run the verified image, and there was one."""
        return bool(self.pods) and all(pod.match == "equal" for pod in self.pods)

    @classmethod
    def read(cls, predicate: object) -> Self:
        """Read the predicate of a verified statement; raise `VerificationFailed` when it is no receipt."""
        try:
            return read(cls, predicate if isinstance(predicate, Mapping) else {})
        except (ValueError, VerificationFailed) as error:
            raise VerificationFailed("what was signed is not a receipt of a deployment", why=str(error)) from error


def of_bundle(bundle: bytes) -> Receipt:
    """Return the receipt in a bundle that was verified, or that we have made; raise `VerificationFailed` for others."""
    try:
        return Receipt.read(unverified(bundle).predicate)
    except ValueError as error:
        raise VerificationFailed("it is not a bundle with a receipt", why=str(error)) from error
