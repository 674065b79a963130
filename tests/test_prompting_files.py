"""Templates that extend others, share partials, change while they are served, and have labels that split traffic."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

import pytest
from test_prompting import BODY, HEAD, store

from rag_rationale.errors import TemplateError, UnknownTemplateError
from rag_rationale.prompting import Template, TemplateStore

CHILD = """---
extends: t/en.v1
description: of guests
domain: travel
"""


def child(folder: Path, text: str, *, name: str = "c") -> Template:
    """The template `name` that holds `text`, beside the template `t` of the other tests."""
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "en.v1.prompt").write_text(text, "utf-8")
    return store(folder).get(f"{name}@v1", language="en")


def save(path: Path, text: str) -> None:
    """Write a file as an editor does, with another time of change even on coarse clocks."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text, "utf-8")
    if path.stat().st_mtime_ns == before:
        os.utime(path, ns=(before + 1, before + 1))


def said(template: Template) -> dict[str, str]:
    return {f.id: f.text for f in template.meta.frames}


def test_a_template_that_extends_another_takes_its_frames_limits_and_body(tmp_path: Path) -> None:
    made = child(tmp_path, CHILD + "limits: {clause: 40}\n---\n")
    assert made.meta.description == "of guests"
    assert (made.meta.limits.clause, made.meta.limits.np) == (40, 60)
    assert said(made) == {"says": "One reviewer says {{ theirs.clause }} {{ theirs.cite }}."}
    assert made.prompt(title="Pans", own=None) == "About Pans.\nReason:"


def test_frames_are_replaced_by_id_added_left_out_and_reworded(tmp_path: Path) -> None:
    added = (
        'frames:\n  - {id: adds, kind: merit, text: "A reviewer adds {{ theirs.np }} {{ theirs.cite }}.", theirs: {}}\n'
    )
    both = said(child(tmp_path, CHILD + "words: {reviewer: guest}\n" + added + "---\n"))
    assert both["says"] == "One guest says {{ theirs.clause }} {{ theirs.cite }}."
    assert both["adds"].startswith("A reviewer adds")  # words are put into what is inherited, not into what is written
    assert list(said(child(tmp_path, CHILD + "without: [sa*]\n" + added + "---\n"))) == ["adds"]
    instead = said(child(tmp_path, CHILD + added.replace("id: adds", "id: says") + "---\n"))
    assert instead == {"says": "A reviewer adds {{ theirs.np }} {{ theirs.cite }}."}


WAYS = """frames:
  - id: adds
    kind: merit
    theirs: {polarity: positive, speakers: one}
    text:
      - "A reviewer adds {{ theirs.clause }} {{ theirs.cite }}."
      - "{{ theirs.clause }}, adds one reviewer {{ theirs.cite }}."
"""


def test_a_frame_of_several_texts_is_as_many_and_is_left_out_reworded_and_replaced_with_all(tmp_path: Path) -> None:
    made = child(tmp_path, CHILD + WAYS + "---\n")
    assert list(said(made)) == ["says", "adds", "adds-2"]
    assert {f.asserts["theirs"].polarity for f in made.frames} == {"positive"}
    text = HEAD.replace("frames:\n", WAYS) + BODY
    save(tmp_path / "t" / "en.v1.prompt", text)

    def again(more: str) -> dict[str, str]:
        (tmp_path / "c" / "en.v1.prompt").write_text(CHILD + more + "---\n", "utf-8")
        return said(TemplateStore(tmp_path).get("c@v1", language="en"))

    assert list(again('without: ["adds*"]\n')) == ["says"]
    assert again("words: {adds: tells}\n")["adds-2"].endswith("tells one reviewer {{ theirs.cite }}.")
    assert list(again(WAYS.replace('      - "A reviewer adds {{ theirs.clause }} {{ theirs.cite }}."\n', ""))) == [
        "says",
        "adds",
    ]


def test_words_are_whole_words_and_never_slots(tmp_path: Path) -> None:
    made = child(tmp_path, CHILD + "words: {One: The, says: tells, reviewer: who}\n---\n")
    assert said(made)["says"] == "The who tells {{ theirs.clause }} {{ theirs.cite }}."


def test_partials_add_to_what_is_forbidden_and_count_for_the_version(tmp_path: Path) -> None:
    (tmp_path / "partials").mkdir()
    (tmp_path / "partials" / "cures.yaml").write_text("forbidden: [cured]\n")
    text = CHILD + "partials: [cures]\nforbidden: [healed]\n---\n"
    made = child(tmp_path, text)
    assert made.meta.forbidden == ("cured", "healed")
    (tmp_path / "partials" / "cures.yaml").write_text("forbidden: [cured, mended]\n")
    assert child(tmp_path, text).version != made.version


def test_a_description_shapes_no_text_and_a_word_of_the_base_does(tmp_path: Path) -> None:
    made = child(tmp_path, CHILD + "---\n")
    assert child(tmp_path, CHILD.replace("of guests", "of travellers") + "---\n").version == made.version
    templates = store(tmp_path, HEAD.replace("One reviewer says {", "Somebody says {") + BODY)
    assert templates.get("c@v1", language="en").version != made.version


def test_a_body_may_extend_the_body_of_another_template(tmp_path: Path) -> None:
    base = HEAD + "---\n{% block hello %}Hello.{% endblock %}\nAbout {{ title }}.\n"
    (tmp_path / "c").mkdir()
    body = '{% extends "t/en.v1.prompt" %}{% block hello %}Good day.{% endblock %}\n'
    (tmp_path / "c" / "en.v1.prompt").write_text(CHILD + "---\n" + body, "utf-8")
    made = store(tmp_path, base).get("c@v1", language="en")
    assert made.prompt(title="Pans", own=None) == "Good day.\nAbout Pans."


@pytest.mark.parametrize(
    ("text", "file", "line", "told"),
    [
        (CHILD.replace("t/en.v1", "t/en.v9") + "---\n", "c", 2, "no file t/en.v9.prompt"),
        (CHILD.replace("t/en.v1", "c/en.v1") + "---\n", "c", 2, "extends itself"),
        (CHILD + "partials: [missing]\n---\n", "c", 5, "no file partials/missing.yaml"),
        (CHILD + "without: [nothing]\n---\n", "c", 5, "no inherited frame is named 'nothing'"),
        (CHILD + "words:\n  reviewer: guest\n  diner: guest\n---\n", "c", 7, "no inherited frame says 'diner'"),
        (CHILD + "words: {review: text}\n---\n", "c", 5, "no inherited frame says 'review'"),
        (CHILD + "words: {clause: word}\n---\n", "c", 5, "no inherited frame says 'clause'"),
        (CHILD + "limits: {np: none}\n---\n", "c", 5, "limits.np"),
        (CHILD + "limits: {np: 5}\nsayings: {}\n---\n", "c", 6, "sayings"),
        (CHILD + "verbs: {}\nframes:\n  - {id: x, kind: merit, text: 'Words.'}\n---\n", "c", 7, "rests on no evidence"),
        (CHILD + "---\nAbout {{ title }}.\n{% include 'nowhere.txt' %}\n", "c", 7, "no file 'nowhere.txt'"),
        (CHILD + "---\nAbout {{ title.name }}.\n", "c", 6, "no attribute 'name'"),
        (CHILD + WAYS + WAYS[8:] + "---\n", "c", 12, "two frames have the same id 'adds'"),
        (CHILD + WAYS[: WAYS.index("\n      -")] + " []\n---\n", "c", 9, "frame 'adds' has no text"),
        (
            CHILD + WAYS.replace(", adds one reviewer {{ theirs.cite }}", "") + "---\n",
            "c",
            6,
            "'adds-2' cites 'theirs' 0",
        ),
        (CHILD + "requires: {capabilities: [magic]}\n---\n", "c", 5, "requires.capabilities"),
        (CHILD + "tests: [{name: x, request: {}, contain: [a]}]\n---\n", "c", 5, "contain"),
    ],
)
def test_a_fault_is_told_with_the_line_of_the_file_that_has_it(
    tmp_path: Path, text: str, file: str, line: int, told: str
) -> None:
    with pytest.raises(TemplateError) as caught:
        child(tmp_path, text)
    assert told in str(caught.value)
    assert Path(caught.value.path).parent.name == file
    assert caught.value.line == line


def test_a_fault_in_a_partial_names_the_partial(tmp_path: Path) -> None:
    (tmp_path / "partials").mkdir()
    (tmp_path / "partials" / "more.yaml").write_text(
        "frames:\n  - {id: x, kind: merit,\n     text: Words., theirs: {}}\n"
    )
    with pytest.raises(TemplateError, match=r"more\.yaml:2: frame 'x' declares 'theirs' and does not use it"):
        child(tmp_path, CHILD + "partials: [more]\n---\n")


def test_a_saved_file_is_live_in_under_a_second_and_its_former_version_can_still_be_named(tmp_path: Path) -> None:
    templates = store(tmp_path)
    former = templates.get("t", language="en")
    save(tmp_path / "t" / "en.v1.prompt", HEAD.replace("One reviewer says {", "Somebody says {") + BODY)
    saved = time.monotonic()
    while templates.get("t", language="en").version == former.version:
        assert time.monotonic() - saved < 1
        time.sleep(0.02)
    assert templates.get(f"t@{former.version}", language="en") is former


def test_a_broken_file_is_reported_and_the_last_good_version_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag_rationale.prompting.store.LOOK", 0.0)
    (tmp_path / "partials").mkdir()
    (tmp_path / "partials" / "intro.txt").write_text("Hello.\n")
    templates = store(tmp_path, HEAD + "---\n{% include 'partials/intro.txt' %}About {{ title }}.\n")
    good = templates.get("t", language="en")
    (tmp_path / "partials" / "intro.txt").unlink()
    assert templates.get("t", language="en").prompt(title="Pans", own=None) == "Hello.\nAbout Pans."
    save(tmp_path / "t" / "en.v1.prompt", HEAD.replace("kind: merit", "kind: boast") + BODY)
    assert templates.get("t", language="en") is good
    assert [(Path(f.path).name, f.line) for f in templates.faults] == [("en.v1.prompt", 10)]
    assert "en.v1.prompt:10" in caplog.text
    save(tmp_path / "labels.yaml", "t: [1]\n")
    assert templates.get("t", language="en") is good
    assert len(templates.faults) == 2
    save(tmp_path / "labels.yaml", "t: {production: 1}\n")
    save(tmp_path / "t" / "en.v1.prompt", HEAD.replace("One reviewer says {", "Somebody says {") + BODY)
    assert templates.get("t", language="en") is not good
    assert templates.faults == []


@pytest.mark.parametrize(
    ("saved", "line", "told"),
    [
        (b"---\n# caf\xe9\n---\n", 2, "not UTF-8"),
        (HEAD.replace("for a test", "for\0a test").encode() + BODY.encode(), 2, "control characters"),
        (HEAD.encode() + b"---\n{{ title }} {{ 1 / 0 }}\n", 14, "division by zero"),
        (HEAD.encode() + b"---\n{{ title }}\n{{ title + 1 }}\n", 15, "concatenate str"),
        (HEAD.encode() + b"---\n{{ title }}{% include 't/en.v1.prompt' %}\n", 14, "recursion"),
    ],
)
def test_whatever_is_saved_the_last_good_version_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saved: bytes, line: int, told: str
) -> None:
    monkeypatch.setattr("rag_rationale.prompting.store.LOOK", 0.0)
    templates = store(tmp_path)
    good = templates.get("t", language="en")
    (tmp_path / "t" / "en.v1.prompt").write_bytes(saved)
    assert templates.get("t", language="en") is good
    (fault,) = templates.faults
    assert (Path(fault.path).name, fault.line) == ("en.v1.prompt", line)
    assert told in str(fault)
    (tmp_path / "labels.yaml").write_bytes(b"t: \xff\n")
    assert templates.get("t", language="en") is good
    assert any("labels.yaml:1: not UTF-8" in str(f) for f in templates.faults)


def test_a_file_saved_by_renaming_is_never_missed_and_one_that_is_deleted_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag_rationale.prompting.store.LOOK", 0.0)
    templates = store(tmp_path)
    good, path = templates.get("t", language="en"), tmp_path / "t" / "en.v1.prompt"
    path.rename(tmp_path / "t" / "en.v1.prompt~")
    assert templates.get("t", language="en") is good
    save(path, HEAD.replace("One reviewer says {", "Somebody says {") + BODY)
    assert said(templates.get("t", language="en"))["says"].startswith("Somebody")
    path.unlink()
    assert templates.get("t", language="en").name == "t"
    with pytest.raises(UnknownTemplateError):
        templates.get("t", language="en")


def test_a_file_may_begin_with_a_byte_order_mark_and_end_its_lines_as_windows_does(tmp_path: Path) -> None:
    plain = store(tmp_path).get("t", language="en").version
    (tmp_path / "t" / "en.v1.prompt").write_bytes(("\ufeff" + HEAD + BODY).replace("\n", "\r\n").encode())
    assert TemplateStore(tmp_path).get("t", language="en").version == plain


def two_versions(folder: Path, state: Path | None = None) -> TemplateStore:
    store(folder)
    save(folder / "t" / "en.v2.prompt", HEAD.replace("One reviewer says {", "Somebody says {") + BODY)
    return TemplateStore(folder, state=state)


def test_a_promotion_lives_outside_the_repository_and_is_rolled_back(tmp_path: Path) -> None:
    prompts, state = tmp_path / "prompts", tmp_path / "state"
    prompts.mkdir()
    templates = two_versions(prompts, state)
    shipped = (prompts / "labels.yaml").read_text()
    assert templates.get("t", language="en").number == 1
    templates.promote("t", {2: 1})
    templates.promote("t", {1: 1, 2: 3}, label="trial")
    assert templates.get("t", language="en").number == 2
    assert TemplateStore(prompts, state=state).get("t", language="en").number == 2
    assert templates.labels("t") == {"production": {2: 1}, "trial": {1: 1, 2: 3}}
    assert (prompts / "labels.yaml").read_text() == shipped
    templates.rollback("t")
    assert templates.get("t", language="en").number == 1
    with pytest.raises(UnknownTemplateError, match="nothing to go back to"):
        templates.rollback("t")
    assert templates.labels("t")["trial"] == {1: 1, 2: 3}


def test_a_version_is_promoted_only_where_every_language_has_it(tmp_path: Path) -> None:
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    templates = two_versions(prompts, tmp_path / "state")
    save(prompts / "t" / "zh.v1.prompt", HEAD + BODY)
    with pytest.raises(UnknownTemplateError, match="no v2 in zh"):
        TemplateStore(prompts, state=tmp_path / "state").promote("t", {2: 1})
    with pytest.raises(UnknownTemplateError, match="no v7"):
        templates.promote("t", {7: 1})


def test_a_split_label_is_stable_per_user_and_keeps_its_weights(tmp_path: Path) -> None:
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    templates = two_versions(prompts, tmp_path / "state")

    def served(users: list[str]) -> dict[str, int]:
        return {user: templates.get("t", language="en", user=user).number for user in users}

    users = [f"user-{n}" for n in range(2000)]
    templates.promote("t", {1: 90, 2: 10})
    first = served(users)
    assert served(users) == first
    assert 140 < Counter(first.values())[2] < 260  # 200 expected, of a binomial with a deviation of 13
    templates.promote("t", {1: 50, 2: 50})
    wider = served(users)
    assert 900 < Counter(wider.values())[2] < 1100
    assert all(wider[user] == 2 for user in users if first[user] == 2)  # nobody who had the new one loses it


def test_a_label_of_nothing_is_refused_with_its_file(tmp_path: Path) -> None:
    for labels in ("t: {production: {}}\n", "t: {production: {1: 0}}\n", "t: {production: one}\n", "[t]\n"):
        with pytest.raises(TemplateError, match=r"labels\.yaml:1"):
            store(tmp_path, labels=labels)
