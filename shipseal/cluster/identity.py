"""Know which cluster it is that answers: by the uid of its kube-system, which no other cluster has."""

import re
from dataclasses import dataclass

from shipseal.cluster.api import Api
from shipseal.cluster.resources import collection, member
from shipseal.deploying.manifests import dig
from shipseal.errors import RemoteFailed
from shipseal.terminal_text import line

_UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Minor versions of providers have a sign behind them: `35+`.
_MAJOR, _MINOR = re.compile(r"[0-9]{1,3}"), re.compile(r"([0-9]{1,4})\+?")


@dataclass(frozen=True)
class ClusterIdentity:
    """A cluster: the uid of its kube-system, its version as `1.35`, and as whoever built it spells it."""

    uid: str
    version: str
    git_version: str


async def identify(api: Api, uid: str = "") -> ClusterIdentity:
    """Ask which cluster it is, and of which version.

    Args:
        api: the API server.
        uid: what stands for its uid where this login may not know it; then it is not asked for.

    Raises:
        RemoteFailed: it does not say; it is of the kind `Refused` where this login may not know.
    """
    kube_system = member(collection("", "", "namespaces"), "kube-system")
    found = uid or dig(await api.get(kube_system), "metadata").get("uid")
    told = await api.get("/version") or {}
    major, minor = (str(told.get(each)) for each in ("major", "minor"))
    number = _MINOR.fullmatch(minor)
    if not (isinstance(found, str) and (uid or _UID.fullmatch(found)) and _MAJOR.fullmatch(major) and number):
        raise RemoteFailed(
            f"the API server of {api.access.context} does not say which cluster it is",
            why=line(f"kube-system has the uid {found}, and the version is {major}.{minor}")[:300],
            remedy="see that the address in the kubeconfig is that of an API server",
        )
    return ClusterIdentity(found, f"{major}.{number[1]}", line(str(told.get("gitVersion", "")))[:100])
