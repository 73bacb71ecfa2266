"""The table is what the design says: an order in which every row's needs are above it, and one gate."""

import subprocess
import sys
from importlib import import_module
from inspect import getsource, iscoroutinefunction

from shipseal.engine.schedule import wanted
from shipseal.engine.stage import INPUTS, TOOLS
from shipseal.engine.table import TABLE
from shipseal.locked.inputs import Inputs
from shipseal.stages.admit import admit

NAMES = [
    *("facts", "inputs", "tools", "build", "test", "image", "smoke", "sbom", "scan", "vex", "assess", "admit"),
    *("attest", "publish", "verify", "promote", "deploy", "report"),
]


def test_the_rows_are_those_of_the_design_in_its_order() -> None:
    assert [stage.name for stage in TABLE] == NAMES


def test_every_row_needs_only_rows_above_it() -> None:
    for index, stage in enumerate(TABLE):
        assert set(stage.needs) <= set(NAMES[:index]), stage.name


def test_nothing_is_signed_pushed_or_deployed_before_it_is_admitted() -> None:
    for name in ("attest", "publish", "verify", "promote", "deploy"):
        assert "admit" in {stage.name for stage in wanted(TABLE, name)}


def test_the_tag_moves_after_verification_and_not_before() -> None:
    assert "promote" not in {stage.name for stage in wanted(TABLE, "verify")}
    assert "verify" in {stage.name for stage in wanted(TABLE, "promote")}


def test_what_looks_or_writes_outside_is_live() -> None:
    assert [stage.name for stage in TABLE if stage.uncached] == [
        "scan", "vex", "assess", "admit", "attest", "publish", "verify", "promote", "deploy",
    ]  # fmt: skip


def test_only_row_zero_is_done_in_every_run() -> None:
    assert [stage.name for stage in TABLE if stage.always_run] == ["facts", "inputs", "tools"]


def test_a_token_goes_to_the_stages_that_sign_and_to_no_other() -> None:
    assert [stage.name for stage in TABLE if "SIGSTORE_ID_TOKEN" in stage.secrets] == ["attest", "promote", "deploy"]


def test_the_login_of_the_registry_goes_to_the_stages_that_talk_to_it_and_to_no_other() -> None:
    names = [stage.name for stage in TABLE if "DOCKER_AUTH_CONFIG" in stage.secrets]
    assert names == ["attest", "publish", "verify", "promote", "deploy"]


def test_what_opens_the_cluster_goes_to_the_stage_that_deploys_and_to_no_other() -> None:
    assert [row.name for row in TABLE if "KUBECONFIG" in row.secret_files] == ["deploy"]
    assert [row.name for row in TABLE if any(name.startswith("AWS_") for name in row.secrets)] == ["deploy"]


def test_every_row_has_its_body_in_a_module_of_its_own() -> None:
    for name in NAMES:
        body = getattr(import_module(f"shipseal.stages.{name}"), name)
        assert iscoroutinefunction(body), name


def test_reading_the_table_imports_no_body() -> None:
    code = "import shipseal.engine.table, sys; print([m for m in sys.modules if m.startswith('shipseal.stages.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_gate_is_one_short_stage() -> None:
    assert len(getsource(admit).splitlines()) < 20


def test_a_row_that_takes_from_the_store_waits_for_what_fills_it() -> None:
    takes = [row for row in TABLE if (row.tools or row.inputs) and row.name not in {INPUTS, TOOLS}]
    assert [row.name for row in takes if INPUTS not in row.after] == []


def test_a_row_that_starts_a_locked_tool_waits_for_the_tools_and_no_other_does() -> None:
    """What builds, tests and writes the image is done while they are built."""
    locked = Inputs.of_tools().locked()
    starts = {row.name for row in TABLE if locked.keys() & {*row.tools}}
    assert {row.name for row in TABLE if TOOLS in row.after} == {*starts, "report"}  # which tells where they came from
    assert {row.name for row in wanted(TABLE, "image", "test")} == {"inputs", "build", "test", "image"}


def test_a_row_that_takes_nothing_from_the_store_waits_for_its_needs_alone() -> None:
    rows = {row.name: row for row in TABLE}
    assert rows["admit"].after == ("assess",)
