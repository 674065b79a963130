"""Each part of the front matter changes what is written, and only as it says."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import planted
import pytest
from test_writing_ranking import FITS, Reads, draft

from rag_rationale.building import build
from rag_rationale.config import Settings, load_settings
from rag_rationale.embedding import HashedEmbedder
from rag_rationale.errors import InvalidRequestError
from rag_rationale.generation import ScriptedEngine
from rag_rationale.prompting import TemplateStore
from rag_rationale.service import Explainer
from rag_rationale.types import Analyser, Capability, Language, Rationale, RationaleRequest, ScoreRequest
from rag_rationale.workshop.trying import try_out
from rag_rationale.writing import Ranker
from rag_rationale.writing.ranking import FITTING

ABOUT = (
    "Harbour Grill is a restaurant with a terrace by the sea. The bread is baked at noon in a stone oven. "
    "The garden seats forty guests under old lime trees. The kitchen smokes mackerel over beech wood."
)
REVIEWS = [
    ("a", "grill", 5, "The grilled prawns were delicious."),
    ("b", "grill", 5, "I loved how the garlic prawns and the lemon butter came sizzling to my corner table."),
    ("c", "grill", 5, "The terrace view was beautiful at sunset."),
    ("d", "grill", 4, "The smoked mackerel was tender and rich."),
    ("me", "table", 5, "The terrace view was beautiful at sunset."),
    ("cured", "table", 5, "The terrace view cleared my headache at sunset."),
    ("me", "room", 5, "The smoked mackerel was tender and rich."),
    ("x", "table", 4, "The soup was good."),
]
Ask = Callable[..., Rationale]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds index `shop`."""
    made = tmp_path_factory.mktemp("effects")
    items = [
        {"item_id": "grill", "title": "Harbour Grill", "description": ABOUT, "categories": ["food"]},
        {"item_id": "table", "title": "Tide Table", "description": "A restaurant.", "categories": ["food"]},
        {
            "item_id": "room",
            "title": "Restaurant with a terrace by the sea",
            "description": "A restaurant.",
            "categories": ["food"],
        },
    ]
    reviews = [
        {"review_id": f"r{n}", "user_id": u, "item_id": i, "rating": r, "timestamp": n, "text": t}
        for n, (u, i, r, t) in enumerate(REVIEWS)
    ]
    events = [{"user_id": "buyer", "item_id": "room", "event": "purchase", "timestamp": 9, "value": None}]
    rows = {"items": items, "reviews": reviews, "events": events}
    files = {name: planted.write_jsonl(made / f"{name}.jsonl", of) for name, of in rows.items()}
    build("shop", **files, embedder=HashedEmbedder(), folder=made / "indexes")
    return made


def default_alone(prompts: Path) -> None:
    """A prompts folder that holds the default template only."""
    shutil.copytree(load_settings().prompts / "default", prompts / "default")
    (prompts / "labels.yaml").write_text("default: {production: 1}\n", "utf-8")


@pytest.fixture
def opened(folder: Path, known: Mapping[Language, Analyser], tmp_path: Path) -> Iterator[Callable[..., Explainer]]:
    """Opens an explainer whose template `mine` extends the default one and says `more`."""
    default_alone(tmp_path / "prompts")
    made: list[Explainer] = []

    def run(more: str, engine: ScriptedEngine | None = None) -> Explainer:
        path = tmp_path / "prompts" / "mine" / "en.v1.prompt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"---\nextends: default/en.v1\ndescription: mine\ndomain: any\n{more}\n---\n", "utf-8")
        settings = Settings(indexes=folder / "indexes", prompts=tmp_path / "prompts", state=tmp_path / "state")
        embedder = HashedEmbedder()
        made.append(Explainer(settings=settings, embedder=embedder, engine=engine or ScriptedEngine(), analysers=known))
        return made[-1]

    yield run
    for explainer in made:
        explainer.close()


def request(user: str | None = None, **body: object) -> RationaleRequest:
    given = {"index": "shop", "item": {"id": "grill"}, "user": {"id": user}, "template": "mine@v1", "language": "en"}
    return RationaleRequest.model_validate({**given, **body})


@pytest.fixture
def ask(opened: Callable[..., Explainer]) -> Ask:
    return lambda more, user=None, **body: opened(more).explain(request(user, **body))


def kinds(reply: Rationale) -> list[str]:
    return [sentence.kind for sentence in reply.sentences]


def test_the_order_of_kinds_is_the_templates_and_a_match_becomes_a_merit_for_a_stranger(ask: Ask) -> None:
    assert kinds(ask("", "me"))[0] == "match"
    assert set(kinds(ask("plan: {order: [merit]}", "me"))) == {"merit"}
    assert kinds(ask("plan: {order: [merit, match, merit]}", "me"))[:2] == ["merit", "match"]
    assert set(kinds(ask("plan: {order: [match]}", max_sentences=2))) == {"merit"}


@pytest.mark.parametrize("most", [0, 1, 3])
def test_as_many_merits_rest_on_the_items_own_text_as_the_plan_allows(ask: Ask, most: int) -> None:
    reply = ask(f"plan: {{order: [merit], facts: {most}}}", max_sentences=6)
    sides = {e.label: e.side for e in reply.evidence}
    assert sum(sides[c.label] == "item" for s in reply.sentences for c in s.citations) == most


def test_a_slot_for_third_persons_takes_no_words_of_a_first(ask: Ask) -> None:
    quoting = "mode: quote\nplan: {order: [merit], facts: 0}\n"
    assert "I loved how" in ask(quoting, max_sentences=6).rationale
    third = ask(quoting + "slots: {quote: {person: third}}", max_sentences=6)
    assert third.status == "grounded"
    assert "I loved how" not in third.rationale


def test_a_slot_takes_words_of_its_sides_only(ask: Ask) -> None:
    plan = "plan: {order: [merit], facts: 3}\n"
    clauses = {"bread is baked", "garden seats", "kitchen smokes"}
    assert any(words in ask(plan, max_sentences=6).rationale for words in clauses)
    barred = ask(plan + 'slots: {clause: {sides: [review]}}\nwithout: ["facts-quote*"]', max_sentences=6)
    assert not any(words in barred.rationale for words in clauses)
    assert "tender and rich" in barred.rationale


def test_limits_hold_for_the_sentence_and_for_what_fills_a_slot(ask: Ask) -> None:
    whole = ask("", "me", max_sentences=6)
    longest = max(len(s.text) for s in whole.sentences)
    short = ask(f"limits: {{sentence: {longest - 10}}}", "me", max_sentences=6)
    assert max(len(s.text) for s in short.sentences) < longest
    tight = ask("limits: {clause: 34}\nplan: {order: [merit], facts: 0}", max_sentences=6)
    assert "grilled prawns were delicious" in tight.rationale
    assert (
        "tender and rich" not in ask("slots: {clause: {longest: 34}, quote: {longest: 34}}", max_sentences=6).rationale
    )
    assert ask("limits: {sentence: 12}").reason == "nothing_supported"


def test_a_mode_of_quotations_only_quotes(ask: Ask) -> None:
    assert {s.mode for s in ask("mode: quote", max_sentences=6).sentences} == {"quote"}
    assert "slots" in {s.mode for s in ask("", max_sentences=6).sentences}


def test_an_event_without_a_verb_is_not_told(ask: Ask) -> None:
    told = """without: ["*"]
frames:
  - id: did
    kind: match
    text: "You {{ own.verb }} {{ own.title }} {{ own.cite }}, and this is {{ facts.identity }} {{ facts.cite }}."
    own: {event: any}
    facts: {}
"""
    assert (
        "You snapped up “Restaurant with a terrace by the sea”"
        in ask(told + "verbs: {purchase: snapped up}", "buyer").rationale
    )
    assert not ask(told.replace("event: any", "event: view"), "buyer").personal


def test_what_is_forbidden_stands_in_no_text_and_in_no_citation_not_even_as_proof_of_a_rating(
    ask: Ask,
) -> None:
    assert "headache" in ask("", "cured").model_dump_json()
    barred = ask("forbidden: [headache]", "cured", max_sentences=6)
    assert barred.status == "grounded"
    assert "headache" not in barred.model_dump_json()
    assert not barred.personal


def test_the_model_is_asked_behind_the_lead_and_about_as_many_plans_as_are_given(
    opened: Callable[..., Explainer],
) -> None:
    engine = ScriptedEngine()
    _, said = try_out(opened("leads: {clause: They do say}\nsampling: {plans: 2}", engine), request())
    assert any(isinstance(r, ScoreRequest) and r.prefix.endswith("They do say") for r in engine.history)
    planned = [int(line.split(", ")[1].split()[0]) for line in said if line.startswith("\nsentence to be")]
    assert max(planned) == 2


class Plain(ScriptedEngine):
    """A writer that only ranks."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset(("logprobs",))


def test_a_writer_that_lacks_what_the_template_requires_is_refused_by_name(opened: Callable[..., Explainer]) -> None:
    for needs, lacks in (("capabilities: [chat]", "chat"), ("context: 9000", "9000 tokens")):
        with pytest.raises(InvalidRequestError, match=f"needs a writer with {lacks}"):
            opened(f"requires: {{{needs}}}", Plain()).explain(request())
    able = opened("requires: {capabilities: [logprobs], context: 4096}", Plain())
    assert able.explain(request()).status == "grounded"


def test_a_frame_that_is_added_changes_no_text_but_those_that_it_is_in(ask: Ask) -> None:
    ways = """without: ["*"]
frames:
  - id: says
    kind: merit
    theirs: {polarity: positive, speakers: one}
    text:
"""
    ways += "".join(
        f'      - "{n}: one reviewer says {{{{ theirs.clause }}}} {{{{ theirs.cite }}}}."\n' for n in range(8)
    )
    added = '      - "New: one reviewer says {{ theirs.clause }} {{ theirs.cite }}."\n'

    def told(text: str) -> dict[int, str]:
        return {seed: ask(text, seed=seed, max_sentences=1).rationale for seed in range(40)}

    before, after = told(ways), told(ways + added)
    assert len({text[0] for text in before.values()}) == 8
    changed = [seed for seed in before if before[seed] != after[seed]]
    assert changed
    assert all(after[seed].startswith("New: ") for seed in changed)
    assert len(changed) < 12  # a ninth of forty is expected


def test_words_that_begin_a_sentence_have_a_capital_and_are_cited_as_they_stand(ask: Ask) -> None:
    first = """without: ["*"]
frames:
  - {id: a, kind: merit, theirs: {polarity: positive}, text: "{{ theirs.clause }}, says one {{ theirs.cite }}."}
  - {id: b, kind: merit, facts: {}, text: "{{ facts.identity }}: have a look {{ facts.cite }}."}
"""
    reply = ask(first, max_sentences=4)
    assert len(reply.sentences) > 1
    assert all(sentence.text[0].isupper() for sentence in reply.sentences)
    assert "A restaurant with a terrace by the sea: have a look" in reply.rationale
    assert "a restaurant with a terrace by the sea" in {c.cited_text for s in reply.sentences for c in s.citations}


def test_the_temperature_draws_from_the_softmax_of_what_the_ranking_is_worth(tmp_path: Path) -> None:
    default_alone(tmp_path / "prompts")
    mine = tmp_path / "prompts" / "mine"
    mine.mkdir()
    text = "---\nextends: default/en.v1\ndescription: x\ndomain: x\nsampling: {temperature: %s}\n---\n"
    drafts = [draft("the garden was quiet"), draft("the broth was thick")]

    def fit(texts: Sequence[str], lang: Language) -> list[float]:
        del lang
        return [FITS[text] for text in texts]

    def alike(pairs: Sequence[tuple[str, str]], lang: Language) -> list[float]:
        del lang
        return [0.0] * len(pairs)

    def picks(temperature: float) -> float:
        (mine / "en.v1.prompt").write_text(text % temperature, "utf-8")
        template = TemplateStore(tmp_path / "prompts").get("mine@v1", language="en")
        made = [
            Ranker(template, Reads(), lambda _: 0.5, lambda _: 0, fit, alike, title="Tide Table", own=None, salt=str(n))
            for n in range(900)
        ]
        return sum(r.best(drafts, hurry=False) == 1 for r in made) / len(made)

    assert picks(0.0) == 1.0
    worth = FITTING * 0.3 / 2 - 0.1  # half of the fit is the words', the second place costs 0.1
    for temperature in (1.0, 2.0):
        expected = 1 / (1 + math.exp(-worth / temperature))
        assert picks(temperature) == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / 900))
