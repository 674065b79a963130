"""The writer's bench: what lint finds, what tests in the front matter catch, what is shown side by side."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from test_prompting import BODY, HEAD, store

from rag_rationale.api import create_app
from rag_rationale.config import load_settings
from rag_rationale.errors import InvalidRequestError
from rag_rationale.prompting import Template, TemplateStore
from rag_rationale.service import Explainer
from rag_rationale.types import Analyser, Language, RationaleRequest
from rag_rationale.workshop.beginning import begin
from rag_rationale.workshop.beside import beside, most_changed, side_by_side
from rag_rationale.workshop.checking import failures, run_tests
from rag_rationale.workshop.filling import SAMPLES, samples
from rag_rationale.workshop.linting import lint, lint_balance, searchable
from rag_rationale.workshop.trying import try_out

SAYS = 'text: "One reviewer says {{ theirs.clause }} {{ theirs.cite }}."'
THEIRS = "theirs: {polarity: positive, speakers: one}"
FACTS = 'text: "One reviewer says {{ facts.clause }} {{ facts.cite }}."\n    facts: {}'
MANY = 'text: "Several reviewers say {{ theirs.clause }} {{ theirs.cite }}."'
BOUGHT = 'text: "You bought {{ own.title }} {{ own.cite }} and a reviewer says {{ theirs.clause }} {{ theirs.cite }}."'


def template(folder: Path, text: str) -> Template:
    return store(folder, text).get("t", language="en")


def told(folder: Path, text: str, known: Mapping[Language, Analyser], **options: object) -> list[str]:
    given = {"context": 4096, "known_texts": ()} | options
    return [str(f) for f in lint(template(folder, text), known, **given)]  # type: ignore[arg-type]


def test_every_shape_has_twenty_fillers_in_each_language_that_has_it() -> None:
    for language in ("en", "zh"):
        counts = {
            shape: len(set(words)) for shape, words in samples(language).items() if shape not in ("stars", "count")
        }
        assert set(counts.values()) <= {SAMPLES, 0} | ({counts["of"]} if "of" in counts else set())
    assert samples("en")["liking"] == ()


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        ("{{ theirs.clause }}", "{{ theirs.clause }},,", "reads"),
        (
            "One reviewer says {{ theirs.clause }}",
            "One reviewer says the {{ theirs.np }}",
            "a word twice|reads “the the”",
        ),
        ("One reviewer says {{ theirs.clause }}", "One reviewer says “{{ theirs.clause }}", "unbalanced"),
        ("{{ theirs.cite }}.", "{{ theirs.cite }}", "no end mark"),
        (SAYS, MANY, "speaks for several"),
        (SAYS, SAYS.replace("One reviewer says", "Everybody who stayed says"), "speaks for all"),
        (SAYS, SAYS.replace("One reviewer says", "The description says"), "a side that the frame does not rest on"),
        (f"{SAYS}\n    {THEIRS}", FACTS, "a side that the frame does not rest on"),
        (f"merit\n    {SAYS}", f"match\n    {SAYS}", "no plan of a match rests on theirs"),
        (f"merit\n    {SAYS}", f"caveat\n    {SAYS}", "rests on a complaint"),
        (THEIRS, THEIRS.replace("one", "many"), "must name their `aspect`"),
        (THEIRS, "theirs: {event: review}", "they have no event"),
        (f"merit\n    {SAYS}", f"match\n    {BOUGHT}\n    own: {{event: view}}", "asserts what the user did"),
        ("np: 60, clause: 90", "np: 60, clause: 5", "short enough"),
        ("sentence: 200", "sentence: 30", "are longer than the 30"),
        ("{{ title }}", "it", "never uses `title`"),
        ("leads: {", "leads: {np: One reviewer praises, ", "no frame has a place for it"),
    ],
)
def test_lint_names_what_is_wrong(
    tmp_path: Path, known: Mapping[Language, Analyser], was: str, now: str, expected: str
) -> None:
    text = HEAD + BODY
    assert was in text
    assert not any(expected in fault for fault in told(tmp_path, text, known))
    assert any(e in fault for fault in told(tmp_path, text.replace(was, now), known) for e in expected.split("|"))


OWN = "own: {event: [review], polarity: positive}"
MATCH = 'text: "You said {{ own.title }} {{ own.cite }}; a reviewer says {{ theirs.clause }} {{ theirs.cite }}."'


@pytest.mark.parametrize(
    ("text", "roles", "expected"),
    [
        (MATCH, f"{OWN}\n    theirs: {{polarity: negative}}", "a match rests on praise"),
        (MATCH, "own: {speakers: many}\n    theirs: {}", "'own' is one user, not several"),
        (MATCH, "own: {event: hiking}\n    theirs: {}", "an event that nothing proves"),
        (MATCH.replace("You said", "You loved"), "own: {event: review}\n    theirs: {}", "asserts a liking"),
        (
            MATCH.replace("said {{ own.title", "{{ own.verb }} {{ own.title"),
            "own: {}\n    theirs: {}",
            "words an event",
        ),
        (
            MATCH.replace("said", "gave {{ own.stars }} to"),
            "own: {event: purchase}\n    theirs: {}",
            "'own.stars' needs a rating",
        ),
        (
            'text: "You said {{ own.title }} {{ own.cite }}; it says {{ facts.clause }} {{ facts.cite }}."',
            f"{OWN}\n    facts: {{speakers: one}}",
            "'facts' are the item's own text",
        ),
    ],
)
def test_lint_names_what_no_plan_of_a_match_can_hold(
    tmp_path: Path, known: Mapping[Language, Analyser], text: str, roles: str, expected: str
) -> None:
    added = f"  - id: both\n    kind: match\n    {text}\n    {roles}\n"
    assert any(expected in fault for fault in told(tmp_path, HEAD + added + BODY, known))
    sound = f"  - id: both\n    kind: match\n    {MATCH}\n    {OWN}\n    theirs: {{polarity: positive}}\n"
    assert not any("frame both" in fault for fault in told(tmp_path, HEAD + sound + BODY, known))


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        ("{{ own }}", "you", "never uses `own`"),
        ("frames:", "slots: {clause: {examples: [the arm holds]}}\nframes:", "examples that the prompt does not show"),
        ("verbs: {}", "verbs: {purchase: bought}", "no frame has a place for one"),
    ],
)
def test_lint_names_what_is_given_and_never_used(
    tmp_path: Path, known: Mapping[Language, Analyser], was: str, now: str, expected: str
) -> None:
    text = HEAD.replace("{purchase: bought}", "{}") + BODY.replace("About", "{{ own }} About")
    assert was in text
    assert not any(expected in fault for fault in told(tmp_path, text, known))
    assert any(expected in fault for fault in told(tmp_path, text.replace(was, now), known))


def test_an_example_that_stands_in_the_catalogue_would_leak(tmp_path: Path, known: Mapping[Language, Analyser]) -> None:
    text = HEAD + BODY.replace("About", "Reason: One reviewer says the lid stays on when it pours.\nAbout")
    catalogue = searchable(["I like that the LID stays on, when it pours!"], "en")
    assert any("the lid stays on" in fault for fault in told(tmp_path, text, known, known_texts=catalogue))
    assert not any("lid" in fault for fault in told(tmp_path, text, known, known_texts=searchable(["A lid."], "en")))


def test_a_prompt_longer_than_half_the_context_is_an_error(tmp_path: Path, known: Mapping[Language, Analyser]) -> None:
    text = HEAD + BODY.replace("About", "One more example of a reason. " * 60 + "About")
    assert any("more than half of the 1024" in fault for fault in told(tmp_path, text, known, context=1024))
    assert not any("more than half" in fault for fault in told(tmp_path, text, known, context=4096))


def test_languages_that_differ_are_told(tmp_path: Path) -> None:
    store(tmp_path)
    (tmp_path / "t" / "zh.v1.prompt").write_text(HEAD.replace("kind: merit", "kind: match") + BODY, "utf-8")
    (tmp_path / "t" / "en.v2.prompt").write_text(HEAD + BODY, "utf-8")
    faults = [str(f) for f in lint_balance(TemplateStore(tmp_path).all())]
    assert any(f.startswith("t/zh.v2: error: is missing") for f in faults)
    assert any("t/zh.v1: warning: has no frame for merit" in f for f in faults)
    for word, expected in (
        ("limits:", "forbidden: [cured]\nlimits:"),
        ("verbs: {", "verbs: {view: saw, "),
    ):
        (tmp_path / "t" / "zh.v1.prompt").write_text(HEAD.replace(word, expected) + BODY, "utf-8")
        faults += [str(f) for f in lint_balance(TemplateStore(tmp_path).all())]
    assert any("t/en.v1: error: forbids nothing, the other language does" in f for f in faults)
    assert any("t/en.v1: warning: has no verb for the event 'view'" in f for f in faults)


def test_the_shipped_templates_pass_lint(known: Mapping[Language, Analyser]) -> None:
    shipped = TemplateStore(load_settings().prompts).all()
    found = [str(f) for t in shipped for f in lint(t, known, context=4096) if f.severity == "error"]
    assert found == []


def test_a_new_template_is_valid_and_its_next_version_extends_it(
    tmp_path: Path, known: Mapping[Language, Analyser]
) -> None:
    store(tmp_path)
    (path,) = begin("hotel", TemplateStore(tmp_path), base="t")
    made = TemplateStore(tmp_path).get("hotel@v1", language="en")
    assert path.name == "en.v1.prompt"
    assert len(made.frames) == 3
    assert [f for f in lint(made, known, context=4096) if f.severity == "error"] == []
    (second,) = begin("hotel", TemplateStore(tmp_path), base="t")
    assert second.name == "en.v2.prompt"
    assert "extends: hotel/en.v1" in second.read_text("utf-8")
    with pytest.raises(InvalidRequestError, match="no name"):
        begin("../etc", TemplateStore(tmp_path), base="t")


def test_side_by_side_shows_what_differs_in_columns_of_equal_width() -> None:
    rows = side_by_side(["same", "有人说灯臂停得住。"], ["same", "one reviewer says the arm holds"], width=43)
    assert rows == ["有人说灯臂停得住。   | one reviewer says", "                     | the arm holds"][:1] + rows[1:]
    assert "same" not in "".join(rows)
    assert beside("a", "b", width=7) == ["a  | b"]


def test_the_texts_with_least_in_common_come_first_and_the_same_ones_not_at_all() -> None:
    before = {"a": "One reviewer says the arm holds.", "b": "The lid stays on.", "c": "As before.", "d": "Gone."}
    after = {"a": "One buyer says the arm holds.", "b": "Members answer within an hour.", "c": "As before."}
    assert [case for case, _, _ in most_changed(before, after)] == ["b", "a"]
    assert most_changed(before, before) == []


CHECKED = """tests:
  - name: speaks of the pack
    request: {item: {id: pack}, max_sentences: 2}
    contains: [hike]
    not-contains: [zebra]
    max-length: 300
    language: en
    verdict: supported
    cites-side: [review]
    no-opening-repeated: true
"""


def test_tests_of_the_front_matter_pass_and_fail_for_what_they_name(tmp_path: Path, shop: Explainer) -> None:
    default = load_settings().prompts / "default" / "en.v1.prompt"
    untested = re.sub(r"\ntests:\n.*?\n---\n", "\n---\n", default.read_text("utf-8"), flags=re.DOTALL)
    text = untested.replace("frames:\n", CHECKED + "frames:\n", 1)
    made = template(tmp_path, text)

    def explain(request: RationaleRequest) -> object:
        return shop.explain(request.model_copy(update={"template": "default"}))

    (outcome,) = run_tests(made, explain, index="shop")  # type: ignore[arg-type]
    assert outcome.failures == ()
    reply = shop.explain(RationaleRequest.model_validate({"index": "shop", "item": {"id": "pack"}, "max_sentences": 2}))
    check = made.meta.tests[0]
    for change, expected in (
        ({"contains": ("zebra",)}, "does not contain “zebra”"),
        ({"not_contains": ("hike",)}, "contains “hike”"),
        ({"max_length": 10}, "10 are allowed"),
        ({"language": "zh"}, "is in en, not in zh"),
        ({"verdict": "abstained"}, "is supported, not abstained"),
        ({"cites_side": ("history",)}, "cites no history"),
    ):
        assert any(expected in f for f in failures(check.model_copy(update=change), reply)), expected
    twice = reply.model_copy(update={"sentences": (reply.sentences[0], reply.sentences[0])})
    assert any("begins twice" in f for f in failures(check, twice))


def test_a_try_tells_plans_prompts_candidates_verdicts_and_the_choice(shop: Explainer) -> None:
    request = RationaleRequest.model_validate({"index": "shop", "item": {"id": "pack"}, "user": {"id": "author-ann"}})
    engine = shop.engine
    reply, lines = try_out(shop, request)
    text = "\n".join(lines)
    assert shop.engine is engine
    assert reply.rationale == shop.explain(request).rationale
    for expected in ("plan 1:", "the model is asked", "supported, frame", "chosen: frame", "theirs: [review"):
        assert expected in text
    assert len(lines) == len(try_out(shop, request)[1])


def test_the_api_lists_the_templates_with_their_labels(shop: Explainer) -> None:
    body = TestClient(create_app(shop)).get("/v1/templates").json()
    (english,) = [t for t in body["templates"] if (t["name"], t["language"]) == ("default", "en")]
    assert english["labels"] == {"production": 1.0}
    assert english["version"] == shop.templates.get("default", language="en").version
    assert body["faults"] == []
