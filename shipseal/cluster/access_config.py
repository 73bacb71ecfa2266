"""Find how the cluster is reached that a project names, or its user."""

import os
from collections.abc import Mapping
from pathlib import Path

from shipseal.cluster import kubeconfig, plugin
from shipseal.cluster.access import Access
from shipseal.project.deploy import Deploy


async def configured(deploy: Deploy, environment: Mapping[str, str], named: Path | None = None) -> Access:
    """Return how the cluster is reached: what the user names now, else what the project does, else the user's own.

    A kubeconfig that the project names starts no program: it is somebody else's file until the user names it.

    Args:
        deploy: `[deploy]` of the project.
        environment: of the user: `KUBECONFIG`, `HOME`, `AWS_*`, and what a job of GitHub has for its identity.
        named: the kubeconfig that the user has named for this command.

    Raises:
        ConfigError: there is no kubeconfig or no such context, or it asks for what is not done here.
        RemoteFailed: AWS does not say where the cluster is.
        UsageError: there are no credentials of AWS.
    """
    if named is not None:
        return kubeconfig.read([named], deploy.context, plugin.start)
    if deploy.eks is not None:
        from shipseal.cluster import eks, github  # noqa: PLC0415 - botocore is slow to import, and few clusters are of EKS

        amazon = {name: value for name, value in environment.items() if name.startswith("AWS_") or name in github.BOTH}
        return await eks.access(deploy.eks.name, deploy.eks.region, deploy.eks.role, environment=amazon)
    if deploy.kubeconfig is not None:
        return kubeconfig.read([deploy.kubeconfig], deploy.context, None)
    listed = [Path(each) for each in environment.get("KUBECONFIG", "").split(os.pathsep) if each]
    default = [Path(environment.get("HOME", "/")) / ".kube" / "config"]
    return kubeconfig.read(listed or default, deploy.context, plugin.start)
