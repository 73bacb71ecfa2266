"""Say what slow and idle connections cost the requests of somebody else."""

from bench.service.contestants import Contestant
from bench.service.processes import running
from tests.service_edge.slow import held, times


def line(contestant: Contestant, seconds: float) -> str:
    """Measure a contestant, and return what 500 slow or idle connections cost the 99th percentile of the others."""
    with running(contestant) as server:
        alone = times(server.port, seconds)
        with held(server.port, 500):
            beside = times(server.port, seconds)
    before, after = (taken[len(taken) * 99 // 100] for taken in (alone, beside))
    return f"{contestant.name}: p99 {before:.2f} ms alone, {after:.2f} ms beside 500 slow or idle connections (aim: 10)"
