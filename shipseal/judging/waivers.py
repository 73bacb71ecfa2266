"""Read `waivers.toml`: what somebody answers for, and until when. Schema: docs/policy.md. Pure."""

from datetime import date
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from shipseal.digest import Digest
from shipseal.errors import VerificationFailed
from shipseal.judging.packages import BarePurl
from shipseal.judging.rules import Rules, limit, toml
from shipseal.purl import Purl
from shipseal.scanning.findings import Finding
from shipseal.validation import Checked, check


class Waiver(Checked):
    """A risk that somebody accepts for a while: the package is affected, and ships all the same."""

    finding: str = Field(min_length=1)
    package: BarePurl
    reason: str = Field(min_length=20)
    owner: str = Field(min_length=1)
    since: date
    until: date

    def covers(self, finding: Finding) -> bool:
        """Say whether it was granted for this finding, under any of its names."""
        return self.finding in finding.names and Purl.parse(self.package).covers(finding.subject)


def _digest(text: str) -> str:
    try:
        return str(Digest.parse(text))
    except VerificationFailed as error:
        raise ValueError(f"{error.what}: {error.remedy}") from error


class DeployWaiver(Checked):
    """An image that may be deployed for a while although its statements do not satisfy the policy."""

    image: Annotated[str, AfterValidator(_digest)]
    reason: str = Field(min_length=20)
    owner: str = Field(min_length=1)
    since: date
    until: date

    def covers(self, image: Digest, today: date) -> bool:
        """Say whether it was granted for an image, and is in force."""
        return self.image == str(image) and self.since <= today <= self.until

    def __str__(self) -> str:
        """Return it as a receipt names it."""
        return f"{self.owner}, until {self.until}: {self.reason}"


class _Waivers(Checked):
    waiver: tuple[Waiver, ...] = ()
    deploy: tuple[DeployWaiver, ...] = ()

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        pairs = [(waiver.finding, waiver.package) for waiver in self.waiver]
        twice = sorted({pair for pair in pairs if pairs.count(pair) > 1})
        if twice:
            raise ValueError(f"waived twice: {', '.join(' in '.join(pair) for pair in twice)}")
        return self


def read_waivers(text: str, rules: Rules, where: str = "waivers.toml") -> tuple[Waiver, ...]:
    """Read the waivers of findings; raise `ConfigError` for one that is incomplete or longer than the rules allow."""
    return _read(text, rules, where).waiver


def read_deploy_waivers(text: str, rules: Rules, where: str = "waivers.toml") -> tuple[DeployWaiver, ...]:
    """Read the waivers of images; raise `ConfigError` likewise."""
    return _read(text, rules, where).deploy


def _read(text: str, rules: Rules, where: str) -> _Waivers:
    found = check(_Waivers, toml(text, where), where)
    most = rules.exceptions.waiver_maximum_days
    for waiver in found.waiver:
        limit(waiver.finding, waiver.since, waiver.until, most, where)
    for each in found.deploy:
        limit(each.image, each.since, each.until, most, where)
    return found
