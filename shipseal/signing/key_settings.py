"""Say what Cosign has to see of an environment to use a key: its password, or how its service is reached. Pure.

Sources: Cosign, KMS.md, and the environment variables that each provider of sigstore/sigstore (pkg/signature/kms) and
the software of that service read.
"""

from collections.abc import Mapping

PASSWORD = "COSIGN_PASSWORD"  # noqa: S105 - the name of a variable, and Cosign's own

_PREFIXES: Mapping[str, tuple[str, ...]] = {
    "awskms": ("AWS_",),
    "azurekms": ("AZURE_",),
    "gcpkms": ("GOOGLE_", "CLOUDSDK_"),
    "hashivault": ("VAULT_", "TRANSIT_SECRET_ENGINE_PATH"),
}
SERVICES = tuple(_PREFIXES)
"""The key services that Cosign is handed, by the schemes of their addresses."""

PUBLIC = frozenset(
    {
        *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
        *("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AZURE_TENANT_ID"),
        *("AZURE_CLIENT_ID", "AZURE_ENVIRONMENT", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST"),
        *("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CONFIG", "CLOUDSDK_CORE_PROJECT"),
        *("VAULT_ADDR", "VAULT_CACERT", "VAULT_CAPATH", "VAULT_NAMESPACE", "TRANSIT_SECRET_ENGINE_PATH"),
    }
)
"""Those of them that are no secrets; every other is cut out of what is logged."""


def key_settings(key: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that Cosign sees for a key.

    Args:
        key: a file, or the address of a key in a service.
        environment: of this process. A password that is not there is an empty one: Cosign asks nobody.
    """
    scheme, separator, _ = key.partition("://")
    if not separator:
        return {PASSWORD: environment.get(PASSWORD, "")}
    return {name: value for name, value in environment.items() if name.startswith(_PREFIXES[scheme])}
