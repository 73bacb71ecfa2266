"""Know a few packages that every honest vulnerability database speaks of: a scanner that misses them is blind. Pure.

GHSA-9298-4cf8-g4wj in waitress before 3.0.1, and CVE-2023-52425 in Debian 12's expat before 2.5.0-1+deb12u2: one for
each kind of package that an image holds.
"""

from shipseal.scanning.findings import Report

_KNOWN = {
    "pkg:pypi/waitress@3.0.0": "GHSA-9298-4cf8-g4wj",
    "pkg:deb/debian/libexpat1@2.5.0-1?arch=amd64&distro=debian-12&upstream=expat": "CVE-2023-52425",
}


def _component(purl: str) -> dict[str, str]:
    name, _, version = purl.partition("?")[0].rpartition("/")[2].partition("@")
    return {"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl}


DOCUMENT = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": [*map(_component, _KNOWN)]}
"""An SBOM of those packages."""


def missed(report: Report) -> list[str]:
    """Return what a report on `DOCUMENT` should have found and did not."""
    found = {finding.id for finding in report.findings}
    return [f"{name} in {purl.partition('?')[0]}" for purl, name in _KNOWN.items() if name not in found]
