"""Template files: what they may say, what is refused with file and line, how versions and labels work."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag_rationale.config import load_settings
from rag_rationale.errors import TemplateError, UnknownTemplateError
from rag_rationale.prompting import TemplateStore

HEAD = """---
description: for a test
domain: any
mode: slots
limits: {sentence: 200, np: 60, clause: 90, quote: 90, title: 60}
verbs: {purchase: bought}
leads: {clause: One reviewer says}
frames:
  - id: says
    kind: merit
    text: "One reviewer says {{ theirs.clause }} {{ theirs.cite }}."
    theirs: {polarity: positive, speakers: one}
"""
BODY = "---\nAbout {{ title }}.\nReason:\n"


def store(
    folder: Path, text: str = HEAD + BODY, *, name: str = "en.v1.prompt", labels: str = "t: {production: 1}\n"
) -> TemplateStore:
    (folder / "t").mkdir(exist_ok=True)
    (folder / "t" / name).write_text(text, "utf-8")
    (folder / "labels.yaml").write_text(labels, "utf-8")
    return TemplateStore(folder)


def test_the_shipped_templates_load_in_both_languages() -> None:
    shipped = TemplateStore(load_settings().prompts)
    for language in ("en", "zh"):
        template = shipped.get("default", language=language)
        assert {"match", "merit", "caveat"} == {f.kind for f in template.frames}
        assert template.shared_prompt > 50


def test_a_template_is_found_by_name_label_and_version(tmp_path: Path) -> None:
    templates = store(tmp_path)
    found = templates.get("t", language="en")
    assert templates.get("t:production", language="en") is found
    assert templates.get(f"t@{found.version}", language="en") is found


@pytest.mark.parametrize("spec", ["nothing", "t:candidate", "t@000000000000"])
def test_an_unknown_name_label_or_version_is_told_with_what_there_is(tmp_path: Path, spec: str) -> None:
    with pytest.raises(UnknownTemplateError, match=r"t|production|v1@"):
        store(tmp_path).get(spec, language="en")


def test_the_version_changes_with_every_word_and_with_a_partial(tmp_path: Path) -> None:
    (tmp_path / "partials").mkdir()
    (tmp_path / "partials" / "intro.txt").write_text("Hello.\n")
    text = HEAD + "---\n{% include 'partials/intro.txt' %}About {{ title }}.\n"
    first = store(tmp_path, text).get("t", language="en").version
    assert store(tmp_path, text).get("t", language="en").version == first
    assert store(tmp_path, text.replace("One reviewer", "Somebody", 1)).get("t", language="en").version != first
    (tmp_path / "partials" / "intro.txt").write_text("Good day.\n")
    assert store(tmp_path, text).get("t", language="en").version != first


@pytest.mark.parametrize(
    ("broken", "line", "told"),
    [
        (HEAD + "---\nAbout {{ titel }}.\n", 14, "undeclared variable 'titel'"),
        (HEAD.replace("{{ theirs.clause }}", "{{ facts.clause }}") + BODY, 9, "undeclared variable 'facts'"),
        (HEAD.replace(" {{ theirs.cite }}", "") + BODY, 9, "cites 'theirs' 0 times"),
        (HEAD.replace("theirs.clause", "theirs.sentence") + BODY, 9, "theirs.sentence"),
        (HEAD.replace("kind: merit", "kind: boast") + BODY, 10, "kind"),
        (HEAD.replace("limits: {", "limits: [") + BODY, 5, "not YAML"),
        (HEAD + "---\n{% if %}\n", 14, "Expected an expression"),
        (HEAD.replace("speakers: one", "speakers: crowd") + BODY, 12, "speakers"),
        (HEAD.replace("mode: slots", "mode: verse") + BODY, 4, "mode"),
        (HEAD.replace("mode: slots", "mode: free") + BODY, 1, "needs a part `free`"),
        ("no front matter", 1, "front matter"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(tmp_path: Path, broken: str, line: int, told: str) -> None:
    with pytest.raises(TemplateError, match=r"en\.v1\.prompt") as caught:
        store(tmp_path, broken)
    assert told in str(caught.value)
    assert caught.value.line == line


def test_a_template_cannot_reach_python(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"14: .*unsafe"):
        store(tmp_path, HEAD + "---\n{{ title.__class__.__mro__ }}\n")
