"""An independent judge of replies: a reply as plain JSON against the request and the raw catalogue rows.

It imports nothing of the package, so that what the service and its types believe is not taken on trust. The fixed
wording of the shipped templates is known to it by what it claims: "You bought", "不止一位".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]

MASK = "•"
REASONS = {"no_evidence", "no_evidence_in_language", "nothing_specific", "nothing_supported", "no_answer_to_query"}
_KEYS = {
    "reply": "id status language personal degraded rationale sentences evidence reason provenance timings_ms",
    "sentence": "text start end kind mode verdict tier score support citations",
    "citation": "label evidence_id cited_text start_char_index end_char_index",
    "evidence": "label id side item_id source_id field start end text lang event rating timestamp score",
    "provenance": "index template model embedder verifier seed",
    "timings_ms": "retrieve write verify total",
}
_MARKER = re.compile(r"\[(\d{1,3})\]")
_MARKERS = re.compile(r"(?:\[\d{1,3}\])+")
_QUOTED = re.compile("“([^“”]*)”")
_SURROGATE = re.compile("[\ud800-\udfff]")
_TOKEN = re.compile(r"[\w-]+")
_UP_TO = r"(?:(?!\[\d{1,3}\]).)*?"  # anything before the next marker
_SHORT_RUN = 7  # digits of the shortest phone number that is masked


@dataclass(frozen=True)
class Catalogue:
    """The raw rows of the catalogue files. Of two rows with one id the first counts."""

    items: dict[str, Row]
    reviews: dict[str, Row]
    events: dict[str, list[Row]]
    trust: dict[str, float]
    users: frozenset[str]

    @classmethod
    def read(cls, items: Path, reviews: Path, events: Path | None = None, users: Path | None = None) -> Catalogue:
        """Read the files; lines that are no JSON object are left out."""
        by_item: dict[str, Row] = {}
        by_review: dict[str, Row] = {}
        by_user: dict[str, list[Row]] = {}
        for row in _rows(items):
            by_item.setdefault(str(row.get("item_id")), row)
        for row in _rows(reviews):
            by_review.setdefault(str(row.get("review_id")), row)
        for row in _rows(events) if events else ():
            by_user.setdefault(str(row.get("user_id")), []).append(row)
        trust: dict[str, float] = {}
        for row in _rows(users) if users else ():
            trust.setdefault(str(row.get("user_id")), _trust(row))
        known = {str(r["user_id"]) for r in by_review.values() if r.get("user_id") is not None}
        return cls(by_item, by_review, by_user, trust, frozenset(known | set(by_user) | set(trust)))

    def events_of(self, user: str) -> list[Row]:
        """The user's events; a review with a rating and no words counts as one of event "rating"."""
        wordless = [
            {**r, "event": "rating", "value": r["rating"]}
            for r in self.reviews.values()
            if r.get("user_id") == user
            and r.get("rating") is not None
            and not f"{r.get('title') or ''}{r.get('text') or ''}".strip()
        ]
        return self.events.get(user, []) + wordless

    def trust_of(self, review: Row) -> float:
        return min(_trust(review), self.trust.get(str(review.get("user_id")), 1.0))


def check_reply(
    reply: Row,
    *,
    request: Row,
    catalogue: Catalogue,
    min_trust: float = 0.5,
    shown: Callable[[str], Row] | None = None,
    exclude: Iterable[str] = (),
) -> list[str]:
    """Every fault of a reply, as sentences; [] for a reply that is true to the contract.

    `shown` gives the body of `GET /v1/evidence/{id}`, by which the passages that a count lists but does not cite are
    looked up too. `exclude` are the reviews that do not exist for this call.
    """
    if faults := list(_shape(reply)):
        return faults
    case = _Case(reply, request, catalogue, min_trust, shown, frozenset(exclude))
    checks = (
        _outcome,
        _text,
        _citations,
        _labels,
        _proofs,
        _sources,
        _sides,
        _claims,
        _counts,
        _caveats,
        _privacy,
        _origin,
    )
    return [fault for check in checks for fault in check(case)]


@dataclass(frozen=True)
class _Case:
    reply: Row
    request: Row
    catalogue: Catalogue
    min_trust: float
    shown: Callable[[str], Row] | None
    exclude: frozenset[str]

    @property
    def user(self) -> str | None:
        return (self.request.get("user") or {}).get("id")

    @property
    def _given(self) -> Row:
        """What the request says of its item."""
        return {key: value for key, value in self.request["item"].items() if value}

    @property
    def target(self) -> str | None:
        return self._given.get("id")

    @property
    def evidence(self) -> dict[int, Row]:
        return {e["label"]: e for e in self.reply["evidence"]}

    def cited(self, labels: Iterable[int]) -> list[Row]:
        return [self.evidence[n] for n in labels if n in self.evidence]

    def entry(self, evidence: Row) -> Row | None:
        """The entry of the request's own history that inline evidence comes from."""
        match = re.fullmatch(r"inline:history\.(\d+)", evidence["source_id"])
        history = (self.request.get("user") or {}).get("history") or []
        return history[int(match[1])] if match and int(match[1]) < len(history) else None

    def author(self, evidence: Row) -> str | None:
        author: str | None = self.catalogue.reviews.get(evidence["source_id"], {}).get("user_id")
        return author

    def may_speak(self, review: Row) -> bool:
        """Whether a review may count at all: of the target, trusted, with words, not excluded, not the user's own."""
        own = self.user is not None and review.get("user_id") == self.user
        worded = f"{review.get('title') or ''}{review.get('text') or ''}".strip()
        trusted = self.catalogue.trust_of(review) >= self.min_trust
        return bool(worded) and trusted and not own and review["review_id"] not in self.exclude

    def speakers(self) -> dict[str, list[str]]:
        """What each reviewer who may speak of the target wrote, by user or, where that is unknown, by review."""
        wrote: dict[str, list[str]] = {}
        for id_, review in self.catalogue.reviews.items():
            if review.get("item_id") == self.target and self.may_speak(review):
                texts = [review.get("title") or "", review.get("text") or ""]
                wrote.setdefault(review.get("user_id") or id_, []).extend(texts)
        return wrote

    def title(self, evidence: Row) -> str:
        """The title of the item that a piece of evidence speaks of."""
        row = self.catalogue.items.get(evidence["item_id"] or "", {})
        given = self.entry(evidence) if evidence["side"] == "history" else self._given
        return (given or {}).get("title") or row.get("title") or ""

    def source(self, evidence: Row) -> str | None:
        """The raw text that evidence is cut from, by its side; None where there is no such field."""
        field, entry = evidence["field"], self.entry(evidence)
        if evidence["side"] == "item" and {"title", "description"} & self._given.keys():
            text: str | None = (self.title(evidence) if field == "title" else self._given.get(field)) or None
            return text
        if evidence["side"] == "item" or evidence["event"] not in {"review", "preference", None}:
            if entry is not None:
                return self.title({**evidence, "item_id": entry.get("item_id")})
            return _field(self.catalogue.items.get(evidence["source_id"]), field, ("title", "description", "features"))
        if evidence["event"] == "preference":
            wishes = (self.request.get("user") or {}).get("preferences") or []
            match = re.fullmatch(r"inline:preferences\.(\d+)", evidence["source_id"])
            return wishes[int(match[1])] if match and int(match[1]) < len(wishes) else None
        if entry is not None:
            return entry.get("text") if field == "text" else None
        return _field(self.catalogue.reviews.get(evidence["source_id"]), field, ("title", "text"))


def _shape(reply: Row) -> Iterator[str]:
    """Exactly the keys of the contract: one more could tell a name, one less hides a proof."""
    parts: list[tuple[str, Any]] = [("reply", reply)]
    parts += [(name, reply.get(name)) for name in ("provenance", "timings_ms")]
    parts += [("evidence", part) for part in reply.get("evidence", ())]
    for sentence in reply.get("sentences", ()):
        parts += [("sentence", sentence), *(("citation", c) for c in sentence.get("citations", ()))]
    for name, part in parts:
        expected = set(_KEYS[name].split())
        if not isinstance(part, dict):
            yield f"{name} is no object: {part!r}"
        elif set(part) != expected:
            yield f"{name} has wrong keys: {sorted(set(part) ^ expected)}"


def _outcome(case: _Case) -> Iterator[str]:
    reply, sentences = case.reply, case.reply["sentences"]
    if reply["status"] == "abstained":
        if reply["reason"] not in REASONS:
            yield f"abstained without a reason: {reply['reason']!r}"
        if sentences or reply["evidence"] or reply["rationale"]:
            yield "abstained, yet it says something"
    elif reply["status"] == "grounded":
        if not sentences or reply["reason"] is not None:
            yield "grounded without a sentence, or with a reason to abstain"
    else:
        yield f"unknown status {reply['status']!r}"
    if len(sentences) > case.request.get("max_sentences", 3):
        yield f"more sentences than asked for: {len(sentences)}"
    if reply["personal"] != any(e["side"] == "history" for e in reply["evidence"]):
        yield "personal does not tell whether history is cited"
    asked = case.request.get("language", "auto")
    if reply["language"] not in ({"en", "zh"} if asked == "auto" else {asked}):
        yield f"language is {reply['language']!r}, asked for {asked!r}"


def _text(case: _Case) -> Iterator[str]:
    """The sentences, with nothing but spaces between them, make up the rationale."""
    text, at = case.reply["rationale"], 0
    for sentence in case.reply["sentences"]:
        if text[sentence["start"] : sentence["end"]] != sentence["text"]:
            yield f"offsets do not hold the sentence: {sentence['text']!r}"
        if sentence["start"] < at or text[at : sentence["start"]].strip():
            yield f"something unproven stands before: {sentence['text']!r}"
        at = sentence["end"]
        if sentence["kind"] not in {"match", "merit", "caveat"} or sentence["verdict"] != "supported":
            yield f"unknown kind or verdict: {sentence['text']!r}"
    if text[at:].strip():
        yield "something unproven stands at the end"


def _citations(case: _Case) -> Iterator[str]:
    for sentence in case.reply["sentences"]:
        if not sentence["citations"]:
            yield f"sentence without a citation: {sentence['text']!r}"
        markers = [int(n) for n in _MARKER.findall(sentence["text"])]
        if markers != [c["label"] for c in sentence["citations"]]:
            yield f"markers are not the citations: {sentence['text']!r}"
        allowed = [c["cited_text"] for c in sentence["citations"]] + [case.title(e) for e in case.cited(markers)]
        for quoted in _QUOTED.findall(sentence["text"]):
            if not any(quoted in text for text in allowed):
                yield f"quotes what no citation says: {quoted!r}"


def _labels(case: _Case) -> Iterator[str]:
    used = list(dict.fromkeys(int(n) for n in _MARKER.findall(case.reply["rationale"])))
    if used != list(range(1, len(used) + 1)):
        yield f"labels are not 1 to n in order of first use: {used}"
    if sorted(e["label"] for e in case.reply["evidence"]) != sorted(used):
        yield "evidence is not exactly what is cited"
    ids = [e["id"] for e in case.reply["evidence"]]
    if len(ids) != len(set(ids)):
        yield "one passage has two labels"


def _proofs(case: _Case) -> Iterator[str]:
    for sentence in case.reply["sentences"]:
        for c in sentence["citations"]:
            e = case.evidence.get(c["label"])
            if e is None or e["id"] != c["evidence_id"]:
                yield f"citation [{c['label']}] names other evidence"
                continue
            start, end = c["start_char_index"], c["end_char_index"]
            if not e["start"] <= start < end <= e["end"]:
                yield f"citation [{c['label']}] leaves its passage"
            if c["cited_text"] != e["text"][start - e["start"] : end - e["start"]]:
                yield f"citation [{c['label']}] does not quote its evidence"
            source = case.source(e)
            if source is not None and not _same(c["cited_text"], source[start:end]):
                yield f"citation [{c['label']}] does not quote the raw row"


def _sources(case: _Case) -> Iterator[str]:
    for e in case.reply["evidence"]:
        source = case.source(e)
        if source is None:
            yield f"evidence [{e['label']}]: there is no {e['field']} of {e['source_id']}"
        elif not e["text"] or not _same(e["text"], source[e["start"] : e["end"]]):
            yield f"evidence [{e['label']}] is not what {e['field']} of {e['source_id']} says there"
        if not e["id"].startswith((f"{case.request['index']}:", "inline:")):
            yield f"evidence [{e['label']}] does not name its index"


def _sides(case: _Case) -> Iterator[str]:
    """Whose words may stand on which side."""
    for e in case.reply["evidence"]:
        label, review = f"evidence [{e['label']}]", case.catalogue.reviews.get(e["source_id"])
        if e["side"] == "history":
            yield from (f"{label}: {fault}" for fault in _history(case, e, review))
            continue
        if e["item_id"] != case.target:
            yield f"{label} is not about the target but {e['item_id']!r}"
        if e["event"] is not None:
            yield f"{label} shows an event of somebody"
        if e["side"] == "item":
            if e["source_id"] not in {case.target, "inline:item"}:
                yield f"{label} is not the target's own text"
        elif e["side"] != "review" or review is None:
            yield f"{label} is no review"
        else:
            if case.user is not None and review.get("user_id") == case.user:
                yield f"{label} is the user's own review of the target"
            if review.get("item_id") != e["item_id"] or review.get("rating") != e["rating"]:
                yield f"{label} has another item or rating than its review"
            if case.catalogue.trust_of(review) < case.min_trust:
                yield f"{label} is a review that is not trusted"


def _history(case: _Case, e: Row, review: Row | None) -> Iterator[str]:
    if e["item_id"] is not None and e["item_id"] == case.target:
        yield "history with the target itself"
    if e["source_id"].startswith("inline:"):
        entry = case.entry(e)
        if entry is not None and entry.get("rating") != e["rating"]:
            yield "another rating than the request's"
        did = (
            {"review"}
            if entry and (entry.get("text") or "").strip()
            else {(entry or {}).get("event", "view"), "rating"}
        )
        if entry is not None and (e["event"] not in did or (e["event"] == "rating" and entry.get("rating") is None)):
            yield f"the request's entry is no {e['event']!r}"
    elif e["event"] == "review":
        if review is None or review.get("user_id") != case.user:
            yield "a review that this user did not write"
        elif (review.get("item_id"), review.get("rating")) != (e["item_id"], e["rating"]):
            yield "another item or rating than its review's"
    else:
        done = [r for r in case.catalogue.events_of(case.user or "") if r.get("item_id") == e["item_id"]]
        if not any(r["event"] == e["event"] and r.get("timestamp") == e["timestamp"] for r in done):
            yield f"no event {e['event']!r} of this user with {e['item_id']!r}"
        values = {r.get("value") for r in done if r["event"] == "rating"}
        if e["rating"] is not None and (e["event"] != "rating" or e["rating"] not in values):
            yield "a rating that this user did not give"
        if e["source_id"] != e["item_id"]:
            yield "an event that cites another item"


Holds = Callable[[_Case, Row, re.Match[str]], bool]


def _did(*events: str) -> Holds:
    return lambda _, e, __: e["side"] == "history" and e["event"] in events


def _on(side: str) -> Holds:
    return lambda _, e, __: e["side"] == side


def _rated(_: _Case, e: Row, claim: re.Match[str]) -> bool:
    return e["side"] == "history" and e["rating"] is not None and float(claim["stars"]) == e["rating"]


def _liked(side: str) -> Holds:
    """Praise: the row on that side is not rated as a complaint."""
    return lambda _, e, __: e["side"] == side and (e["rating"] is None or e["rating"] > 2)


def _disliked(_: _Case, e: Row, __: re.Match[str]) -> bool:
    return e["side"] == "history" and (e["rating"] is None or e["rating"] < 4)


def _lists(_: _Case, e: Row, claim: re.Match[str]) -> bool:
    label, value = claim["label"].lower(), claim["value"].lower()
    return (
        e["side"] == "item"
        and re.search(rf"{re.escape(label)}[:：].*{re.escape(value)}", e["text"].lower()) is not None
    )


_MANY_SAY = r"[Mm]ore than one reviewer|不止一位"
_COUNT_SAYS = r"\d+ of \d+ reviewers|\d+ complain of it|\d+位(?:评价者|不满意)"
_CLAIMS: list[tuple[str, Holds]] = [
    (rf"{_MANY_SAY}|{_COUNT_SAYS}", _on("review")),
    (r"(?:\b[Yy]ou(?: also)?) bought\b|(?:[您你]也?|，也)买过", _did("purchase")),
    (r"(?:\b[Yy]ou(?: also)?) looked at\b|(?:[您你]也?|，也)浏览过", _did("view", "click")),
    (r"(?:[您你]也?|，也)看过", _did("view", "click")),
    (r"(?:\b[Yy]ou(?: also)?) put in your basket\b|(?:[您你]也?|，也)加购过", _did("cart")),
    (r"(?:\b[Yy]ou(?: also)?) saved\b|(?:[您你]也?|，也)收藏过", _did("save")),
    (rf"\b[Yy]ou (?:gave|thought) {_UP_TO} (?P<stars>\d(?:\.\d+)?) stars?", _rated),
    (r"\bgot (?P<stars>\d(?:\.\d+)?) stars? from you\b", _rated),
    (r"\bAmong your ratings: (?P<stars>\d(?:\.\d+)?) stars? for\b", _rated),
    (rf"\bTo you, {_UP_TO} was worth (?P<stars>\d(?:\.\d+)?) stars?", _rated),
    (rf"[您你](?:给了|给{_UP_TO}打过|这里，{_UP_TO}得了)(?P<stars>\d(?:\.\d+)?)星", _rated),
    (
        rf"\b[Yy]ou (?:praised|singled out|wrote|complained)\b|\bwas your verdict on\b"
        rf"|[您你]评价“|[您你]写过|[您你]在“{_UP_TO}的评价里",
        _did("review"),
    ),
    ("[您你]说过“|[您你]的评价是|在[您你]看来|[您你]称赞过", _did("review")),
    (rf"[您你]称赞过|[您你]在“{_UP_TO}称赞了", _liked("history")),
    (rf"[您你]评价{_UP_TO}时抱怨", _disliked),
    (r"有人也?称赞|(?:有|一位)评价者称赞|评价者称赞了", _liked("review")),
    (r"\b[Yy]ou asked for\b|[您你]想要", _did("preference")),
    (
        r"\b(?:[Oo]ne|[Aa]) review(?:er)?\b|\b[Ss]omeone who reviewed\b|有人|[有一]位评价者|有评价|有一?条(?:好评|评价)"
        r"|评价里(?:还提到|有这么一句)",
        _on("review"),
    ),
    (
        r"\b[Tt]he description\b|介绍(?:[里上中]|说，|来看|这?样?写|原文|的说法|是这么[说写]|说得)"
        r"|据介绍|从介绍看|先看看?介绍|(?:怎么|这样)介绍自己|自己的介绍是|看了介绍|翻一翻介绍|一句介绍|文章|文中|原文是",
        _on("item"),
    ),
    (r"; this time, the (?P<label>[^;\[]+?) (?:includes?|is) (?P<value>[^;\[]+?)(?= \[)", _lists),
    (
        rf"(?:再看|而|这次推荐的)“{_UP_TO}”[，的](?!有人|有评价)(?P<label>[^”，；\[]{{1,8}}?)(?:里有|是)(?P<value>[^，；\[]+)(?=\[)",
        _lists,
    ),
    (
        r"^(?:In short, |In a nutshell, |Simply put, |In plain words, |Summed up, |All in all, |To be precise, )?"
        r"[Tt]his (?:article )?is\b|^It is\b|, and this is\b|; this is\b|, here is\b|^(?:For|On) this, there is\b"
        r"|^(?:Here is|What you get is|You get|Picture|Try|Start with|(?:Have|Take) a look at|Consider|How about"
        r"|Why not|There is|You could open|Look in on|For help with this, see) |\bmay (?:help here|be worth a look)\b"
        r"|^(?:Worth a look|Worth opening|A suggestion|One to consider|Something to look at|One for your list"
        r"|For your next trip|The short version|On offer|Up next|If you are curious|This may help|A place to start"
        r"|One article to open): |: one to consider(?= \[)"
        r"|(?:^|而|(?<!看来)，)这是(?!一位评价者)|^它是|^这次推荐的是|^推荐给[您你]的，是|^不妨看看|^可以考虑|^值得一看：|^[您你]可以看看|^这里有(?!人)"
        r"|，(?:不妨了解一下|可以看一看|值得考虑)(?=\[)",
        _on("item"),
    ),
]


# What ready templates call people and deeds, each as the default ones do.
_SYNONYMS = {
    r"\b(buyer|reader|traveller|member)(?=s?\b)": "reviewer",
    "(?:去过|买过|夸它)的人里，有一位": "有一位评价者",
    "留言(?=里)": "评价",
    "买家|读者|组员|游客": "评价者",
    r"\b([Yy]ou(?: also)?) nearly booked\b": r"\1 put in your basket",
    r"\b([Yy]ou(?: also)?) put on your list\b": r"\1 put in your basket",
    r"\b([Yy]ou(?: also)?) (?:booked|rented)\b": r"\1 bought",
    r"\b([Yy]ou(?: also)?) opened\b": r"\1 looked at",
    r"([您你]也?|，也)点开过": r"\1看过",
    r"([您你]也?|，也)订过": r"\1买过",
    r"\b([Tt]he) (?:article|product page|blurb|listing)\b": r"\1 description",
    "据商品页介绍|据小组介绍": "据介绍",
    "(?:文章|简介|商品页|小组介绍)(?=[里上]|这?样?写|原文|的说法|是这么[说写]|说得|看，)": "介绍",
}


def _plain(text: str) -> str:
    for pattern, word in _SYNONYMS.items():
        text = re.sub(pattern, word, text)
    return text


def claims_in(text: str) -> Iterator[tuple[re.Match[str], Holds, list[int]]]:
    """What the fixed wording claims: the words, the proof they need, and the labels that must give it."""
    text = _plain(text)
    for pattern, holds in _CLAIMS:
        for claim in re.finditer(pattern, text):
            group = _MARKERS.search(text, claim.end())
            yield claim, holds, [int(n) for n in _MARKER.findall(group[0])] if group else []


def _claims(case: _Case) -> Iterator[str]:
    for sentence in case.reply["sentences"]:
        text = sentence["text"]
        for claim, holds, labels in claims_in(text):
            if not _is_said(case, text, claim) and not any(holds(case, e, claim) for e in case.cited(labels)):
                yield f"claims {claim[0]!r} without proof: {text!r}"
        if re.search(_MANY_SAY, _plain(text)):
            cited = case.cited(c["label"] for c in sentence["citations"])
            people = {case.author(e) or e["source_id"] for e in cited if e["side"] == "review"}
            if len(people) < 2:
                yield f"claims {len(people)} reviewer to be several: {text!r}"


def _is_said(case: _Case, text: str, claim: re.Match[str]) -> bool:
    """Whether the words are not the template's but stand in what a citation of the sentence quotes or names."""
    words = claim[0].removeprefix("，也")
    labels = (int(n) for n in _MARKER.findall(text))
    return any(words in e["text"] or words in case.title(e) for e in case.cited(labels))


_COUNTED = re.compile(
    r"(?P<n>\d+) of (?P<of>\d+) reviewers (?:praise|like|mention|bring up|complain about) the (?P<what>[\w -]+?) \["
    r"|(?P<of2>\d+)位评价者里，?(?:至少)?有(?P<n2>\d+)位(?:夸了|提到了|谈到|称赞了|对)(?P<what2>[^\[，]+?)(?:有意见|不满意)?\["
    r"|说到(?P<what3>[^，]+?)，(?P<of3>\d+)位评价者中至少(?P<n3>\d+)位是满意的\["
)
_OTHERS = re.compile(r"at least (\d+) complain of it \[|，也至少有(\d+)位不满意\[")


def _counts(case: _Case) -> Iterator[str]:
    """A sentence counts if and only if it shows whom: distinct reviewers who may speak, each naming the aspect."""
    for sentence in case.reply["sentences"]:
        support, text = sentence["support"], sentence["text"]
        said = counted_in(text)
        if support is None or said is None:
            if support is not None or said is not None:
                yield f"counts without support, or has support and does not count: {text!r}"
            continue
        count, of, what = said
        if (count, of) != (support["count"], support["of"]) or len(support["evidence_ids"]) != count:
            yield f"says {count} of {of}, its support says otherwise: {text!r}"
        wrote = case.speakers()
        naming = [who for who, texts in wrote.items() if any(_names(part, what) for part in texts)]
        if count > len(naming) or of > len(wrote) or count > of:
            yield f"counts {count} of {of}, there are {len(naming)} of {len(wrote)}: {text!r}"
        for c in sentence["citations"]:
            if not _names(c["cited_text"], what):
                yield f"cites for {what!r} what does not name it: {c['cited_text']!r}"
        if not {c["evidence_id"] for c in sentence["citations"]} <= set(support["evidence_ids"]):
            yield f"cites what it did not count: {text!r}"
        yield from _listed(case, support, what)


def counted_in(text: str) -> tuple[int, int, str] | None:
    """(count, of, aspect) that a sentence states, both sides of a division together; None where it counts nobody."""
    match = _COUNTED.search(_plain(text))
    if match is None:
        return None
    said = {name.rstrip("23"): value for name, value in match.groupdict().items() if value}
    others = _OTHERS.search(text, match.end())
    return int(said["n"]) + (int(others[1] or others[2]) if others else 0), int(said["of"]), said["what"]


def _listed(case: _Case, support: Row, what: str) -> Iterator[str]:
    """Each passage of the list is of another reviewer, who may speak, and names the aspect."""
    if case.shown is None:
        return
    people = set()
    for id_ in support["evidence_ids"]:
        passage = case.shown(id_)
        review = case.catalogue.reviews.get(passage["source_id"])
        if review is None or review.get("item_id") != case.target or not case.may_speak(review):
            yield f"counts a passage that may not speak for the item: {passage['source_id']}"
        elif not _names(passage["text"], what):
            yield f"counts for {what!r} what does not name it: {passage['text']!r}"
        people.add((review or {}).get("user_id") or passage["source_id"])
    if len(people) != len(support["evidence_ids"]):
        yield f"counts one reviewer twice for {what!r}"


_SPELLINGS = {
    "ambiance": "ambience",
    "color": "colour",
    "flavor": "flavour",
    "favorite": "favourite",
    "décor": "decor",
    "odor": "odour",
    "yoghurt": "yogurt",
    "doughnut": "donut",
    "biriyani": "biryani",
    "briyani": "biryani",
    "kabab": "kebab",
    "parantha": "paratha",
    "pulav": "pulao",
    "omlette": "omelette",
    "theater": "theatre",
    "center": "centre",
    "gray": "grey",
    "humor": "humour",
    "jewelry": "jewellery",
    "behavior": "behaviour",
    "cozy": "cosy",
}
_TWICE_SPELT = re.compile(rf"\b({'|'.join(_SPELLINGS)})((?:e?s)?)\b")


def _names(text: str, what: str) -> bool:
    """Whether the text has the aspect, as singular or plural, in either spelling."""
    if not what.isascii():
        return what in text
    stem = re.sub(r"(?:ies|es|s|y)$", "", _spelt(what))
    return re.search(rf"\b{re.escape(stem)}(?:ies|es|s|y|e)?\b", _spelt(text)) is not None


def _spelt(text: str) -> str:
    """In small letters, each word of `_SPELLINGS` in one spelling."""
    return _TWICE_SPELT.sub(lambda found: _SPELLINGS[found[1]] + found[2], text.lower())


def _caveats(case: _Case) -> Iterator[str]:
    for sentence in case.reply["sentences"]:
        if sentence["kind"] != "caveat" or _OTHERS.search(sentence["text"]):
            continue
        for e in case.cited(c["label"] for c in sentence["citations"]):
            if e["side"] == "history" or (e["rating"] is not None and e["rating"] >= 4):
                yield f"a caveat out of {e['side']} rated {e['rating']}: {sentence['text']!r}"


def _privacy(case: _Case) -> Iterator[str]:
    """Nobody else's id in any text of the reply; the schema leaves names no field."""
    everything = list(_strings(case.reply))
    others = case.catalogue.users - {case.user or ""}
    plain = {token for text in everything for token in _TOKEN.findall(text)}
    odd = [other for other in others if not _TOKEN.fullmatch(other)]
    for told in [*(others & plain), *(o for o in odd if any(o in text for text in everything))]:
        yield f"tells of another person: {told!r}"


def _origin(case: _Case) -> Iterator[str]:
    origin, spent = case.reply["provenance"], case.reply["timings_ms"]
    if not str(origin["index"]).startswith(f"{case.request['index']}@"):
        yield f"provenance names another index: {origin['index']!r}"
    template = re.split("[@:]", case.request.get("template", "default"))[0]
    if not re.fullmatch(rf"{re.escape(template)}@\w+", str(origin["template"])):
        yield f"provenance names another template: {origin['template']!r}"
    if not all(isinstance(origin[k], str) and origin[k] for k in ("model", "embedder", "verifier")):
        yield "provenance lacks a model, an embedder or a verifier"
    if origin["seed"] != case.request.get("seed", 0):
        yield f"provenance names another seed: {origin['seed']!r}"
    if not all(isinstance(ms, int | float) and ms >= 0 for ms in spent.values()):
        yield f"timings are no milliseconds: {spent}"
    elif sum(ms for stage, ms in spent.items() if stage != "total") > spent["total"] + 0.1:
        yield f"stages took longer than the whole: {spent}"


def _same(shown: str, raw: str) -> bool:
    """Equal, or equal but for masks over what is personal data in the raw text."""
    raw = _SURROGATE.sub("\ufffd", raw)
    if len(shown) != len(raw) or any(s not in (r, MASK) for s, r in zip(shown, raw, strict=True)):
        return False
    hidden = "".join(r for s, r in zip(shown, raw, strict=True) if s == MASK != r)
    return not hidden or "@" in hidden or " at " in hidden or sum(c.isdigit() for c in hidden) >= _SHORT_RUN


def _trust(row: Row) -> float:
    return 1.0 if row.get("trust") is None else float(row["trust"])


def _field(row: Row | None, field: str, allowed: tuple[str, ...]) -> str | None:
    name, _, number = field.partition(".")
    if row is None or name not in allowed or (name == "features") != bool(number):
        return None
    value = row.get(name)
    if not number:
        return value if isinstance(value, str) else None
    return value[int(number)] if isinstance(value, list) and int(number) < len(value) else None


def _rows(path: Path) -> Iterator[Row]:
    for line in path.read_text(encoding="utf-8-sig", errors="replace").split("\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield key
            yield from _strings(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _strings(part)
