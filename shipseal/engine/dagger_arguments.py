"""What may be told to the functions of the Dagger module: each argument with the words that `dagger call` shows."""

from typing import Annotated

import dagger
from dagger import DefaultPath, Doc, Ignore

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
Mirror = Annotated[str, Doc("where inputs may come from if no store is given: oci://…, https://…, with spaces between")]
Base = Annotated[str, Doc("the image that stages run in: Debian 12 with Python 3.11, by digest")]
Auth = Annotated[dagger.Secret, Doc("the registry's credentials: a Docker config.json, as file://PATH or env://NAME")]
Kubeconfig = Annotated[dagger.Secret | None, Doc("how the cluster is reached, as file://PATH; no program in it runs")]
Amazon = Annotated[dagger.Secret | None, Doc("AWS's credentials for [deploy.eks], as env://NAME")]
Token = Annotated[dagger.Secret, Doc("an OpenID Connect token for the audience sigstore, as env://NAME")]
Name = Annotated[str, Doc("stages, with commas between them, as `shipseal stage --help` lists them")]
Given = Annotated[dagger.Directory, Doc("a run directory up to admit, world release: of `stage`, or of the host")]
Services = Annotated[dagger.File | None, Doc("the services of [sign] signing-config, where you know them")]
Reached = Annotated[
    dagger.Service | None,
    Doc("the registry, where you reach it and the engine does not: tcp://HOST:PORT, the port as in image.repository"),
]
Signers = Annotated[
    dagger.Service | None,
    Doc("likewise the services of [sign] signing-config: tcp://HOST:PORT, the port as in that file"),
]
World = Annotated[str, Doc("dry-run or release")]
