"""What another has really signed and attached since overrules what is there: the older is not adopted any more."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from shipseal.digest import Digest
from shipseal.distribution.attaching import push
from shipseal.distribution.registry import Registry
from shipseal.local.sigstore import LocalSigstore
from shipseal.locked.store import Store
from shipseal.oci.layout import Layout
from shipseal.statements.builders import VERDICT_FIELD
from shipseal.tools.toolbox import Toolbox
from tests.release.laboratory import REPOSITORY, Laboratory, laboratory
from tests.release.registries import INDEX, MANIFEST, Served, olareg
from tests.release.signing import sign

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def lab(
    authority: LocalSigstore, store: Store, locked: dict[str, Digest], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Laboratory]:
    """Give a laboratory in which an image was released once."""
    directory = tmp_path_factory.mktemp("newer")
    with olareg(store.get(locked["olareg"]), directory) as served:

        def one(_: str) -> Served:
            return served

        with laboratory(directory, authority, one) as lab:
            assert lab.release() == 0, lab.said()
            yield lab


def found_nothing(statement: dict[str, Any]) -> None:
    statement["predicate"]["scanner"]["result"] = []


def denied(statement: dict[str, Any]) -> None:
    statement["predicate"]["properties"] = []
    statement["predicate"][VERDICT_FIELD]["allowed"] = False


@pytest.mark.parametrize(("name", "change"), [("scan-linux-amd64", found_nothing), ("verdict", denied)])
def test_an_older_one_is_not_adopted_and_its_like_is_signed_anew(
    lab: Laboratory,
    store: Store,
    locked: dict[str, Digest],
    tmp_path: Path,
    name: str,
    change: Callable[[dict[str, Any]], None],
) -> None:
    time.sleep(1.1)  # the log tells whole seconds
    statement = lab.read(f"attest/statements/{name}.json")
    change(statement)
    tools = Toolbox(store, locked, frozenset({"cosign", "oras"}), tmp_path / "log.txt")
    bundle = sign(lab, tools, statement, tmp_path)
    layout = Layout.create(tmp_path / "layout")
    registry = Registry(tools, lab.served.host, REPOSITORY, plain_http=True, writable=True)
    for subject in statement["subject"]:
        data = lab.served.get(f"{REPOSITORY}/manifests/sha256:{subject['digest']['sha256']}", f"{INDEX}, {MANIFEST}")
        described = layout.described(layout.put(data))
        anyio.run(push, registry, layout, bundle, statement["predicateType"], described, datetime.now(UTC))
    time.sleep(1.1)
    assert lab.release() == 0, lab.said()
    assert lab.effects.attempts[-1].count("certificate") == 2, "this one, and the summary that names it"
    effects = lab.read("attest/effects.json")["effects"]
    assert {name, "summary"} == {each["name"] for each in effects if each["kind"] == "certificate"}
