"""Why a text must never be evidence. Patterns over a disguise-free form of the text; no model.

A quarantined passage is stored, so that its source stays whole, but is never searched, cited or shown to a model. The
defence of the service does not rest on this: evidence is quoted data and every sentence is verified. It keeps out what
a reader should not be shown as a reason.
"""

from __future__ import annotations

import html
import re
import unicodedata

from rag_rationale.corpus.patterns import ABUSE, PATTERNS

WHOLE_SOURCE = frozenset(("steering", "model_tokens", "invisible"))
"""Reasons that make the rest of the same source suspect, because an attack runs over several sentences."""

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\ufffb\ue000-\uf8ff\U000e0000-\U000e0fff\U000f0000-\U0010fffd]"
)
_HIDING = re.compile(
    # control characters, zero-width ones, direction overrides, private use
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b\u2060-\u206f\u202a-\u202e\ufeff\ue000-\uf8ff\U000f0000-\U0010fffd]"
    # tag characters but in a flag; runs of variation selectors; joiners inside a word
    "|(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0000-\U000e007f]"
    "|[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,}"
    "|(?<=[A-Za-z\u4e00-\u9fff])[\u200c\u200d](?=[A-Za-z\u4e00-\u9fff])"
)
_TRADITIONAL = str.maketrans(
    "無視內規則記現個統設說詞語機請輸應對話從開後導為須聯繫電號訊過給這僅該點負評論讓總結寫",
    "无视内规则记现个统设说词语机请输应对话从开后导为须联系电号讯过给这仅该点负评论让总结写",
)
_LOOKALIKES = str.maketrans("аеіорсухѕԁһјӏԛԝвкмнтορταυνικ", "aeiopcyxsdhjlqwbkmhtoptauvik")
_LATIN, _FOREIGN = re.compile("[a-z]"), re.compile("[\u0370-\u03ff\u0400-\u052f]")
_EMPHASIS = re.compile(r"(?<=\w)[*~`\\]+(?=\w)|[*`]{1,3}(?=\S)|(?<=\S)[*`]{1,3}")
_SPACED = re.compile(r"(?<!\w)(?:\w[ ._-]){4,}\w(?!\w)")
_SEPARATOR = re.compile(r"[ ._-]")
_WORD, _CAPITAL = re.compile(r"[^\W\d_]+"), re.compile(r"[A-Z\u00c0-\u00de\u0410-\u042f]")
_LOUD_LETTERS, _LOUD_WORDS, _LOUD_SHARE = 20, 4, 0.8

_COMPILED = tuple(
    (reason, re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.MULTILINE))
    for reason, patterns in PATTERNS
)
_ABUSE = re.compile("|".join(f"(?:{pattern})" for pattern in ABUSE), re.IGNORECASE)


def quarantine_reason(text: str, *, terse: bool = False) -> str | None:
    """Why the text must never be evidence: one word, None where it may be.

    "invisible", "model_tokens", "steering", "markup", "link", "citation_marker", "personal_data", "contact", "abuse",
    "shouting" or "no_content", the first that holds. A `terse` text, as titles and features are, may be short, loud and
    rude ("1917", "262 g", "WALL-E").
    """
    return hostile_reason(text) or unfit_reason(text, terse=terse)


def hostile_reason(text: str) -> str | None:
    """What the text does besides saying something: the reasons up to "contact", None where there is none of them."""
    if _HIDING.search(text):
        return "invisible"
    plain = undisguised(text)
    flat = plain.replace("\n", " ")  # an order may run over lines; a role stands at the beginning of one
    for reason, pattern in _COMPILED:
        if pattern.search(flat if reason == "steering" else plain):
            return reason
    return None


def unfit_reason(text: str, *, terse: bool = False) -> str | None:
    """Either "abuse", "shouting" or "no_content", None for a text that says something in words that can be shown."""
    if terse:
        return None if any(char.isalnum() for char in text) else "no_content"
    letters = "".join(_WORD.findall(text))
    if len(set(letters.lower())) < 2:
        return "no_content"
    if _ABUSE.search(text):  # as it is shown: who disguises a curse steers nobody
        return "abuse"
    if len(letters) < _LOUD_LETTERS or len(_CAPITAL.findall(letters)) < _LOUD_SHARE * len(letters):
        return None
    return "shouting" if len(_WORD.findall(text)) >= _LOUD_WORDS else None


def undisguised(text: str) -> str:
    """The text in one form whatever its disguise, to match patterns against; its offsets mean nothing.

    NFKC, lower case, without invisible characters, entities and emphasis, look-alike letters as Latin ones, spelt-out
    words closed up, traditional characters simplified.
    """
    plain = unicodedata.normalize("NFKC", _INVISIBLE.sub("", html.unescape(text))).lower().replace("’", "'")
    if _FOREIGN.search(plain) and _LATIN.search(plain):
        plain = plain.translate(_LOOKALIKES)
    plain = _EMPHASIS.sub("", plain)
    plain = _SPACED.sub(lambda spelt: _SEPARATOR.sub("", spelt.group()), plain)
    return plain.translate(_TRADITIONAL)
