"""Say which cluster is spoken to, and that a deploy may do there what it will do, before anything is written."""

from collections.abc import Iterable
from dataclasses import dataclass

from shipseal.cluster.access import Access
from shipseal.cluster.api import Api, Refused
from shipseal.cluster.identity import ClusterIdentity, identify
from shipseal.cluster.rights import lacking
from shipseal.deploying.manifests import dig
from shipseal.deploying.platform import Right
from shipseal.engine.stage import Context
from shipseal.errors import ConfigError, RemoteFailed, VerificationFailed

UNKNOWN = "unknown"
"""The UID of a cluster that does not let this user see it."""

_SKEW = 60  # seconds; tokens are refused that are from further in the future than this or so
_FORBIDDEN = 403
_REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@dataclass(frozen=True)
class DeployTarget:
    """A cluster that was looked at: how it is spoken to, which it is, and who we are to it."""

    api: Api
    cluster: ClusterIdentity
    user: str


async def look_at(api: Api, access: Access, context: Context) -> DeployTarget:
    """Return the cluster behind an API server.

    Raises:
        VerificationFailed: it is another than `[deploy] cluster-uid`.
        ConfigError: the manifests are checked against another version than it has.
        RemoteFailed: it does not let this user in, or not say which cluster it is where that was asked for.
    """
    deploy = context.config.deploy
    cluster = await _identified(api, pinned=bool(deploy.cluster_uid))
    if deploy.cluster_uid and cluster.uid != deploy.cluster_uid:
        raise VerificationFailed(
            f"{access.server} is another cluster than [deploy] cluster-uid names",
            why=(f"configured  {deploy.cluster_uid}", f"found       {cluster.uid}, by the context {access.context}"),
            remedy="name the context of the cluster that is meant; nothing was written",
        )
    if cluster.version != deploy.kubernetes:
        raise ConfigError(
            f"the cluster is Kubernetes {cluster.version}, and the manifests were checked against {deploy.kubernetes}",
            why=f"{access.server} says that it is {cluster.git_version}",
            remedy="set [deploy] kubernetes to the version of the cluster; nothing was written",
        )
    if api.skew is not None and abs(api.skew) > _SKEW:
        context.say(f"the clocks of this machine and of the cluster differ by {api.skew:.0f} s")
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    user = str(dig(await api.create(_REVIEW, review), "status", "userInfo").get("username") or UNKNOWN)
    context.say(f"the cluster is {cluster.git_version} at {access.server}, and knows us as {user}")
    return DeployTarget(api, cluster, user)


async def _identified(api: Api, *, pinned: bool) -> ClusterIdentity:
    try:
        return await identify(api)
    except Refused as refused:
        if pinned or refused.code != _FORBIDDEN:
            raise
        return await identify(api, uid=UNKNOWN)


async def require_rights(api: Api, rights: Iterable[Right]) -> None:
    """Raise `RemoteFailed` that names every right that whoever deploys needs and has not."""
    if missing := await lacking(api, sorted(rights)):
        raise RemoteFailed(
            f"this user lacks {len(missing)} of the rights that a deploy needs",
            why=[str(each) for each in missing],
            remedy="an administrator applies the platform again (k8s/platform), or binds its Role; nothing was written",
        )
