"""`[deploy]` of `pipeline.toml`: which manifests, with which image, and the cluster that they are for. Pure."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from shipseal.digest import Reference
from shipseal.errors import VerificationFailed
from shipseal.project.section import Anywhere, Inside, Line, Section, each_once

# A Service's port by name and a path, through the API server, or an address: https, or http on loopback.
_PROBE = r"^$|^([a-z0-9-]+:[a-z0-9-]+|https://[!-~]+?|http://127\.0\.0\.1:[0-9]+)/[!-~]*$"


def _by_digest(image: str) -> str:
    try:
        return str(Reference.parse(image))
    except VerificationFailed as error:
        raise ValueError(f"{error.what}: write REGISTRY/REPOSITORY@sha256:…") from error


class Eks(Section):
    """The EKS cluster that is deployed to; its endpoint and authority come from AWS, by the user's own credentials."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")
    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")
    role: str = Field(default="", pattern=r"^$|^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+$")


class Deploy(Section):
    """Which manifests are rendered, which container of theirs gets the image, and the cluster that they are for."""

    manifests: Inside | None = None
    platform: Inside | None = None
    container: str = "app"
    also_images: Annotated[tuple[Annotated[str, AfterValidator(_by_digest)], ...], AfterValidator(each_once)] = ()
    kubernetes: str = Field(default="1.35", pattern=r"^1\.\d+$")
    kubeconfig: Anywhere | None = None
    context: Line = ""
    cluster_uid: str = Field(default="", pattern=r"^$|^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
    eks: Eks | None = None
    probe: str = Field(default="", pattern=_PROBE)
    timeout_seconds: float = Field(default=600, ge=1, le=3600)

    @model_validator(mode="after")
    def _one_way_to_the_cluster(self) -> Self:
        if self.eks and (self.kubeconfig or self.context):
            raise ValueError("give either [deploy.eks], or kubeconfig and context")
        return self
