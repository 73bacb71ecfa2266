"""Say no when the verdict does: the one gate."""

from shipseal.documents.verdict import VerdictDocument
from shipseal.engine.stage import Context
from shipseal.errors import PolicyDenied


async def admit(context: Context) -> str:
    """Let the image pass, or raise `PolicyDenied` with every reason and remedy of the verdict."""
    verdict = VerdictDocument.read(context)
    denied = verdict.denied
    if verdict.allowed is not True or denied:
        what = f"{len(denied)} finding{'s are' if len(denied) != 1 else ' is'} not allowed in {verdict.image}"
        remedies = dict.fromkeys(reason.remedy for reason in denied)
        raise PolicyDenied(what, why=[reason.message for reason in denied], remedy="; ".join(remedies))
    return f"{verdict.image.digest} may ship"
