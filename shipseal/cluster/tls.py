"""Make TLS of what an access holds, and leave neither a certificate's key nor a trace of it on a disk."""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from shipseal.cluster.access import Access
from shipseal.errors import ConfigError

# A connection that ends in the middle, or that was being waited for: nothing is wrong with a certificate.
_CUT = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def context(access: Access) -> ssl.SSLContext:
    """Return who is trusted, and who we are.

    Raises:
        ConfigError: the authority, or the certificate and its key, are not what they should be.
    """
    try:
        trusted = ssl.create_default_context(cadata=access.authority or None)
    except (ssl.SSLError, ValueError, TypeError) as error:
        raise ConfigError(
            f"the certificate authority of {access.context} is not a valid certificate in PEM", why=_told(error)
        ) from error
    if access.authority:
        # Python 3.13 and later ask for extensions that cluster authorities may lack, and that Go does not ask for.
        trusted.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if access.certificate:
        try:
            with _file(f"{access.certificate}\n{access.key}\n".encode()) as path:
                trusted.load_cert_chain(path, password=lambda: "")  # otherwise OpenSSL would ask at the terminal
        except (ssl.SSLError, ValueError) as error:
            raise ConfigError(
                f"the client certificate of {access.context} and its key do not go together, or are not valid PEM",
                why=_told(error),
                remedy="get the kubeconfig again from where it came; a key with a passphrase is not taken",
            ) from error
    return trusted


def failure(error: BaseException | None) -> str:
    """Return why TLS has failed, where it is behind an error and trying again would not help; otherwise nothing."""
    seen = 0
    while error is not None and seen < 16:
        if isinstance(error, ssl.SSLError) and not isinstance(error, _CUT):
            return _told(error)
        error, seen = error.__cause__ or error.__context__, seen + 1
    return ""


def _told(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message or "its certificate is not trusted"
    reason = getattr(error, "reason", None) or type(error).__name__
    return str(reason).replace("_", " ").lower()


@contextmanager
def _file(content: bytes) -> Iterator[str]:
    """Have a file, which is all that OpenSSL reads; on Linux in memory only, and elsewhere for this user alone."""
    if not hasattr(os, "memfd_create"):
        with tempfile.NamedTemporaryFile() as file:  # of mode 0600
            file.write(content)
            file.flush()
            yield file.name
        return
    memory = os.memfd_create("tls", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(memory), "wb") as file:
            file.write(content)
        yield f"/proc/self/fd/{memory}"
    finally:
        os.close(memory)
