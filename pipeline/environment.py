"""What the groups of environment variables have in common: types of values, secrets in files, files of TLS."""

import ssl
import stat
from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from pipeline.configuration import SettingsError
from sinks.tls import TlsFiles

PREFIX: Final = "YANGGUANG_"
LOOPBACK: Final = "127.0.0.1"
LOOPBACK_NAMES: Final = (LOOPBACK, "::1", "localhost")

Port = Annotated[int, Field(ge=1, le=65535)]


def unset_if_empty(value: object) -> object:
    """None for an empty value."""
    return value or None


# An empty variable is as one that is not set: files for containers pass on what they do not have as empty.
Text = Annotated[str | None, BeforeValidator(unset_if_empty)]
Secret = Annotated[str | None, BeforeValidator(unset_if_empty), Field(repr=False)]
File = Annotated[Path | None, BeforeValidator(unset_if_empty)]


def read_secret(path: Path, way_out: str) -> str:
    """The text of a file that nobody but its owner may read, without the end of its line.

    Raises SettingsError; `way_out` says what to do where there is no such file, or it is empty."""
    try:
        _require_private(path)
        secret = path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}): {way_out}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8: {way_out}") from None
    if not secret.strip():
        raise SettingsError(f"{path} is empty: {way_out}")
    return secret


def password_of(name: str, password: str | None, file: Path | None) -> str | None:
    """A password that is given in variable `name` or in the file that NAME_FILE names; None where neither is set.

    Raises SettingsError."""
    if password is not None and file is not None:
        raise SettingsError(f"{name} and {name}_FILE are both set: keep one")
    if file is not None:
        return read_secret(file, f"correct or unset {name}_FILE")
    return password


def tls_files(group: str, ca: Path | None, certificate: Path | None, key: Path | None) -> TlsFiles:
    """The files of variables GROUP_CA, GROUP_CERTIFICATE and GROUP_KEY, tried.

    Raises SettingsError where one is missing, is not what it should be, or does not fit the others."""
    if key is not None and certificate is None:
        raise SettingsError(f"{group}_KEY is set, but {group}_CERTIFICATE is not: name the certificate it belongs to")
    for name, path in (("CA", ca), ("CERTIFICATE", certificate), ("KEY", key)):
        if path is not None:
            _require_readable(f"{group}_{name}", path)
    if ca is not None:
        _try(TlsFiles(ca=str(ca)), f"{group}_CA names {ca}, which holds no certificate in PEM form: name another file")
    files = TlsFiles(*(None if path is None else str(path) for path in (ca, certificate, key)))
    if certificate is not None:
        _require_private(key or certificate)
        _try(
            files,
            f"{group}_CERTIFICATE names {certificate}, to which no key without a passphrase in {key or certificate} "
            "belongs: name a certificate and its key in PEM form",
        )
    return files


def _require_private(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise SettingsError(f"{path} may be read by others (mode {mode:o}): run chmod 600 {path}")


def _require_readable(variable: str, path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise SettingsError(
            f"{variable} names {path}, which cannot be read ({error.strerror}): correct or unset it"
        ) from None


def _try(files: TlsFiles, otherwise: str) -> None:
    try:
        files.context()
    except ssl.SSLError:
        raise SettingsError(otherwise) from None
