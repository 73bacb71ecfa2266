"""Read what `[smoke]` of `pipeline.toml` asks for: requests, and what the service may write. Pure."""

import posixpath
from typing import Annotated, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from shipseal.validation import Checked

_HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]  # RFC 9110 5.6.2, a token
_HeaderValue = Annotated[str, Field(pattern=r"^[\t -~]*$")]
_Pointer = Annotated[str, Field(pattern=r"^(/([^~/]|~[01])*)*$")]  # RFC 6901
_FRAMING = {"content-length", "transfer-encoding", "connection"}


class SmokeRequest(Checked):
    """One request to the started image, and what its answer must be; `values` by where they are (JSON Pointer)."""

    path: str = Field(pattern=r"^/[!-~]*$")
    method: str = Field(default="GET", pattern=r"^[A-Z]+$", max_length=20)
    headers: dict[_HeaderName, _HeaderValue] = Field(default={})
    body: str = ""
    status: int = Field(default=200, ge=100, le=599)
    contains: str = ""
    values: dict[_Pointer, JsonValue] = Field(default={}, alias="json")

    @model_validator(mode="after")
    def _framed_by_us(self) -> Self:
        if wrong := sorted(name for name in self.headers if name.lower() in _FRAMING):
            raise ValueError(f"headers may not name {wrong[0]}, which follows from body")
        return self


MOUNT = "/beside"
"""Where the program sees what is lent to it."""


def _own(path: str) -> str:
    if posixpath.normpath(path) != path or path.startswith("//"):
        raise ValueError(f"{path} is not as short as it can be; as in /var/cache/greetings")
    if (top := path.split("/")[1]) in _NOT_THE_SERVICES:
        raise ValueError(f"/{top} is not the service's own; as in /var/cache/greetings")
    return path


_NOT_THE_SERVICES = {"proc", "dev", "sys", MOUNT[1:], "emulator"}
Writable = Annotated[str, Field(pattern=r"^/[A-Za-z0-9._/-]+$"), AfterValidator(_own)]
"""A directory of the image that a file system in memory is mounted on: its absolute path in its shortest form."""
