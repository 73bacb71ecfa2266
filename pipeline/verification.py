"""Decide about an image as a consumer would: who may sign what, what must be there, and what it must say.

`policy/verification.toml` in, verified statements in; a decision or the reasons against it out. Whether signatures are
good is not judged here (`verifiers` does); whether the right people said the right things is.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from pipeline.checked import Checked, check
from pipeline.contents import object_to
from pipeline.digest import Digest
from pipeline.errors import ConfigError, VerificationFailed
from pipeline.statements import STATEMENT_TYPE, PredicateType, Signed, Who

FILENAME = "verification.toml"
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Scope(StrEnum):
    """How often a statement must be there: once for the image, or once for each platform."""

    IMAGE = "image"
    PLATFORM = "platform"


class TrustRoot(StrEnum):
    """Whom signatures are checked against: the public Sigstore, the local authority of a run, or a file."""

    PUBLIC = "public"
    RUN = "run"
    FILE = "file"


def _kind(name: str) -> str:
    if name.upper().replace("-", "_") not in PredicateType.__members__:
        raise ValueError(f"{name} is no kind of statement; there are {', '.join(map(kind_name, PredicateType))}")
    return name


def kind_name(kind: PredicateType) -> str:
    """Return the name of a kind of statement as policy files write it, `test-result`."""
    return kind.name.lower().replace("_", "-")


KindName = Annotated[str, AfterValidator(_kind)]


class SignerRule(Checked):
    """Somebody who may sign, and which kinds of statements; none given means all."""

    identity: str = Field(min_length=1)
    issuer: str = Field(min_length=1)
    statements: tuple[KindName, ...] = ()

    @property
    def who(self) -> Who:
        """The identity as certificates have it."""
        return Who(self.identity, self.issuer)


class Rules(Checked):
    """One policy: whom to trust, and for what. The build level is what the set-up earns, which no signature shows."""

    trust_root: TrustRoot
    trust_root_file: str = ""  # beside the policy file
    slsa_build_level: int = Field(
        ge=1, le=2
    )  # level 3 needs a signer out of reach of the build, which nothing here has
    source: str = ""
    signers: Annotated[tuple[SignerRule, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _file_where_one_is_meant(self) -> Self:
        if (self.trust_root is TrustRoot.FILE) != bool(self.trust_root_file):
            raise ValueError('give trust-root-file with trust-root = "file", and only then')
        return self


class _Document(Checked):
    require: Annotated[dict[KindName, Scope], Field(min_length=1)]
    policies: Annotated[dict[str, Rules], Field(min_length=1)]


@dataclass(frozen=True)
class Policy:
    """What an image must have to be let in, under one name of the file."""

    name: str
    digest: Digest
    require: Mapping[PredicateType, Scope]
    rules: Rules

    @classmethod
    def read(cls, data: bytes, name: str) -> Self:
        """Read a policy; raise `ConfigError` when the file is wrong or has no policy of that name."""
        try:
            document = check(_Document, tomllib.loads(data.decode()), FILENAME)
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{FILENAME} cannot be read", why=str(error), do="correct the file") from error
        if name not in document.policies:
            raise ConfigError(f"{FILENAME} has no policy {name}", why=f"it has {', '.join(sorted(document.policies))}")
        required = {PredicateType[key.upper().replace("-", "_")]: scope for key, scope in document.require.items()}
        return cls(name, Digest.of(data), required, document.policies[name])

    @property
    def signers(self) -> tuple[Who, ...]:
        """Everybody who may sign anything."""
        return tuple(rule.who for rule in self.rules.signers)

    def root(self, given: Path | None, public: Path, directory: Path) -> Path:
        """Return the trust root to verify with.

        Args:
            given: the root that a run left, if there is one.
            public: that of the public Sigstore.
            directory: where the policy file is.

        Raises:
            VerificationFailed: a root is given and the policy trusts another, or the other way about. Whoever brings
                an image may not bring the reason to trust it.
        """
        trusted = self.rules.trust_root
        if (trusted is TrustRoot.RUN) != (given is not None):
            raise VerificationFailed(
                f"the policy {self.name} does not trust {given}"
                if given
                else f"the policy {self.name} needs the trust root of a run",
                why=f'its trust-root is "{trusted}"',
                do="leave the trust root out" if given else "give it with --trusted-root",
            )
        return given or (public if trusted is TrustRoot.PUBLIC else directory / self.rules.trust_root_file)

    def allows(self, who: Who, kind: PredicateType) -> bool:
        """Say whether somebody may sign a kind of statement."""
        return any(
            rule.who == who and (not rule.statements or kind_name(kind) in rule.statements)
            for rule in self.rules.signers
        )


@dataclass(frozen=True)
class Image:
    """What is judged: an image index and its platforms."""

    digest: Digest
    platforms: Mapping[str, Digest]

    def scopes(self, scope: Scope) -> Iterator[tuple[str, frozenset[Digest]]]:
        """Yield what a required statement must speak of, with words for it."""
        if scope is Scope.IMAGE:
            yield "the image", frozenset({self.digest, *self.platforms.values()})
        else:
            for name, digest in self.platforms.items():
                yield name, frozenset({self.digest, digest})


@dataclass(frozen=True)
class Statement:
    """A verified in-toto statement, the bundle that it came in, and the manifests that the bundle is attached to."""

    bundle: Digest
    attached_to: frozenset[Digest]
    signed: Signed
    kind: str
    subjects: frozenset[Digest]
    predicate: object

    @classmethod
    def read(cls, bundle: Digest, attached_to: Iterable[Digest], signed: Signed) -> Self:
        """Read what was signed; raise `VerificationFailed` when it is no in-toto statement of version 1."""
        match _json(signed.statement):
            case {"_type": str(version), "subject": list(subjects), "predicateType": str(kind), **rest} if (
                version == STATEMENT_TYPE
            ):
                named = frozenset(_digests(subjects))
                return cls(bundle, frozenset(attached_to), signed, kind, named, rest.get("predicate"))
        raise VerificationFailed("what was signed is not an in-toto statement of version 1")

    def speaks_of(self, subject: Digest) -> bool:
        """Say whether it is attached to a subject and names it."""
        return subject in self.attached_to and subject in self.subjects


@dataclass(frozen=True)
class Evidence:
    """One required statement, and the bundle that satisfies it."""

    kind: PredicateType
    scope: str
    statement: Statement


def decide(
    policy: Policy, image: Image, statements: Sequence[Statement], refused: Mapping[Digest, str]
) -> tuple[Evidence, ...]:
    """Return the evidence for each thing that the policy requires.

    One digest may carry several statements of a kind (two commits can give the same image): any that satisfies will do.

    Args:
        policy: what is required.
        image: what is judged.
        statements: whose signatures both verifiers accept, of signers that the policy names.
        refused: the bundles whose signatures were not accepted, with the reason.

    Raises:
        VerificationFailed: something required is not there; the reasons say why each candidate did not do.
    """
    found: list[Evidence] = []
    reasons: list[str] = []
    for kind, scope in policy.require.items():
        for words, subjects in image.scopes(scope):
            try:
                found.append(Evidence(kind, words, _one(policy, kind, subjects, statements)))
            except VerificationFailed as failure:
                reasons += [f"{kind_name(kind)} for {words}: {line}" for line in (failure.why or (failure.what,))]
    if reasons:
        raise VerificationFailed(
            f"{image.digest} does not satisfy the policy {policy.name}",
            why=[*reasons, *(f"{bundle} was refused: {reason}" for bundle, reason in sorted(refused.items()))],
            do="do not use this image; whoever published it can see here what is missing",
        )
    return tuple(found)


def _one(
    policy: Policy, kind: PredicateType, subjects: frozenset[Digest], statements: Iterable[Statement]
) -> Statement:
    objections: list[str] = []
    for statement in statements:
        if statement.kind != kind or not subjects <= statement.subjects:
            continue
        objection = _objection(policy, kind, subjects, statement)
        if objection is None:
            return statement
        objections.append(f"{statement.bundle}: {objection}")
    raise VerificationFailed("not there", why=objections or "nothing that an allowed signer signed says so")


def _objection(policy: Policy, kind: PredicateType, subjects: frozenset[Digest], statement: Statement) -> str | None:
    if not policy.allows(statement.signed.who, kind):
        return f"{statement.signed.who.identity} may not sign this"
    if not subjects <= statement.attached_to:
        missing = ", ".join(map(str, sorted(subjects - statement.attached_to)))
        return f"it is not attached to {missing}"
    return object_to(kind, statement.predicate, statement.signed, subjects, policy.rules.source)


def _json(data: bytes) -> object:
    try:
        return json.loads(data)
    except ValueError:
        return None


def _digests(subjects: Iterable[object]) -> Iterator[Digest]:
    """Yield the digests that a statement names; what is malformed names nothing."""
    for subject in subjects:
        match subject:
            case {"digest": {"sha256": str(digits)}} if _SHA256.fullmatch(digits):
                yield Digest("sha256", digits)
