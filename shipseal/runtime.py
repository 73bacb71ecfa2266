"""What an image's interpreter is: Debian's Python of one release, and where it has what. Pure.

The lock of Debian packages says which; nothing else knows. Paths: Debian Python Policy, "Module Path" and "Interpreter
Location"; versions: PEP 3149 and PEP 425 for tags.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Runtime:
    """Debian's Python of one release.

    Args:
        release: the number of Debian's release, by which advisories go: `12`.
        python: the version that paths and tags have: `3.11`.
        full: the whole version: `3.11.2`.
        glibc: the minor version of its glibc 2, which decides what compiled wheels it takes.
    """

    release: str = "12"
    python: str = "3.11"
    full: str = "3.11.2"
    glibc: int = 36

    @property
    def name(self) -> str:
        """What people call it in pipeline.toml."""
        return f"debian-{self.release}"

    @property
    def interpreter(self) -> str:
        """The path of the interpreter, below the root."""
        return f"usr/bin/python{self.python}"

    @property
    def standard(self) -> str:
        """Where the standard library is."""
        return f"usr/lib/python{self.python}"

    @property
    def dynamic(self) -> str:
        """Where its extension modules are."""
        return f"{self.standard}/lib-dynload"

    @property
    def site(self) -> str:
        """Where Debian's interpreter looks for what is not Debian's."""
        return f"usr/local/lib/python{self.python}/dist-packages"

    @property
    def cache_tag(self) -> str:
        """What byte code in `__pycache__` has in its name."""
        return f"cpython-{self.python.replace('.', '')}"

    @property
    def version(self) -> tuple[int, int]:
        """The version that paths and tags have, as numbers."""
        major, minor = self.python.split(".")
        return int(major), int(minor)


BOOKWORM = Runtime()
"""Debian 12, which is what a lock has that comes with the pipeline unless another is asked for."""
