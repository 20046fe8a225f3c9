"""Invented names, numbers and persons. None is taken from life; identifiers carry right check digits.

Telephone numbers have four zeros after the prefix, so that nobody takes one for a real subscriber's.
"""

from collections.abc import Mapping
from random import Random
from types import MappingProxyType
from typing import Final

from stdnum.cn import uscc
from stdnum.iso7064 import mod_11_10


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_SURNAMES: Final = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林郑谢罗梁宋唐许韩冯邓曹彭曾肖田董袁潘蒋蔡余杜叶程苏魏吕丁任沈姚"
)
_GIVEN: Final = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂英华建国文辉玲波斌宇浩凯秀兰小红金凤美云龙林志海燕春梅"
_PHONE_PREFIXES: Final = ("136", "137", "138", "139", "150", "151", "158", "159")

_SHOP_FRONTS: Final = _words(
    "老灶头 阿根伯 桂花巷 青石桥 稻香门 竹里 小满 东篱 柴火间 半亩田 三餐 溪边 阿婆家 巷子口 田埂上 云上 食味 喜乐 "
    "一碗 新梅 满堂 秋禾 好邻居 春风里 老街坊 百味 阿花 金穗 五谷 山里人 南北 家常 渔火 石榴 晨光 四季"
)
_SHOP_DISHES: Final = _words(
    "面馆 次坞打面 麻辣烫 小吃店 快餐店 饺子馆 煎饼铺 炸鸡店 烧烤店 奶茶店 米线店 黄焖鸡 饭店 粥铺 螺蛳粉 汤包店 "
    "盖浇饭 小海鲜 土菜馆 西施豆腐 年糕店 馄饨店 水果捞 烘焙坊"
)
_VILLAGE_FRONTS: Final = _words("上 下 前 后 东 西 南 北 大 小 新 石 白 金 青 枫 湖 溪 里 外")
_VILLAGE_ENDS: Final = _words("宅 坞 山 桥 塘 湾 岭 泉 庄 田 坑 畈 店 埠 浦 竹 梅 泽")

_FORMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "school_canteen": "{front}{level}食堂",
        "eldercare_canteen": "{front}颐养院食堂",
        "workplace_canteen": "{front}针纺厂职工食堂",
        "caring_canteen": "{front}爱心食堂",
        "delivery_unit": "{front}集体配餐有限公司",
        "school_supplier": "{front}校园餐饮服务有限公司",
        "banquet_centre": "{front}家宴中心",
        "cook_company": "{front}乡厨家宴服务有限公司",
        "dining_street": "{front}阳光餐饮街区",
    }
)
_CODE_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def person_name(rng: Random) -> str:
    """Two or three characters, all of them common."""
    given = rng.choice(_GIVEN) + (rng.choice(_GIVEN) if rng.random() < 0.7 else "")
    return rng.choice(_SURNAMES) + given


def phone(rng: Random) -> str:
    """A mobile number of 11 digits."""
    return f"{rng.choice(_PHONE_PREFIXES)}0000{rng.randrange(10_000):04d}"


def person(rng: Random) -> dict[str, str]:
    """Name and phone, as `person` and `host` have them."""
    return {"name": person_name(rng), "phone": phone(rng)}


def village_name(rng: Random, town: str) -> str:
    """Such as 枫桥下宅村; some are communities."""
    end = "社区" if rng.random() < 0.12 else "村"
    return f"{town}{rng.choice(_VILLAGE_FRONTS)}{rng.choice(_VILLAGE_ENDS)}{end}"


def business_name(rng: Random, kind: str, town: str) -> str:
    """A plausible name; several operators may share one, as in life."""
    if kind == "takeaway":
        return f"{rng.choice(_SHOP_FRONTS)}{rng.choice(_SHOP_DISHES)}（{town}店）"
    front = f"{town}{rng.choice(_VILLAGE_FRONTS)}{rng.choice(_VILLAGE_ENDS)}"
    return _FORMS[kind].format(front=front, level=rng.choice(("小学", "中学", "幼儿园", "职校")))


def credit_code(number: int, head: str = "92") -> str:
    """A unified social credit code (GB 32100-2015) with the right check character.

    :param number: tells codes apart, below 31 to the power of 6.
    :param head: registering authority and form: 92 self-employed, 91 company, 12 public institution."""
    tail = ""
    for _ in range(6):
        number, digit = divmod(number, len(_CODE_ALPHABET))
        tail = _CODE_ALPHABET[digit] + tail
    body = f"{head}330681MA2{tail}"
    return body + uscc.calc_check_digit(body)


def licence_number(kind: int, number: int, *, right: bool = True) -> str:
    """A food business licence number: JY, kind (1 sales, 2 catering, 3 canteen), 12 digits and a check digit
    (ISO 7064 MOD 11,10), which is wrong on request."""
    body = f"{kind}330681{number:06d}"
    digit = int(mod_11_10.calc_check_digit(body))
    return f"JY{body}{digit if right else (digit + 1) % 10}"


def registration_number(number: int) -> str:
    """The registration of a small catering shop, which is no licence and has no check digit."""
    return f"浙小餐登330681{number:06d}"


def camera_number(number: int) -> str:
    """20 digits by GB/T 28181: division code 33068100, industry 00, type 132 (network camera), network 0, serial."""
    return f"33068100001320{number:06d}"
