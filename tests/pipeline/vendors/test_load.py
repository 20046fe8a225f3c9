"""What yangguang.toml says of vendors is loaded at the start, or refused in one sentence."""

import json
from pathlib import Path

import pytest

from pipeline.settings import Settings, SettingsError
from pipeline.vendors import load_vendors
from pipeline.vendors.load import shipped_names, shipped_text
from tests.pipeline.vendors.samples import BOX, MESSAGE, TABLE, encoded

BOX_FILE = f"description = 'a box'\nevents = '''{BOX}'''\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "vendors").mkdir()
    (tmp_path / "vendors/box.toml").write_text(BOX_FILE, encoding="utf-8")
    (tmp_path / "vendors/devices.csv").write_text(TABLE, encoding="utf-8")
    return tmp_path


def settings(folder: Path, text: str) -> Settings:
    (folder / "yangguang.toml").write_text(text, encoding="utf-8")
    return Settings(config=folder / "yangguang.toml")


def test_a_vendor_has_its_mapping_and_its_devices_from_files_beside_the_configuration(folder: Path) -> None:
    text = "[vendor.box-7]\nmapping = 'vendors/box.toml'\ndevices = 'vendors/devices.csv'\n"
    (vendor,) = load_vendors(settings(folder, text)).values()
    texts = vendor.events(encoded(MESSAGE))
    assert isinstance(texts, list)
    assert json.loads(texts[0])["source"] == "/vendor/box-7"


def test_a_vendor_may_use_a_shipped_mapping_and_several_may_use_the_same(folder: Path) -> None:
    one = "mapping = 'ctyun-vaas'\ndevices = 'vendors/devices.csv'\n"
    vendors = load_vendors(settings(folder, f"[vendor.east]\n{one}[vendor.west]\n{one}"))
    assert list(vendors) == ["east", "west"]
    assert vendors["east"].mapping == vendors["west"].mapping


def test_without_vendors_there_are_none(folder: Path) -> None:
    assert load_vendors(settings(folder, "")) == {}


def test_a_shipped_mapping_is_known_by_its_name_only() -> None:
    assert "events" in shipped_text(shipped_names()[0])
    for name in ("nobody", "../shipped/ctyun-vaas", "ctyun-vaas.toml", "", "__init__"):
        with pytest.raises(KeyError):
            shipped_text(name)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mapping = 'nobody'", "vendor.box.mapping: there is no shipped mapping 'nobody': use aliyun-vecs, ctyun-"),
        ("mapping = 'box.toml'", "box.toml cannot be read (No such file or directory): correct the path"),
        ("mapping = 'vendors/box.toml'", "vendor.box: its mapping asks $device whose a device is: add devices ="),
        ("mapping = 'vendors/latin.toml'", "vendors/latin.toml is not UTF-8: save it as UTF-8"),
        ("mapping = 'vendors/broken.toml'", "vendors/broken.toml, line 2: events: is no JSONata expression"),
        ("mapping = 'ctyun-vaas'\ndevices = 'none.csv'", "vendor.box.devices: "),
        ("mapping = 'ctyun-vaas'\ndevices = 'vendors/broken.csv'", "broken.csv, line 1: column town_code is missing"),
    ],
)
def test_what_cannot_be_loaded_is_refused_in_one_sentence(folder: Path, text: str, words: str) -> None:
    (folder / "vendors/latin.toml").write_bytes("description = 'Küche'".encode("latin-1"))
    (folder / "vendors/broken.toml").write_text("description = 'a box'\nevents = 'a +'", encoding="utf-8")
    (folder / "vendors/broken.csv").write_text("device_id,operator_id\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_vendors(settings(folder, f"[vendor.box]\n{text}\n"))
    message = str(caught.value)
    assert words in message
    assert str(folder) in message
    assert "\n" not in message
