"""Read what people name packages by in a policy: package URLs without qualifiers. Pure."""

from typing import Annotated

from pydantic import AfterValidator

from shipseal.errors import VerificationFailed
from shipseal.purl import Purl


def _bare_purl(text: str) -> str:
    try:
        qualified = bool(Purl.parse(text).qualifiers)
    except VerificationFailed as error:
        raise ValueError(f"{error.what}: {error.remedy}") from error
    if qualified:
        raise ValueError("give the package URL without qualifiers")
    return text


BarePurl = Annotated[str, AfterValidator(_bare_purl)]
