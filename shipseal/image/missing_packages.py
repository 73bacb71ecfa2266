"""Say that Debian packages are missing from the image, where it is known which. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from shipseal.errors import SubjectFailed


class MissingPackages(SubjectFailed):
    """Something of Debian's is nowhere in the image; `packages` have it, each with what needs it."""

    packages: Mapping[str, str] = MappingProxyType({})
