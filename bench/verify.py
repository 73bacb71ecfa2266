"""Measure `verify` beside one `cosign verify-attestation`, and among junk: `python -m bench.verify`.

A release of a small project lies in a real olareg on loopback. First its image is verified as it is; then 500 bundles
are attached to it, most of them junk, and it is verified again. Processor seconds are those of the commands and of all
that they start, and say more than a clock does on a machine that others use.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import anyio

from shipseal.digest import Digest
from shipseal.distribution.referrers import EMPTY, attach
from shipseal.distribution.registry import Registry
from shipseal.local.sigstore import ISSUER, local_sigstore
from shipseal.locked.inputs import Inputs
from shipseal.locked.store import Store, default_root
from shipseal.oci.layout import Layout
from shipseal.tools.toolbox import Toolbox
from tests.conftest import NOW
from tests.release.projects import IDENTITY, REPOSITORY, Project, import_database, make
from tests.release.registries import olareg

JUNK = 480
AGAIN = 20  # copies of one good bundle under other manifests
LIMIT, LIMIT_OF_MANY = 2, 10  # seconds, on two idle cores
TIMES = 5


def released(stack: ExitStack, work: Path, store: Store) -> Project:
    """Return a project that was released to a registry which runs until the stack is left."""
    for name in ("registry", "project"):
        (work / name).mkdir()
    authority = stack.enter_context(local_sigstore())
    served = stack.enter_context(olareg(store.get(Inputs.of_tools().locked()["olareg"]), work / "registry"))
    project = make(work / "project", served, authority, store.root)
    assert import_database(project).code == 0
    ended = project.release()
    assert ended.code == 0, ended.output
    return project


def measured(act: Callable[[], object], times: int) -> tuple[float, float]:
    """Return the median seconds and processor seconds of doing something so many times."""
    seconds, spent = [], []
    for _ in range(times):
        began, before = time.monotonic(), os.times()
        act()
        after = os.times()
        seconds.append(time.monotonic() - began)
        spent.append(after.children_user - before.children_user + after.children_system - before.children_system)
    return median(seconds), median(spent)


def verify(project: Project, reference: str) -> None:
    """Verify by the verb, with all that it starts."""
    ended = project.run("verify", reference, "--policy", project.policy)
    assert ended.code == 0, ended.output


def cosign(project: Project, reference: str, program: Path) -> None:
    """Have Cosign verify one type of attestation, as many do who verify nothing else."""
    who = ["--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER]
    root = ["--trusted-root", str(project.root / "rules" / "authority.json")]
    kind = ["--type", "https://slsa.dev/provenance/v1"]
    command = [str(program), "verify-attestation", *kind, *root, *who, reference]
    subprocess.run(command, check=True, capture_output=True, timeout=60, env={"HOME": str(project.home), "PATH": ""})


async def attach_junk(project: Project, reference: str, store: Store, work: Path) -> None:
    """Attach what anybody could: bundles that are none, and a good one over and over under other manifests."""
    tools = Toolbox(store, Inputs.of_tools().locked(), frozenset({"oras"}), work / "log.txt")
    registry = Registry(tools, project.registry.host, REPOSITORY, plain_http=True, writable=True)
    image = Digest.parse(reference.partition("@")[2])
    good = next((project.run_dir / "attest" / "bundles").glob("*.sigstore.json")).read_bytes()
    layout = Layout.create(work / "junk")
    subject = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": str(image)}
    data = await registry.manifest(image)
    layout.put(data)
    listed: list[dict[str, Any]] = [{**subject, "size": len(data)}]
    for number in range(JUNK + AGAIN):
        bundle = good if number < AGAIN else b'{"mediaType": "junk %d"}' % number
        referrer = attach(bundle, f"https://junk.example/{number}", listed[0], NOW)
        for blob in (EMPTY, bundle, referrer.manifest):
            layout.put(blob)
        listed.append(dict(referrer.descriptor))
    layout.list_more(listed)
    for manifest in (Digest.parse(entry["digest"]) for entry in listed[1:]):
        await registry.push(layout.path, manifest, recursive=False)


def main(arguments: list[str]) -> None:
    """Print the table."""
    times = int(arguments[0]) if arguments else TIMES
    store = Store(default_root(os.environ))
    program = store.get(Inputs.of_tools().locked()["cosign"])
    with tempfile.TemporaryDirectory(prefix="bench-verify-") as directory, ExitStack() as stack:
        work = Path(directory)
        project = released(stack, work, store)
        reference = project.read("publish/receipt.json")["reference"]
        one, one_spent = measured(lambda: cosign(project, reference, program), times)
        ours, ours_spent = measured(lambda: verify(project, reference), times)
        anyio.run(attach_junk, project, reference, store, work)
        many, many_spent = measured(lambda: verify(project, reference), 1)
    print(f"# verify, and one `cosign verify-attestation`; load {os.getloadavg()[0]:.1f}\n")
    print("| | seconds | processors | times one of Cosign's |\n| --- | ---: | ---: | ---: |")
    print(f"| cosign verify-attestation, one type | {one:.2f} | {one_spent:.2f} | 1.0 |")
    print(f"| verify, 9 types by two verifiers | {ours:.2f} | {ours_spent:.2f} | {ours / one:.1f} |")
    print(f"| verify among {JUNK + AGAIN} more | {many:.2f} | {many_spent:.2f} | {many / one:.1f} |\n")
    print(f"verify: {'within' if ours < LIMIT else 'beyond'} {LIMIT} s")
    print(f"among junk: {'within' if many < LIMIT_OF_MANY else 'beyond'} {LIMIT_OF_MANY} s")


if __name__ == "__main__":
    main(sys.argv[1:])
