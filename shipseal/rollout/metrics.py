"""Write what `status` found as metrics: Prometheus's text format, version 0.0.4, for the textfile collector.

Alerts of k8s/monitoring read these. Who collects the file adds a `namespace` of its own, so ours is `k8s_namespace`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from shipseal.deploying.running import Match
from shipseal.judging.policy_files import PolicyFiles
from shipseal.judging.waivers import DeployWaiver
from shipseal.rollout.status import NamespaceStatus
from shipseal.statements.builders import PredicateType
from shipseal.terminal_text import line
from shipseal.times import read_time
from shipseal.verification.trust import Policy

_LONGEST = 200  # characters of a value: some are what a project calls something
_KINDS = (PredicateType.VULNS, PredicateType.OPENVEX, PredicateType.VERDICT)

Labels = tuple[tuple[str, str], ...]


@dataclass
class Family:
    """One metric: its name, what it says, and its samples. Of two with the same labels the earlier end counts."""

    name: str
    text: str
    samples: dict[Labels, float] = field(default_factory=dict)

    def add(self, value: float, **labels: str) -> None:
        """Add a sample."""
        key = tuple((name, line(text)[:_LONGEST]) for name, text in labels.items())
        self.samples[key] = min(value, self.samples.get(key, value))

    def lines(self, common: Labels) -> Iterator[str]:
        """Yield it as it is written, nothing where there is no sample."""
        if self.samples:
            yield f"# HELP {self.name} {self.text}"
            yield f"# TYPE {self.name} gauge"
        for labels, value in sorted(self.samples.items()):
            written = ",".join(f'{name}="{_escaped(text)}"' for name, text in (*common, *labels))
            yield f"{self.name}{{{written}}} {value:.15g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"")


@dataclass(frozen=True)
class ExpiringInputs:
    """What has an end: the policy of the images, the statements and waivers of the project, and the trust root.

    Args:
        policy: that images are verified by.
        files: statements and waivers of findings.
        deploys: waivers of images.
        roots: until when the trust root holds, by the kind of its authorities.
    """

    policy: Policy
    files: PolicyFiles
    deploys: Sequence[DeployWaiver]
    roots: Mapping[str, datetime]


def text(found: NamespaceStatus, rules: ExpiringInputs, now: datetime) -> str:
    """Return the whole file.

    Args:
        found: what `status` found.
        rules: what has an end.
        now: when it looked.
    """
    common = (("cluster_uid", line(found.target.cluster.uid)), ("k8s_namespace", line(found.namespace)))
    families = (*_standing(found, now), *_ends(rules))
    return "".join(f"{each}\n" for family in families for each in family.lines(common))


def _standing(found: NamespaceStatus, now: datetime) -> Iterator[Family]:
    yield _one("shipseal_status_timestamp_seconds", "When `shipseal status` last looked.", now.timestamp())
    sequence = found.receipt.sequence if found.receipt else 0
    yield _one("shipseal_deploy_receipt_sequence", "The newest receipt; 0: nothing was deployed by one.", sequence)
    if found.receipt:
        deployed = read_time(found.receipt.deployed_at).timestamp()
        yield _one("shipseal_deploy_receipt_timestamp_seconds", "When the newest receipt was signed.", deployed)
        image = Family("shipseal_deploy_image_info", "The image of the newest receipt; the value is always 1.")
        image.add(1, image=found.receipt.image)
        yield image
    yield _one("shipseal_refusals", "Reasons for which what runs no longer verifies.", len(found.refused))
    yield _one("shipseal_drift", "What has drifted from the newest receipt.", len(found.drift))
    yield _one("shipseal_waits", "Objects that are not as they should be, by kstatus.", len(found.waits))
    pods = Family("shipseal_pods", "Pods, by whether they run the image of the newest receipt.")
    for match in Match:
        pods.add(sum(each.match is match for each in found.pods), match=match.value)
    yield pods


def _ends(rules: ExpiringInputs) -> Iterator[Family]:
    ages = [age for kind in _KINDS if (age := rules.policy.maximum_age(kind))]
    if ages:
        told = "How old evidence may be that an image is verified by: the shortest age that the policy names."
        yield _one("shipseal_policy_maximum_age_seconds", told, min(ages).total_seconds())
    statements = Family("shipseal_vex_statement_end_timestamp_seconds", "When a statement of policy/vex ends.")
    for file, document in rules.files.documents.items():
        for each in document.statements:
            statements.add(_after(each.valid_until), file=file, finding=each.vulnerability.name)
    yield statements
    waivers = Family("shipseal_waiver_end_timestamp_seconds", "When a waiver of policy/waivers.toml ends.")
    for waiver in rules.files.waivers:
        waivers.add(_after(waiver.until), of=waiver.finding)
    for deploy in rules.deploys:
        waivers.add(_after(deploy.until), of=deploy.image)
    yield waivers
    roots = Family("shipseal_trust_root_end_timestamp_seconds", "Until when the trust root names an authority.")
    for kind, end in rules.roots.items():
        roots.add(end.timestamp(), authorities=kind)
    yield roots


def _one(name: str, told: str, value: float) -> Family:
    family = Family(name, told)
    family.add(value)
    return family


def _after(last: date) -> float:
    """Return the first second after a last day."""
    return datetime.combine(last + timedelta(days=1), time(), UTC).timestamp()
