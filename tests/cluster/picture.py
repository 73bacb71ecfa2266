"""A picture of a load and of how many pods an autoscaler had for it, as SVG; it is told in its text as well."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

WIDTH, HEIGHT, LEFT, TOP = 760, 380, 60, 20
_PANEL, _GAP = 140, 50
_STYLE = (
    "text{font:12px sans-serif;fill:#777}path{fill:none;stroke-width:2}.axis{stroke:#999;stroke-width:1}"
    ".load{stroke:#888}.real{stroke:#1565c0;stroke-width:3}.simulated{stroke:#e65100;stroke-dasharray:6 4}"
)

Steps = Sequence[tuple[float, int]]


@dataclass(frozen=True)
class Series:
    """What a service went through: seconds in all, samples of load and pods, and what was asked for, in two ways."""

    end: float
    samples: Sequence[tuple[float, int, int]]
    orders: Steps
    simulated: Steps
    first: int

    def told(self) -> str:
        """Say the steps without their times, which differ by some seconds from one run to the next."""
        numbers = [self.first, *(number for _, number in self.orders)]
        loads = [load for load, _ in groupby(load for _, load, _ in self.samples)]
        ways = (", then ".join(map(str, each)) for each in (numbers, loads))
        return "pods: {}; millicores of load: {}".format(*ways)


def drawn(series: Series) -> str:
    """Return the picture."""
    most_load, most_pods = max(load for _, load, _ in series.samples), 12
    below = TOP + _PANEL + _GAP
    load = _stairs([(at, load) for at, load, _ in series.samples], series.end, most_load, TOP)
    real, ours = ([(0, series.first), *steps] for steps in (series.orders, series.simulated))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        "<title>Load, and the pods that the autoscaler had for it</title>",
        f"<desc>{series.told()}</desc>",
        f"<style>{_STYLE}</style>",
        f'<text x="{LEFT}" y="{TOP - 6}">CPU that all pods together need, millicores</text>',
        *_axes(TOP, series.end, (0, most_load // 2, most_load), most_load),
        f'<path class="load" d="{load}"/>',
        f'<text x="{LEFT}" y="{below - 6}">pods: blue the real controller, orange the simulation</text>',
        *_axes(below, series.end, (0, 3, 5, 7, 10), most_pods),
        f'<path class="real" d="{_stairs(real, series.end, most_pods, below)}"/>',
        f'<path class="simulated" d="{_stairs(ours, series.end, most_pods, below)}"/>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _x(at: float, end: float) -> str:
    return f"{LEFT + (WIDTH - LEFT - 20) * min(at, end) / end:.0f}"


def _stairs(steps: Steps, end: float, most: int, top: int) -> str:
    """Return a path that stays at each value until the next; one that says the same as before is left out."""
    path, before = "", None
    for at, value in steps:
        if value != before:
            y = f"{top + _PANEL * (1 - value / most):.0f}"
            path += f"{'H' + _x(at, end) if path else 'M' + _x(at, end) + ' ' + y}V{y}"
            before = value
    return f"{path}H{_x(end, end)}"


def _axes(top: int, end: float, marks: Sequence[int], most: int) -> list[str]:
    bottom = top + _PANEL
    lines = [f'<path class="axis" d="M{LEFT} {top}V{bottom}H{_x(end, end)}"/>']
    for mark in marks:
        y = bottom - _PANEL * mark / most
        lines.append(f'<text x="{LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{mark}</text>')
    lines += [
        f'<text x="{_x(at, end)}" y="{bottom + 16}" text-anchor="middle">{at // 60} min</text>'
        for at in range(0, int(end) + 1, 180)
    ]
    return lines
