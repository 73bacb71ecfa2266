"""What a run says of itself beside its stages. Pure."""

from typing import Annotated, ClassVar

from pydantic import Field

from shipseal.documents.document import Part, TimeText


class BegunRun(Part):
    """`run.json`.

    Args:
        run_id: its name.
        world: `dry-run` or `release`.
        ended: whether it came to its end.
        cluster: whether it deploys to a cluster of this machine.
        as_of: the time that dates are judged by, where somebody has asked for another than now.
    """

    NAME: ClassVar = "run.json"

    run_id: str
    world: str
    ended: bool
    cluster: Annotated[bool, Field(exclude_if=lambda value: not value)] = False
    as_of: Annotated[TimeText | None, Field(exclude_if=lambda value: value is None)] = None
