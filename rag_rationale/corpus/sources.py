"""The texts of a row that may be cited, with e-mail addresses and phone numbers masked.

A mask has as many characters as what it hides, so offsets into a source hold for what was read. This module knows
nothing of sentences or passages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from rag_rationale.types import Item, Review, SourceKind

MASK = "•"

_HALF = {full: full - 0xFEE0 for full in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_HALF |= dict.fromkeys(map(ord, "‐‑‒–—−－"), 0x2D)
_AT, _DOT = r"(?:@|\s?[(\[{]\s?at\s?[)\]}]\s?)", r"(?:\.|\s?[(\[{]\s?dot\s?[)\]}]\s?)"
_TLD = (  # an open end would make an address of "friendly@sandip.music was good"
    "com|net|org|edu|gov|mil|info|biz|name|pro|app|dev|xyz|top|shop|site|online|club|vip|me|tv|io|ai|co|cc|"
    "ae|ar|at|au|be|br|ca|ch|cl|cn|cz|de|dk|ee|es|eu|fi|fr|gr|hk|hu|id|ie|il|in|ir|is|it|jp|ke|kr|lk|lt|lv|mo|mx|my|"
    "ng|nl|no|np|nz|pe|ph|pk|pl|pt|ro|rs|ru|sa|se|sg|si|sk|th|tr|tw|ua|uk|us|vn|za"
)
_EMAIL = rf"[A-Za-z0-9._%+-]+{_AT}(?:[A-Za-z0-9-]+{_DOT})+(?:{_TLD})(?![A-Za-z0-9_-])"
_EDGE, _END = r"(?<![A-Za-z0-9_.#/-])", r"(?![A-Za-z0-9_/-]|[.,]\d)"
_PHONES = (
    r"(?:\+|00)[1-9](?:[ .()-]{0,2}\d){7,14}",  # with a country code
    r"(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}",  # Chinese mobile
    r"1(?P<gap>[ .-])[3-9](?:(?P=gap)\d){9}",  # the same, spelt out
    r"\(0\d{2,3}\)[ -]?\d{7,8}|0\d{2,3}[ -]\d{7,8}|0\d{2,3}[ -]\d{3,4}[ -]\d{4}",  # Chinese landline
    r"[48]00[ -]\d{3,4}[ -]\d{3,4}",  # service number
    r"(?:1[ -])?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}",  # North American
    r"0?[6-9]\d{4}[ -]?\d{5}",  # Indian mobile
    r"0\d{3,4}[ -]\d{3}[ -]?\d{3,4}|0\d{10}",  # British and others with a trunk zero
)
_PHONE = "|".join(f"(?:{phone})" for phone in _PHONES)
_CUE = (
    r"(?:\b(?:call|phone|tel|telephone|mobile|mob|cell|whats ?app|contact|fax|dial|ring|sms|text)\b|"
    r"电话|手机|致电|热线|联系|拨打|号码|微信|座机)"
)
_CUED = rf"{_CUE}[^\d\n(+]{{0,12}}(?P<cued>[(+]?\d(?:[ .()-]{{0,2}}\d){{6,14}})"
_PERSONAL = re.compile(rf"(?P<mail>{_EMAIL})|{_EDGE}(?P<phone>{_PHONE}){_END}|{_CUED}{_END}", re.IGNORECASE)
_NUMBERED = re.compile(
    r"(?:isbn|ean|upc|sku|asin|imei|barcode|model|serial|order|item|product|part|ref|id|no\.?|number|nr|"
    r"编号|货号|型号|订单号?|条码|序列号|书号)[\s:：#.]*$",
    re.IGNORECASE,
)
_DATE = re.compile(r"(?:19|20)\d\d[ .-]?[01]\d[ .-]?[0-3]\d")


@dataclass(frozen=True, slots=True)
class Source:
    """One citable text of one row, already masked. `field` is "title", "description", "text" or "features.N"."""

    kind: SourceKind
    source_id: str
    field: str
    item_id: str
    text: str


def mask_personal(text: str) -> tuple[str, int]:
    """The text with e-mail addresses and phone numbers masked, equally long, and how many were.

    Phone numbers are international ones, Chinese, Indian, North American and British ones, and any seven digits or more
    behind a word like "call" or 电话. Prices, years, dates, hours and numbers named as an id are left alone.
    """
    if not any(char.isdigit() or char in "@＠[(（［{" for char in text):
        return text, 0
    flat = text.translate(_HALF)
    pieces, last, masked = [], 0, 0
    for match in _PERSONAL.finditer(flat):
        group = match.lastgroup if match.lastgroup != "gap" else "phone"
        start, end = match.span(group) if group else match.span()
        if group != "mail" and (_DATE.fullmatch(flat, start, end) or _NUMBERED.search(flat, max(0, start - 16), start)):
            continue
        pieces += [text[last:start], MASK * (end - start)]
        last, masked = end, masked + 1
    return "".join([*pieces, text[last:]]), masked


def masked_item(item: Item) -> tuple[Item, int]:
    """The item with its citable fields masked, and how many addresses and numbers were."""
    (title, n), (description, m) = mask_personal(item.title), mask_personal(item.description)
    features = [mask_personal(feature) for feature in item.features]
    total = n + m + sum(count for _, count in features)
    if not total:
        return item, 0
    masked = replace(item, title=title, description=description, features=tuple(text for text, _ in features))
    return masked, total


def masked_review(review: Review) -> tuple[Review, int]:
    """The review with its title and text masked, and how many addresses and numbers were."""
    (title, n), (text, m) = mask_personal(review.title), mask_personal(review.text)
    return (replace(review, title=title, text=text), n + m) if n + m else (review, 0)


def item_sources(item: Item) -> Iterator[Source]:
    """Title, description and features of an item, those that are not blank."""
    fields = [("title", item.title), ("description", item.description)]
    fields += [(f"features.{number}", feature) for number, feature in enumerate(item.features)]
    for name, text in fields:
        if text.strip():
            yield Source("item", item.item_id, name, item.item_id, text)


def review_sources(review: Review) -> Iterator[Source]:
    """Title and text of a review, those that are not blank."""
    for name, text in (("title", review.title), ("text", review.text)):
        if text.strip():
            yield Source("review", review.review_id, name, review.item_id, text)
