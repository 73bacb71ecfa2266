"""Say who may sign: one exact identity, or a workflow of a repository on some of its refs. Pure.

A workflow is recognised by what the certificate claims, claim by claim, and never by a pattern over an identity: a
repository or branch whose name only begins alike is another one. Where it calls another workflow that builds and signs
for it, both are asked for: that one has the same name in every certificate, whoever has called it. Sources: Fulcio,
docs/oid-info.md and config/identity/config.yaml.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from shipseal.signing.identity import Certified
from shipseal.statements.builders import SignerIdentity
from shipseal.statements.spelling import repository_uri
from shipseal.validation import Checked

# git-check-ref-format(1), in so far as it matters: what is no branch and no tag is no place that people release from.
_REF = re.compile(r"refs/(?:heads|tags)/[^\s*@:?\[\\~^]*[*]?")
_BUILDER = re.compile(r"(?P<repository>https://[^\s*@?#]+?)/\.[^\s*@?#]+@(?P<ref>[^\s*@:?\[\\~^]+)")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_OWN_RUNNER = "self-hosted"
# docs.github.com, "Events that trigger workflows"; docs.gitlab.com, "CI_PIPELINE_SOURCE predefined variable"
_PULL_REQUESTS = frozenset(
    {"pull_request", "pull_request_target", "merge_request_event", "external_pull_request_event"}
)


def _repository(address: str) -> str:
    spelled = repository_uri(address)
    if address and (not spelled.startswith("https://") or not urlsplit(spelled).path.strip("/") or "*" in spelled):
        raise ValueError(f"{address} is not a valid repository: write https://HOST/OWNER/NAME"[:300])
    return spelled


def _workflow(path: str) -> str:
    if any(sign in path for sign in "*@ "):
        raise ValueError(f"{path} is not a valid workflow: write its path in the repository, without a ref"[:300])
    return path


def _builder(uri: str) -> str:
    if uri and not _BUILDER.fullmatch(uri):
        raise ValueError(f"{uri} is not a workflow that others call: write https://HOST/OWNER/NAME/PATH@REF"[:300])
    return uri


def _ref(pattern: str) -> str:
    if not _REF.fullmatch(pattern) or pattern.endswith("/"):
        raise ValueError(
            f"{pattern} is not a valid ref: write refs/heads/… or refs/tags/…, with a * at its end or none"[:300],
        )
    return pattern


class Allowed(Checked):
    """Somebody who may sign: by `identity`, or by `repository`, `workflow` and `ref`.

    `builder` is the workflow that the one of the repository calls to build and to sign, with its ref.
    """

    issuer: str = Field(min_length=1)
    identity: str = ""
    repository: Annotated[str, AfterValidator(_repository)] = ""
    workflow: Annotated[str, AfterValidator(_workflow)] = ""
    ref: tuple[Annotated[str, AfterValidator(_ref)], ...] = ()
    builder: Annotated[str, AfterValidator(_builder)] = ""
    runner: str = ""
    environment: str = ""

    @model_validator(mode="after")
    def _one_way_or_the_other(self) -> Self:
        structured = (self.repository, self.workflow, self.ref)
        more = (self.builder, self.runner, self.environment)
        if not all(structured) if not self.identity else any((*structured, *more)):
            raise ValueError("give identity, or else repository, workflow and ref")
        return self

    @classmethod
    def exactly(cls, who: SignerIdentity) -> Self:
        """Return the one who has an identity."""
        return cls(identity=who.identity, issuer=who.issuer)

    @property
    def who(self) -> SignerIdentity | None:
        """The identity, where it is an exact one."""
        return SignerIdentity(self.identity, self.issuer) if self.identity else None

    def __str__(self) -> str:
        """Return it in words."""
        if self.identity:
            return f"{self.identity}, by {self.issuer}"
        by = f" calling {self.builder}" if self.builder else ""
        return f"{self.workflow} of {self.repository} on {' or '.join(self.ref)}{by}, by {self.issuer}"

    def objection(self, found: Certified) -> str | None:
        """Say why somebody is another one, by what a certificate says; None for whom is meant."""
        if self.identity:
            return None if found.who == self.who else f"it is not {self}"
        claims = found.claims
        return self._other_source(found) or self._other_workflow(found) or self._other_place(claims)

    def within_reach(self) -> str:
        """Say why what is built could reach this signer, or steer it; nothing where a called workflow keeps it apart.

        SLSA v1.2, "Build: Requirements for producing artifacts", Isolation strength.
        """
        if not self.builder:
            return "it names no builder: a workflow that the project does not define has to build and to sign"
        builder = _BUILDER.fullmatch(self.builder)
        if (
            builder
            and repository_uri(builder["repository"]) == self.repository
            and not _COMMIT.fullmatch(builder["ref"])
        ):
            return "its builder is the project's own, and changes with it: name it by its commit"
        if self.runner in {"", _OWN_RUNNER}:
            return "its runner may be anybody's: name the hosted one, as certificates do"
        return ""

    def _other_source(self, found: Certified) -> str | None:
        repository, ref = (found.claims.get(f"source_repository_{name}", "") for name in ("uri", "ref"))
        if found.who.issuer != self.issuer:
            return f"{found.who.issuer} vouches for it, and not {self.issuer}"
        if repository != self.repository:
            return f"its repository is {_named(repository)}, and not {self.repository}"
        if found.claims.get("build_trigger") in _PULL_REQUESTS:
            return "a pull request has started it"
        if not any(_matches(each, ref) for each in self.ref):
            return f"its ref is {_named(ref)}: no {' and no '.join(self.ref)}"
        return None

    def _other_workflow(self, found: Certified) -> str | None:
        claims = found.claims
        own = f"{self.repository}/{self.workflow}@{claims.get('source_repository_ref', '')}"
        builder, workflow, caller = (
            self.builder or own,
            claims.get("build_signer_uri", ""),
            claims.get("build_config_uri", ""),
        )
        if workflow != builder:
            return f"its workflow is {_named(workflow)}, and not {builder}"
        if found.who.identity != builder:
            return f"it is certified as {found.who.identity}, and not as {builder}"
        if self.builder and caller != own:
            return f"it was called by {_named(caller)}, and not by {own}"
        return None

    def _other_place(self, claims: Mapping[str, str]) -> str | None:
        for what, wanted, claim in (
            ("runner", self.runner, "runner_environment"),
            ("environment", self.environment, "deployment_environment"),
        ):
            if wanted not in {"", said := claims.get(claim, "")}:
                return f"its {what} is {_named(said)}, and not {wanted}"
        return None


def _matches(pattern: str, ref: str) -> bool:
    """Say whether a ref is meant; a * at the end stands for the rest of that segment, of one character or more."""
    start = pattern.removesuffix("*")
    if start == pattern:
        return ref == pattern
    rest = ref[len(start) :]
    return ref.startswith(start) and bool(rest) and "/" not in rest


def _named(claim: str) -> str:
    return claim or "not in the certificate"
