"""The table of stages: a row may need only rows above it, so reading order is a valid order and nobody sorts.

A body is imported when its stage is run: whoever reads the table alone, as the Dagger module does in each call, need
not wait for what the bodies import.
"""

from shipseal.engine.stage import Stage

_LOGIN = ("DOCKER_AUTH_CONFIG",)
_TOKEN = ("SIGSTORE_ID_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL", "COSIGN_PASSWORD")
_AMAZON = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")

_UP_TO_THE_GATE = (
    Stage("facts", reads=("repository",), always_run=True),
    Stage("inputs", tools=("python", "apt-get", "go"), reads=("locks",), network=True, always_run=True),
    Stage("tools", tools=("python", "go"), network=True, always_run=True),
    Stage("build", needs=("inputs",), tools=("python", "bwrap"), reads=("source",), inputs=("wheels/build",)),
    Stage(
        "test",
        needs=("inputs", "build"),
        tools=("python", "bwrap"),
        reads=("tests",),
        inputs=("wheels/runtime", "wheels/test"),
    ),
    Stage("image", needs=("inputs", "build"), reads=("locks",), inputs=("wheels/linux/", "debian/linux/")),
    Stage(
        "smoke",
        needs=("inputs", "build", "image"),
        tools=("docker", "bwrap", "olareg", "oras", "qemu-aarch64-static", "qemu-x86_64-static"),
        reads=("suite", "locks"),
        inputs=("wheels/linux/", "wheels/suite/", "debian/"),
        namespaces=True,
    ),
    Stage("sbom", needs=("image",), tools=("syft",)),
    Stage("scan", needs=("image", "sbom"), tools=("grype",), reads=("policy",), uncached=True),
    Stage("vex", needs=("image", "smoke", "sbom", "scan"), tools=("grype",), reads=("policy",), uncached=True),
    Stage("assess", needs=("facts", "image", "smoke", "sbom", "scan", "vex"), reads=("policy",), uncached=True),
    Stage("admit", needs=("assess",), uncached=True),
)

RECORDED = tuple(stage.name for stage in _UP_TO_THE_GATE)
"""The stages whose records make provenance: all that come before anything is signed."""

_AFTER_IT = (
    Stage(
        "attest",
        needs=RECORDED,
        tools=("cosign", "oras"),
        reads=("policy",),
        secrets=(*_TOKEN, *_LOGIN),
        network=True,
        writes=True,
        uncached=True,
    ),
    Stage(
        "publish",
        needs=("image", "attest"),
        tools=("oras", "olareg", "cosign"),
        reads=("policy",),
        secrets=_LOGIN,
        network=True,
        writes=True,
        uncached=True,
    ),
    Stage(
        "verify",
        needs=("attest", "publish"),
        tools=("oras", "olareg", "cosign"),
        reads=("policy",),
        secrets=_LOGIN,
        network=True,
        uncached=True,
    ),
    Stage(
        "promote",
        needs=("image", "attest", "publish", "verify"),
        tools=("oras", "olareg", "cosign"),
        reads=("policy",),
        secrets=(*_TOKEN, *_LOGIN),
        network=True,
        writes=True,
        uncached=True,
    ),
    Stage(
        "deploy",
        needs=("image", "attest", "verify", "promote"),
        tools=("kustomize", "oras", "olareg", "cosign"),
        reads=("manifests", "policy"),
        secrets=(*_TOKEN, *_LOGIN, *_AMAZON),
        secret_files=("KUBECONFIG",),
        network=True,
        writes=True,
        uncached=True,
    ),
)

TABLE: tuple[Stage, ...] = (
    *_UP_TO_THE_GATE,
    *_AFTER_IT,
    Stage("report", needs=(*RECORDED, *(stage.name for stage in _AFTER_IT))),
)
