"""Read who may sign what, whom to trust for it, and what an image must carry: `policy/verification.toml`. Pure."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from shipseal.digest import Digest, split_repository
from shipseal.errors import ConfigError, VerificationFailed
from shipseal.signing.identity import Certified
from shipseal.signing.keys import KEPT, Keys, file_name, who_of
from shipseal.signing.signers import Allowed
from shipseal.statements.builders import PredicateType, SignerIdentity
from shipseal.validation import Checked, check

FILENAME = "verification.toml"
_UNREAD = "key:"  # until its file is read
_APART = 3  # the level of a signer that is out of the build's reach
_VOUCHING = frozenset({"provenance", "summary"})  # the kinds that a level is claimed for


class Scope(StrEnum):
    """How often a statement must be there: once for the image, or once for each platform."""

    IMAGE = "image"
    PLATFORM = "platform"


class TrustRoot(StrEnum):
    """Whom signatures are checked against: the public Sigstore, the local authority of a run, or a file."""

    PUBLIC = "public"
    RUN = "run"
    FILE = "file"


class Tested(StrEnum):
    """Of what a test result must be: the image's own bytes, as they were started, or the wheel that is in it."""

    IMAGE = "image"
    WHEEL = "wheel"


def _kind(name: str) -> str:
    if name.upper().replace("-", "_") not in PredicateType.__members__:
        raise ValueError(f"{name} is not a kind of statement; there are {', '.join(map(kind_name, PredicateType))}")
    return name


def _reserved(host: str) -> bool:
    return host == "example" or host.endswith(".example")


def _repository(name: str) -> str:
    if name:
        split_repository(name)
    return name


def kind_name(kind: PredicateType) -> str:
    """Return the name of a kind of statement as policy files write it, `test-result`."""
    return kind.name.lower().replace("_", "-")


KindName = Annotated[str, AfterValidator(_kind)]


class SignerRule(Allowed):
    """Somebody who may sign, and which kinds of statements; none given means all.

    `key` is the file of a public key, in place of an identity and its issuer, which then follow from its content.
    """

    statements: tuple[KindName, ...] = ()
    key: Annotated[str, AfterValidator(file_name)] = ""

    @model_validator(mode="before")
    @classmethod
    def _key_alone(cls, given: object) -> object:
        if not isinstance(given, dict) or not given.get("key"):
            return given
        if set(given) - {"key", "statements"}:
            raise ValueError("give a key, or else an issuer with what it vouches for")
        return {**given, "identity": _UNREAD, "issuer": KEPT}


class Ages(Checked):
    """How old a statement of a kind may be, in days; nothing means that its age does not count."""

    vulns: Annotated[int | None, Field(ge=1, le=731)] = None
    openvex: Annotated[int | None, Field(ge=1, le=731)] = None
    verdict: Annotated[int | None, Field(ge=1, le=731)] = None


class VerificationRules(Checked):
    """One policy: whom to trust, and for what. The build level is what the set-up earns, which no signature shows."""

    trust_root: TrustRoot
    trust_root_file: str = ""  # beside the policy file
    slsa_build_level: int = Field(ge=1, le=3)
    source: str = ""
    repository: Annotated[str, AfterValidator(_repository)] = ""
    maximum_age_days: Ages = Ages()
    test_result_of: Tested | None = None
    signers: Annotated[tuple[SignerRule, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _file_where_one_is_meant(self) -> Self:
        if (self.trust_root is TrustRoot.FILE) != bool(self.trust_root_file):
            raise ValueError('give trust-root-file with trust-root = "file", and only then')
        return self

    @model_validator(mode="after")
    def _level_that_is_earned(self) -> Self:
        """Level 3 is for signers out of the build's reach: all who may say how an image was built, or that it was."""
        if self.slsa_build_level < _APART:
            return self
        if self.trust_root is TrustRoot.RUN:
            raise ValueError("slsa-build-level 3 is not for what a run signs by an authority of its own")
        for rule in self.signers:
            vouches = not rule.statements or not _VOUCHING.isdisjoint(rule.statements)
            if vouches and (why := rule.within_reach()):
                raise ValueError(f"slsa-build-level 3 is not for {rule.key or rule}: {why}")
        return self


class _Document(Checked):
    require: Annotated[dict[KindName, Scope], Field(min_length=1)]
    policies: Annotated[dict[str, VerificationRules], Field(min_length=1)]

    @model_validator(mode="after")
    def _nothing_against_the_image(self) -> Self:
        if kind_name(PredicateType.REVOCATION) in self.require:
            raise ValueError("a revocation speaks against an image, so no image can be required to have one")
        return self


def _with_keys(rules: VerificationRules, read: Callable[[str], bytes] | None) -> tuple[VerificationRules, Keys]:
    """Return the rules with each key as the signer that it is, and the keys."""
    signers, keys = list[SignerRule](), dict[str, bytes]()
    for each in rules.signers:
        if not each.key:
            signers.append(each)
            continue
        if read is None:
            raise ConfigError(f"{FILENAME} names the key {each.key}, and there is no file beside it")
        pem = read(each.key)
        who = who_of(pem, each.key)
        keys[who.identity] = pem
        signers.append(each.model_copy(update={"identity": who.identity}))
    return rules.model_copy(update={"signers": tuple(signers)}), keys


@dataclass(frozen=True)
class Policy:
    """What an image must have to be let in, under one name of the file."""

    name: str
    digest: Digest
    require: Mapping[PredicateType, Scope]
    rules: VerificationRules
    keys: Keys = field(default_factory=dict)

    @classmethod
    def read(cls, data: bytes, name: str, key: Callable[[str], bytes] | None = None) -> Self:
        """Read a policy; raise `ConfigError` when the file is wrong or has no policy of that name.

        Args:
            data: the file.
            name: which policy of it.
            key: reads the file of a public key that a policy names; None where there is none beside it.
        """
        try:
            document = check(_Document, tomllib.loads(data.decode()), FILENAME)
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{FILENAME} cannot be read", why=str(error), remedy="correct the file") from error
        if name not in document.policies:
            raise ConfigError(f"{FILENAME} has no policy {name}", why=f"it has {', '.join(sorted(document.policies))}")
        required = {PredicateType[key.upper().replace("-", "_")]: scope for key, scope in document.require.items()}
        rules, keys = _with_keys(document.policies[name], key)
        return cls(name, Digest.of(data), required, rules, keys)

    @property
    def signers(self) -> tuple[SignerRule, ...]:
        """Everybody who may sign anything."""
        return self.rules.signers

    @property
    def named(self) -> frozenset[SignerIdentity]:
        """Those of them who are named exactly."""
        return frozenset(who for rule in self.signers if (who := rule.who))

    def maximum_age(self, kind: PredicateType) -> timedelta | None:
        """Return how old a statement of a kind may be; None where its age does not count."""
        days = getattr(self.rules.maximum_age_days, kind_name(kind), None)
        return timedelta(days=days) if days else None

    def require_own_names(self) -> None:
        """Raise `ConfigError` while the policy still names the place holders that it came with.

        Names under .example belong to nobody (RFC 2606, section 2): what is signed now could never be verified.
        """
        named = (*(rule.identity or rule.repository for rule in self.signers), self.rules.source)
        if held := sorted({name for name in named if _reserved(urlsplit(name).hostname or "")}):
            raise ConfigError(
                f"the policy {self.name} names a place holder, and nobody who could sign",
                why=held,
                remedy=f"put your own repository and workflow into {FILENAME}: docs/verification.md",
            )

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
                remedy="leave the trust root out" if given else "give it with --trusted-root",
            )
        return given or (public if trusted is TrustRoot.PUBLIC else directory / self.rules.trust_root_file)

    def allows(self, found: Certified, kind: PredicateType) -> bool:
        """Say whether somebody, by what a certificate says, may sign a kind of statement."""
        return any(
            rule.objection(found) is None and (not rule.statements or kind_name(kind) in rule.statements)
            for rule in self.signers
        )
