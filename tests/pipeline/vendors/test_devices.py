"""Whose a device is: the operator's table, refused with its line where it cannot be right."""

import re

import pytest

from pipeline.settings import SettingsError
from pipeline.vendors.devices import read_devices
from tests.pipeline.vendors.samples import CAMERA

HEAD = "device_id,operator_id,town_code\n"


def test_a_device_has_its_operator_its_town_and_what_other_columns_say() -> None:
    devices = read_devices(f"device_id,zone,operator_id,town_code\n{CAMERA},切配间,op-1,330681001\n", "f")
    assert devices == {
        CAMERA: {
            "device_id": CAMERA, "camera_id": CAMERA, "operator_id": "op-1", "town_code": "330681001", "zone": "切配间",
        }
    }  # fmt: skip


def test_a_camera_may_have_another_identity_than_its_device() -> None:
    text = f"device_id,camera_id,operator_id,town_code\nbox/1,{CAMERA},op-1,330681001\nsn-2,,op-1,330681001\n"
    devices = read_devices(text, "f")
    assert [one["camera_id"] for one in devices.values()] == [CAMERA, "sn-2"]


def test_a_device_whose_identity_cannot_stand_in_an_event_is_no_camera_unless_said() -> None:
    assert "camera_id" not in read_devices(f"{HEAD}box/1,op-1,330681001\n", "f")["box/1"]


def test_what_a_spreadsheet_saves_is_read() -> None:
    text = "\ufeffdevice_id, operator_id ,town_code,zone\r\n box/1 ,op-1,330681001,\r\n,,,\r\n\r\n"
    assert read_devices(text, "f") == {"box/1": {"device_id": "box/1", "operator_id": "op-1", "town_code": "330681001"}}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "column device_id is missing: the first line names the columns"),
        ("device_id,operator_id\nsn-1,op-1\n", 1, "column town_code is missing"),
        ("device_id,device_id,operator_id,town_code\n", 1, "column device_id is there twice: keep one"),
        (f"{HEAD}sn-1,op-1\n", 2, "has 2 values for 3 columns: write one for each"),
        (f"{HEAD}sn-1,op-1,330681001,x\n", 2, "has 4 values for 3 columns"),
        (f"{HEAD},op-1,330681001\n", 2, "device_id '' is empty: fill it in"),
        (f"{HEAD}sn-1,,330681001\n", 2, "operator_id '' is empty: fill it in"),
        (f"{HEAD}sn-1,op 1,330681001\n", 2, "operator_id 'op 1' should be 1 to 64 of A-Z, a-z, 0-9"),
        (f"{HEAD}sn-1,op-1,330681999\n", 2, "town_code '330681999' should be one of the 23 of towns.csv"),
        (f"{HEAD}3.30681E+19,op-1,330681001\n", 2, "a number that a spreadsheet has rounded: make the column text"),
        (f"camera_id,{HEAD}箱 1,sn-1,op-1,330681001\n", 2, "camera_id '箱 1' should be 1 to 64"),
        (f"{HEAD}sn-1,op-1,330681001\nsn-2,op-1,330681001\nsn-1,op-2,330681001\n", 4, "device_id sn-1 is there twice"),
        (f'{HEAD}"sn-1,op-1,330681001\n', 2, "save the table as CSV"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_devices(text, "devices.csv")
    message = str(caught.value)
    assert message.startswith(f"devices.csv, line {line}: ")
    assert words in message
    assert not re.search(r"\n", message)
