"""Documents as the stages of a small run write them, each whole, with any part of them changed."""

from collections.abc import Mapping
from typing import Any

DIGEST = "sha256:" + "a" * 64
BUNDLE = "sha256:" + "c" * 64
REFERENCE = f"docker.io/example/app@{DIGEST}"
NOW = "2026-11-25T12:00:00Z"
KINDS = ("https://slsa.dev/provenance/v1", "https://openvex.dev/ns", "https://spdx.dev/Document")


def package(name: str, *files: str) -> dict[str, Any]:
    """Return a package of an image, of version 1."""
    return {"purl": f"pkg:deb/debian/{name}@1", "name": name, "version": "1", "type": "deb", "files": list(files)}


def platform(**changes: Any) -> dict[str, Any]:
    """Return what an image is on one platform: a layer of fifty bytes, and two packages."""
    layer = {"name": "runtime", "digest": DIGEST, "diff_id": BUNDLE, "size": 50}
    packages = [package("libc", "lib/c"), package("zlib", "lib/z")]
    value = {"digest": DIGEST, "size": 4_700_000, "layers": [layer], "packages": packages, "generated": [], "files": 2}
    return {**value, **changes}


def image(*platforms: str, **changes: Any) -> dict[str, Any]:
    """Return an image for these platforms, the same for each; `changes` are of what it is there."""
    return {
        "format": 2,
        "reference": REFERENCE,
        "digest": DIGEST,
        "platforms": {each: platform(**changes) for each in platforms or ("linux/amd64",)},
        "service": {"name": "app", "version": "1.0"},
    }


def answer(path: str, status: int, *, passed: bool) -> dict[str, Any]:
    """Return how one request was answered."""
    expected = {"status": 200, "contains": "", "json": {}}
    wrong = [] if passed else [f"status {status}"]
    return {
        "path": path,
        "method": "GET",
        "status": status,
        "expected": expected,
        "body": "",
        "wrong": wrong,
        "passed": passed,
    }


def smoke(**changes: Any) -> dict[str, Any]:
    """Return how the image was started."""
    return {
        "isolation": "bubblewrap",
        "why": "there is no Docker",
        "limits": "no memory limit",
        "platform": "linux/amd64",
        "digest": DIGEST,
        "requests": [answer("/health", 200, passed=True), answer("/", 500, passed=False)],
        "start_ms": 120,
        "resident_kib": None,
        "exit_code": 0,
        "suite": {"run": False, "why": "none is named"},
        "emulated": {},
        "started": {"linux/amd64": DIGEST},
        **changes,
    }


def emulated(*, started: bool, why: str = "") -> dict[str, Any]:
    """Return how the image of another platform was started, or why not."""
    if not started:
        return {"started": False, "why": why}
    answers = {"digest": DIGEST, "requests": 3, "start_ms": 900, "exit_code": 0}
    return {"started": True, "by": "qemu-aarch64-static", **answers}


def database(**changes: Any) -> dict[str, Any]:
    """Return which vulnerability database it was."""
    value = {"built": "2026-11-01T00:00:00Z", "schema": "6.1.7", "checksum": DIGEST, "source": "a test", "sample": True}
    return {**value, **changes}


def reason(name: str, code: str, package: str = "zlib 1.2", **changes: str) -> dict[str, str]:
    """Return a line of a verdict."""
    said = {"message": f"{name} in {package}", "remedy": "upgrade", "until": "", "provider": "debian"}
    return {"code": code, "finding": name, "package": package, **said, **changes}


def bare(reason: Mapping[str, str]) -> dict[str, str]:
    """Return what a verdict without VEX keeps of a line."""
    return {key: reason[key] for key in ("code", "finding", "package")}


def verdict(**kinds: Any) -> dict[str, Any]:
    """Return a verdict in which the kinds named have these reasons."""
    denied = kinds.get("denied", [])
    return {
        "allowed": not denied,
        "denied": [],
        "excused": [],
        "noted": [],
        "notices": [],
        "image": REFERENCE,
        "judged": NOW,
        "sample": True,
        "release": False,
        "version": 2,
        "inputs": {"scan/grype.json": DIGEST},
        "database": {**database(), "providers": {"debian": NOW}},
        "tools": {"grype": ["0.121.3"]},
        "rules": [],
        "without_vex": {"allowed": not denied, "denied": [bare(each) for each in denied]},
        **kinds,
    }


def verification(**changes: Any) -> dict[str, Any]:
    """Return what was accepted of the image, and what was not."""
    statement = {"type": KINDS[0], "bundle": BUNDLE, "subjects": [DIGEST], "signer": "me", "issuer": "it"}
    return {
        "reference": REFERENCE,
        "digest": DIGEST,
        "platforms": {"linux/amd64": DIGEST},
        "blobs": 9,
        "policy": {"name": "dry-run", "digest": DIGEST, "trust_root": "run"},
        "trust_root": DIGEST,
        "trust_root_newest": NOW,
        "slsa_build_level": 1,
        "verifiers": ["sigstore-python", "cosign"],
        "statements": [{**statement, "signed_at": NOW}],
        "required": [{"kind": "signature", "about": "the image", "bundle": BUNDLE}],
        "proved": [{"what": "it is whole", "from": "9 blobs"}],
        "not_proved": ["who ran it"],
        "told": [],
        "refused": {"sha256:bb": "signed by a stranger"},
        "passed_over": {},
        **changes,
    }


def discovery(*ways: dict[str, Any]) -> dict[str, Any]:
    """Return who finds what."""
    every = {"measured": True, "found": list(KINDS), "missing": [], "says": ""}
    some = {"measured": False, "found": list(KINDS[:1]), "missing": list(KINDS[1:]), "says": "it says so"}
    registry = {"host": "registry.example", "keeps": "referrers API"}
    told = list(ways) or [{"way": "cosign tree", **every}, {"way": "Kyverno", **some}]
    return {"reference": REFERENCE, "registry": registry, "kinds": list(KINDS), "ways": told}


def attacks(*refused: bool) -> dict[str, Any]:
    """Return what came of attacks, each refused by the check that should refuse it, or by none."""
    did = {"did": "nothing", "gate": "verify"}
    control = {"name": "untouched", **did, "expected": "accepted", "refused_by": "", "ok": True}
    made = [
        {"name": f"attack {number}", **did, "expected": "digest", "refused_by": "digest" if each else "", "ok": each}
        for number, each in enumerate(refused)
    ]
    named = {"image": DIGEST, "at": NOW, "ok": all(refused)}
    return {**named, "control": [control], "attacks": made, "left_out": {"age": "no bound"}}


DENIAL = reason("CVE-2023-45853", "severity-critical", "zlib1g 1.2.13", remedy="add a VEX statement")
DOCUMENTS: Mapping[str, Any] = {
    "facts/facts.json": {
        "revision": "abc",
        "commit_time": 1,
        "repository": "",
        "ref": "refs/heads/main",
        "dirty": True,
        "changed": ["app.py"],
        "tree": DIGEST,
    },
    "tools/tools.json": {"syft": {"version": "1.46.0", "from": "oci://mirror.example/inputs", "digest": DIGEST}},
    "image/image.json": image(),
    "smoke/smoke.json": smoke(),
    "scan/database.json": database(),
    "assess/verdict.json": verdict(denied=[DENIAL], notices=["a sample"]),
    "publish/receipt.json": {
        "reference": REFERENCE,
        "registry": "here",
        "bundles": [BUNDLE],
        "subjects": [DIGEST],
        "referrers": {DIGEST: [DIGEST, BUNDLE]},
        "blobs": 9,
        "bytes": 4_700_000,
        "sent": 0,
    },
    "verify/verification.json": verification(),
    "verify/discovery.json": discovery(),
    "promote/tags.json": {"digest": DIGEST, "tags": ["1.0.0"], "before": {"1.0.0": "there was none"}, "stay": {}},
    "deploy/receipt.json": {
        "state": "checked, not applied",
        "reason": "a dry run has no cluster",
        "reference": REFERENCE,
        "manifests": "k8s",
        "kubernetes": "1.35",
        "objects": ["Pod a"],
        "rendered": DIGEST,
    },
}
"""Those of a run that was denied, and went on all the same."""
