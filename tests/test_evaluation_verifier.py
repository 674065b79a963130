"""False sentences are really false, and the instrument that counts them counts right."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from serving import analysers, open_planted

from rag_rationale.embedding import HashedEmbedder
from rag_rationale.errors import RowError
from rag_rationale.evaluation.claims import claims_of
from rag_rationale.evaluation.falsifying import KINDS, falsify
from rag_rationale.evaluation.material import Material, Subject
from rag_rationale.evaluation.scenes import read_scenes
from rag_rationale.evaluation.verifying import handwritten, measure_verifier, read_wice, reworded
from rag_rationale.generation import ScriptedEngine
from rag_rationale.grounding import Judge
from rag_rationale.types import LANGUAGES, Claim, Embedder, Language, Rationale, RationaleRequest

MINE = {"label": 1, "side": "history", "event": "review", "rating": 5, "author": "me"}
THEIRS = {"label": 2, "side": "review", "rating": 4, "author": "a7"}


def claim(sentence: str, mine: str, theirs: str, *, language: Language = "en", rating: float = 4) -> Claim:
    item, known = ("Ridge pack", "Moor boots") if language == "en" else ("山脊背包", "荒野靴")
    evidence = [MINE | {"title": known, "text": mine}, THEIRS | {"title": item, "text": theirs, "rating": rating}]
    cited = [e for e in evidence if f"[{e['label']}]" in sentence]
    return Claim.model_validate({"language": language, "item": item, "sentence": sentence, "evidence": cited})


EN = claim(
    "You wrote of Moor boots that the lining kept my feet dry [1]; "
    "one reviewer says the hip belt is soft after 9 days [2].",
    "The lining kept my feet dry.",
    "The hip belt is soft after 9 days. The zips are cheap.",
)
ZH = claim(
    "您评价“荒野靴”时说内衬很干爽[1]，有人说腰带很柔软走了九天[2]。",
    "内衬很干爽。",
    "腰带很柔软走了九天，拉链有点紧。",
    language="zh",
)
ELSEWHERE = {
    "en": Claim.model_validate(
        {
            "language": "en",
            "item": "Gale tent",
            "sentence": "One reviewer says the poles held in a heavy storm [1].",
            "evidence": [
                {"label": 1, "side": "review", "title": "Gale tent", "text": "The poles held in a heavy storm."}
            ],
        }
    ),
    "zh": Claim.model_validate(
        {
            "language": "zh",
            "item": "大风帐篷",
            "sentence": "有人说支架扛住了暴风雨[1]。",
            "evidence": [{"label": 1, "side": "review", "title": "大风帐篷", "text": "支架扛住了暴风雨。"}],
        }
    ),
}


@pytest.mark.parametrize(
    ("kind", "true", "falsified"),
    [
        ("negation", EN, r"the hip belt is not soft after 9 days \[2\]"),
        ("name", EN, "You wrote of Gale tent that"),
        ("polarity", EN, "the lining kept my feet (wet|damp|soaked|soggy|moist) "),
        ("other_item", EN, r"one reviewer says the poles held in a heavy storm \[2\]"),
        ("stitched", EN, "the hip belt is cheap|the zips are soft"),
        ("many", EN, "(several|three|many) reviewers say the hip belt is soft"),
        ("swapped", EN, r"Moor boots that the hip belt is soft after 9 days \[1\]; one reviewer says the lining kept"),
        ("negation", ZH, "内衬不干爽"),
        ("name", ZH, "您评价“大风帐篷”时说"),
        ("polarity", ZH, "腰带很(僵硬|坚硬|粗糙)"),
        ("other_item", ZH, "有人说支架扛住了暴风雨"),
        ("stitched", ZH, "腰带有点紧|拉链很柔软"),
        ("many", ZH, "(好几位|不少|三位)评价者都说腰带很柔软"),
        ("swapped", ZH, "说腰带很柔软走了九天.*有人说内衬很干爽"),
    ],
)
def test_each_kind_makes_the_sentence_false_in_its_way(kind: str, true: Claim, falsified: str) -> None:
    made = falsify(true, kind, [ELSEWHERE[true.language]])
    assert made is not None
    assert made.evidence == true.evidence
    assert (made.label, made.kind) == ("false", kind)
    assert re.search(falsified, made.sentence), made.sentence


@pytest.mark.parametrize(("true", "old"), [(EN, "9"), (ZH, "九")])
def test_a_number_becomes_one_that_no_source_has(true: Claim, old: str) -> None:
    made = falsify(true, "number", [])
    assert made is not None
    assert old not in made.sentence
    assert made.sentence.replace(" ", "") != true.sentence.replace(" ", "")


def test_a_complaint_becomes_a_liking_and_praise_does_not() -> None:
    theirs = "Sadly the zip broke after three days."
    bad = claim("One reviewer says the zip broke after three days [2].", "-", theirs, rating=1)
    made = falsify(bad, "liking", [])
    assert made is not None
    assert "delighted that the zip broke after three days [2]" in made.sentence
    assert falsify(EN, "liking", []) is None
    worse = claim("有人说拉链三天就坏了[2]。", "-", "拉链三天就坏了。", language="zh", rating=1)
    assert (made := falsify(worse, "liking", [])) is not None
    assert "有人很满意拉链三天就坏了[2]" in made.sentence


def test_kinds_that_could_be_true_by_chance_do_not_apply() -> None:
    two = Claim.model_validate(
        EN.model_dump()
        | {
            "sentence": "One reviewer says the hip belt is soft [2][3].",
            "evidence": [
                THEIRS | {"title": "Ridge pack", "text": "The hip belt is soft."},
                THEIRS | {"label": 3, "author": "a8", "title": "Ridge pack", "text": "Soft belt."},
            ],
        }
    )
    assert falsify(two, "many", []) is None
    alike = claim(
        "You wrote that the belt is soft [1]; one reviewer says the belt is very soft [2].",
        "The belt is soft.",
        "The belt is very soft.",
    )
    assert falsify(alike, "swapped", []) is None
    assert falsify(EN, "other_item", []) is None


def test_what_is_falsified_is_false_in_chinese_too() -> None:
    praised = claim("有人说不愧是名作[2]。", "-", "不愧是名作。", language="zh")
    assert falsify(praised, "negation", []) is None
    whole = claim("有人说特效好棒[2]。", "-", "虽然不尽完美，特效好棒，已经很不错了。", language="zh")
    made = falsify(whole, "stitched", [])
    assert made is None or "虽然很不错" not in made.sentence


def test_falsehoods_are_the_same_for_the_same_seed() -> None:
    around = [ELSEWHERE["en"]]
    for kind in KINDS:
        assert falsify(EN, kind, around, seed=3) == falsify(EN, kind, around, seed=3)
    assert len({str(falsify(EN, "number", around, seed=n)) for n in range(8)}) > 1


def test_the_instrument_counts_over_served_sentences(tmp_path: Path) -> None:
    explainer = open_planted(tmp_path, analysers())
    snapshot = explainer.snapshots.get("shop")
    subject = Subject("author-ann", "pack", "-", "", None, 2, "en")

    def explain(subject: Subject, exclude: frozenset[str]) -> Rationale:
        body = {"index": "shop", "user": {"id": subject.user}, "item": {"id": subject.item}}
        return explainer.explain(RationaleRequest.model_validate(body), exclude=exclude)

    reply = explain(subject, frozenset())
    claims = claims_of(reply, snapshot, title="Ridge pack", case=subject.id)
    assert [c.sentence for c in claims] == [s.text for s in reply.sentences]
    assert {s.author for c in claims for s in c.evidence} <= {"me", None, "author-bob", "author-cleo", "author-dan"}
    material = Material("shop", snapshot, (subject,), (reply,), explain, ScriptedEngine(), HashedEmbedder(), seed=0)
    wice = tmp_path / "wice.jsonl"
    rows = [
        {"claim": "The lamp has two arms.", "evidence": ["A lamp with two arms."], "label": "supported"},
        {"claim": "The lamp has nine arms.", "evidence": ["A lamp with two arms."], "label": "not_supported"},
    ]
    wice.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    finding = measure_verifier(material, wice=wice)
    by_name = {m.name: m for m in finding.measures}
    assert by_name["verifier.false_alarms.generated"].n == len(reply.sentences)
    kinds = [m.n for m in finding.measures if m.name.startswith("verifier.detected.generated.en.")]
    assert by_name["verifier.detected.generated"].n == sum(kinds) > 0
    assert by_name["verifier.auc.wice"].value == 1.0
    false = [c for c in reworded() if c.label == "false"]
    assert by_name["verifier.detected.reworded"].n == len(false) > 600
    assert {by_name[f"verifier.auc.reworded.{lang}"].n for lang in LANGUAGES} == {
        sum(c.language == lang for c in reworded()) for lang in LANGUAGES
    }
    assert by_name["verifier.milliseconds.lexical"].value > 0
    assert "verifier.detected.handwritten.zh" in by_name
    assert "verifier.detected.generated.zh" not in by_name  # nothing was served in Chinese
    assert "verifier.milliseconds.likelihood" not in by_name  # no such tier is fitted
    wice.write_text('{"claim": "x"}', "utf-8")
    with pytest.raises(RowError, match="evidence"):
        read_wice(wice)


def test_a_scene_gives_each_sentence_the_passages_it_cites() -> None:
    text = """
- item: Ridge pack
  evidence:
    - [1, history, Moor boots, "Dry feet.", review, 5, me]
    - [2, review, Ridge pack, "Soft belt.", null, 4, a7]
  holds: ["The belt is soft [2].", "Dry feet [1], soft belt [2]."]
  fails:
    degree: ["The belt is the softest [2]."]
"""
    claims = [claim for number, claim in read_scenes(text, "en") if number == 0]
    assert [(c.label, c.kind, [s.label for s in c.evidence]) for c in claims] == [
        ("true", None, [2]),
        ("true", None, [1, 2]),
        ("false", "degree", [2]),
    ]
    assert claims[1].evidence[0].title == "Moor boots"


def test_the_reworded_set_shares_no_item_and_no_sentence_with_what_weights_were_fitted_to() -> None:
    fitted = [*handwritten(), *handwritten("held.")]
    known = {c.item for c in fitted}, {c.sentence for c in fitted}
    fresh = reworded()
    assert not {c.item for c in fresh} & known[0]
    assert not {c.sentence for c in fresh} & known[1]
    assert len({(c.item, c.sentence) for c in fresh}) == len(fresh)


@pytest.mark.slow
@pytest.mark.parametrize(("language", "detected", "alarmed"), [("en", 0.48, 0.06), ("zh", 0.6, 0.075)])
def test_the_judge_keeps_what_it_finds_on_sentences_that_nobody_tuned_on(
    e5: Embedder, language: Language, detected: float, alarmed: float
) -> None:
    judge = Judge(embedder=e5)
    claims = [c for c in handwritten("held.") if c.language == language]
    refused = {c.id: judge.judge(c).label == "unsupported" for c in claims}
    false = [refused[c.id] for c in claims if c.label == "false"]
    true = [refused[c.id] for c in claims if c.label == "true"]
    assert len(false) == len(true) == 66
    assert sum(false) / len(false) >= detected
    assert sum(true) / len(true) <= alarmed


@pytest.mark.slow
def test_the_meaning_of_short_praise_tells_an_items_own_from_anothers(e5: Embedder) -> None:
    """Reworded, or of another item: the least that must be told apart, where hardly a word is shared."""
    judge, own, strange = Judge(embedder=e5), [], []
    for said, again, elsewhere in (
        ("The broth is rich and comforting.", "soup is hearty", "delivery was on time"),
        ("Staff forgot our order twice.", "waiters are careless", "the wallpaper is floral"),
        ("It charges in under an hour.", "battery fills quickly", "the novel drags"),
        ("Rooms at the back are silent at night.", "it is quiet for sleeping", "prices are friendly"),
    ):
        evidence = [THEIRS | {"title": "-", "text": said}]
        for claims, told in ((own, again), (strange, elsewhere)):
            body = {"language": "en", "item": "-", "sentence": f"One guest says {told} [2].", "evidence": evidence}
            claims.append(judge.judge(Claim.model_validate(body)))
    assert [verdict.tier for verdict in strange] == ["embedding"] * 4
    assert all(verdict.tier != "embedding" for verdict in own)
