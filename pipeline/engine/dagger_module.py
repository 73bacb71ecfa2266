"""The Dagger engine: each row of the table becomes one container that runs `python -m pipeline stage NAME`.

This module is what `dagger call` shows; `dagger_graph` describes the containers. Neither imports anything that would
have to be installed besides.
"""

import functools
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, TypeVar, cast

import dagger
from dagger import DefaultPath, Doc, Ignore, check, dag, function, object_type

from pipeline.engine.dagger_graph import CONFIG, HOME, MODULE, PROJECT, STORE, Graph
from pipeline.engine.table import TABLE
from pipeline.errors import PipelineError, UsageError
from pipeline.project import reads

# Debian 12 with Python 3.11 and apt-get. Its digest is as public projects pin it.
BASE = "python:3.11-slim-bookworm@sha256:d29f48a31a8b408ed19272ca1e7b10ebae13b240a27e862d3d4217c528e2e0c3"

_OWN = ["pipeline/**", "tools/**", "image/*.toml", "requirements.lock"]

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])


def explained(body: F) -> F:
    """Make a function end with what failed, why, and what to do, and not with a traceback."""

    @functools.wraps(body)
    async def run(*arguments: Any, **more: Any) -> Any:
        try:
            return await body(*arguments, **more)
        except (PipelineError, dagger.ExecError) as error:
            logging.getLogger("dagger.mod").setLevel(logging.CRITICAL)  # it was foreseen: the SDK adds no traceback
            if isinstance(error, dagger.ExecError):
                raise
            raise RuntimeError(error.explain().removeprefix("error: ")) from None

    return cast(F, run)


def anew(body: F) -> F:
    """Make such a function of the module, whose result no cache may stand for."""
    return function(cache="never")(explained(body))  # type: ignore[call-overload,no-any-return] # the overloads lack `cache`


# What git ignores here is sent to no engine: environments and providers of hundreds of MB, states and variables that
# hold secrets. The other patterns of a project are applied in the container that takes out what git ignores there.
IGNORED = [
    *("**/.env", "**/.run", "**/.venv", "**/.venv-*", "**/__pycache__", "**/*.pyc", "**/*.egg-info"),
    *("**/.mypy_cache", "**/.ruff_cache", "**/.pytest_cache", "**/.hypothesis", "**/build", "**/dist", "sdk"),
    *("**/.terraform", "**/*.tfstate*", "terraform/**/*.tfstate", "terraform/**/*.tfstate.*", "terraform/**/*.tfplan"),
    *("terraform/**/backend*.hcl", "terraform/**/backend.tf", "terraform/**/bootstrap-second"),
    "terraform/**/*.auto.tfvars",
]

Source = Annotated[
    dagger.Directory,
    DefaultPath("/"),
    Ignore(IGNORED),
    Doc("the project: a git checkout with a pipeline.toml"),
]
Store = Annotated[dagger.Directory | None, Doc("the inputs, as `store export` carries them; else they are fetched")]
Base = Annotated[str, Doc("the image that stages run in: Debian 12 with Python 3.11, by digest")]
Auth = Annotated[dagger.Secret, Doc("the registry's credentials: a Docker config.json, as file://PATH or env://NAME")]
Kubeconfig = Annotated[dagger.Secret | None, Doc("how the cluster is reached, as file://PATH; no program in it runs")]
Amazon = Annotated[dagger.Secret | None, Doc("AWS's credentials for [deploy.eks], as env://NAME")]
Token = Annotated[dagger.Secret, Doc("an OpenID Connect token for the audience sigstore, as env://NAME")]


Name = Annotated[str, Doc("a stage, as `python -m pipeline stage --help` lists them")]
World = Annotated[str, Doc("dry-run or release")]


@object_type
class Pipeline:
    """Build, scan, judge, sign, publish, read back and verify one image, and deploy exactly those bytes."""

    source: Source
    store: Store = None
    base: Base = BASE

    @function
    @explained
    async def build(self) -> dagger.Directory:
        """Build the image: an OCI layout, the same bytes as on any machine."""
        return (await (await self._graph()).stage("image")).directory("layout")

    @function
    @explained
    async def image(self) -> dagger.Container:
        """Give the image as a container: `dagger call image as-service up` serves it."""
        layout = (await (await self._graph()).stage("image")).directory("layout")
        packed = (await self._base()).with_mounted_directory("/layout", layout, read_only=True)
        archive = packed.with_exec(["tar", "-cf", "/image.tar", "-C", "/layout", "."]).file("/image.tar")
        return dag.container().import_(archive)

    @check
    @function
    @explained
    async def test(self) -> dagger.File:
        """Run the service's own tests against its wheel: the JUnit file."""
        return await (await (await self._graph()).stage("test")).file("junit.xml").sync()

    @check
    @anew
    async def scan(self) -> dagger.Directory:
        """Look for known vulnerabilities: Grype's reports, and which database they are from."""
        return await (await (await self._graph()).stage("scan")).sync()

    @check
    @anew
    async def admit(self) -> str:
        """Judge the image by policy; a denial ends the call with every reason, and exit code 3."""
        return await (await self._graph()).headline("admit")

    @anew
    async def dry_run(self) -> dagger.Directory:
        """Run the whole release with local stand-ins: the run directory, as the host engine writes it."""
        return await (await self._graph()).run_directory("report")

    @anew
    async def stage(self, name: Name, world: World = "dry-run") -> dagger.Directory:
        """Run the table up to one stage: the run directory so far, on which the host engine can go on."""
        return await (await self._graph(world)).run_directory(name)

    @anew
    async def release(self, token: Token, registry_auth: Auth) -> str:
        """Sign, publish, verify and tag with the configured registry and Sigstore, for everybody to see."""
        secrets = {"SIGSTORE_ID_TOKEN": token, "DOCKER_AUTH_CONFIG": registry_auth}
        return await (await self._graph("release", secrets)).headline("promote")

    @anew
    async def deploy(
        self,
        token: Token,
        registry_auth: Auth,
        kubeconfig: Kubeconfig = None,
        aws_access_key_id: Amazon = None,
        aws_secret_access_key: Amazon = None,
        aws_session_token: Amazon = None,
    ) -> str:
        """Release, and have the cluster run exactly that: applied, waited for, compared, with a signed receipt."""
        given = {
            "SIGSTORE_ID_TOKEN": token,
            "DOCKER_AUTH_CONFIG": registry_auth,
            "KUBECONFIG": kubeconfig,
            "AWS_ACCESS_KEY_ID": aws_access_key_id,
            "AWS_SECRET_ACCESS_KEY": aws_secret_access_key,
            "AWS_SESSION_TOKEN": aws_session_token,
        }
        graph = await self._graph("release", {name: each for name, each in given.items() if each is not None})
        await graph.ask("deploy", "--check")  # what is signed before the cluster is asked stays signed
        return await graph.headline("deploy")

    @anew
    async def verify(
        self,
        reference: Annotated[str, Doc("an image by digest, or by a tag, which is resolved once")],
        policy: Annotated[str, Doc("the policy file, relative to the project")] = "policy/verification.toml",
    ) -> str:
        """Verify a published image as its consumers can: from the registry, the policy and the trust root alone."""
        graph = await self._graph()
        container = graph.base.with_mounted_directory(PROJECT, self.source, read_only=True).with_workdir(HOME)
        container = container.with_mounted_directory(STORE, graph.store, read_only=True)
        of_project = str(PurePosixPath(PROJECT, policy))
        command = [*MODULE, "pipeline", "verify", "--policy", of_project, "--store", STORE, "--", reference]
        container = container.with_env_variable("RUN_ID", graph.run_id)  # whatever it said before, ask the registry
        return await container.with_exec(command).stdout()

    async def _graph(self, world: str = "dry-run", secrets: Mapping[str, dagger.Secret] | None = None) -> Graph:
        try:
            text = await self.source.file(reads.FILENAME).contents()
        except dagger.QueryError as error:
            raise UsageError(
                f"the source has no {reads.FILENAME} that can be read: {error}",
                do="give a directory with one: --source=DIR",
            ) from error
        configuration = reads.parse(text, f"the source's {reads.FILENAME}")
        base = await self._base()
        for name, secret in (secrets or {}).items():
            await _require(name, secret, base)
        store = self.store or await self._fetched(base, configuration).sync()
        policy = dag.current_module().source().directory("policy")
        # Whoever hands over a token and a login has asked for what they are for.
        return Graph(TABLE, self.source, store, base, policy, configuration, world, secrets or {}, bool(secrets))

    async def _base(self) -> dagger.Container:
        """Return the container of every stage: requirements by hash in a layer of their own, then our code."""
        own = dag.current_module().source().filter(include=_OWN, exclude=["**/__pycache__"])
        lock = own.file("requirements.lock")
        bare = dag.container().from_(self.base).with_exec(["python3", "-P", "-m", "venv", "/environment"])
        install = (
            f"{' '.join(MODULE)} pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r /lock"
        )
        bare = bare.with_mounted_file("/lock", lock)
        if self.store is not None:
            wheels = self.store.filter(include=["sha256/*/*.whl"])
            bare = bare.with_mounted_directory("/wheels", wheels, read_only=True)
            install = f"mkdir /flat && ln -s /wheels/sha256/*/*.whl /flat && {install} --no-index --find-links /flat"
        installed = bare.with_exec(["sh", "-euc", install]).without_mount("/lock")
        compile_all = [*MODULE, "compileall", "-q", "--invalidation-mode", "unchecked-hash", f"{HOME}/pipeline"]
        coded = installed.with_directory(HOME, own).with_env_variable("PYTHONPATH", HOME)
        coded = coded.with_env_variable("PYTHONSAFEPATH", "1").with_workdir(HOME)
        return await coded.with_exec(compile_all).sync()

    def _fetched(self, base: dagger.Container, configuration: Mapping[str, Any]) -> dagger.Directory:
        """Fetch the inputs in the one container that has a network for it; caches keep what it has built before."""
        locks = [reads.FILENAME, *reads.paths(configuration, "locks")]
        base = base.with_env_variable("GOCACHE", "/go-build").with_env_variable("GOPATH", "/go")
        for place in ("/go-build", "/go", "/fetched"):
            base = base.with_mounted_cache(place, dag.cache_volume(f"supply-chain-pipeline{place.replace('/', '-')}"))
        project = self.source.filter(include=locks)
        container = base.with_mounted_directory(PROJECT, project, read_only=True)
        fetch = [*MODULE, "pipeline", "store", "fetch", "--config", CONFIG, "--store", "/fetched"]
        filled = container.with_exec(fetch)
        return filled.with_exec(["cp", "-r", "/fetched", STORE]).directory(STORE)


async def _require(name: str, secret: dagger.Secret, base: dagger.Container) -> None:
    """Read a secret before anything is done, which Dagger would first do in the stage that uses it.

    Raises:
        UsageError: there is no such variable or file, or nothing is in it.
    """
    once = base.with_mounted_secret("/secret", secret).with_env_variable("RUN_ID", str(uuid.uuid4()))
    try:
        await once.with_exec(["test", "-s", "/secret"]).sync()
    except dagger.ExecError as error:
        raise UsageError(f"the secret {name} is empty", do="see what its variable or file holds") from error
    except dagger.QueryError as error:
        raise UsageError(
            f"the secret {name} cannot be read", why=str(error), do="name what there is: env://NAME or file://PATH"
        ) from error
