"""List every attack, and write the list as docs/attack.md has it."""

from collections.abc import Iterable

from shipseal.attacks import (
    on_bundles,
    on_findings,
    on_identity,
    on_layouts,
    on_statements,
    on_the_image,
    on_the_run,
    on_the_verdict,
)
from shipseal.attacks.attack import Attack, Control
from shipseal.attacks.gates import KEPT, REPLAY, VERIFY
from shipseal.errors import UsageError
from shipseal.verification.trust import Policy

ATTACKS: tuple[Attack, ...] = (
    *on_the_run.ATTACKS,
    *on_the_verdict.ATTACKS,
    *on_layouts.ATTACKS,
    *on_the_image.ATTACKS,
    *on_bundles.ATTACKS,
    *on_identity.ATTACKS,
    *on_statements.ATTACKS,
    *on_findings.ATTACKS,
)

CONTROLS: tuple[Control, ...] = (
    # The other gates change more, and take longer; the run itself has passed them.
    *(Control(f"control-{gate}", "nothing", gate) for gate in (VERIFY, REPLAY, KEPT, "admit", "assess")),
    Control(
        "control-stranger",
        "a stranger's denial attached beside the evidence",
        VERIFY,
        on_identity.deny_as_a_stranger,
    ),
)


def chosen(names: Iterable[str]) -> tuple[Attack, ...]:
    """Return the attacks of these names, all where there are none; raise `UsageError` where there is no such attack."""
    known = {attack.name: attack for attack in ATTACKS}
    wanted = list(names)
    for name in wanted:
        if name not in known:
            raise UsageError(f"there is no attack {name}", remedy="`shipseal attack --list` names them")
    return tuple(attack for attack in ATTACKS if not wanted or attack.name in wanted)


def table(policy: Policy) -> str:
    """Return the table of all attacks in Markdown, with what refuses each under a policy."""
    controls = [f"| `{each.name}` | {each.did} | `{each.gate}` | nothing: it is accepted |" for each in CONTROLS]
    rows = [f"| `{each.name}` | {each.did} | `{each.gate}` | {each.refusal(policy)} |" for each in ATTACKS]
    heads = ["| name | what is done | before | what has to refuse it |", "| --- | --- | --- | --- |"]
    return "\n".join([*heads, *controls, *rows])
