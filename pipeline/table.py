"""The table of stages: a row may need only rows above it, so reading order is a valid order and nobody sorts."""

from pipeline.stage import Stage
from pipeline.stages.admit import admit
from pipeline.stages.assess import assess
from pipeline.stages.attest import RECORDED, attest
from pipeline.stages.build import build
from pipeline.stages.deploy import deploy
from pipeline.stages.facts import facts
from pipeline.stages.image import image
from pipeline.stages.inputs import inputs
from pipeline.stages.promote import promote
from pipeline.stages.publish import publish
from pipeline.stages.report import report
from pipeline.stages.sbom import sbom
from pipeline.stages.scan import scan
from pipeline.stages.smoke import smoke
from pipeline.stages.test import test
from pipeline.stages.verify import verify
from pipeline.stages.vex import vex

_TOKEN = ("SIGSTORE_ID_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL")
_EVIDENCE = (*RECORDED, "attest", "publish", "verify", "promote", "deploy")

TABLE: tuple[Stage, ...] = (
    Stage(facts, reads=("repository",), always=True),
    Stage(inputs, tools=("python", "apt-get", "go"), reads=("locks",), network=True, always=True),
    Stage(build, needs=("inputs",), tools=("python",), reads=("source",)),
    Stage(test, needs=("inputs", "build"), tools=("python",), reads=("tests",)),
    Stage(image, needs=("inputs", "build")),
    Stage(smoke, needs=("inputs", "image"), tools=("docker", "bwrap")),
    Stage(sbom, needs=("inputs", "image"), tools=("syft",)),
    Stage(scan, needs=("image", "sbom"), tools=("grype",), reads=("policy",), live=True),
    Stage(vex, needs=("image", "sbom", "scan"), tools=("grype",), reads=("policy",), live=True),
    Stage(assess, needs=("image", "scan", "vex"), reads=("policy",), live=True),
    Stage(admit, needs=("assess",), live=True),
    Stage(attest, needs=RECORDED, tools=("cosign",), secrets=_TOKEN, network=True, live=True),
    Stage(publish, needs=("image", "attest"), tools=("oras", "olareg"), network=True, live=True),
    Stage(
        verify,
        needs=("attest", "publish"),
        tools=("oras", "olareg", "cosign"),
        reads=("policy",),
        network=True,
        live=True,
    ),
    Stage(
        promote,
        needs=("image", "publish", "verify"),
        tools=("oras", "olareg", "cosign"),
        secrets=_TOKEN,
        network=True,
        live=True,
    ),
    Stage(deploy, needs=("image", "verify"), tools=("kustomize",), reads=("manifests",), network=True, live=True),
    Stage(report, needs=_EVIDENCE),
)
