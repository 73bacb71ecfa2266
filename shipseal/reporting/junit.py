"""Tell a verdict as JUnit, which every CI shows: a suite of the rules, and one of the findings. Pure.

There is no standard; the form is that of pytest and of the Jenkins schema: `testsuites/testsuite/testcase`.
"""

from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from shipseal.documents.verdict import RuleOutcome, VerdictDocument, VerdictReason
from shipseal.terminal_text import line


def render(verdict: VerdictDocument) -> bytes:
    """Return the document. What is denied has failed; a rule that is off, and what is excused, was skipped."""
    top = Element("testsuites", {"name": line(str(verdict.image))})
    came_out = {"off": "skip", "blind": "skip", "denied": "fail"}
    rules = [(each.code, came_out.get(each.decision, ""), _rule(each)) for each in verdict.rules]
    _suite(top, "rules", rules)
    kinds = {"denied": "fail", "excused": "skip", "noted": ""}
    found = [
        (f"{reason.finding or reason.code} {reason.package}".strip(), kinds[kind], _reason(reason))
        for kind, reason in verdict.reasons
    ]
    _suite(top, "findings", found)
    indent(top)
    document: bytes = tostring(top, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _rule(rule: RuleOutcome) -> str:
    if rule.decision == "off":
        return f"{rule.setting} is not set: this rule is off"
    if rule.decision == "blind":
        return f"{rule.setting} is set, and the vulnerability database has no data for it"
    limit = f"; set to: {rule.threshold}" if rule.threshold else ""
    return f"{rule.denied} denied; seen: {rule.observed}{limit}"


def _reason(reason: VerdictReason) -> str:
    return f"{reason.message}; {reason.remedy}" if reason.remedy else reason.message


def _suite(top: Element, name: str, cases: Iterable[tuple[str, str, str]]) -> None:
    every = list(cases)
    counts = {
        key: str(sum(each[1] == how for each in every)) for key, how in (("failures", "fail"), ("skipped", "skip"))
    }
    suite = SubElement(top, "testsuite", {"name": name, "tests": str(len(every)), "errors": "0", **counts})
    for case, how, text in every:
        element = SubElement(suite, "testcase", {"classname": f"verdict.{name}", "name": line(case)})
        if how == "fail":
            SubElement(element, "failure", {"message": line(text), "type": "denied"})
        elif how == "skip":
            SubElement(element, "skipped", {"message": line(text)})
        else:
            SubElement(element, "system-out").text = line(text)
