"""Build the service's wheel with its own build backend, in an environment made from its lock."""

from shipseal.digest import Digest
from shipseal.distribution.tags import tags_of
from shipseal.engine import project_code
from shipseal.engine.inputs_of import locked_wheels, stored
from shipseal.engine.stage import Context
from shipseal.engine.workspace import create, scratch
from shipseal.errors import SubjectFailed, ToolFailed
from shipseal.project.checkout import copy
from shipseal.tools.environment import search_path

# The first second that a zip file can name (1980-01-01). A commit's time would give each commit another wheel.
_EPOCH = "315532800"


async def build(context: Context) -> str:
    """Write wheels/service/NAME.whl; raise `SubjectFailed` when it does not build, or its version makes no tag."""
    backend = locked_wheels(context, "build")
    target = context.out / "wheels" / "service"
    target.mkdir(parents=True)
    async with scratch(context) as work:
        copy(context.config.root, context.config.service.source, work / "source")
        context.say("installing the locked build backend")
        python = await create(context, work / "environment", stored(context, backend))
        context.say("building the wheel")
        try:
            await project_code.run(
                context, context.tools.path("python"), "-P", "-m", "pip", "--python", python, "--no-cache-dir",
                "--disable-pip-version-check", "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation",
                "--wheel-dir", target, work / "source",
                work=work, writable=[target],
                # Backends start programs of their own packages by name, as uv_build does.
                env={"SOURCE_DATE_EPOCH": _EPOCH, "PATH": f"{python.parent}:{search_path()}"},
            )  # fmt: skip
        except ToolFailed as error:
            raise SubjectFailed(
                f"{context.config.service.name} does not build",
                why=error.why,
                remedy=f"correct the project in {context.config.service.source.name}, or its build-lock",
            ) from error
    built = sorted(target.glob("*.whl"))
    if len(built) != 1:
        raise SubjectFailed(
            f"the build of {context.config.service.name} gave {len(built)} wheels, and must give one",
            why=[path.name for path in built],
            remedy="see that service.source is a project with a pyproject.toml",
        )
    tags_of(built[0].name.split("-")[1])  # here and not minutes later, when all is signed and nothing can be tagged
    return f"{built[0].name}, {Digest.of_file(built[0])}"
