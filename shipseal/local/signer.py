"""Give a dry run its signer: the real Cosign, certified by a local test authority that lives as long as the stage."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from shipseal.local.sigstore import ISSUER, local_sigstore
from shipseal.signing.identity import Certified
from shipseal.signing.signer import Signer
from shipseal.statements.builders import SignerIdentity
from shipseal.tools.toolbox import Toolbox

AUTHORITY = "a local test authority"
SUBJECT = "https://dry-run.invalid/supply-chain-pipeline/builder"


@asynccontextmanager
async def dry_run_signer(tools: Toolbox, out: Path) -> AsyncIterator[Signer]:
    """Start a local test authority, and write `trusted_root.json` and `signing_config.json` into a directory.

    Only what this authority signed, and only who has this trust root, agree: the next stage has another.
    """
    with local_sigstore() as services:
        root, config = out / "trusted_root.json", out / "signing_config.json"
        root.write_text(json.dumps(services.trusted_root(), indent=2) + "\n", encoding="utf-8")
        config.write_text(json.dumps(services.signing_config(), indent=2) + "\n", encoding="utf-8")

        yield Signer(
            tools,
            AUTHORITY,
            lambda claims: Certified(SignerIdentity(SUBJECT, ISSUER), {**claims, "build_signer_uri": SUBJECT}),
            lambda claims: services.token(SUBJECT, {**claims, "build_signer_uri": SUBJECT}),
            signing_config=config,
            trusted_root=root,
        )
