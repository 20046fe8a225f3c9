"""The words of messages, in Chinese and English: what an alert is called and what to do about it.

What to do is one or two sentences that a person can follow at night; docs/on-call.md says the same at length.
"""

from typing import Final, Literal, NamedTuple

from schemas.findings import FINDINGS
from schemas.indicator import Indicator
from schemas.indicators import CATALOGUE
from schemas.places import place_label
from schemas.reject import Reason
from schemas.relations import RelationName

Language = Literal["zh", "en"]


class Words(NamedTuple):
    """One text in both languages."""

    zh: str
    en: str

    def said(self, language: Language) -> str:
        """The text in a language."""
        return self.zh if language == "zh" else self.en


WINDOWS: Final = {
    "now": Words("当前", "now"),
    "1h": Words("近1小时", "last hour"),
    "24h": Words("近24小时", "last 24 hours"),
    "7d": Words("近7天", "last 7 days"),
    "30d": Words("近30天", "last 30 days"),
    "365d": Words("近365天", "last 365 days"),
}
STREAM_NAMES: Final = {
    "yangguang.registry": Words("主体登记", "registry"),
    "yangguang.camera": Words("阳光厨房摄像头", "kitchen cameras"),
    "yangguang.seal": Words("外卖封签", "takeaway seals"),
    "yangguang.banquet": Words("农村家宴", "rural banquets"),
}
NAMES: Final = {
    "no_data": Words("数据中断", "no data"),
    "no_activity": Words("有数据上报，无业务量", "nothing to count"),
    "stale": Words("数据处理滞后，告警已冻结", "processing is late, alerts are frozen"),
    "error": Words("指标口径与计算不一致", "numbers do not fit their definition"),
    "rejects_high": Words("数据拒收过多", "too many events refused"),
    "finding_critical": Words("重大风险", "critical finding"),
    "banquet_unguided": Words("家宴未指导", "banquet without guidance"),
    "banquet_cook_uncertified": Words("家宴乡厨无有效证件", "banquet with an uncertified cook"),
    "school_camera_dark": Words("学校食堂摄像头黑屏或离线", "school kitchen camera dark"),
    "supplier_certificate_ending": Words("校外供餐单位证书即将到期", "supplier's certificate is ending"),
}
"""Of conditions and events; rates are called what the catalogue calls them."""

OUTAGE_NAMES: Final = {"worker": Words("告警判断（worker）", "judging of alerts (worker)")}
"""Of parts that are away; the others are called what their makers call them."""
OUTAGE_TODO: Final = {
    "worker": Words("运行 yangguang doctor，检查 worker 是否在运行", "run `yangguang doctor` and see that workers run")
}
ELSE_TODO: Final = Words(
    "运行 yangguang doctor，检查该服务及其磁盘、网络", "run `yangguang doctor`; check it, its disk and network"
)
TODO: Final = {
    "no_data": Words(
        "先查数据来源和网络，再查网关；恢复前相关比率不作判断，不要当作已恢复",
        "check the source and its network, then the gateway; until it is back its rates are not judged",
    ),
    "no_activity": Words(
        "核实当地是否停业；若营业，请来源方检查送达数据",
        "ask whether business there is closed; if not, let the source check its deliveries",
    ),
    "stale": Words(
        "运行 yangguang doctor，检查 worker 是否在运行；恢复前不会有新的告警或解除",
        "run `yangguang doctor` and see that workers run; until then nothing fires and nothing resolves",
    ),
    "error": Words(
        "重启 worker 使其按当前口径重算，仍不恢复则联系开发",
        "restart the workers so that they compute by the present definition; call the developers if that is no help",
    ),
    "rejects_high": Words(
        "运行 yangguang rejected list 查看原因，联系来源方修正后 yangguang rejected replay",
        "see `yangguang rejected list`, have the source corrected, then `yangguang rejected replay`",
    ),
    "finding_critical": Words(
        "立即电话联系经营者并派人到现场核查", "call the business now and send somebody to check on site"
    ),
    "banquet_unguided": Words(
        "立即联系乡镇协管员，开席前到场指导", "call the town's inspector: guide it before the meal"
    ),
    "banquet_cook_uncertified": Words(
        "联系乡镇协管员，更换持证乡厨或补齐培训证、健康证",
        "call the town's inspector: a certified cook, or valid training and health certificates",
    ),
    "school_camera_dark": Words(
        "联系学校食堂检查摄像头供电、网络和遮挡", "have the school check the camera's power, network and view"
    ),
    "supplier_certificate_ending": Words(
        "提醒供餐单位换证，到期后不得供餐", "remind the supplier to renew; no meals after the certificate's end"
    ),
}
WORST_TOWNS: Final = Words("较差乡镇", "the worst towns")
TOWNS_CONCERNED: Final = Words("相关乡镇", "the towns concerned")
OWN_TOWN: Final = Words("当地", "this town")
"""Whose people are called: those that a message names as the worst, those that it cannot name, or the one it is of."""
_RELATION_TODO: Final[dict[RelationName, Words]] = {
    "operators": Words("联系{towns}的市场监管所逐户核查", "have the market office of {towns} check each business"),
    "villages": Words("联系{towns}落实助餐点", "have {towns} arrange meals for villages without"),
    "duties": Words("联系{towns}补齐包保关系和承诺书", "have {towns} complete relations and pledges"),
    "duties_due": Words("催办到期未完成的督导", "press for the supervision visits that are due"),
    "orders": Words(
        "联系平台和较差商户，核实封签使用和骑手拍照", "have platform and businesses check seals and photos"
    ),
    "banquets": Words("联系{towns}的协管员逐场核查", "have the inspectors of {towns} check each banquet"),
    "findings": Words("催办超期未整改的问题", "press for the findings that are past their due time"),
    "camera_slots": Words("联系商户和摄像头厂商，检查供电、网络和遮挡", "have cameras checked: power, network, view"),
}
_KITCHENS: Final = Words(
    "先看是否成片掉线（同一厂商或网络），再联系商户恢复摄像头",
    "see whether many went dark together (one vendor or network), then have the businesses restore their cameras",
)

FACTS: Final = (
    ("operator_name", Words("单位", "business")),
    ("finding", Words("问题", "finding")),
    ("found_at", Words("发现时间", "found at")),
    ("held_at", Words("开席时间", "meal at")),
    ("village_name", Words("村社", "village")),
    ("venue", Words("地点", "venue")),
    ("diners", Words("就餐人数", "diners")),
    ("camera_id", Words("摄像头", "camera")),
    ("dark_since", Words("黑屏起于", "dark since")),
    ("picture", Words("画面", "picture")),
    ("valid_until", Words("有效期至", "valid until")),
    ("training_valid_until", Words("培训证有效期至", "training valid until")),
    ("health_valid_until", Words("健康证有效期至", "health certificate valid until")),
    ("due_at", Words("整改期限", "due at")),
)
"""What messages say of an event alert's facts, in this order. Nothing else is said: a person's name or number never."""

VENUES: Final = {
    "home": Words("农户家中", "a home"),
    "banquet_centre": Words("家宴中心", "banquet centre"),
    "temporary": Words("临时场所", "a temporary place"),
}
"""Where a banquet is held."""

REVIEWS: Final = {
    "closed": Words("已整改", "put right"),
    "false_positive": Words("误报", "false alarm"),
}
"""How a finding ended."""

REFUSALS: Final = {
    Reason.TOO_LARGE: "事件过大",
    Reason.NOT_JSON: "不是有效的JSON",
    Reason.NOT_MAPPED: "无法按厂商映射转换",
    Reason.NOT_CLOUDEVENT: "缺少事件标识、来源或类型",
    Reason.UNKNOWN_TYPE: "事件类型未知",
    Reason.WRONG_TOPIC: "发到了错误的主题",
    Reason.UNKNOWN_FIELD: "有未知字段",
    Reason.MISSING_FIELD: "缺少必填字段",
    Reason.BAD_VALUE: "字段取值不符合要求",
    Reason.FUTURE_TIME: "时间在未来",
    Reason.BAD_IDENTIFIER: "编码或证号无效",
    Reason.NOT_PERMITTED: "密钥无权发送",
    Reason.SINK_REFUSED: "数据库拒绝写入",
}
"""Why events are refused, in Chinese; the code stands beside it, because `yangguang rejected list` shows that."""

_FINDINGS: Final = {one.code: one.label for one in FINDINGS}


def rate_name(code: str, language: Language) -> str:
    """Name of an indicator, condition or event; a code that nobody knows is its own name."""
    if code in NAMES:
        return NAMES[code].said(language)
    entry = CATALOGUE.get(code)
    return code if entry is None else entry.name_zh if language == "zh" else entry.name_en


def place_name(scope: str, scope_id: str, language: Language) -> str:
    """Where; towns have Chinese names only."""
    if language == "en" and scope == "city":
        return "Zhuji city"
    if language == "en" and scope == "platform":
        return scope_id.capitalize()
    return place_label(scope, scope_id)


def window_name(window: str, language: Language) -> str:
    """Over which time."""
    return WINDOWS[window].said(language) if window in WINDOWS else window


def stream_name(stream: str, language: Language) -> str:
    """What a stream is called."""
    return STREAM_NAMES[stream].said(language) if stream in STREAM_NAMES else stream


def finding_name(code: str, language: Language) -> str:
    """What a camera has found."""
    return _FINDINGS.get(code, code) if language == "zh" else code.replace("_", " ").lower()


def refusal_name(code: str, language: Language) -> str:
    """Why events are refused."""
    said = {one.value: words for one, words in REFUSALS.items()}.get(code)
    return code if said is None or language != "zh" else f"{said}（{code}）"


def what_to_do(code: str, language: Language, towns: Words = WORST_TOWNS) -> str:
    """What to do about an alert; for a rate by what it counts. Empty for a code that nobody knows.

    :param towns: whose people to call."""
    entry: Indicator | None = CATALOGUE.get(code)
    if code in TODO:
        return TODO[code].said(language)
    if entry is None:
        return ""
    words = _KITCHENS if entry.code.startswith("kitchen_build") else _RELATION_TODO[entry.relation]
    return words.said(language).format(towns=towns.said(language))


def lasted(seconds: float, language: Language) -> str:
    """A length of time as people say it: `2小时5分`, `2 h 5 min`."""
    minutes = max(int(seconds // 60), 0)
    days, hours, rest = minutes // 1440, minutes % 1440 // 60, minutes % 60
    units = ((days, Words("天", " d")), (hours, Words("小时", " h")), (rest, Words("分", " min")))
    said = [f"{count}{unit.said(language)}" for count, unit in units if count][:2]
    return ("" if language == "zh" else " ").join(said) or ("不到1分" if language == "zh" else "under 1 min")
