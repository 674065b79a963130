"""The judge of replies is judged: what is right passes, and each single corruption of it is caught."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from contract import Catalogue, Row, check_reply, claims_in, counted_in
from planted import write_jsonl

from rag_rationale.prompting.files import read_merged

PROMPTS = Path(__file__).parents[1] / "prompts"
ITEMS: list[Row] = [
    {
        "item_id": "pack",
        "title": "Longhask Pack",
        "description": "The pack is made for long hikes. It weighs 1.6 kg.",
        "features": ["a rain cover that fits"],
    },
    {"item_id": "boots", "title": "Peatline Boots", "description": "Boots for wet ground."},
    {"item_id": "lamp", "title": "Desk Lamp", "description": "A lamp with an arm."},
    {"item_id": "beibao", "title": "远足背包", "description": "一只适合长途徒步的背包。"},
    {"item_id": "xiezi", "title": "登山鞋", "description": "适合湿地的鞋。"},
]
REVIEWS: list[Row] = [
    {
        "review_id": "r1",
        "user_id": "walker",
        "item_id": "lamp",
        "rating": 5,
        "timestamp": 10,
        "text": "I love the arm.",
    },
    {"review_id": "r2", "user_id": "guest-b", "item_id": "pack", "rating": 5, "text": "The hip belt spreads the load."},
    {"review_id": "r3", "user_id": "guest-c", "item_id": "pack", "rating": 4, "text": "A good hip belt, and it fits."},
    {
        "review_id": "r4",
        "user_id": "guest-d",
        "item_id": "pack",
        "rating": 2,
        "text": "The zips feel cheap. Call 5551234567.",
    },
    {
        "review_id": "r5",
        "user_id": "walker",
        "item_id": "pack",
        "rating": 5,
        "text": "I love it, the hip belt is soft.",
    },
    {"review_id": "r6", "user_id": "spammer", "item_id": "pack", "rating": 5, "text": "The best pack ever made."},
    {"review_id": "r7", "user_id": "guest-b", "item_id": "pack", "rating": 5, "text": "The straps are good as well."},
    {"review_id": "r8", "user_id": "guest-b", "item_id": "lamp", "rating": 5, "text": "The arm is fine."},
    {"review_id": "z1", "user_id": "guest-b", "item_id": "beibao", "rating": 5, "text": "腰带很舒服。"},
    {"review_id": "z2", "user_id": "guest-c", "item_id": "beibao", "rating": None, "text": "腰带有点硬。"},
]
EVENTS: list[Row] = [
    {"user_id": "walker", "item_id": "boots", "event": "purchase", "timestamp": 20},
    {"user_id": "walker", "item_id": "boots", "event": "rating", "timestamp": 30, "value": 4},
    {"user_id": "walker", "item_id": "lamp", "event": "view", "timestamp": 5},
    {"user_id": "walker", "item_id": "xiezi", "event": "view", "timestamp": 6},
    {"user_id": "guest-b", "item_id": "lamp", "event": "purchase", "timestamp": 7},
]
USERS: list[Row] = [{"user_id": "spammer", "trust": 0.1}, {"user_id": "silent"}]
REQUEST: Row = {"index": "shop", "user": {"id": "walker"}, "item": {"id": "pack"}}
_RAW = {
    **{(row["item_id"], field): row[field] for row in ITEMS for field in ("title", "description")},
    **{(row["review_id"], "text"): row["text"] for row in REVIEWS},
    ("pack", "features.0"): "a rain cover that fits",
}


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = tmp_path_factory.mktemp("catalogue")
    return Catalogue.read(
        write_jsonl(folder / "items.jsonl", ITEMS),
        write_jsonl(folder / "reviews.jsonl", REVIEWS),
        write_jsonl(folder / "events.jsonl", EVENTS),
        write_jsonl(folder / "users.jsonl", USERS),
    )


def evidence(label: int, side: str, source: str, field: str, start: int, end: int, **more: Any) -> Row:
    """Cited evidence, cut out of its raw row."""
    row = next((r for r in REVIEWS if r["review_id"] == source), {})
    return {
        "label": label,
        "id": f"shop:{source}-{field}-{start}",
        "side": side,
        "item_id": row.get("item_id", source),
        "source_id": source,
        "field": field,
        "start": start,
        "end": end,
        "text": _RAW[source, field][start:end],
        "lang": "zh" if source in {"beibao", "xiezi", "z1", "z2"} else "en",
        "event": None,
        "rating": row.get("rating"),
        "timestamp": row.get("timestamp"),
        "score": 0.5,
        **more,
    }


def reply_of(sentences: list[tuple[str, str]], cited: list[Row], *, glue: str = " ") -> Row:
    """A reply of (kind, text with markers) whose citations quote their whole evidence."""
    made: list[Row] = []
    text = ""
    for kind, words in sentences:
        text += glue if text else ""
        citations = [
            {
                "label": e["label"],
                "evidence_id": e["id"],
                "cited_text": e["text"],
                "start_char_index": e["start"],
                "end_char_index": e["end"],
            }
            for number in re.findall(r"\[(\d+)\]", words)
            for e in cited
            if e["label"] == int(number)
        ]
        made.append(
            {
                "text": words,
                "start": len(text),
                "end": len(text) + len(words),
                "kind": kind,
                "mode": "slots",
                "verdict": "supported",
                "tier": "lexical",
                "score": 0.9,
                "support": None,
                "citations": citations,
            }
        )
        text += words
    return {
        "id": "rat_1",
        "status": "grounded",
        "language": "zh" if cited[-1]["lang"] == "zh" else "en",
        "personal": any(e["side"] == "history" for e in cited),
        "degraded": False,
        "rationale": text,
        "sentences": made,
        "evidence": cited,
        "reason": None,
        "provenance": {
            "index": "shop@2026",
            "template": "default@3f2a",
            "model": "m",
            "embedder": "e",
            "verifier": "v",
            "seed": 0,
        },
        "timings_ms": {"retrieve": 1.0, "write": 2.0, "verify": 0.5, "total": 3.6},
    }


def right() -> Row:
    """A reply in English with a match, a shared merit and a caveat."""
    return reply_of(
        [
            (
                "match",
                "You bought Peatline Boots [1], and the description of this one says that it is made for hikes [2].",
            ),
            ("merit", "More than one reviewer praises the hip belt [3][4]; in the words of one, it spreads the load."),
            ("caveat", "Not everyone agrees: one reviewer says the zips feel cheap [5]."),
        ],
        [
            evidence(1, "history", "boots", "title", 0, 14, event="purchase", timestamp=20),
            evidence(2, "item", "pack", "description", 0, 32),
            evidence(3, "review", "r2", "text", 0, 30),
            evidence(4, "review", "r3", "text", 0, 15),
            evidence(5, "review", "r4", "text", 0, 20),
        ],
    )


def single(kind: str, text: str, *cited: Row) -> Row:
    return reply_of([(kind, text)], list(cited))


def test_what_is_right_passes(catalogue: Catalogue) -> None:
    assert check_reply(right(), request=REQUEST, catalogue=catalogue) == []
    assert check_reply(json.loads(json.dumps(right())), request=REQUEST, catalogue=catalogue) == []


VIEWED = evidence(1, "history", "lamp", "title", 0, 9, event="view", timestamp=5)
WROTE = evidence(1, "history", "r1", "text", 0, 15, event="review")
RATED = evidence(1, "history", "boots", "title", 0, 14, event="rating", timestamp=30, rating=4)
BELT = evidence(2, "review", "r2", "text", 0, 30)
COVER = evidence(2, "item", "pack", "features.0", 0, 22)

RIGHT_TOO = [
    single(
        "match", "You looked at Desk Lamp [1], and a reviewer of this one says it spreads the load [2].", VIEWED, BELT
    ),
    single(
        "match",
        "You praised the arm in your review of Desk Lamp [1]; the description mentions a cover [2].",
        WROTE,
        COVER,
    ),
    single(
        "match",
        "You gave Peatline Boots 4 stars [1], and a reviewer of this one says it spreads the load [2].",
        RATED,
        BELT,
    ),
    single("merit", "One reviewer writes: “The hip belt spreads the load.” [1]", {**BELT, "label": 1}),
    single(
        "match",
        "You bought Peatline Boots [1], you also looked at Desk Lamp [2], and this is made for long hikes [3].",
        evidence(1, "history", "boots", "title", 0, 14, event="purchase", timestamp=20),
        {**VIEWED, "label": 2},
        evidence(3, "item", "pack", "description", 0, 32),
    ),
    single(
        "caveat",
        "One reviewer was less happy: “Call ••••••••••.” [1]",
        evidence(1, "review", "r4", "text", 21, 37, text="Call ••••••••••."),
    ),
]


@pytest.mark.parametrize("reply", RIGHT_TOO, ids=[r["rationale"][:24] for r in RIGHT_TOO])
def test_other_right_wordings_pass(reply: Row, catalogue: Catalogue) -> None:
    assert check_reply(reply, request=REQUEST, catalogue=catalogue) == []


def test_a_right_reply_in_chinese_passes_and_its_claims_are_read(catalogue: Catalogue) -> None:
    request = REQUEST | {"item": {"id": "beibao"}}
    cited = [
        evidence(1, "history", "xiezi", "title", 0, 3, event="view", timestamp=6),
        evidence(2, "review", "z1", "text", 0, 6),
        evidence(3, "review", "z2", "text", 0, 6),
    ]
    texts = [("match", "您浏览过“登山鞋”[1]；这一款，有人说腰带很舒服[2]。"), ("caveat", "不过也有人说腰带有点硬[3]。")]
    assert check_reply(reply_of(texts, cited, glue=""), request=request, catalogue=catalogue) == []

    def faults(*replaced: tuple[str, str]) -> list[str]:
        told = [(kind, re.sub(*old_new, text)) for (kind, text) in texts for old_new in replaced]
        return check_reply(reply_of(told, cited, glue=""), request=request, catalogue=catalogue)

    for wording, claim in (
        (("浏览过“登山鞋”", "买过“登山鞋”"), "您买过"),
        (("浏览过“登山鞋”", "给“登山鞋”打过5星"), "打过5星"),
        (("您浏览过“登山鞋”", "您写过“登山鞋”"), "您写过"),
        (("这一款，有人说腰带很舒服", "不止一位评价者称赞了腰带"), "1 reviewer to be several"),
        (("浏览过“登山鞋”", "浏览过“运动鞋”"), "quotes what no citation says: '运动鞋'"),
    ):
        assert [f for f in faults(wording) if claim in f], wording


Corruption = Callable[[Row], object]


def _set(*path: str | int, value: object) -> Corruption:
    def corrupt(reply: Row) -> None:
        at: Any = reply
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value

    return corrupt


def _retell(old: str, new: str) -> Corruption:
    """Other words, the offsets made to fit, so that nothing but the claim is wrong."""

    def corrupt(reply: Row) -> None:
        assert old in reply["rationale"]
        reply["rationale"] = reply["rationale"].replace(old, new)
        for sentence in reply["sentences"]:
            sentence["text"] = sentence["text"].replace(old, new)
            sentence["start"] = reply["rationale"].index(sentence["text"])
            sentence["end"] = sentence["start"] + len(sentence["text"])

    return corrupt


def _recite(label: int, other: Row) -> Corruption:
    """Other evidence behind a label, its citation and all."""

    def corrupt(reply: Row) -> None:
        reply["evidence"][label - 1] = other | {"label": label}
        for sentence in reply["sentences"]:
            for c in sentence["citations"]:
                if c["label"] == label:
                    c.update(
                        evidence_id=other["id"],
                        cited_text=other["text"],
                        start_char_index=other["start"],
                        end_char_index=other["end"],
                    )

    return corrupt


def _swap_labels(reply: Row) -> None:
    """2 before 1, consistently, so that only the order is wrong."""
    swap = {1: 2, 2: 1}
    for part in (*reply["evidence"], *(c for s in reply["sentences"] for c in s["citations"])):
        part["label"] = swap.get(part["label"], part["label"])
    for holder, key in [(reply, "rationale"), *((s, "text") for s in reply["sentences"])]:
        holder[key] = re.sub(r"\[([12])\]", lambda m: f"[{swap[int(m[1])]}]", holder[key])


CORRUPTIONS: list[tuple[str, Corruption, str]] = [
    ("labels out of order", _swap_labels, "not 1 to n in order"),
    ("a marker without citation", lambda r: r["sentences"][0]["citations"].pop(), "markers are not the citations"),
    ("no citations", lambda r: r["sentences"][2]["citations"].clear(), "sentence without a citation"),
    ("another label in the text", _retell("[2]", "[9]"), "evidence is not exactly what is cited"),
    ("evidence too many", lambda r: r["evidence"].append(evidence(6, "review", "r7", "text", 0, 28)), "not exactly"),
    ("evidence too few", lambda r: r["evidence"].pop(), "evidence is not exactly"),
    ("one passage twice", _set("evidence", 3, "id", value="shop:r2-text-0"), "two labels"),
    ("a sentence that starts late", _set("sentences", 1, "start", value=100), "offsets do not hold"),
    ("an unproven ending", lambda r: r.update(rationale=r["rationale"] + " Buy it."), "unproven stands at the end"),
    ("a kind of its own", _set("sentences", 0, "kind", value="advert"), "unknown kind"),
    ("an unsupported sentence", _set("sentences", 0, "verdict", value="unsupported"), "unknown kind or verdict"),
    (
        "a citation that paraphrases",
        _set("sentences", 2, "citations", 0, "cited_text", value="The zips"),
        "does not quote its",
    ),
    ("a citation beyond its passage", _set("sentences", 2, "citations", 0, "end_char_index", value=25), "leaves its"),
    (
        "a citation of other evidence",
        _set("sentences", 2, "citations", 0, "evidence_id", value="shop:x"),
        "other evidence",
    ),
    ("evidence that moved", _set("evidence", 4, "start", value=1), "is not what text of r4 says there"),
    (
        "evidence that was edited",
        _recite(5, evidence(5, "review", "r4", "text", 0, 20, text="The zips feel great.")),
        "is not what text of r4 says there",
    ),
    (
        "evidence that hides what is not personal",
        _recite(5, evidence(5, "review", "r4", "text", 0, 20, text="The zips feel •••••.")),
        "is not what text of r4 says there",
    ),
    ("evidence of no source", _set("evidence", 4, "source_id", value="r99"), "there is no text of r99"),
    ("evidence of no field", _set("evidence", 4, "field", value="title"), "there is no title of r4"),
    ("the user's own review", _recite(3, evidence(3, "review", "r5", "text", 0, 32)), "own review of the target"),
    ("an untrusted review", _recite(3, evidence(3, "review", "r6", "text", 0, 24)), "not trusted"),
    ("a review of another item", _recite(3, evidence(3, "review", "r8", "text", 0, 16)), "not about the target"),
    ("another item's text", _recite(2, evidence(2, "item", "lamp", "description", 0, 19)), "not about the target"),
    ("a rating of its own", _set("evidence", 2, "rating", value=1), "another item or rating"),
    (
        "somebody else's purchase",
        _recite(1, evidence(1, "history", "lamp", "title", 0, 9, event="purchase", timestamp=7)),
        "no event 'purchase' of this user",
    ),
    (
        "somebody else's review as history",
        _recite(1, evidence(1, "history", "r8", "text", 0, 16, event="review")),
        "did not write",
    ),
    (
        "the target as history",
        _recite(1, evidence(1, "history", "r5", "text", 0, 32, event="review")),
        "history with the target",
    ),
    ("an event at another time", _set("evidence", 0, "timestamp", value=21), "no event 'purchase'"),
    ("a rating never given", _set("evidence", 0, "rating", value=5), "did not give"),
    (
        "bought what was viewed",
        _recite(1, evidence(1, "history", "lamp", "title", 0, 9, event="view", timestamp=5)),
        "claims 'You bought'",
    ),
    ("saved what was bought", _retell("You bought", "You saved"), "claims 'You saved'"),
    (
        "a review where the description spoke",
        _recite(2, evidence(2, "review", "r7", "text", 0, 28)),
        "'the description'",
    ),
    ("one reviewer twice", _recite(4, evidence(4, "review", "r7", "text", 0, 28)), "1 reviewer to be several"),
    ("the shop as a reviewer", _recite(5, evidence(5, "item", "pack", "description", 33, 50)), "claims 'one reviewer'"),
    ("a caveat from praise", _recite(5, evidence(5, "review", "r7", "text", 0, 28)), "a caveat out of review rated 5"),
    (
        "counting wrong",
        _set("sentences", 1, "support", value={"count": 3, "of": 9, "evidence_ids": ["shop:r2-text-0"]}),
        "has support and does not count",
    ),
    ("another's id in an id", _set("evidence", 2, "id", value="shop:guest-b"), "tells of another person: 'guest-b'"),
    ("another's id elsewhere", _set("id", value="rat_1 silent"), "tells of another person: 'silent'"),
    ("an author's name", _set("evidence", 2, "author", value="Ann"), "wrong keys: ['author']"),
    ("a missing proof", lambda r: r["sentences"][0]["citations"][0].pop("cited_text"), "wrong keys: ['cited_text']"),
    ("not told to be personal", _set("personal", value=False), "personal does not tell"),
    ("another language", _set("language", value="fr"), "language is 'fr'"),
    ("a reason without need", _set("reason", value="no_evidence"), "with a reason to abstain"),
    ("abstaining and talking", _set("status", value="abstained"), "abstained"),
    ("another index", _set("provenance", "index", value="films@1"), "another index"),
    ("another template", _set("provenance", "template", value="terse@1"), "another template"),
    ("another seed", _set("provenance", "seed", value=7), "another seed"),
    ("no model", _set("provenance", "model", value=""), "lacks a model"),
    ("no provenance", lambda r: r.pop("provenance"), "wrong keys: ['provenance']"),
    ("time that does not add up", _set("timings_ms", "total", value=1.0), "longer than the whole"),
    ("no timing", lambda r: r["timings_ms"].pop("verify"), "wrong keys: ['verify']"),
]


@pytest.mark.parametrize(("corrupt", "complaint"), [c[1:] for c in CORRUPTIONS], ids=[c[0] for c in CORRUPTIONS])
def test_a_single_corruption_is_caught(corrupt: Corruption, complaint: str, catalogue: Catalogue) -> None:
    reply = deepcopy(right())
    corrupt(reply)
    faults = check_reply(reply, request=REQUEST, catalogue=catalogue)
    assert [fault for fault in faults if complaint in fault], faults


@pytest.mark.parametrize(
    ("reply", "old", "new", "complaint"),
    [
        (RIGHT_TOO[0], "looked at", "looked at", None),
        (RIGHT_TOO[0], "You looked at", "You bought", "claims 'You bought'"),
        (RIGHT_TOO[1], "You praised", "You bought", "claims 'You bought'"),
        (RIGHT_TOO[2], "4 stars", "5 stars", "5 stars"),
        (RIGHT_TOO[2], "You gave Peatline Boots 4 stars", "You praised Peatline Boots", "'You praised'"),
        (RIGHT_TOO[3], "spreads the load.”", "carries the load.”", "quotes what no citation says"),
        (RIGHT_TOO[4], "you also looked at", "you also bought", "'you also bought'"),
    ],
)
def test_a_claim_that_its_row_does_not_prove_is_caught(
    reply: Row, old: str, new: str, complaint: str | None, catalogue: Catalogue
) -> None:
    made = deepcopy(reply)
    _retell(old, new)(made)
    faults = check_reply(made, request=REQUEST, catalogue=catalogue)
    assert bool(faults) == bool(complaint)
    assert not complaint or any(complaint in fault for fault in faults), faults


def test_abstaining_passes_with_a_reason_and_nothing_else(catalogue: Catalogue) -> None:
    reply = right() | {
        "status": "abstained",
        "reason": "no_evidence",
        "rationale": "",
        "sentences": [],
        "evidence": [],
        "personal": False,
    }
    assert check_reply(reply, request=REQUEST, catalogue=catalogue) == []
    for broken in ({"reason": None}, {"reason": "tired"}, {"rationale": "No."}, {"evidence": [right()["evidence"][0]]}):
        assert check_reply(reply | broken, request=REQUEST, catalogue=catalogue), broken


@pytest.mark.parametrize("path", sorted(PROMPTS.glob("*/*.prompt")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_wording_of_every_shipped_frame_is_known_to_the_judge(path: Path) -> None:
    meta = read_merged(path, root=PROMPTS).data
    assert meta["frames"]
    for frame in meta["frames"]:
        for verb in meta["verbs"].values() if ".verb" in frame["text"] else [""]:
            roles = [role for role in ("earlier", "own", "theirs", "others", "facts") if role in frame]
            text = frame["text"].replace("{{ theirs.aspect }}", "terrace")
            text = text.replace(
                "{{ facts.entry }}", "类型里有悬疑" if path.name.startswith("zh") else "the genre is noir"
            )
            text = re.sub(r"\{\{ \w+\.(?:count|of) \}\}", "7", text)
            if frame.get("theirs", {}).get("speakers") == "count":
                told = (14 if "others" in frame else 7, 7, "terrace")
                assert counted_in(re.sub(r"\{\{ \w+\.cite \}\}", "[1]", text)) == told
            for label, role in enumerate(roles, 1):
                text = re.sub(rf"{{{{ {role}\.cite }}}}", f"[{label}]", text)
            text = text.replace("own.stars }}", "own.stars }}4").replace("{{ own.verb }}", verb)
            text = re.sub(r"\{\{.*?\}\}", "", text.replace("{{ earlier.verb }}", verb))
            claimed = {n for _, _, labels in claims_in(text) for n in labels}
            assert claimed == set(range(1, len(roles) + 1)), (frame["id"], text)


def test_what_came_with_the_request_is_its_own_proof(catalogue: Catalogue) -> None:
    request = {
        "index": "shop",
        "user": {
            "history": [{"title": "A tent", "event": "purchase"}, {"item_id": "lamp", "rating": 2, "text": "It hums."}],
            "preferences": ["something light"],
        },
        "item": {"title": "A stove", "description": "It boils water in two minutes."},
    }
    raw = {"history.0": "A tent", "history.1": "It hums.", "preferences.0": "something light"}

    def inline(source: str, field: str, item: str | None, event: str, rating: float | None) -> Row:
        text = raw[source]
        more: Row = {"id": f"inline:{source}", "side": "history", "source_id": f"inline:{source}", "field": field}
        more |= {"item_id": item, "start": 0, "end": len(text), "text": text, "event": event, "rating": rating}
        return VIEWED | more | {"timestamp": None}

    stove = BELT | {"id": "inline:s", "side": "item", "item_id": None, "source_id": "inline:item", "rating": None}
    stove |= {"field": "description", "end": 30, "text": "It boils water in two minutes."}
    bought, asked = (
        inline("history.0", "title", None, "purchase", None),
        inline("preferences.0", "text", None, "preference", None),
    )
    hums = inline("history.1", "text", "lamp", "review", 2)
    texts = {
        "You bought A tent [1], and the description of this one says that it boils water in two minutes [2].": bought,
        "You complained of Desk Lamp that it hums [1]; the description mentions two minutes [2].": hums,
        "You asked for “something light” [1], and the description mentions two minutes [2].": asked,
    }
    for text, own in texts.items():
        assert check_reply(single("match", text, own, stove), request=request, catalogue=catalogue) == []
    (said, _, _) = texts
    for broken in ({"event": "view"}, {"text": "A tend"}, {"source_id": "inline:history.7"}, {"rating": 3}):
        assert check_reply(single("match", said, bought | broken, stove), request=request, catalogue=catalogue), broken
    other = stove | {"text": "It boils water in ten minutes."}
    assert check_reply(single("match", said, bought, other), request=request, catalogue=catalogue)


def test_more_sentences_than_asked_for_are_caught(catalogue: Catalogue) -> None:
    assert check_reply(right(), request=REQUEST | {"max_sentences": 2}, catalogue=catalogue) == [
        "more sentences than asked for: 3"
    ]


def test_a_catalogue_keeps_the_first_row_and_skips_what_is_no_row(tmp_path: Path) -> None:
    items = write_jsonl(tmp_path / "items.jsonl", [{"item_id": "a", "title": "one"}, {"item_id": "a", "title": "two"}])
    items.write_text("no json\n[1]\n" + items.read_text(encoding="utf-8"), encoding="utf-8")
    reviews = write_jsonl(
        tmp_path / "reviews.jsonl",
        [{"review_id": "r", "user_id": "u", "item_id": "a", "rating": 3, "text": " ", "timestamp": 1, "trust": 0}],
    )
    read = Catalogue.read(items, reviews)
    assert read.items["a"]["title"] == "one"
    assert [(e["event"], e["value"]) for e in read.events_of("u")] == [("rating", 3)]
    assert read.trust_of(read.reviews["r"]) == 0
