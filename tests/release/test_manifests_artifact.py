"""Rendered manifests go to a registry with a password and without the referrers API, and their statements with them."""

from datetime import UTC, datetime
from pathlib import Path

from shipseal.digest import Digest
from shipseal.distribution.credentials import login
from shipseal.distribution.manifests_artifact import artifact, publish
from shipseal.distribution.referrers import attach
from shipseal.distribution.registry import Registry
from shipseal.locked.store import Store
from shipseal.oci.layout import Layout
from shipseal.tools.toolbox import Toolbox
from tests.release.registries import docker_registry


async def test_an_artefact_and_its_statement_are_found_in_a_registry_that_keeps_referrers_by_a_tag(
    store: Store, locked: dict[str, Digest], tmp_path: Path
) -> None:
    made = artifact(b"---\nkind: ConfigMap\n", {})
    layout = made.lay(tmp_path / "layout")
    said = attach(b"a bundle", "https://example.com/rendered", made.descriptor, datetime(2026, 1, 1, tzinfo=UTC))
    for blob in (said.manifest, b"a bundle", b"{}"):
        layout.put(blob)
    layout.list_more([said.descriptor])
    (tmp_path / "registry").mkdir()
    tools = Toolbox(store, locked, frozenset({"oras"}), tmp_path / "log.txt")
    with docker_registry(tmp_path / "registry") as served, login(served.environment()) as found:
        registry = Registry(tools, served.host, "acme/manifests", True, found.environment, writable=True)
        assert await publish(registry, layout, made) == made.digest
        await registry.pull(made.digest, tmp_path / "back")
        assert Layout(tmp_path / "back").read(Digest.of(made.layer)) == made.layer
        assert [each["digest"] for each in await registry.referrers(made.digest)] == [str(Digest.of(said.manifest))]
        assert served.tags("acme/manifests") == []
