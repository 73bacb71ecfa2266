"""Say how large YAML becomes when its aliases are written out: a few lines can become more than any memory holds. Pure.

Kustomize writes out every alias of a file before it looks at what it has read.
"""

from dataclasses import dataclass, field

import yaml

_MOST = 1 << 20  # characters that aliases may add; etcd takes no object of more than 1.5 MiB
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def grows(text: bytes) -> str:
    """Return what is wrong with the aliases of a text, nothing where they are few, or where there are none."""
    if b"&" not in text or b"*" not in text:
        return ""
    seen = _Seen()
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if wrong := seen.take(event):
                line = event.start_mark.line + 1 if event.start_mark else 0
                return f"line {line}: {wrong}"
    except (yaml.YAMLError, ValueError) as problem:
        return f"it holds & and *, and is not valid YAML: {' '.join(str(problem).split())}"[:300]
    return ""


@dataclass
class _Seen:
    """What has been read of a text: what is open, innermost last, and how large each anchor's value is."""

    open: list[str] = field(default_factory=lambda: [""])
    sizes: list[int] = field(default_factory=lambda: [0])
    known: dict[str, int] = field(default_factory=dict)
    added: int = 0

    def take(self, event: yaml.Event) -> str:
        """Count one event, and return what is wrong with it."""
        anchor = getattr(event, "anchor", None) or ""
        if isinstance(event, yaml.CollectionStartEvent):
            self.open.append(anchor)
            self.sizes.append(1)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._count(self.open.pop(), self.sizes.pop())
        elif isinstance(event, yaml.ScalarEvent):
            self._count(anchor, 1 + len(event.value))
        elif isinstance(event, yaml.AliasEvent):
            return self._alias(anchor)
        return ""

    def _count(self, anchor: str, size: int) -> None:
        self.sizes[-1] += size
        if anchor:
            self.known[anchor] = size

    def _alias(self, anchor: str) -> str:
        if anchor in self.open:
            return f"*{anchor} holds itself"
        size = self.known.get(anchor, 1)  # of one that nothing has kustomize says so
        self._count("", size)
        self.added += size
        return f"its aliases become more than {_MOST >> 20} MiB: write them out" if self.added > _MOST else ""
