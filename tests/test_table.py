"""The table is what the design says: an order in which every row's needs are above it, and one gate."""

import subprocess
import sys
from importlib import import_module
from inspect import getsource, iscoroutinefunction

from pipeline.engine.schedule import wanted
from pipeline.engine.stage import INPUTS
from pipeline.engine.table import TABLE
from pipeline.stages.admit import admit

NAMES = [
    *("facts", "inputs", "build", "test", "image", "smoke", "sbom", "scan", "vex", "assess", "admit", "attest"),
    *("publish", "verify", "promote", "deploy", "report"),
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
    assert [stage.name for stage in TABLE if stage.live] == [
        "scan", "vex", "assess", "admit", "attest", "publish", "verify", "promote", "deploy",
    ]  # fmt: skip


def test_only_row_zero_is_done_in_every_run() -> None:
    assert [stage.name for stage in TABLE if stage.always] == ["facts", "inputs"]


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
        body = getattr(import_module(f"pipeline.stages.{name}"), name)
        assert iscoroutinefunction(body), name


def test_reading_the_table_imports_no_body() -> None:
    code = "import pipeline.engine.table, sys; print([m for m in sys.modules if m.startswith('pipeline.stages.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_gate_is_one_short_stage() -> None:
    assert len(getsource(admit).splitlines()) < 20


def test_a_row_that_takes_from_the_store_waits_for_what_fills_it() -> None:
    late = [row.name for row in TABLE if (row.tools or row.inputs) and row.name != INPUTS and INPUTS not in row.after]
    assert late == []


def test_a_row_that_takes_nothing_from_the_store_waits_for_its_needs_alone() -> None:
    rows = {row.name: row for row in TABLE}
    assert rows["admit"].after == ("assess",)
