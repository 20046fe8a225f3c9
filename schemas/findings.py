"""What an AI camera can find in a kitchen: the enumeration, its Chinese label and severity, and the vendors' aliases.

Vendors name one finding in words (`CHEF_HAT`) or in codes (`605`, `100600`). An alias that no table knows becomes
`UNKNOWN`: the event is kept, with the vendor's raw code, because a finding that is dropped cannot be reviewed.
"""

from typing import Final, NamedTuple


class Finding(NamedTuple):
    """`code` is what tables hold; `severity` is minor, major, critical, or empty where nothing is known."""

    code: str
    label: str
    severity: str
    aliases: tuple[str, ...] = ()


FINDINGS: Final = (
    Finding("NO_CHEF_HAT", "未戴厨师帽", "minor", ("CHEF_HAT", "605", "100600")),
    Finding("NO_MASK", "未戴口罩", "minor", ("CHEF_RESPIRATOR", "606", "100200")),
    Finding("NO_UNIFORM", "未穿工服", "minor", ("CHEF_CLOTH", "609", "102500")),
    Finding("NO_GLOVES", "未戴手套", "minor", ("RUBBER_GLOVE", "608")),
    Finding("PHONE_USE", "玩手机", "minor", ("CALL", "604")),
    Finding("BIN_UNCOVERED", "垃圾桶未盖", "minor", ("TRASHBIN", "612")),
    Finding("FLOOR_WATER", "地面积水", "minor", ("611",)),
    Finding("IMPROPER_PLACEMENT", "违规置物", "minor", ("613",)),
    Finding("SMOKING", "抽烟", "major", ("607", "100500")),
    Finding("LEAVE_POST", "离岗", "major", ("618",)),
    Finding("RAW_COOKED_MIX", "生熟混放", "major"),
    Finding("STRANGER", "陌生人闯入", "major", ("INTRUSION",)),
    Finding("CAM_COVERED", "遮挡", "major", ("IMAGE_COVER_ALERT", "615")),
    Finding("CAM_SHIFTED", "偏移", "major", ("616",)),
    Finding("CAM_OFFLINE", "离线", "major"),
    Finding("CAM_BLURRED", "模糊", "major"),
    Finding("FLAME_UNATTENDED", "动火离人", "critical", ("FLAME_WITHOUT_HUMAN",)),
    Finding("RODENT", "鼠患", "critical", ("MICE", "614", "102300")),
    Finding("PEST", "虫害", "critical"),
    Finding("OPEN_FIRE", "明火/烟雾", "critical", ("FIRE", "619")),
    Finding("UNKNOWN", "未识别", ""),
)

UNKNOWN: Final = "UNKNOWN"
"""What no table knows."""

_BY_NAME: Final = {name: finding.code for finding in FINDINGS for name in (finding.code, *finding.aliases)}


def finding_of(name: str) -> str:
    """The finding that a vendor's word or code stands for; `UNKNOWN` for what no table knows."""
    return _BY_NAME.get(name, UNKNOWN)
