"""Access entries and the policies associated with them (EKS API reference, CreateAccessEntry and its neighbours)."""

import re
import time
import uuid
from urllib.parse import unquote

from moto.core.responses import ActionResult, EmptyResult
from moto.eks.responses import EKSResponse

from .memory import Key, arn, find, in_use, memory

# The principal's ARN holds slashes, so it cannot be one segment of a route.
_PATH = re.compile(
    r"^/clusters/(?P<cluster>[^/]+)/access-entries/(?P<principal>.+?)(?:/access-policies(?:/(?P<policy>.+))?)?$"
)
_WHAT = "access entry resource"


class Access(EKSResponse):
    """Who may speak to a cluster's API."""

    def create_access_entry(self) -> ActionResult:
        """Admit a principal to a cluster, once."""
        cluster, principal = self._get_param("name"), self._get_param("principalArn")
        self.eks_backend.describe_cluster(cluster)
        entries = memory(self.eks_backend).entries
        if (cluster, principal) in entries:
            raise in_use(cluster, _WHAT)
        parts = (cluster, "role", self.current_account, principal.split("/")[-1], str(uuid.uuid4()))
        entry = {
            "clusterName": cluster,
            "principalArn": principal,
            "kubernetesGroups": self._get_param("kubernetesGroups") or [],
            "accessEntryArn": arn(self, "access-entry", *parts),
            "createdAt": time.time(),
            "modifiedAt": time.time(),
            "tags": self._get_param("tags") or {},
            "username": self._get_param("username") or principal,
            "type": self._get_param("type") or "STANDARD",
        }
        entries[cluster, principal] = entry
        return ActionResult({"accessEntry": entry})

    def describe_access_entry(self) -> ActionResult:
        """Answer with one entry."""
        return ActionResult({"accessEntry": find(memory(self.eks_backend).entries, self._entry(), _WHAT)})

    def update_access_entry(self) -> ActionResult:
        """Change the groups or the user name of one entry."""
        entry = find(memory(self.eks_backend).entries, self._entry(), _WHAT)
        entry.update({k: v for k in ("kubernetesGroups", "username") if (v := self._get_param(k)) is not None})
        return ActionResult({"accessEntry": entry})

    def delete_access_entry(self) -> ActionResult:
        """Forget one entry and the policies associated with it."""
        found = memory(self.eks_backend)
        find(found.entries, self._entry(), _WHAT)
        del found.entries[self._entry()]
        found.policies.pop(self._entry(), None)
        return EmptyResult()

    def list_access_entries(self) -> ActionResult:
        """List the principals that a cluster admits."""
        name = self._get_param("name")
        entries = [principal for cluster, principal in memory(self.eks_backend).entries if cluster == name]
        return ActionResult({"accessEntries": entries})

    def associate_access_policy(self) -> ActionResult:
        """Give an entry one of EKS's policies, in the whole cluster or in some namespaces."""
        found, key = memory(self.eks_backend), self._entry()
        find(found.entries, key, _WHAT)
        policy = self._get_param("policyArn")
        now = time.time()
        association = {
            "policyArn": policy,
            "accessScope": self._get_param("accessScope"),
            "associatedAt": now,
            "modifiedAt": now,
        }
        found.policies.setdefault(key, {})[policy] = association
        return ActionResult({"clusterName": key[0], "principalArn": key[1], "associatedAccessPolicy": association})

    def list_associated_access_policies(self) -> ActionResult:
        """List an entry's policies."""
        found, key = memory(self.eks_backend), self._entry()
        find(found.entries, key, _WHAT)
        policies = list(found.policies.get(key, {}).values())
        return ActionResult({"clusterName": key[0], "principalArn": key[1], "associatedAccessPolicies": policies})

    def disassociate_access_policy(self) -> ActionResult:
        """Take one policy from an entry."""
        match = _PATH.match(unquote(self.path))
        memory(self.eks_backend).policies.get(self._entry(), {}).pop(match["policy"] if match else "", None)
        return EmptyResult()

    def _entry(self) -> Key:
        match = _PATH.match(unquote(self.path))
        if match is None:
            raise ValueError(f"not the path of an access entry: {self.path}")
        return match["cluster"], match["principal"]
