"""What `status` found, as metrics: what is wrong is counted, what ends has its date, no text of others breaks it."""

import json
import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from shipseal.deploying.running import Match, Running
from shipseal.errors import VerificationFailed
from shipseal.judging.vex import read
from shipseal.project.config import HOME
from shipseal.rollout import metrics
from shipseal.rollout.status import NamespaceStatus
from shipseal.signing.roots import ends, public_root
from tests.k8s import standing

SAMPLE = re.compile(r'([a-z_]+)\{((?:[a-z0-9_]+="(?:[^"\n\\]|\\\\|\\")*",?)+)\} ([0-9.e+-]+)')


def samples(text: str) -> dict[str, float]:
    """Return values by name and own labels; every line has to be a sample or a comment, and no series comes twice."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        common = f'cluster_uid="{standing.UID}",k8s_namespace="{standing.NAMESPACE}"'
        assert match[2].startswith(common)
        own = match[2].removeprefix(common).removeprefix(",")
        key = match[1] + (f"{{{own}}}" if own else "")
        assert key not in found
        found[key] = float(match[3])
    return found


def day(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[arg-type,misc] # a year, a month and a day


def test_what_is_wrong_is_counted() -> None:
    pods = tuple(
        Running(str(number), "u", "n", "i", match, "")
        for number, match in enumerate((Match.EQUAL, Match.DIFFERENT, Match.EQUAL, Match.UNPROVEN))
    )
    found = replace(standing.standing(), refused=("a", "b"), drift=("c",), waits=("d", "e", "f"), pods=pods)
    told = samples(metrics.text(found, standing.rules(), standing.NOW))
    assert [told[f"shipseal_{name}"] for name in ("refusals", "drift", "waits")] == [2, 1, 3]
    assert {key: value for key, value in told.items() if "_pods" in key} == {
        'shipseal_pods{match="equal"}': 2,
        'shipseal_pods{match="different"}': 1,
        'shipseal_pods{match="unproven"}': 1,
    }


def test_a_receipt_has_its_number_its_time_and_its_image() -> None:
    told = samples(standing.text())
    assert told["shipseal_deploy_receipt_sequence"] == 7
    assert told["shipseal_deploy_receipt_timestamp_seconds"] == datetime(2026, 11, 29, 8, tzinfo=UTC).timestamp()
    assert told[f'shipseal_deploy_image_info{{image="{standing.IMAGE}"}}'] == 1
    assert told["shipseal_status_timestamp_seconds"] == standing.NOW.timestamp()


def test_where_nothing_was_deployed_the_number_is_zero_and_no_time_is_told() -> None:
    told = samples(
        metrics.text(NamespaceStatus(standing.NAMESPACE, standing.TARGET, None), standing.rules(), standing.NOW)
    )
    assert told["shipseal_deploy_receipt_sequence"] == 0
    assert "shipseal_deploy_receipt_timestamp_seconds" not in told


def test_what_has_a_last_day_ends_with_the_day_after_it() -> None:
    told = samples(standing.text())
    ours = 'shipseal_vex_statement_end_timestamp_seconds{file="policy/vex/zlib-minizip.json",finding="CVE-2023-45853"}'
    assert told[ours] == day(2027, 11, 26)
    assert told['shipseal_waiver_end_timestamp_seconds{of="CVE-2030-1"}'] == day(2026, 12, 25)
    assert told["shipseal_policy_maximum_age_seconds"] == 30 * 86400


def test_of_two_statements_about_one_finding_in_one_file_the_earlier_end_counts() -> None:
    rules = standing.rules()
    [(name, document)] = rules.files.documents.items()
    [statement] = document.statements
    sooner = statement.model_copy(update={"valid_until": date(2026, 12, 1)})
    twice = document.model_copy(update={"statements": (statement, sooner)})
    rules = replace(rules, files=replace(rules.files, documents={name: twice}))
    told = samples(metrics.text(standing.standing(), rules, standing.NOW))
    assert [value for key, value in told.items() if "vex" in key] == [day(2026, 12, 2)]


@pytest.mark.parametrize("name", ['"} 1\nshipseal_refusals 9', "\\", "\x1b[2J", "x" * 9999, "\u202e"])
def test_a_name_of_others_is_one_label_and_nothing_else(name: str) -> None:
    rules = standing.rules()
    text = (HOME / "policy" / "vex" / "zlib-minizip.json").read_text().replace('"CVE-2023-45853"', json.dumps(name))
    document = read(text, rules.files.rules, "policy/vex/odd.json")
    rules = replace(rules, files=replace(rules.files, documents={"policy/vex/odd.json": document}))
    written = metrics.text(standing.standing(), rules, standing.NOW)
    assert len(written.encode("ascii")) < 9000
    assert samples(written)["shipseal_refusals"] == 0


def root(change: Callable[[Any], object]) -> bytes:
    document = json.loads(public_root().read_bytes())
    change(document)
    return json.dumps(document).encode()


def test_a_trust_root_ends_with_the_authority_that_lasts_longest() -> None:
    assert ends(public_root().read_bytes()).keys() == {"certificateAuthorities", "timestampAuthorities"}
    ended = {"start": "2020-01-01T00:00:00Z", "end": "2024-01-01T00:00:00Z"}

    def withdraw(document: Any) -> None:
        for each in document["certificateAuthorities"]:
            each["validFor"] = ended

    assert ends(root(withdraw))["certificateAuthorities"] == datetime(2024, 1, 1, tzinfo=UTC)
    assert ends(root(lambda document: document.pop("timestampAuthorities"))).keys() == {"certificateAuthorities"}


@pytest.mark.parametrize("chain", [None, [], [{"rawBytes": "?"}], [{"rawBytes": b64encode(b"no").decode()}], 7])
def test_a_trust_root_whose_certificates_cannot_be_read_is_told(chain: Any) -> None:
    def spoil(document: Any) -> None:
        document["certificateAuthorities"][-1]["certChain"] = {"certificates": chain}

    with pytest.raises(VerificationFailed, match="trust root is malformed"):
        ends(root(spoil))
