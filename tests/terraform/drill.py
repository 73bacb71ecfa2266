"""The recovery drill: production and the second region stand at once, the first is declared ill, and DNS follows.

Who is given out is worked out here from the records and health checks, by Route 53's own rule for failover records
(Route 53 developer guide, "How Amazon Route 53 chooses records when health checking is configured"): an emulator
answers no DNS.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from tests.cloud.aws import Cloud
from tests.cloud.terraform import Root
from tests.runbook import commands, follow

PAGE = "regional-failure.md"


@dataclass
class Drill:
    """When each region stands, how long each step took in seconds, and who was given out before, during and after."""

    domain: str
    zone: str
    cloud: Cloud
    primary_stands: Event = field(default_factory=Event)
    over: Event = field(default_factory=Event)
    seconds: dict[str, float] = field(default_factory=dict)
    given_out: list[str] = field(default_factory=list)
    listed: str = ""

    def hold(self) -> None:
        """Keep production standing until the drill is over."""
        self.primary_stands.set()
        assert self.over.wait(500), "the drill did not end"

    def run(self, recovery: Root) -> None:
        """Declare the first region ill and well again, by the runbook, and note who is given out each time."""
        try:
            assert self.primary_stands.wait(500), "production does not stand"
            blocks = commands(PAGE, section="4. DNS")
            primary = self._records()["PRIMARY"]["HealthCheckId"]
            environment = {**recovery.environment, "ZONE": self.zone, "PRIMARY": primary}
            self.given_out.append(self._answer())
            for step, block in zip(("list both records", "switch", "switch back"), blocks, strict=True):
                with self.timed(step):
                    done = follow([block], recovery.directory, environment).expect()
                self.listed = self.listed or done.output
                self.given_out.append(self._answer())
        finally:
            self.over.set()

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Note how long a step takes."""
        started = time.monotonic()
        yield
        self.seconds[step] = time.monotonic() - started

    def _records(self) -> dict[str, Any]:
        found = self.cloud.aws("route53", "list-resource-record-sets", "--hosted-zone-id", self.zone)[
            "ResourceRecordSets"
        ]
        return {each["Failover"]: each for each in found if "Failover" in each and each["Name"] == f"{self.domain}."}

    def _answer(self) -> str:
        records = self._records()
        return str(records["PRIMARY" if self._healthy(records["PRIMARY"]) else "SECONDARY"]["SetIdentifier"])

    def _healthy(self, record: dict[str, Any]) -> bool:
        """Tell whether a check passes: every endpoint is taken to be well, and an inverted check says the opposite."""
        check = self.cloud.aws("route53", "get-health-check", "--health-check-id", record["HealthCheckId"])[
            "HealthCheck"
        ]
        return not check["HealthCheckConfig"].get("Inverted", False)
