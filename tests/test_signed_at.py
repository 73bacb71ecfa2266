"""When something was signed is what a log promises or a trusted authority has stamped, and nothing else in a bundle."""

import base64
import copy
import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from rfc3161_client import decode_timestamp_response

from shipseal.errors import VerificationFailed
from shipseal.local.sigstore import ISSUER
from shipseal.signing.verifiers import trusted_root, verify_bundle
from shipseal.statements.builders import SignerIdentity
from tests.bundles import SUBJECT, Ground, Stamps


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground(tmp_path_factory.mktemp("ground"))


def stamped(ground: Ground, *stamps: str) -> Any:
    """Return the identity's statement with timestamps, and without the promise of the log."""
    bundle: Any = copy.deepcopy(json.loads(ground.of_statement.to_json()))
    material = bundle["verificationMaterial"]
    material["timestampVerificationData"] = {"rfc3161Timestamps": [{"signedTimestamp": each} for each in stamps]}
    del material["tlogEntries"][0]["inclusionPromise"]
    return bundle


def signed_at(ground: Ground, bundle: Any, work: Path) -> datetime:
    (work / "root.json").write_text(json.dumps(ground.root()))
    root = trusted_root(work / "root.json")
    return verify_bundle(json.dumps(bundle).encode(), root, [SignerIdentity(SUBJECT, ISSUER)]).signed_at


def said(stamp: str) -> datetime:
    return decode_timestamp_response(base64.b64decode(stamp)).tst_info.gen_time


def test_a_timestamp_of_an_authority_that_is_not_trusted_makes_nothing_older(ground: Ground, tmp_path: Path) -> None:
    earlier = Stamps(tmp_path).stamp(ground.of_statement.signature)
    time.sleep(1.1)  # a timestamp has no fractions
    trusted = ground.stamps.stamp(ground.of_statement.signature)
    assert said(earlier) < said(trusted)
    assert said(trusted) == signed_at(ground, stamped(ground, earlier, trusted), tmp_path)


def test_a_time_that_the_log_does_not_promise_is_not_the_time(ground: Ground, tmp_path: Path) -> None:
    stamp = ground.stamps.stamp(ground.of_statement.signature)
    bundle = stamped(ground, stamp)
    bundle["verificationMaterial"]["tlogEntries"][0]["integratedTime"] = "1"
    assert said(stamp) == signed_at(ground, bundle, tmp_path)


def test_what_has_no_time_that_anybody_vouches_for_is_refused(ground: Ground, tmp_path: Path) -> None:
    bundle = stamped(ground, Stamps(tmp_path).stamp(ground.of_statement.signature))
    with pytest.raises(VerificationFailed, match="sigstore-python refuses the signature"):
        signed_at(ground, bundle, tmp_path)


def test_a_key_that_is_null_makes_no_certificate_a_key(ground: Ground, tmp_path: Path) -> None:
    """Cosign reads null as absent, and the two verifiers must not part over it."""
    bundle: Any = json.loads(ground.of_statement.to_json())
    bundle["verificationMaterial"]["publicKey"] = None
    assert signed_at(ground, bundle, tmp_path).tzinfo is not None
