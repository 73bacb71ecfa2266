"""Know who signs, by what an identity token promises. What the certificate then says is in `certificate`. Pure.

Sources: Fulcio, docs/oidc.md (which claim of a token goes where) and docs/oid-info.md (the numbers of the extensions).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from shipseal.errors import UsageError
from shipseal.statements.builders import Signed, SignerIdentity

TOKEN_VARIABLE = "SIGSTORE_ID_TOKEN"  # noqa: S105 - the name of a variable, and Cosign's own
GITHUB = "https://github.com/"

# What a certificate may say about a build, by the name that we use and Fulcio's number.
CERTIFICATE_CLAIMS: Mapping[str, int] = {
    "build_signer_uri": 9,
    "runner_environment": 11,
    "source_repository_uri": 12,
    "source_repository_digest": 13,
    "source_repository_ref": 14,
    "build_config_uri": 18,
    "build_trigger": 20,
    "run_invocation_uri": 21,
    "deployment_environment": 23,
}


@dataclass(frozen=True)
class Certified:
    """An identity as a certificate has it, or will have it; of a promise only what is certain is among the claims."""

    who: SignerIdentity
    claims: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, signed: Signed) -> Self:
        """Return who has signed something."""
        return cls(signed.who, signed.claims)

    @property
    def builder(self) -> str:
        """The identity that built, as provenance names it: the build signer, where the authority knows one."""
        return self.claims.get("build_signer_uri", self.who.identity)


def promised(token: str, identity: str = "", issuer: str = "") -> Certified:
    """Return what the authority will certify for a token, whose signature only the authority can check.

    A GitHub job is named by its workflow, a person by e-mail, others by subject. Where an issuer only passes on what
    another has found, that other is the issuer.

    Args:
        token: an OpenID Connect token.
        identity: who will be certified where that is known otherwise; for an authority with rules of its own.
        issuer: likewise.

    Raises:
        UsageError: the token cannot be read.
    """
    said = body(token)
    try:
        federated = said.get("federated_claims") or {}
        vouching = str(federated.get("connector_id") or said.get("iss") or "")
        if "job_workflow_ref" not in said:
            return Certified(SignerIdentity(identity or str(said.get("email") or said["sub"]), issuer or vouching))
        workflow = f"{GITHUB}{said['job_workflow_ref']}"
        certain = {
            "build_signer_uri": workflow,
            "source_repository_uri": f"{GITHUB}{said['repository']}" if "repository" in said else "",
            "source_repository_digest": str(said.get("sha", "")),
            "source_repository_ref": str(said.get("ref", "")),
            "build_config_uri": f"{GITHUB}{said['workflow_ref']}" if "workflow_ref" in said else "",
            "deployment_environment": str(said.get("environment", "")),
            "runner_environment": str(said.get("runner_environment", "")),
            "build_trigger": str(said.get("event_name", "")),
            "run_invocation_uri": _invocation(said),
        }
        claims = {name: value for name, value in certain.items() if value}
        return Certified(SignerIdentity(identity or workflow, issuer or vouching), claims)
    except (KeyError, AttributeError) as error:
        raise _unreadable(error) from error


def _invocation(said: Mapping[str, Any]) -> str:
    """Return the address of a run of GitHub's, as Fulcio puts it together (config/identity/config.yaml)."""
    parts = [said.get(name) for name in ("repository", "run_id", "run_attempt")]
    repository, run, attempt = map(str, parts)
    return f"{GITHUB}{repository}/actions/runs/{run}/attempts/{attempt}" if all(parts) else ""


def body(token: str) -> dict[str, Any]:
    """Return what a token says, whoever has signed it; raise `UsageError` when it cannot be read."""
    import jwt  # noqa: PLC0415 - slow, and only what signs reads tokens

    try:
        return jwt.decode(token, options={"verify_signature": False})
    except (jwt.InvalidTokenError, ValueError) as error:  # plain for what is no text in UTF-8
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> UsageError:
    return UsageError("the identity token cannot be read", why=type(error).__name__, remedy=f"correct {TOKEN_VARIABLE}")
