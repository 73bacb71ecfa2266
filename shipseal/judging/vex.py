"""Read what people state about vulnerabilities: the files under `policy/vex/`. Pure.

They are OpenVEX documents (openvex/spec 0.2.0) with three keys of our own in each statement: `valid_until`, `evidence`
and `conditions`. A statement speaks of packages; what is published speaks of one image. These are for what only a
person can state, who says where it can be looked up, and until when; what a machine can show of one image it states
itself (`shipseal.judging.following`).
"""

import json
from datetime import date
from enum import Enum
from typing import Any, Self

from pydantic import AnyUrl, AwareDatetime, Field, model_validator

from shipseal.errors import ConfigError
from shipseal.judging.packages import BarePurl
from shipseal.judging.rules import Rules, limit
from shipseal.validation import Checked, check

CONTEXT = "https://openvex.dev/ns/v0.2.0"


class VexStatus(Enum):
    """OpenVEX 0.2.0, "Status Labels"."""

    NOT_AFFECTED = "not_affected"
    AFFECTED = "affected"
    FIXED = "fixed"
    UNDER_INVESTIGATION = "under_investigation"

    @property
    def excuses(self) -> bool:
        """Say whether a finding with this status may ship."""
        return self in {VexStatus.NOT_AFFECTED, VexStatus.FIXED}


class Justification(Enum):
    """OpenVEX 0.2.0, "Status Justifications"."""

    COMPONENT_NOT_PRESENT = "component_not_present"
    CODE_NOT_PRESENT = "vulnerable_code_not_present"
    CODE_NOT_IN_EXECUTE_PATH = "vulnerable_code_not_in_execute_path"
    CODE_CANNOT_BE_CONTROLLED = "vulnerable_code_cannot_be_controlled_by_adversary"
    INLINE_MITIGATIONS_EXIST = "inline_mitigations_already_exist"


class Vulnerability(Checked):
    """The vulnerability that a statement is about."""

    name: str = Field(min_length=1)
    aliases: tuple[str, ...] = ()


class Product(Checked):
    """The package that a statement is about, in every image that holds it."""

    id: BarePurl = Field(alias="@id")


class VexEvidence(Checked):
    """Where a reader can check a statement, and what is to be seen there."""

    url: AnyUrl
    says: str = Field(min_length=10)


class Condition(Checked, alias_generator=None):
    """Something that must be so in an image for a statement to hold there; a machine looks, every time.

    Args:
        no_file: no path in the image matches this pattern (`fnmatch`, and `*` matches slashes too).
        no_import: no ELF file in the image imports a symbol that matches this pattern, but those of `unless`, which
            the author of the statement has looked at.
        not_imported: the service does not import this Python module, nor anything below it, and imports nothing by
            a name that is made when it runs.
        not_opened: nobody opened a file of this Python module while the image was at work, and that was watched.
    """

    no_file: str = ""
    no_import: str = ""
    unless: tuple[str, ...] = ()
    not_imported: str = ""
    not_opened: str = ""

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if sum(map(bool, (self.no_file, self.no_import, self.not_imported, self.not_opened))) != 1:
            raise ValueError("give exactly one of no_file and no_import, or not_imported, or not_opened")
        return self


class VexStatement(Checked, alias_generator=None):
    """One statement. To excuse a finding takes a reason, evidence and an end date."""

    vulnerability: Vulnerability
    products: tuple[Product, ...] = Field(min_length=1)
    status: VexStatus
    justification: Justification | None = None
    impact_statement: str = ""
    action_statement: str = ""
    timestamp: AwareDatetime
    valid_until: date
    evidence: tuple[VexEvidence, ...] = ()
    conditions: tuple[Condition, ...] = ()

    @model_validator(mode="after")
    def _says_enough(self) -> Self:
        if self.status is VexStatus.NOT_AFFECTED and not (self.justification and self.impact_statement):
            raise ValueError("not_affected takes a justification and an impact_statement that explains it")
        if self.status.excuses and not self.evidence:
            raise ValueError(f"{self.status.value} takes evidence: not having seen something is none")
        if self.status is VexStatus.AFFECTED and not self.action_statement:
            raise ValueError("affected takes an action_statement (OpenVEX 0.2.0)")
        return self

    @property
    def names(self) -> frozenset[str]:
        """Every id that its vulnerability goes by."""
        return frozenset({self.vulnerability.name, *self.vulnerability.aliases})


class VexFile(Checked, alias_generator=None):
    """A file under `policy/vex/`."""

    context: str = Field(alias="@context", pattern=f"^{CONTEXT}$")
    id: str = Field(alias="@id", min_length=1)
    author: str = Field(min_length=1)
    role: str = ""
    timestamp: AwareDatetime
    version: int = Field(ge=1)
    statements: tuple[VexStatement, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _date_the_statements(cls, value: Any) -> Any:
        """Give each statement the document's time where it has none (OpenVEX 0.2.0, "Inheritance Flow")."""
        if isinstance(value, dict) and isinstance(value.get("statements"), list) and "timestamp" in value:
            own = {"timestamp": value["timestamp"]}
            dated = [{**own, **each} if isinstance(each, dict) else each for each in value["statements"]]
            return {**value, "statements": dated}
        return value


def read(text: str, rules: Rules, where: str) -> VexFile:
    """Read a VEX file; raise `ConfigError` when it is not OpenVEX, says too little, or runs for too long."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where} is not JSON", why=str(error), remedy="correct the file") from error
    document = check(VexFile, value, where)
    for each in document.statements:
        days = rules.exceptions.vex_maximum_days
        limit(each.vulnerability.name, each.timestamp.date(), each.valid_until, days, where)
    return document
