"""The shape of what signed statements say, as far as anything is decided by it. Pure.

Types are strict: text that contains a word is no list that holds it, and 0 is not `false`. What a specification lets
others add is passed over. Each model is named for its predicate; `contents` has the rules.
"""

import base64
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from shipseal.digest import Digest, Reference


def _decoded(text: object) -> bytes:
    if not isinstance(text, str | bytes):
        raise ValueError("it is not base64")
    return base64.b64decode(text, validate=True)


def _decoded_twice(text: object) -> bytes:
    return _decoded(_decoded(text))


ImageName = Annotated[str, AfterValidator(lambda text: str(Reference.parse(text)))]
Sha256 = Annotated[str, AfterValidator(lambda text: str(Digest.parse(text)))]
Base64 = Annotated[bytes, BeforeValidator(_decoded)]
TwiceBase64 = Annotated[bytes, BeforeValidator(_decoded_twice)]


class Said(BaseModel):
    """An object in what was signed; its fields have the names of JSON there, and their own for those who make one."""

    model_config = ConfigDict(
        strict=True, frozen=True, alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )


class Own(Said):
    """A predicate whose type is ours."""

    def predicate(self) -> dict[str, Any]:
        """Return it as it is signed."""
        return self.model_dump(mode="json", by_alias=True)


class ResourceDescriptor(Said):
    """A resource descriptor (in-toto attestation, spec/v1/resource_descriptor.md)."""

    name: str = ""
    uri: str = ""
    digest: dict[str, str] = {}
    annotations: dict[str, Any] = {}


class _Source(Said):
    uri: str
    ref: str


class _External(Said):
    source: _Source


class _Internal(Said):
    world: str = ""
    runner: str = ""


class _Definition(Said):
    build_type: str
    external_parameters: _External
    internal_parameters: _Internal = _Internal()
    resolved_dependencies: list[ResourceDescriptor]


class _Identified(Said):
    id: str


class _BuildMetadata(Said):
    invocation_id: str = ""
    started_on: str = ""
    finished_on: str = ""


class _Run(Said):
    builder: _Identified
    metadata: _BuildMetadata = _BuildMetadata()
    byproducts: list[ResourceDescriptor] = []


class Provenance(Said):
    """SLSA provenance v1, with the parameters of our build type."""

    build_definition: _Definition
    run_details: _Run


class _Component(Said):
    name: str
    version: str = ""


class _Described(Said):
    component: _Component


class CycloneDx(Said):
    """A CycloneDX bill of materials."""

    bom_format: str
    components: list[_Component]
    metadata: _Described


class _Package(Said):
    spdx_id: str = Field(alias="SPDXID")
    version_info: str = ""


class _Relationship(Said):
    spdx_element_id: str
    relationship_type: str
    related_spdx_element: str


class Spdx(Said):
    """An SPDX 2 document."""

    spdx_version: str
    packages: list[_Package]
    relationships: list[_Relationship]


class _Product(Said):
    id: str = Field(alias="@id")


class _Vulnerability(Said):
    name: str


class _VexStatement(Said):
    vulnerability: _Vulnerability
    products: Annotated[list[_Product], Field(min_length=1)]
    status: str


class OpenVex(Said):
    """An OpenVEX document."""

    context: str = Field(alias="@context")
    statements: list[_VexStatement]


class _Marks(Said):
    sample: bool = False
    checksum: str = ""


class _Database(Said):
    uri: str = ""
    version: str = ""
    last_update: str
    annotations: _Marks = _Marks()


class _Scanner(Said):
    uri: str = ""
    version: str = ""
    db: _Database
    result: list[dict[str, Any]]


class Vulns(Said):
    """What a scanner found (vulns v0.2)."""

    scanner: _Scanner


class TestResult(Said):
    """What tests gave (test-result v0.1)."""

    result: str
    passed_tests: list[str]
    failed_tests: list[str]
    warned_tests: list[str] = []
    configuration: list[ResourceDescriptor] = []


class _Excused(Said):
    code: str = ""
    finding: str = ""
    package: str = ""
    until: str = ""


class _Whole(Said):
    allowed: bool
    excused: list[_Excused] = []
    inputs: dict[str, str] = {}


class SimpleVerificationResult(Said):
    """A simple verification result (SVR v0.2), with the whole verdict beside it where this pipeline made it."""

    properties: list[str]
    whole: _Whole | None = Field(default=None, alias="https://supply-chain-pipeline.example/verdict/v1")


class VerificationSummary(Said):
    """A SLSA verification summary v1."""

    verification_result: str
    resource_uri: str = ""
    verified_levels: list[str] = []


Model = TypeVar("Model", bound=BaseModel)


def read(model: type[Model], predicate: object) -> Model:
    """Return a predicate as its model; raise `ValueError` that names the first place where it is another thing."""
    try:
        return model.model_validate(predicate, by_alias=True, by_name=False)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the predicate"
        raise ValueError(f"{where}: {first['msg'].lower()}") from error
