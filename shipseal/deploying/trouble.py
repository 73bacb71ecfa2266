"""Say why a rollout does not come to its end, in the few lines that a person needs. Pure.

Most telling first: pods that cannot be made, containers that do not run, pods that no node takes, then what the
Deployment's controller concludes, what was reported (Event, of core/v1 and of events.k8s.io/v1), and quotas used up.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import islice

from shipseal.deploying.manifests import Object, dig, entries
from shipseal.deploying.unstructured import conditions, name_of, number, said, text, uid_of

_MOST = 6  # lines of each kind
_LOGS = 3
# Kubernetes' names of pods and containers (RFC 1123): they become part of a request.
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
# apimachinery, pkg/api/resource/quantity.go, "The serialization format".
_QUANTITY = re.compile(r"([0-9]{1,30}(?:\.[0-9]{0,30})?)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]{1,2}))?")
_UNITS = {
    **{letter: Decimal(1000) ** power for power, letter in enumerate("num", start=-3)},
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}

# How telling it is, least first; what pods have in common; and what one of them says of it.
_Said = tuple[int, str, str]


def trouble(
    deployment: Object,
    replica_sets: Sequence[Object],
    pods: Sequence[Object],
    events: Sequence[Object],
    quotas: Sequence[Object],
) -> tuple[str, ...]:
    """Return what hinders a rollout, one line each, fit to be shown; none where nothing is told.

    Args:
        deployment: as the API server gives it.
        replica_sets: its own.
        pods: its own; those that are being deleted say nothing here.
        events: of the namespace; those of other objects do not count, nor do ordinary ones.
        quotas: the ResourceQuotas of the namespace.
    """
    kinds = (
        _not_made(deployment, replica_sets),
        _of_pods(_staying(pods), _containers),
        _of_pods(_staying(pods), _unscheduled),
        _not_progressing(deployment),
        _reported(events, [deployment, *replica_sets, *pods]),
        _used_up(quotas),
    )
    return tuple(each for lines in kinds for each in islice(lines, _MOST))


def logs_wanted(pods: Sequence[Object]) -> tuple[tuple[str, str, bool], ...]:
    """Return whose last lines help: pod, container, and whether those of its run before; at most 3, the worst first.

    Of containers of one name in several pods one is asked, and none that has never run.
    """
    found: dict[str, tuple[int, str, bool]] = {}
    for pod in _staying(pods):
        for status, _ in _statuses(pod):
            name, container = text(dig(pod, "metadata").get("name")), text(status.get("name"))
            wanted = _log_of(status)
            if wanted and _NAME.fullmatch(name) and _NAME.fullmatch(container):
                found[container] = min(found.get(container, (9, "", False)), (wanted[0], name, wanted[1]))
    worst = sorted(found.items(), key=lambda each: each[1])[:_LOGS]
    return tuple((name, container, previous) for container, (_, name, previous) in worst)


def _staying(pods: Sequence[Object]) -> list[Object]:
    return [pod for pod in pods if dig(pod, "metadata").get("deletionTimestamp") in (None, "")]


def _log_of(status: Object) -> tuple[int, bool] | None:
    """Return how much a container's log would tell, and whether it is that of its run before."""
    state, ended_before = dig(status, "state"), bool(dig(status, "lastState", "terminated"))
    if "terminated" in state:
        return None if number(dig(state, "terminated").get("exitCode"), 1) == 0 else (0, False)
    if "waiting" in state:
        return (1, True) if ended_before else None
    return (2, ended_before) if "running" in state and status.get("ready") is False else None


def _statuses(pod: Object) -> Iterator[tuple[Object, bool]]:
    """Yield the state of each container, and whether it is one that should end before the others begin."""
    for each in entries(dig(pod, "status").get("initContainerStatuses")):
        yield each, True
    for each in entries(dig(pod, "status").get("containerStatuses")):
        yield each, False


def _line(who: str, *words: object) -> str:
    return ": ".join(word for word in (who, *map(said, words)) if word)


def _not_made(deployment: Object, replica_sets: Sequence[Object]) -> Iterator[str]:
    seen = set[str]()
    for kind, each in (("Deployment", deployment), *(("ReplicaSet", one) for one in replica_sets)):
        for condition in conditions(each, "ReplicaFailure"):
            message = said(condition.get("message"))
            if condition.get("status") == "True" and message not in seen:
                seen.add(message)  # a Deployment repeats what its ReplicaSets say
                yield _line(f"{kind} {name_of(each)}", condition.get("reason") or "ReplicaFailure", message)


def _not_progressing(deployment: Object) -> Iterator[str]:
    for each in conditions(deployment, "Progressing"):
        if each.get("status") == "False":
            yield _line(f"Deployment {name_of(deployment)}", each.get("reason"), each.get("message"))


def _of_pods(pods: Sequence[Object], say: Callable[[Object], Iterator[_Said]]) -> Iterator[str]:
    """Yield what pods say, once for all that say the same."""
    found: dict[tuple[int, str], list[tuple[str, str]]] = {}
    for pod in pods:
        for rank, common, message in say(pod):
            found.setdefault((rank, common), []).append((name_of(pod), message))
    for (_, common), saying in sorted(found.items(), key=lambda each: each[0][0]):
        more = f" and {len(saying) - 1} more" if len(saying) > 1 else ""
        yield _line(f"Pod {saying[0][0]}{more}", common, saying[0][1])


def _containers(pod: Object) -> Iterator[_Said]:
    now = dig(pod, "status")
    if now.get("phase") == "Failed":
        yield 0, f"it has failed, {said(now.get('reason')) or 'no reason given'}", _message(now)
    for status, first in _statuses(pod):
        called, state = f"container {said(status.get('name'), 63)}", dig(status, "state")
        ended, waiting = dig(state, "terminated"), dig(state, "waiting")
        before = _ended(dig(status, "lastState", "terminated"))
        history = f"; it ended before, {before}" if before else ""
        if ended and not (first and ended.get("exitCode") == 0):
            yield 0, f"{called} has ended, {_ended(ended)}", _message(ended)
        elif "running" in state and status.get("ready") is False:
            yield 1, f"{called} runs and is not ready{history}", ""
        elif waiting.get("reason") == "ContainerCreating":
            yield 2, f"{called} is being made", _message(waiting)
        elif waiting and waiting.get("reason") != "PodInitializing":
            yield 0, f"{called} waits, {said(waiting.get('reason')) or 'no reason given'}{history}", _message(waiting)


def _message(state: Object) -> str:
    return said(state.get("message"))


def _ended(state: Object) -> str:
    code = number(state.get("exitCode"), -1)
    words = (said(state.get("reason")), f"exit code {code}" if code >= 0 else "")
    return ", ".join(word for word in words if word) if state else ""


def _unscheduled(pod: Object) -> Iterator[_Said]:
    for each in conditions(pod, "PodScheduled"):
        if each.get("status") == "False":
            yield 0, f"no node takes it, {said(each.get('reason')) or 'no reason given'}", _message(each)


def _reported(events: Sequence[Object], own: Sequence[Object]) -> Iterator[str]:
    uids = {uid_of(each) for each in own} - {""}
    times: dict[tuple[str, str, str], int] = {}
    lines: dict[tuple[str, str, str], str] = {}
    for event in sorted(events, key=_when, reverse=True):
        about = dig(event, "involvedObject") or dig(event, "regarding")
        if dig(event).get("type") != "Warning" or text(about.get("uid")) not in uids:
            continue
        kind, name, reason = (said(each, 253) for each in (about.get("kind"), about.get("name"), event.get("reason")))
        message = said(event.get("message")) or said(event.get("note"))
        same = kind, reason, message.replace(name, "").replace(said(about.get("uid")), "")
        count = event.get("count"), dig(event, "series").get("count"), event.get("deprecatedCount")
        times[same] = times.get(same, 0) + max(number(each, 1) for each in count)
        lines.setdefault(same, _line(f"{kind} {name}", reason, message))
    for same, line in lines.items():
        yield f"{line} ({times[same]} times)" if times[same] > 1 else line


def _when(event: Object) -> str:
    """Return when an event was seen last, to the second, RFC 3339 in UTC, which sorts as text."""
    last = [dig(event).get(key) for key in ("lastTimestamp", "deprecatedLastTimestamp", "eventTime")]
    times = dig(event, "series").get("lastObservedTime"), *last, dig(event, "metadata").get("creationTimestamp")
    return next((each[:19] for each in map(text, times) if each), "")


def _used_up(quotas: Sequence[Object]) -> Iterator[str]:
    for quota in quotas:
        used = dig(quota, "status", "used")
        for resource, most in dig(quota, "status", "hard").items():
            have, allowed = _quantity(used.get(resource)), _quantity(most)
            if have and allowed is not None and have >= allowed:
                of = f"{said(used.get(resource), 40)} of {said(most, 40)}"
                yield f"ResourceQuota {name_of(quota)}: {said(resource, 100)} is used up, {of}"


def _quantity(value: object) -> Decimal | None:
    read = _QUANTITY.fullmatch(text(value))
    return Decimal(read[1]) * _UNITS.get(read[2], Decimal(1)) * Decimal(10) ** int(read[3] or 0) if read else None
