"""Read who may sign what, whom to trust for it, and what an image must carry: `policy/verification.toml`. Pure."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from pipeline.attestation.statements import PredicateType, Who
from pipeline.checked import Checked, check
from pipeline.digest import Digest, split_repository
from pipeline.errors import ConfigError, VerificationFailed

FILENAME = "verification.toml"


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
    repository: Annotated[str, AfterValidator(_repository)] = ""
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

    def require_own_names(self) -> None:
        """Raise `ConfigError` while the policy still names the place holders that it came with.

        Names under .example belong to nobody (RFC 2606, section 2): what is signed now could never be verified.
        """
        named = (*(rule.identity for rule in self.rules.signers), self.rules.source)
        if held := sorted({name for name in named if _reserved(urlsplit(name).hostname or "")}):
            raise ConfigError(
                f"the policy {self.name} names a place holder, and nobody who could sign",
                why=held,
                do=f"put your own repository and workflow into {FILENAME}: docs/verification.md",
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
                do="leave the trust root out" if given else "give it with --trusted-root",
            )
        return given or (public if trusted is TrustRoot.PUBLIC else directory / self.rules.trust_root_file)

    def allows(self, who: Who, kind: PredicateType) -> bool:
        """Say whether somebody may sign a kind of statement."""
        return any(
            rule.who == who and (not rule.statements or kind_name(kind) in rule.statements)
            for rule in self.rules.signers
        )
