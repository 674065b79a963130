"""The judge of sentences: true ones pass, each way of making one false is caught and named."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bounded
import numpy as np
import pytest

from rag_rationale.cli.main import main
from rag_rationale.errors import RowError
from rag_rationale.grounding import Judge, read_claims
from rag_rationale.grounding.clauses import cut
from rag_rationale.language.tokens import tokens
from rag_rationale.types import Claim, Counted, Language, Source, TextRole, Vectors, Verdict

ROOT = Path(__file__).parents[1]
GRILL, LUNE = "Harbour Grill", "Cafe Lune"
EN: list[dict[str, Any]] = [
    {
        "label": 1,
        "side": "history",
        "title": GRILL,
        "text": "The room was quiet and the grilled prawns arrived in 10 minutes.",
        "event": "review",
        "rating": 5,
        "author": "me",
    },
    {
        "label": 2,
        "side": "review",
        "title": LUNE,
        "text": "The soup was cold, but the cake is rich and never too sweet. We waited 20 minutes.",
        "rating": 3,
        "author": "a7",
    },
    {
        "label": 3,
        "side": "item",
        "title": LUNE,
        "text": "A small cafe with six tables by the canal. Closed on Mondays.",
    },
    {"label": 4, "side": "history", "title": "Moka Pot", "text": "Moka Pot", "event": "purchase", "author": "me"},
    {"label": 5, "side": "review", "title": LUNE, "text": "Rich cake, friendly staff.", "rating": 5, "author": "a8"},
]
ZH: list[dict[str, Any]] = [
    {
        "label": 1,
        "side": "history",
        "title": "海港烤肉",
        "text": "店里很安静，烤虾十分钟就上桌了。",
        "event": "review",
        "rating": 5,
        "author": "me",
    },
    {
        "label": 2,
        "side": "review",
        "title": "月亮咖啡",
        "text": "汤是凉的，不过蛋糕很浓郁，一点也不腻。等了二十分钟。",
        "rating": 3,
        "author": "a7",
    },
    {"label": 3, "side": "item", "title": "月亮咖啡", "text": "运河边的小咖啡馆，六张桌子，周一休息。"},
    {"label": 4, "side": "history", "title": "摩卡壶", "text": "摩卡壶", "event": "purchase", "author": "me"},
    {"label": 5, "side": "review", "title": "月亮咖啡", "text": "蛋糕浓郁，店员友好。", "rating": 5, "author": "a8"},
]


def claim(sentence: str, language: Language = "en") -> Claim:
    item, evidence = (LUNE, EN) if language == "en" else ("月亮咖啡", ZH)
    return Claim.model_validate({"language": language, "item": item, "sentence": sentence, "evidence": evidence})


class Themes:
    """An embedder that knows two themes, cake and the rest, and nothing between them."""

    name, dimension = "themes", 2

    def embed(self, texts: Sequence[str], *, role: TextRole) -> Vectors:
        del role
        sweet = ("cake", "gateau", "蛋糕", "甜点")
        return np.array([[1, 0] if any(word in text for word in sweet) else [0, 1] for text in texts], np.float32)


def judged(sentence: str, language: Language = "en") -> Verdict:
    verdict = Judge().judge(claim(sentence, language))
    assert (verdict.label == "supported") == (not verdict.reasons)
    return verdict


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "You praised the quiet room of Harbour Grill [1]; one guest here says the cake is rich [2]."),
        ("en", "Two guests call the cake rich [2][5]."),
        ("en", "A guest waited 20 minutes [2], and the description says it is closed on Mondays [3]."),
        ("en", "You bought the Moka Pot [4], and this is a small cafe with six tables by the canal [3]."),
        ("en", "One guest writes: “the cake is rich and never too sweet” [2]."),
        ("en", "You gave Harbour Grill 5 stars [1]; one guest says the soup was cold [2]."),
        ("zh", "您称赞过海港烤肉很安静[1]，这里有人说蛋糕很浓郁[2]。"),
        ("zh", "两位顾客都说蛋糕浓郁[2][5]。"),
        ("zh", "有人等了20分钟[2]，介绍里写着周一休息[3]。"),
        ("zh", "您买过摩卡壶[4]，而这是一家运河边的小咖啡馆[3]。"),
        ("zh", "有人写道：“蛋糕很浓郁，一点也不腻”[2]。"),
        ("zh", "您给海港烤肉打过5星[1]，有人说汤是凉的[2]。"),
    ],
)
def test_a_true_sentence_is_supported(language: Language, sentence: str) -> None:
    assert judged(sentence, language).reasons == ()


@pytest.mark.parametrize(
    ("language", "sentence", "told"),
    [
        ("en", "One guest waited 30 minutes [2].", "number '30'"),
        ("en", "One guest says the cake is not rich [2].", "negation"),
        ("en", "One guest says Marco bakes a rich cake [2].", "name 'Marco'"),
        ("en", "You praised the quiet room of Cafe Lune [1].", "is not what the reader's source speaks of"),
        ("en", "One guest says the soup was hot [2].", "'hot' stands against 'cold'"),
        ("en", "One guest says the hotel has a pool on the roof [2].", "does not hold: hotel"),
        ("en", "Several guests say the cake is rich [2].", "needs 2 reviewers, cited are 1"),
        ("en", "Three guests say the cake is rich [2][5].", "needs 3 reviewers, cited are 2"),
        ("en", "Every guest says the cake is rich [2][5].", "speaks for all"),
        ("en", "You said the cake is rich [1]; one guest says the room was quiet [2].", "credited to [1]"),
        ("en", "You say the cake is rich [2].", "needs a source of side history"),
        ("en", "The description says the cake is rich [2].", "needs a source of side item"),
        ("en", "You bought Harbour Grill [1].", "needs an event"),
        ("en", "You loved the Moka Pot [4].", "the row only says 'purchase'"),
        ("en", "You complained about the quiet room of Harbour Grill [1].", "a liking or dislike"),
        ("en", "You gave Harbour Grill 3 stars [1].", "the rating is 5"),
        ("en", "One guest writes: “the best cake in town” [2].", "is quoted and stands in no source"),
        ("en", "The cake is rich.", "nothing is cited"),
        ("en", "The cake is rich [9].", "[9] stands for no source"),
        ("zh", "有人等了三十分钟[2]。", "number '三十'"),
        ("zh", "有人说蛋糕不浓郁[2]。", "negation"),
        ("zh", "有人说王师傅做的蛋糕很浓郁[2]。", "name '王师傅'"),
        ("zh", "您称赞过月亮咖啡很安静[1]。", "is not what the reader's source speaks of"),
        ("zh", "有人说汤是热的[2]。", "'热' stands against '凉'"),
        ("zh", "好几位顾客都说蛋糕浓郁[2]。", "needs 2 reviewers, cited are 1"),
        ("zh", "三位顾客都说蛋糕浓郁[2][5]。", "needs 3 reviewers, cited are 2"),
        ("zh", "所有顾客都说蛋糕浓郁[2][5]。", "speaks for all"),
        ("zh", "您说蛋糕很浓郁[1]，有人说店里很安静[2]。", "credited to [1]"),
        ("zh", "您说蛋糕很浓郁[2]。", "needs a source of side history"),
        ("zh", "介绍里写着蛋糕很浓郁[2]。", "needs a source of side item"),
        ("zh", "您买过海港烤肉[1]。", "needs an event"),
        ("zh", "您很喜欢摩卡壶[4]。", "the row only says 'purchase'"),
        ("zh", "您给海港烤肉打过3星[1]。", "the rating is 5"),
        ("zh", "有人写道：“全城最好的蛋糕”[2]。", "is quoted and stands in no source"),
    ],
)
def test_each_falsehood_is_caught_and_named(language: Language, sentence: str, told: str) -> None:
    verdict = judged(sentence, language)
    assert verdict.label == "unsupported"
    assert told in "; ".join(verdict.reasons)


@pytest.mark.parametrize(
    ("language", "near", "far"),
    [
        ("en", "One guest enjoyed a luscious gateau [5].", "One guest says parking is plentiful [5]."),
        ("zh", "有人说甜点真好[5]。", "有人说停车好[5]。"),
    ],
)
def test_other_words_are_held_against_the_meaning_of_the_source(language: Language, near: str, far: str) -> None:
    words, meaning = Judge(), Judge(embedder=Themes())
    assert [words.judge(claim(s, language)).label for s in (near, far)] == ["supported", "supported"]
    assert meaning.judge(claim(near, language)).label == "supported"
    verdict = meaning.judge(claim(far, language))
    assert (verdict.label, verdict.tier) == ("unsupported", "embedding")
    assert "[5] speaks of something else" in verdict.reasons[0]
    assert meaning.judge(claim(far, language), last="lexical").label == "supported"


def test_a_count_that_the_caller_has_proven_is_believed_and_no_other() -> None:
    proven = claim("18 guests praise the rich cake [2][5].").model_copy(update={"counted": None})
    counted = Claim.model_validate(proven.model_dump() | {"counted": {"count": 18, "of": 25}})
    other = Claim.model_validate(proven.model_dump() | {"counted": {"count": 17, "of": 25}})
    judge = Judge()
    assert judge.judge(counted).label == "supported"
    assert judge.judge(proven).label == judge.judge(other).label == "unsupported"


def test_each_part_is_held_against_its_own_markers() -> None:
    parts = cut(claim("You praised the room [1]; one guest says the cake is rich [2][5], the soup cold."))
    assert [(part.voice, [s.label for s in part.sources]) for part in parts] == [
        ("user", [1]),
        ("one", [2, 5]),
        (None, [2, 5]),
    ]
    front = cut(claim("One guest says [2] the cake is rich."))
    assert [(part.voice, [s.label for s in part.sources]) for part in front] == [("one", [2])]
    mixed = cut(claim("You praised the quiet room and one guest says the cake is rich [1][2]."))
    assert [(part.voice, [s.label for s in part.sources]) for part in mixed] == [("user", [1]), ("one", [2])]


@pytest.mark.parametrize(
    ("text", "language", "numbers"),
    [
        ("Twenty minutes, 1,200 g and 3.5 stars", "en", [20, 1200, 3.5]),
        ("四十分钟，两公里，二〇二四年，一百二十克", "zh", [40, 2, 2024, 120]),
        ("十分好吃，一起去，一个人", "zh", []),
    ],
)
def test_numbers_are_read_in_digits_and_words(text: str, language: Language, numbers: list[float]) -> None:
    assert [t.number for t in tokens(text, language) if t.number is not None] == numbers


def test_negation_reaches_the_words_behind_it_and_stops_at_the_end_of_its_part() -> None:
    english = {t.text: t.negated for t in tokens("It is not heavy, the straps are soft.", "en")}
    assert (english["heavy"], english["straps"], english["soft"]) == (True, False, False)
    chinese = {t.text: t.negated for t in tokens("肩带不勒，背起来舒服", "zh")}
    assert (chinese["勒"], chinese["舒服"]) == (True, False)


def test_rows_are_read_and_a_bad_one_is_named(tmp_path: Path) -> None:
    good = claim("The cake is rich [2].").model_dump_json()
    file = tmp_path / "rows.jsonl"
    file.write_text(f"{good}\n\n", "utf-8")
    assert [c.sentence for c in read_claims(file)] == ["The cake is rich [2]."]
    file.write_text(good + "\n" + json.dumps({"language": "fr"}), "utf-8")
    with pytest.raises(RowError, match=r"rows\.jsonl:2: field 'language'"):
        read_claims(file)


def test_the_command_prints_verdicts_and_fails_where_one_is_unsupported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rows.jsonl"
    rows = [claim("One guest says the cake is rich [2]."), claim("One guest says the soup was hot [2].")]
    file.write_text(rows[0].model_dump_json(), "utf-8")
    assert main(["verify", str(file), "--tier", "lexical"]) == 0
    file.write_text("\n".join(r.model_dump_json() for r in rows), "utf-8")
    capsys.readouterr()
    assert main(["verify", str(file), "--tier", "lexical", "--json"]) == 1
    verdicts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [v["verdict"] for v in verdicts] == ["supported", "unsupported"]
    assert {v["tier"] for v in verdicts} == {"lexical"}


@pytest.mark.slow
def test_the_shipped_weights_are_those_that_the_shipped_data_gives() -> None:
    script = ROOT / "scripts" / "train_verifier"
    done = bounded.ran([sys.executable, str(script), "--check"], seconds=600)
    assert done.returncode == 0, done.stdout + done.stderr
    shipped = json.loads((ROOT / "rag_rationale/grounding/data/weights.json").read_text("utf-8"))
    assert shipped["data"] == runpy.run_path(str(script))["fingerprint"]()


@pytest.mark.parametrize(
    ("language", "sentence", "held"),
    [
        ("en", "At least 4 of 8 reviewers praise the terrace [1][2][3].", True),
        ("en", "At least 4 of 8 reviewers like the terrace [1][2][3]; one says the terrace was lovely.", True),
        ("en", "5 of 8 reviewers praise the terrace [1][2][3].", False),
        ("en", "8 of 8 reviewers praise the terrace [1][2][3].", False),
        ("zh", "8位评价者里，至少有4位称赞了院子[1][2][3]。", True),
        ("zh", "8位评价者里，有4位谈到院子[1][2][3]，有一位觉得院子很漂亮。", True),
        ("zh", "说到院子，8位评价者中至少4位是满意的[1][2][3]，有一位觉得院子很漂亮。", True),
        ("zh", "8位评价者里，至少有5位称赞了院子[1][2][3]。", False),
        ("zh", "8位评价者都称赞了院子[1][2][3]。", False),
    ],
)
def test_a_proven_count_is_held_and_no_other(language: Language, sentence: str, held: bool) -> None:
    texts = {
        "en": ["The terrace was lovely.", "The terrace is beautiful.", "The terrace was very pleasant."],
        "zh": ["院子很漂亮。", "院子里很安静，特别好。", "院子真漂亮。"],
    }[language]
    evidence = tuple(
        Source(label=n, side="review", title="Harbour Grill", text=text, rating=5, author=f"u{n}")
        for n, text in enumerate(texts, 1)
    )
    counted = Counted(count=4, of=8)
    claim = Claim(language=language, item="Harbour Grill", sentence=sentence, evidence=evidence, counted=counted)
    assert (Judge().judge(claim).label == "supported") == held
