"""All of EKS in one class, at the addresses that its API has."""

from moto.core.responses import ActionResult, EmptyResult
from moto.eks import urls

from .access import Access
from .addons import Addons
from .clusters import Clusters
from .memory import memory
from .nodegroups import NodeGroups
from .pod_identity import PodIdentity

_ROUTES = (
    "/clusters/(?P<name>[^/]+)/updates",
    "/clusters/(?P<name>[^/]+)/updates/(?P<updateId>[^/]+)",
    "/clusters/(?P<name>[^/]+)/node-groups/(?P<nodegroupName>[^/]+)/update-version",
    "/clusters/(?P<name>[^/]+)/access-entries",
    "/clusters/(?P<name>[^/]+)/access-entries/(?P<principalArn>.+)",
    "/addons/supported-versions",
    "/clusters/(?P<name>[^/]+)/addons",
    "/clusters/(?P<name>[^/]+)/addons/(?P<addonName>[^/]+)",
    "/clusters/(?P<name>[^/]+)/addons/(?P<addonName>[^/]+)/update",
    "/clusters/(?P<name>[^/]+)/pod-identity-associations",
    "/clusters/(?P<name>[^/]+)/pod-identity-associations/(?P<associationId>[^/]+)",
)


class Eks(Clusters, NodeGroups, Access, Addons, PodIdentity):
    """The service that answers; moto makes one for each request."""

    def tag_resource(self) -> ActionResult:
        """Tag whatever the ARN names; moto knows of clusters only."""
        for arn, tags in memory(self.eks_backend).tagged():
            if arn == self._extract_arn_from_path():
                tags.update(self._get_param("tags"))
                return EmptyResult()
        return super().tag_resource()


def install() -> None:
    """Answer every EKS request by `Eks` from here on."""
    routes = [*urls.url_paths, *("{0}" + route + "$" for route in _ROUTES)]
    urls.url_paths.update(dict.fromkeys(routes, Eks.dispatch))
