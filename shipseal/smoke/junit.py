"""Read what a JUnit file says of a run of tests. Pure: the file's bytes in. Pure."""

from dataclasses import dataclass
from typing import Self
from xml.etree import ElementTree as ET

from shipseal.errors import FailureReason, ToolFailed


@dataclass(frozen=True)
class JunitOutcome:
    """How many tests there were, how many were skipped, and which did not pass, each with the first line of why."""

    total: int
    skipped: int
    failed: tuple[str, ...]

    @classmethod
    def read(cls, report: bytes, last_words: list[str]) -> Self:
        """Read a report; raise `ToolFailed` when it is none. `last_words` are what the test command said at its end."""
        try:
            cases = list(ET.fromstring(report).iter("testcase"))  # noqa: S314 - expat bounds entities since 2.4
        except ET.ParseError as error:
            raise ToolFailed(
                "the test command wrote no JUnit file",
                why=last_words or str(error),
                reason=FailureReason.said(last_words),
                remedy="test.command must take --junitxml, as pytest does",
            ) from error
        failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
        return cls(
            len(cases),
            sum(case.find("skipped") is not None for case in cases),
            tuple(f"{case.get('classname')}.{case.get('name')}: {_message(case)}" for case in failed),
        )

    @property
    def headline(self) -> str:
        """Return what passed, and what was skipped if anything was."""
        return f"{self.total - self.skipped} passed" + (f", {self.skipped} skipped" if self.skipped else "")


def _message(case: ET.Element) -> str:
    for kind in ("failure", "error"):
        found = case.find(kind)
        if found is not None:
            return next(iter((found.get("message") or found.text or "").strip().splitlines()), kind)[:200]
    return ""
