"""Tamper with the run directory: files, records, and what the run belongs to."""

import os
import shutil
from typing import Any

from shipseal.attacks import copies
from shipseal.attacks.attack import Attack
from shipseal.attacks.gates import KEPT, NotKept
from shipseal.attacks.pointers import at
from shipseal.attacks.refusal import Refusal
from shipseal.attacks.target import Copy
from shipseal.digest import Digest
from shipseal.engine.record import FILENAME
from shipseal.errors import UsageError, VerificationFailed

_RECORD = Refusal(VerificationFailed, "engine.record.Record.check")
_VERDICT = "assess/verdict.json"


def _edit_a_file(copy: Copy) -> None:
    path = copy.directory / "assess" / "verdict.md"
    before = path.stat()
    copies.replace(path, copies.without(path.read_bytes()))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _add_a_file(copy: Copy) -> None:
    (copy.directory / "assess" / "another.json").write_text("{}")


def _remove_a_file(copy: Copy) -> None:
    (copy.directory / "assess" / "verdict.sarif").unlink()


def _link_a_file(copy: Copy) -> None:
    path = copy.directory / _VERDICT
    elsewhere = copy.directory / "elsewhere.json"
    shutil.copy(path, elsewhere)
    path.unlink()
    path.symlink_to(elsewhere)


def _edit_a_record(copy: Copy) -> None:
    def change(record: Any) -> None:
        at(record, "/products")["verdict.json"] = str(Digest.of(b"another verdict"))

    copies.edit_json(copy.directory / "assess" / FILENAME, change)


def _empty_a_record(copy: Copy) -> None:
    copies.replace(copy.directory / "assess" / FILENAME, b"{}")


def _replace_the_wheel(copy: Copy) -> None:
    (wheel,) = (copy.directory / "build" / "wheels" / "service").glob("*.whl")
    copies.replace(wheel, copies.without(wheel.read_bytes()))


def _alter_test_results(copy: Copy) -> None:
    path = copy.directory / "test" / "junit.xml"
    copies.replace(path, path.read_bytes().replace(b"<testcase", b"<testcase ", 1))


def _alter_the_list_of_inputs(copy: Copy) -> None:
    def change(inputs: Any) -> None:
        for wheel in (wheel for group in at(inputs, "/wheels").values() for wheel in group):
            wheel.update(digest=str(Digest.of(b"another wheel")))

    copies.edit_json(copy.directory / "inputs" / "inputs.json", change)


def _alter_a_lock(copy: Copy) -> None:
    """Give the project another lock; all else of it, and of its configuration, stays as it is."""
    config = copy.config
    other = copy.directory / "another.lock"
    other.write_bytes(config.service.lock.read_bytes() + b"# another\n")
    service = {**config.document["service"], "lock": str(other)}
    copy.config = config.model_copy(update={"document": {**config.document, "service": service}})


def _release_of_a_dry_run(copy: Copy) -> None:
    copy.world = type(copy.world)(copy.config, name="release", applied=copy.target.policy)


ATTACKS = (
    Attack("file-edited", "one byte of a product changed, and its times put back", "admit", _RECORD, _edit_a_file),
    Attack("file-added", "a file added to a finished stage", "admit", _RECORD, _add_a_file),
    Attack("file-removed", "a product removed from a finished stage", "admit", _RECORD, _remove_a_file),
    Attack(
        "file-linked",
        "a product replaced by a link to a file with the same bytes",
        "admit",
        Refusal(VerificationFailed, "engine.record.products"),
        _link_a_file,
    ),
    Attack("record-edited", "a digest in a record changed", "admit", _RECORD, _edit_a_record),
    Attack(
        "record-emptied",
        "a record emptied",
        "admit",
        Refusal(VerificationFailed, "engine.record.Record.read"),
        _empty_a_record,
    ),
    Attack("wheel-replaced", "the service's wheel replaced after it was tested", "attest", _RECORD, _replace_the_wheel),
    Attack("test-results-altered", "the results of the tests changed", "attest", _RECORD, _alter_test_results),
    Attack("inputs-altered", "the list of locked wheels names others", "attest", _RECORD, _alter_the_list_of_inputs),
    Attack(
        "lock-altered",
        "the project's lock changed after the image was made, so the image is made again",
        KEPT,
        Refusal(NotKept, NotKept.by),
        _alter_a_lock,
    ),
    Attack(
        "dry-run-continued-as-release",
        "a release that goes on with what a dry run has left",
        "verify",
        Refusal(UsageError, "engine.run.Run._check"),
        _release_of_a_dry_run,
    ),
)
