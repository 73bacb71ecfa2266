"""Say to the admission controllers of others what `verification.toml` says: policy-controller and Kyverno. Pure.

Both know who has signed a statement by the name and the issuer in the certificate, and which type it is of, at the
digest that a pod names. What they cannot know is refused where anybody could make use of it, and else told. Sources:
Sigstore policy-controller v0.13.1, `v1beta1.ClusterImagePolicy`; Kyverno v1.19.1, `policies.kyverno.io/v1`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from shipseal.deploying.manifests import Manifest
from shipseal.errors import ConfigError
from shipseal.signing.signers import Allowed
from shipseal.statements.builders import PredicateType
from shipseal.verification.trust import Policy, Scope, SignerRule, TrustRoot, kind_name

_FULCIO, _REKOR = "https://fulcio.sigstore.dev", "https://rekor.sigstore.dev"
_HUB = "docker.io/"
# What policy-controller takes for a glob (pkg/apis/glob); in brackets, an address of IPv6 is none.
_GLOB = re.compile(r"[a-zA-Z0-9-_:/.]+")

Identity = Mapping[str, str]
Groups = Mapping[tuple[SignerRule, ...], list[PredicateType]]
"""Which kinds are asked of the same signers."""


def require_expressible(policy: Policy, repository: str) -> None:
    """Raise `ConfigError` where a policy asks for what neither controller can ask for."""
    found = list(_inexpressible(policy, repository))
    if found:
        raise ConfigError(
            f"the policy {policy.name} cannot be told to the admission controllers",
            why=found,
            remedy="let the cluster run what `deploy` has verified, or name signers that a "
            "certificate's name tells apart",
        )


def left_to_verify(policy: Policy) -> Iterator[str]:
    """Yield what `verify` refuses and the controllers let in: people have to know it."""
    yield "what statements say, beyond their type; a revocation; the name of the repository that they were made for"
    platforms = sorted(kind_name(kind) for kind, scope in policy.require.items() if scope is Scope.PLATFORM)
    if platforms:
        yield f"whether each platform has its own {', '.join(platforms)}"
    if ages := {name: days for name, days in policy.rules.maximum_age_days if days}:
        yield f"how old they are: {', '.join(f'{name} up to {days} days' for name, days in sorted(ages.items()))}"
    for rule in policy.signers:
        for what, value in (("runner", rule.runner), ("environment", rule.environment)):
            if value:
                yield f"that the {what} was {value}"


def cluster_image_policies(policy: Policy, repository: str, also: Sequence[str], name: str) -> tuple[Manifest, ...]:
    """Return what policy-controller enforces: a policy for the kinds of the same signers, and all must be satisfied.

    It calls Docker Hub `index.docker.io`, and compares the glob with that. Of a keyless authority it looks at nothing
    unless `url` is there, with bundles too. Images that nobody here signs (`also`) pass by their digests, since it
    refuses what no policy matches.

    Raises:
        ConfigError: the trust root is none that it can read bundles with.
    """
    if policy.rules.trust_root is not TrustRoot.PUBLIC:
        raise ConfigError(
            "policy-controller can be told of no trust root but the public Sigstore's",
            why="v0.13.1 looks for the logs of a TrustRoot by an identifier that no bundle has (sigstore/"
            "policy-controller#1968)",
            remedy="leave it out: --for cluster, or --for kyverno",
        )
    specs = [_enforced(f"{repository}@sha256:*", _authority(*group)) for group in _groups(policy).items()]
    specs += [_enforced(each, {"name": "known", "static": {"action": "pass"}}) for each in also]
    return tuple(
        _manifest("policy.sigstore.dev/v1beta1", "ClusterImagePolicy", f"{name}-{number}", spec)
        for number, spec in enumerate(specs, 1)
    )


def image_validating_policy(policy: Policy, repository: str, namespace: str, root: str | None) -> Manifest:
    """Return what Kyverno enforces.

    Args:
        policy: who may sign what.
        repository: the image's, `HOST/PATH`.
        namespace: where pods are looked at.
        root: the trust root in JSON; None for the public Sigstore's.
    """
    trust: Mapping[str, object] = {"trustedRoot": {"value": root}} if root else {"ctlog": {"url": _REKOR}}
    attestors, validations = [], list[Mapping[str, str]]()
    for number, (signers, kinds) in enumerate(_groups(policy).items(), 1):
        keyless = {"identities": _identities(signers)}
        attestors.append({"name": f"signers{number}", "cosign": {"keyless": keyless, **trust}})
        validations += [_asked(kind, f"signers{number}") for kind in kinds]
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["pods"]}
    spec = {
        "failurePolicy": "Fail",
        "validationActions": ["Deny"],
        "webhookConfiguration": {"timeoutSeconds": 30},
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "resourceRules": [pods],
        },
        "matchImageReferences": [{"glob": f"{repository}@sha256:*"}],
        "validationConfigurations": {"required": True, "verifyDigest": True, "mutateDigest": False},
        "attestors": attestors,
        "attestations": [
            {"name": _variable(kind), "intoto": {"type": str(kind)}}
            for kinds in _groups(policy).values()
            for kind in kinds
        ],
        "validations": validations,
    }
    return _manifest("policies.kyverno.io/v1", "ImageValidatingPolicy", namespace, spec)


def _inexpressible(policy: Policy, repository: str) -> Iterator[str]:
    own = policy.rules.repository
    if own and own != repository:
        yield (
            f"[image] repository is {repository}, and statements have to name {own}: no image of it passes `verify`; "
            "another case, host or port is another repository"
        )
    if not _GLOB.fullmatch(repository):
        yield f"{repository} is not a pattern to policy-controller: give the registry a name"
    if policy.rules.trust_root is TrustRoot.RUN:
        yield "its trust root is one that a run leaves, and no cluster is to trust that"
    for rule in policy.signers:
        if rule.key:
            yield f"the key {rule.key}: policy-controller verifies no bundle by a key (sigstore/policy-controller#1958)"
        if rule.builder:
            yield f"{rule}: the certificate has the builder's name, whoever has called it, and the caller is not seen"
    for kind in policy.require:
        if not _who(policy, kind):
            yield f"{kind_name(kind)} is required, and nobody may sign it"


def _groups(policy: Policy) -> Groups:
    groups: dict[tuple[SignerRule, ...], list[PredicateType]] = {}
    for kind in sorted(policy.require, key=kind_name):
        groups.setdefault(_who(policy, kind), []).append(kind)
    return groups


def _who(policy: Policy, kind: PredicateType) -> tuple[SignerRule, ...]:
    return tuple(rule for rule in policy.signers if not rule.statements or kind_name(kind) in rule.statements)


def _enforced(image: str, authority: Mapping[str, object]) -> Mapping[str, object]:
    resolved = f"index.{image}" if image.startswith(_HUB) else image
    return {"images": [{"glob": resolved}], "mode": "enforce", "authorities": [authority]}


def _authority(signers: Sequence[SignerRule], kinds: Sequence[PredicateType]) -> Mapping[str, object]:
    return {
        "name": "signers",
        "signatureFormat": "bundle",
        "keyless": {"url": _FULCIO, "identities": _identities(signers)},
        "ctlog": {"url": _REKOR},
        "attestations": [{"name": kind_name(kind), "predicateType": str(kind)} for kind in kinds],
    }


def _identities(signers: Sequence[SignerRule]) -> list[Identity]:
    return [identity for rule in signers for identity in _identity(rule)]


def _identity(rule: Allowed) -> Iterator[Identity]:
    if rule.identity:
        yield {"issuer": rule.issuer, "subject": rule.identity}
        return
    for ref in rule.ref:
        name = f"{rule.repository}/{rule.workflow}@{ref}"
        if ref.endswith("*"):  # as `signers` has it: the rest of that segment, of one character or more
            yield {"issuer": rule.issuer, "subjectRegExp": f"^{re.escape(name[:-1])}[^/]+$"}
        else:
            yield {"issuer": rule.issuer, "subject": name}


def _asked(kind: PredicateType, signers: str) -> Mapping[str, str]:
    every = "(images.containers + images.initContainers + images.ephemeralContainers)"
    verified = f"verifyAttestationSignatures(image, attestations.{_variable(kind)}, [attestors.{signers}]) > 0"
    message = f"an image has no {kind_name(kind)} by somebody who may sign it"
    return {"expression": f"{every}.all(image, {verified})", "message": message}


def _variable(kind: PredicateType) -> str:
    return kind_name(kind).replace("-", "_")


def _manifest(version: str, kind: str, name: str, spec: Mapping[str, object]) -> Manifest:
    return Manifest({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec})
