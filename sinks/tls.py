"""What a client needs for TLS: whom it trusts, and its own certificate where the server asks for one."""

import ssl
from collections.abc import Iterator
from typing import Final, NamedTuple


class TlsFiles(NamedTuple):
    """Paths of PEM files. Without a CA file the authorities of the system are trusted."""

    ca: str | None = None
    certificate: str | None = None
    """The client's own; with the chain up to its authority."""
    key: str | None = None
    """The client's key without a passphrase; None where it stands in the certificate's file."""

    def context(self) -> ssl.SSLContext:
        """TLS for a client: the server's certificate and its host name are always checked.

        Raises OSError (of which ssl.SSLError is one) where a file is missing or is not what it should be."""
        context = ssl.create_default_context(cafile=self.ca)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key, password=_no_passphrase)
        return context


SYSTEM_AUTHORITIES: Final = TlsFiles()
"""No files: the authorities of the system are trusted, and nothing of the client's own is shown."""


def _no_passphrase() -> str:
    """Given to OpenSSL so that it does not ask for one on the terminal; an encrypted key is refused."""
    return ""


def distrust(error: BaseException) -> str | None:
    """Why the server's certificate is not trusted, where that is what an error comes from: no waiting mends it."""
    return next((str(one.verify_message).rstrip(".") for one in _chain(error) if hasattr(one, "verify_message")), None)


def tls_failure(error: BaseException) -> str | None:
    """OpenSSL's name for why TLS failed, where that is what an error comes from."""
    found = next((one for one in _chain(error) if isinstance(one, ssl.SSLError) and one.errno), None)
    return None if found is None else found.reason or type(found).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it comes from; urllib3 and aiohttp keep that under names of their own."""
    seen: set[int] = set()
    left: list[object] = [error]
    while left:
        one = left.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            named = [getattr(one, name, None) for name in ("reason", "certificate_error", "os_error")]
            left += [one.__cause__, one.__context__, *named, *one.args]
