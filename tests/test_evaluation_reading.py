"""Instrument 10: the sample tells nothing away, and labels are scored to figures counted by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from evaluated import shop_material

from rag_rationale.cli.main import main
from rag_rationale.errors import InvalidRequestError, RowError
from rag_rationale.evaluation.instruments import evaluate
from rag_rationale.evaluation.judging import WordJudge
from rag_rationale.evaluation.reading import Label, as_jsonl, draw_sample, read_labels, score, served_claims
from rag_rationale.types import Claim, Counted, Source


def claims(n: int) -> list[Claim]:
    """True sentences about as many items."""
    made = []
    for k in range(n):
        text = f"The rooms are clean and the lift takes {k + 20} people."
        made.append(
            Claim(
                id=f"u{k}/i{k}/r{k}#1",
                language="en",
                item=f"House {k}",
                sentence=f"One reviewer says the rooms are clean and the lift takes {k + 20} people [1].",
                evidence=(Source(label=1, side="review", title=f"House {k}", text=text, rating=5, author=f"a{k}"),),
            )
        )
    return made


def test_a_tenth_is_planted_and_nothing_in_the_sheet_tells_which() -> None:
    served = claims(60)
    sheet, key = draw_sample(served, n=50, seed=1)
    told = key["sentences"]
    by_id = {c.id: c for c in served}
    planted = [c for c in sheet if told[c.id]["planted"]]
    assert (len(sheet), len(planted)) == (50, 5)
    assert [c.id for c in sheet] == [f"{n:04d}" for n in range(1, 51)]
    assert {(c.label, c.kind) for c in sheet} == {(None, None)}
    for c in sheet:
        true = by_id[told[c.id]["case"]]
        assert c.evidence == true.evidence
        assert (c.sentence != true.sentence) == bool(told[c.id]["planted"])
    assert [told[c.id]["case"] for c in sheet] != sorted(by_id)[:50]
    assert draw_sample(served, n=50, seed=1) == (sheet, key)
    assert draw_sample(served, n=50, seed=2) != (sheet, key)


def key_of(planted: str) -> dict[str, Any]:
    """A key for as many sentences, planted where a "p" stands."""
    return {
        "sentences": {
            str(n): {"case": f"c{n}#1", "planted": "number" if c == "p" else None, "true": f"text {n}"}
            for n, c in enumerate(planted)
        }
    }


def said(supported: str, grammatical: str) -> dict[str, Label]:
    answers = {"y": "yes", "n": "no", " ": None}
    return {
        str(n): Label.model_validate({"id": str(n), "supported": answers[s], "grammatical": answers[g]})
        for n, (s, g) in enumerate(zip(supported, grammatical, strict=True))
    }


def test_labels_of_one_reader_are_scored_as_by_hand() -> None:
    found = {m.name: m for m in score([said("yyynny yn", "yyyyynyyy")], key_of("----pp---")).measures}
    supported = found["reading.supported"]
    assert (supported.value, supported.n) == (pytest.approx(4 / 6), 6)  # one of seven is unanswered
    assert supported.interval == (pytest.approx(0.3, abs=1e-4), pytest.approx(0.9032, abs=1e-4))
    assert supported.met is False
    assert (found["reading.grammatical"].value, found["reading.grammatical"].n) == (1, 7)
    assert (found["reading.sensitivity"].value, found["reading.sensitivity"].n) == (0.5, 2)


def test_of_two_readers_both_must_say_so_and_their_agreement_is_cohens_kappa() -> None:
    one, two = said("yyyyyynnnn", "y" * 10), said("yyyynnynnn", "y" * 10)
    finding = score([one, two], key_of("---------p"))
    found = {m.name: m for m in finding.measures}
    assert found["reading.supported"].value == pytest.approx(4 / 9)
    assert found["reading.supported.reader_1"].value == pytest.approx(6 / 9)
    # they agree on 7 of 10; by chance on 0.6 * 0.5 + 0.4 * 0.5
    assert found["reading.kappa.supported"].value == pytest.approx((0.7 - 0.5) / (1 - 0.5))
    assert found["reading.kappa.grammatical"].value != found["reading.kappa.grammatical"].value
    assert found["reading.sensitivity.reader_2"].value == 1
    assert ("5 c5#1", "served, refused") in {(c.heading, c.why) for c in finding.cases}


def test_labels_that_do_not_fit_are_told(tmp_path: Path) -> None:
    file = tmp_path / "labels.jsonl"
    for line, told in (('{"id": "1", "supported": "maybe"}', "supported"), ("[]", "object"), ("{", "JSON")):
        file.write_text('{"id": "0"}\n' + line, "utf-8")
        with pytest.raises(RowError, match=f":2.*{told}"):
            read_labels(file)
    with pytest.raises(InvalidRequestError, match="'7'"):
        score([{"7": Label(id="7")}], key_of("-"))


def test_a_sheet_is_drawn_from_a_run_and_its_labels_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = evaluate(shop_material(tmp_path), WordJudge(), folder=tmp_path, instruments=["citations"])
    lines = [json.dumps(w.as_json(), ensure_ascii=False) for w in report.written]
    (tmp_path / "replies.jsonl").write_text("\n".join(lines), "utf-8")
    served = served_claims(tmp_path)
    assert len(served) == sum(len(w.reply.sentences) for w in report.written)
    assert served_claims(tmp_path, language="zh") == []
    sheet, page, key = tmp_path / "sheet.jsonl", tmp_path / "sheet.html", tmp_path / "key.json"
    for out in (page, sheet):
        assert main(["eval", "sample", str(tmp_path), "--n", "20", "--out", str(out), "--key", str(key)]) == 0
    assert page.read_text("utf-8").count("<fieldset") == len(served)
    assert "http" not in page.read_text("utf-8")
    rows = [json.loads(line) for line in sheet.read_text("utf-8").splitlines()]
    labels = tmp_path / "labels.jsonl"
    labels.write_text("\n".join(json.dumps(row | {"supported": "yes", "grammatical": "yes"}) for row in rows), "utf-8")
    capsys.readouterr()
    assert main(["eval", "score", str(labels), str(labels), str(key)]) == 0
    assert "reading.supported.reader_2" in capsys.readouterr().out
    assert main(["eval", "score", str(labels), str(sheet)]) == 2


def test_a_count_comes_with_what_each_of_those_counted_wrote() -> None:
    counted = Counted(count=2, of=9, texts=("Clean rooms.", "The rooms were clean."))
    claim = claims(1)[0].model_copy(update={"counted": counted})
    (row,) = (json.loads(line) for line in as_jsonl([claim]).splitlines())
    assert row["counted"] == {"of": 9, "texts": ["Clean rooms.", "The rooms were clean."]}
    assert "counted" not in json.loads(as_jsonl(claims(1)))
