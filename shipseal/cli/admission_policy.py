"""`admission-policy`: write what lets a cluster run this project's images and no others.

A ValidatingAdmissionPolicy, which the API server enforces by itself, comes of the manifests and the image's name; the
policies of Sigstore's policy-controller and of Kyverno come of verification.toml. What they cannot ask for is told.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from shipseal.cli import options as shared
from shipseal.cli.engine import run_async
from shipseal.cli.generated_files import own, put
from shipseal.cli.verbs import Verbs
from shipseal.deploying.guard import guarded, policies
from shipseal.deploying.manifests import Manifest, dump, parse
from shipseal.disk import text_of
from shipseal.errors import ConfigError, UsageError
from shipseal.locked.inputs import Inputs
from shipseal.project.config import Config
from shipseal.project.reads import FILENAME
from shipseal.rollout.rendering import kustomize
from shipseal.signing.roots import public_root
from shipseal.terminal_text import line
from shipseal.tools.environment import network_environment
from shipseal.tools.toolbox import Toolbox
from shipseal.verification.admission_controllers import (
    cluster_image_policies,
    image_validating_policy,
    left_to_verify,
    require_expressible,
)
from shipseal.verification.policy_file import read_policy
from shipseal.verification.trust import FILENAME as VERIFICATION
from shipseal.verification.trust import Policy, TrustRoot

_CLUSTER, _SIGSTORE, _KYVERNO = "cluster", "policy-controller", "kyverno"
_EVERY = (_CLUSTER, _SIGSTORE, _KYVERNO)
_HEADING = "# `shipseal admission-policy` writes this file. Run it again rather than edit it.\n"


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    verb = verbs.add_parser("admission-policy", help="what a cluster may run, as policies of it", description=__doc__)
    verb.add_argument(
        "directory", type=Path, nargs="?", metavar="DIRECTORY", help="default: admission, below [deploy] platform"
    )
    verb.add_argument("--as", dest="policy", default="production", metavar="NAME", help="which policy of the file")
    verb.add_argument(
        "--for", dest="who", action="append", choices=_EVERY, help="whom to write for, several times; default: all"
    )
    verb.add_argument("--config", type=Path, default=Path(FILENAME), metavar="FILE", help="default: ./pipeline.toml")
    verb.add_argument("--store", type=Path, metavar="DIR", help="where the locked tools lie; default: the user's cache")
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Write the policies, and say what they leave to `verify`."""
    config = Config.load(options.config)
    directory = _directory(options, config)
    who = options.who or _EVERY
    repository = config.image.repository
    guards = guarded(_rendered(options, config), repository, config.deploy.also_images)
    made = dict[str, Sequence[Manifest]]()
    for name, (policy, binding) in policies(guards).items() if _CLUSTER in who else ():
        made |= {f"{name}.yaml": [policy], f"{name}-binding.yaml": [binding]}
    files = _files("", made)
    if others := {_SIGSTORE, _KYVERNO} & set(who):
        trusted = read_policy(config.policy.directory / VERIFICATION, options.policy)
        require_expressible(trusted, repository)
        if _SIGSTORE in others:
            sigstore = cluster_image_policies(trusted, repository, guards.also, guards.namespace)
            files |= _files(f"{_SIGSTORE}/", {"clusterimagepolicy.yaml": sigstore})
        if _KYVERNO in others:
            root = _root(trusted, config.policy.directory)
            kyverno = image_validating_policy(trusted, repository, guards.namespace, root)
            files |= _files(f"{_KYVERNO}/", {"imagevalidatingpolicy.yaml": [kyverno]})
        _tell(trusted, sorted(others))
    put(directory, files, config.root)
    return 0


def _directory(options: argparse.Namespace, config: Config) -> Path:
    if options.directory is not None:
        return own(options.directory, config.root, "name a directory that is there: k8s/platform/admission")
    if config.deploy.platform is None:
        raise UsageError(
            "no directory is named, and [deploy] platform names none", remedy="name one: admission-policy DIRECTORY"
        )
    (config.deploy.platform / "admission").mkdir(exist_ok=True)
    return own(config.deploy.platform / "admission", config.root, "take the link away")


def _rendered(options: argparse.Namespace, config: Config) -> Sequence[Manifest]:
    directory = config.deploy.manifests
    if directory is None:
        raise ConfigError("[deploy] manifests names no directory", remedy="name the directory of a kustomization")
    with tempfile.NamedTemporaryFile(prefix="admission-policy-", suffix=".log") as log:
        locked = Inputs.of_tools().locked()
        tools = Toolbox(
            shared.the_store(options), locked, frozenset({"kustomize"}), Path(log.name), network_environment()
        )
        return parse(run_async(partial(kustomize, config, tools, directory)))


def _root(policy: Policy, directory: Path) -> str | None:
    if policy.rules.trust_root is TrustRoot.PUBLIC:
        return None
    file = policy.root(None, public_root(), directory)
    try:
        return text_of(file)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{file} cannot be read", why=str(error), remedy="it is the trust-root-file of the policy"
        ) from error


def _files(below: str, made: Mapping[str, Sequence[Manifest]]) -> dict[str, bytes]:
    """Return files with what makes a kustomization of them; none of none."""
    if not made:
        return {}
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(made),
    }
    return {
        **{f"{below}{name}": _text(each) for name, each in made.items()},
        f"{below}kustomization.yaml": _text([Manifest(kustomization)]),
    }


def _text(manifests: Sequence[Manifest]) -> bytes:
    return _HEADING.encode() + dump(manifests).removeprefix(b"---\n")


def _tell(policy: Policy, controllers: Sequence[str]) -> None:
    try:
        policy.require_own_names()
    except ConfigError as held:
        print(line(f"nobody passes  {held.what}"))
    for each in left_to_verify(policy):
        print(line(f"left to verify  {each}: {' and '.join(controllers)} cannot ask for it"))
