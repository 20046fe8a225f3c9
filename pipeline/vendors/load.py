"""Vendors' mappings and tables of devices from their files, at the start of a gateway."""

from importlib.resources import files
from pathlib import Path

from pipeline.configuration import SettingsError, VendorSettings
from pipeline.settings import Settings
from pipeline.vendors.devices import Devices, read_devices
from pipeline.vendors.mapping import MappingFile, read_mapping
from pipeline.vendors.vendor import Vendor

_SHIPPED = "pipeline.vendors.shipped"
_SUFFIX = ".toml"


def load_vendors(settings: Settings) -> dict[str, Vendor]:
    """Every vendor that `yangguang.toml` names, by its name. Raises SettingsError."""
    configured = settings.configuration().vendor
    return {name: load_vendor(name, one, settings.config) for name, one in configured.items()}


def load_vendor(name: str, settings: VendorSettings, config: Path) -> Vendor:
    """One vendor. Raises SettingsError.

    :param config: the file that names it, which relative paths begin at."""
    where = f"{config}: vendor.{name}"
    mapping = load_mapping(settings.mapping, config.parent, f"{where}.mapping")
    devices = None
    if settings.devices is not None:
        devices = load_devices(config.parent / settings.devices, f"{where}.devices")
    elif mapping.needs_devices:
        raise SettingsError(f'{where}: its mapping asks $device whose a device is: add devices = "devices.csv"')
    return Vendor(name, mapping, devices)


def shipped_names() -> list[str]:
    """The mappings that come with the project."""
    return sorted(one.name.removesuffix(_SUFFIX) for one in files(_SHIPPED).iterdir() if one.name.endswith(_SUFFIX))


def shipped_text(name: str) -> str:
    """The file of a shipped mapping. Raises KeyError where there is none of that name."""
    if name not in shipped_names():
        raise KeyError(name)
    return files(_SHIPPED).joinpath(name + _SUFFIX).read_text(encoding="utf-8")


def load_mapping(reference: str, folder: Path, where: str) -> MappingFile:
    """A mapping by its path, which ends in .toml, or by the name of a shipped one. Raises SettingsError.

    :param folder: where a relative path begins.
    :param where: what names it, for people."""
    if reference.endswith(_SUFFIX):
        path = folder / reference
        return read_mapping(_text(path, where), str(path))
    try:
        return read_mapping(shipped_text(reference), reference)
    except KeyError:
        raise SettingsError(
            f"{where}: there is no shipped mapping {reference!r}: use {', '.join(shipped_names())}, or a path that "
            f"ends in {_SUFFIX}"
        ) from None


def load_devices(path: Path, where: str) -> Devices:
    """A table of devices. Raises SettingsError."""
    return read_devices(_text(path, where), str(path))


def _text(path: Path, where: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{where}: {path} cannot be read ({error.strerror}): correct the path") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{where}: {path} is not UTF-8: save it as UTF-8") from None
