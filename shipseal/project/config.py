"""Read `pipeline.toml`, the one configuration, into frozen values.

Every key is described in docs/configuration.md. Unknown keys are refused, with a guess at what was meant; paths are
relative to the file and may not leave its directory, so that the digest of what a stage reads covers all of it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    model_validator,
)

from shipseal.digest import Digest, split_repository
from shipseal.disk import text_of
from shipseal.errors import ConfigError
from shipseal.project import reads
from shipseal.project.config_errors import say
from shipseal.project.deploy import Deploy
from shipseal.project.reads import DEFAULT_POLICY, DEFAULT_SOURCE, FILENAME
from shipseal.project.section import Anywhere, Inside, Key, Line, Section, Variable, each_once
from shipseal.project.smoke import SmokeRequest, Writable

CODE = Path(__file__).resolve().parents[1]
"""The pipeline's own package."""

_INSTALLED = CODE / "home"  # which is made when a wheel is built: setup.py
HOME = _INSTALLED if _INSTALLED.is_dir() else CODE.parent
"""Where the pipeline has what it reads beside its code: the tool locks, the policy that a project gets which has none,
and the runtime packages that a service gets when it names none: the checkout, or within the installed package."""

PACKAGE_LOCKS = {
    "debian-12": HOME / "image" / "debian.lock.toml",
    "debian-13": HOME / "image" / "debian-13.lock.toml",
}
"""The locks of runtime packages that come with the pipeline, by the base that they are; the default first."""


def _repository(name: str) -> str:
    split_repository(name)
    return name


_LONGEST_REQUESTS = 30_000  # they are arguments of a program


class Service(Section):
    """What is built: a Python project with its own build backend, and how it starts."""

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)
    source: Inside = Path(DEFAULT_SOURCE)
    lock: Inside
    build_lock: Inside
    command: tuple[str, ...] = ()
    callable: str = Field(default="", pattern=r"^$|^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")
    server: str = Field(default="waitress", pattern="^(waitress|uvicorn|granian|gunicorn)$")
    port: int = Field(default=8080, ge=1, le=65535)
    health: str = Field(default="/health", pattern=r"^/[!-~]*$")
    environment: dict[Variable, Line] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_way_to_start(self) -> Self:
        if bool(self.command) == bool(self.callable):
            raise ValueError('give exactly one of command = ["-m", "module"] and callable = "module:app"')
        if self.command and self.server != "waitress":
            raise ValueError("server says what serves a callable: a command is a server of its own")
        return self


class Test(Section):
    """How the service tests itself: run against its wheel, in an environment with nothing else but `lock`."""

    lock: Inside
    command: tuple[str, ...] = ("-m", "pytest")
    paths: Annotated[tuple[Inside, ...], Field(min_length=1)]


class Smoke(Section):
    """What the started image must answer, besides its health path, and which tests run on its files."""

    requests: tuple[SmokeRequest, ...] = ()
    timeout_seconds: float = Field(default=10, gt=0, le=300)
    stop_seconds: float = Field(default=30, gt=0, le=300)
    environment: dict[str, str] = Field(default_factory=dict)
    suite: tuple[Inside, ...] = ()
    left_out: dict[str, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)
    packages: tuple[str, ...] = ()
    writable: Annotated[tuple[Writable, ...], AfterValidator(each_once)] = ()

    @model_validator(mode="after")
    def _short_enough(self) -> Self:
        if sum(len(request.model_dump_json()) for request in self.requests) > _LONGEST_REQUESTS:
            raise ValueError(f"requests hold more than {_LONGEST_REQUESTS} characters; test long bodies in smoke.suite")
        return self


class ImageSection(Section):
    """Where the image will live, and what goes into it beside the service and its locked wheels."""

    repository: Annotated[str, AfterValidator(_repository)]
    platforms: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(each_once)] = (
        "linux/amd64",
        "linux/arm64",
    )
    base: str = Field(default=next(iter(PACKAGE_LOCKS)), pattern=f"^({'|'.join(PACKAGE_LOCKS)})$")
    packages: Inside | None = None
    keep: Inside | None = None
    extra_packages: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    made_modules: tuple[Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")], ...] = ()
    package_data: tuple[str, ...] = ()
    runtime: str = Field(default="trimmed", pattern="^(trimmed|full)$")
    source: str = ""
    licenses: str = ""

    @property
    def package_lock(self) -> Path:
        """The lock of the runtime's Debian packages: the project's, or the one that comes with the pipeline."""
        return self.packages or PACKAGE_LOCKS[self.base]

    @model_validator(mode="after")
    def _one_base(self) -> Self:
        if self.packages and "base" in self.model_fields_set:
            raise ValueError("packages is a lock of your own, which says itself what it is: give it, or else base")
        return self


class PolicySection(Section):
    """Where the rules are: rules.toml, waivers.toml, verification.toml, vex/."""

    directory: Inside = Path(DEFAULT_POLICY)


class Scan(Section):
    """Which vulnerability database judges; none means the sample in a dry run, and no in a release."""

    database: Anywhere | None = None


class InputsFrom(Section):
    """Where locked inputs may come from, besides where they were made."""

    mirrors: tuple[Annotated[str, Field(pattern=r"^(oci|https)://[!-~]+$")], ...] = ()


class RegistrySection(Section):
    """How a release's registry is reached, and whether a release is tagged `latest`. The dry run starts its own."""

    plain_http: bool = False
    ca_file: Anywhere | None = None
    latest: bool = False
    realm: str = Field(default="", pattern=r"^$|^[A-Za-z0-9.-]+(:[0-9]+)?$")

    @model_validator(mode="after")
    def _one_way_to_speak(self) -> Self:
        if self.plain_http and self.ca_file:
            raise ValueError("plain-http has no certificate that ca-file could vouch for: give one of them")
        return self


class Sign(Section):
    """Who signs a release. Nothing given means the public Sigstore."""

    identity: str = ""
    issuer: str = ""
    key: Key = ""
    signing_config: Anywhere | None = None
    trusted_root: Anywhere | None = None

    @model_validator(mode="after")
    def _one_way_or_the_other(self) -> Self:
        if self.key and (self.identity or self.issuer):
            raise ValueError("a key has no identity and no issuer: give it, or else them")
        return self


class Config(Section):
    """The whole of `pipeline.toml`, checked."""

    root: Path = Field(exclude=True)
    file: Path = Field(exclude=True)
    document: dict[str, Any] = Field(exclude=True)
    service: Service
    test: Test
    image: ImageSection
    smoke: Smoke = Smoke.model_construct()
    policy: PolicySection
    inputs: InputsFrom = Field(default=InputsFrom.model_construct(), exclude=True)  # it decides nothing
    scan: Scan = Scan.model_construct()
    registry: RegistrySection = RegistrySection.model_construct()
    sign: Sign = Sign.model_construct()
    deploy: Deploy = Deploy.model_construct()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read and check a file; raise `ConfigError` with the key at fault and what was probably meant."""
        try:
            document = reads.parse(text_of(path), str(path))
        except FileNotFoundError as error:
            raise ConfigError(
                f"there is no {path}", remedy="run this in a project with a pipeline.toml, or name one with --config"
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} cannot be read", why=str(error), remedy="correct the file") from error
        root = path.resolve().parent
        about = {"root": root, "file": path.resolve(), "document": document}
        try:
            return cls.model_validate(
                {"policy": {"directory": DEFAULT_POLICY}, **document, **about}, context={"root": root}
            )
        except ValidationError as error:
            raise ConfigError(
                f"{path} asks for something that cannot be",
                why=[say(problem, cls) for problem in error.errors()],
                remedy="correct the file; docs/configuration.md describes every key",
            ) from error

    @property
    def digest(self) -> Digest:
        """The digest of what was configured: comments and the place of the checkout do not count."""
        return Digest.of(self.model_dump_json().replace(str(self.root), ".").encode())

    def require(self, names: Iterable[str]) -> None:
        """Raise `ConfigError` when something that stages read, by the names of `reads`, is named and not there.

        A policy that is not there would otherwise be the pipeline's own, which may be laxer.
        """
        missing = [
            f"{section}.{key}: there is no {path}"
            for name, section, key, default in _NAMED
            if name in names
            for path in _listed(self.document.get(section, {}).get(key, default))
            if not (self.root / path).exists()
        ]
        if missing:
            raise ConfigError(f"{FILENAME} names what is not there", why=missing, remedy="correct the path, or make it")

    def reads(self, name: str) -> tuple[Path, ...]:
        """Return the files and directories that a stage reads when it declares `name` in its row of the table."""
        return tuple(self.root / path for path in reads.paths(self.document, name))


_NAMED: tuple[tuple[str, str, str, str | tuple[()]], ...] = (
    ("source", "service", "source", DEFAULT_SOURCE),
    ("tests", "test", "paths", ()),
    ("policy", "policy", "directory", ()),
    ("manifests", "deploy", "manifests", ()),
    ("manifests", "deploy", "platform", ()),
)


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
