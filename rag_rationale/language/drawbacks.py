"""What an item's own text admits: that something wanted is absent, or that there is a restriction or a cost.

"There is no lift", 需冷藏: to be known beforehand, and no reason to recommend. Not every lack is one: "no added sugar"
and 没有旁白 may be why it is liked, so only things that `wanted` lists are missed, and what no pattern knows is neither
merit nor drawback. The polarity of words will not do: plots and ingredients are told in words that blame elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from rag_rationale.language.lexicon import lexicon
from rag_rationale.types import LANGUAGES, Language

_WANTED = {lang: "|".join(sorted(lexicon(lang)["wanted"], key=len, reverse=True)) for lang in LANGUAGES}
_SPARED: Mapping[Language, re.Pattern[str]] = {  # what is not asked for: "no tools are needed", 免押金
    "en": re.compile(
        r"\b(?:no|not|never|nothing|without)\b[^.,;]{0,40}\b(?:needed|required|necessary|deposits?|surcharge|extra|fee)\b",
        re.IGNORECASE,
    ),
    "zh": re.compile(
        "(?:无需|不需要?|无须|毋须|不用|不必|免)[^，。；]{0,6}|(?:不收|没有|无)[^，。；]{0,3}(?:押金|附加费)"
    ),
}
_ADMITS: Mapping[Language, re.Pattern[str]] = {
    "en": re.compile(
        r"\b(?:no|without(?: an?| any)?|(?:do|does|has|have)(?: not|n['’]t)(?: have)?(?: an?| any)?) (?:[a-z-]+ )?"
        rf"(?:{_WANTED['en']})\b(?! (?:needed|required|charges?|fees?|problems?|worr\w+|to)\b)"
        r"|\bno (?:pets|dogs|children|smoking|refunds?|returns|exchanges|selling|cash|cards|re-entry|visitors)\b"
        r"|\bmust (?:not |first )?(?:be|bring|book|show|wear|carry|register|sign|pay|reserve|order|ask)\b"
        r"|\b(?:is|are) (?:needed|required|compulsory|mandatory)\b|\bshould (?:not |first )?be\b|\bneeds? to be\b"
        r"|\b(?:is|are)(?: not|n['’]t) (?:allowed|permitted|included|accepted|available|provided|suitable|refundable)\b"
        r"|\bunsuitable\b|\bnot (?:suitable|recommended) for\b|\bnot pasteuri[sz]ed\b|\bsold separately\b"
        r"|\b(?:do|does)(?: not|n['’]t) (?:fit|include|come with|work|support|accept|allow|take)\b"
        r"|\bcosts? extra\b|\bextra (?:charge|cost|fee)\b|\bsurcharge\b|\bdeposits?\b|\bfor a fee\b"
        r"|\b(?:sold|available|open|served|offered|delivered|runs?) (?:\w+ ){0,3}only\b"
        r"|\bonly (?:sold|available|open|served)\b|\b(?:width|size|colou?r|length|adults|members|residents|cash) only\b"
        r"|\bminimum (?:stay|age|order)\b|\bclosed (?:on|from|between|during)\b|\bonce opened\b"
        r"|\b(?:of|after) opening\b"
        r"|\bmay contain\b|\bcontains? (?!no\b)(?:\w+ )?(?:nuts|hazelnuts|peanuts|gluten|strong language|violence)\b"
        r"|\bmade (?:in|where)\b.{0,30}\b(?:handle|process)|\b(?:steep|narrow) (?:stairs|steps|staircase)\b",
        re.IGNORECASE,
    ),
    "zh": re.compile(
        "(?:没有|没|无|不带|不含|不配|不提供|未配|缺)(?:独立|单独|手机|公共|任何|中文)?"
        rf"(?:{_WANTED['zh']})(?!问题|烦恼|焦虑|费)"
        "|禁止|严禁|谢绝|概不|恕不|不(?:允许|接待|对外|可退|退不换|支持)|不得(?:携带|入|使用|转|超|擅)"
        "|仅限|只限|限购|只[^要是好能有]不|必须|务必"
        "|(?<![刚急所按有内军供])[需须]要?(?:提前|自|另|预|冷|先|凭|持|出示|年满|避光|密封|手洗|组装|登记|实名)"
        "|要(?:填|写明|提前|自备|预约|出示|另付)|请(?:提前|自备)|自备|自理|另购|另付|另收|另计|加收|押金|附加费|定金"
        "|(?:开瓶|开封|开袋|启封|拆封)后.{0,8}(?:喝完|吃完|用完|饮用|食用)|未经.{0,4}杀菌|(?<!不)含(?:坚果|花生|麸质)"
        "|停(?:航|运|业|供|售)(?![前后])|闭馆|熄灯|断流|偏[窄小硬紧短重薄]"
    ),
}
_TURNS: Mapping[Language, re.Pattern[str]] = {
    "en": re.compile(r"\s*[,;]?\s*(?:but|except|unless|although|though|however)\b", re.IGNORECASE),
    "zh": re.compile("[，,；;]?(?:但|不过|只是|除|[^，。；]{0,6}(?:自理|另购|另付|另收|另计|加收|押金))"),
}


def admits(words: str, language: Language) -> bool:
    """Whether the words say that something wanted is absent, or that there is a restriction or a cost."""
    return _ADMITS[language].search(_SPARED[language].sub(" ", words)) is not None


def turned(text: str, end: int, language: Language) -> bool:
    """Whether what stands right behind `end` takes back what stands before, or names its price: told without it, that
    would be half a truth ("contains no nuts, but is made where hazelnuts are")."""
    return _TURNS[language].match(text, end) is not None
