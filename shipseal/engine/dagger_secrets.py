"""See that the secrets of a call are there, before anything is done."""

import uuid

import dagger

from shipseal.errors import UsageError


async def require(name: str, secret: dagger.Secret, base: dagger.Container) -> None:
    """Read a secret before anything is done, which Dagger would first do in the stage that uses it.

    Raises:
        UsageError: there is no such variable or file, or nothing is in it.
    """
    once = base.with_mounted_secret("/secret", secret).with_env_variable("RUN_ID", str(uuid.uuid4()))
    try:
        await once.with_exec(["test", "-s", "/secret"]).sync()
    except dagger.ExecError as error:
        raise UsageError(f"the secret {name} is empty", remedy="see what its variable or file holds") from error
    except dagger.QueryError as error:
        raise UsageError(
            f"the secret {name} cannot be read", why=str(error), remedy="name what there is: env://NAME or file://PATH"
        ) from error
