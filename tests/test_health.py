"""Health food: no claim about health is told or quoted, whoever made it and however it is put; taste and use are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import planted
import pytest

from rag_rationale.building import build
from rag_rationale.config import load_settings
from rag_rationale.embedding import HashedEmbedder
from rag_rationale.generation import ScriptedEngine
from rag_rationale.prompting import TemplateStore
from rag_rationale.service import Explainer
from rag_rationale.types import Analyser, Language, RationaleRequest

CLAIMS: Mapping[Language, str] = {
    "en": """My skin cleared up in a week. The bar keeps my sugar down. The bar is good for the heart.
    It helped me lose a few kilos. I sleep like a baby since. The tea calms the nerves.
    It strengthens the immune system. My eczema is gone. The drink flushes out toxins.
    My joints no longer hurt. The bar settled my tummy. No more heartburn. It helps with constipation.
    My period cramps are gone. It prevents colds. My doctor recommended it. The bar is full of antioxidants.
    The tea is anti-ageing. It is good for the liver. It relieves stress. My allergies got better.
    It got rid of my cough. It fights infection. My thyroid is back to normal. It is a natural remedy.
    My hangover was gone. It keeps me regular. The bar burns fat. It improves circulation. It wards off flu.
    The oats are good for your bones. My rash went away. It kills bacteria. I feel less tired.
    My weight dropped. It is a real superfood.""",
    "zh": """皮肤变好了。这个降糖。对心脏好。瘦了五斤。晚上睡得香了。安神。增强免疫力。湿疹没了。排毒养颜。
    关节不疼了。养胃。不便秘了。痛经好了。糖尿病人也能吃。能预防感冒。医生推荐的。抗衰老。护肝。缓解压力。
    过敏好多了。咳嗽好了。补血。滋补。清热解毒。去火。祛湿。润肺。明目。健脾。体重掉了。减脂。提神。
    增强记忆力。强筋健骨。对身体好。疹子退了。没那么累了。调理身体。消水肿。美容。美白。解酒。延年益寿。""",
}
HARMLESS: Mapping[Language, str] = {
    "en": """The delivery was quick. The packaging is plain paper. A hearty, fluffy porridge. The peaches are soft.
    Served with a cold drink it is fine. The oats come from one mill. One bar weighs 45 g.
    It has apple concentrate in it. The lid is attached. 19 g protein for 65 g dry. Our community likes it.
    It comes in two kilos. Too dry for me.""",
    "zh": """送货很快。包装是纸的。口感松软。配冷饮很好。燕麦来自同一家磨坊。一根45克。配料里有苹果汁。盖子是连着的。
    一包可煮两碗。不腻也不粘牙。太干了。皮蛋粥味道不错。每百克脂肪2克。""",
}


def sentences(text: str) -> list[str]:
    ends = text.replace("\n", " ").replace("。", ".").split(".")
    return [" ".join(part.split()) for part in ends if part.strip()]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_claims_are_known_and_taste_use_and_contents_are_none(language: Language) -> None:
    forbidden = TemplateStore(load_settings().prompts).get("health", language=language).meta.forbidden

    def barred(words: str) -> bool:
        return any(phrase in words.lower() for phrase in forbidden)

    assert [c for c in sentences(CLAIMS[language]) if not barred(c)] == []
    assert [h for h in sentences(HARMLESS[language]) if barred(h)] == []


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, known: Mapping[Language, Analyser]) -> Iterator[Explainer]:
    """An item in each language that is praised for nothing but its effects, and a tea that is named for its own."""
    folder = tmp_path_factory.mktemp("health")
    about = {"en": "Mill Oats is an oat porridge without sugar.", "zh": "这是不加糖的燕麦粥。"}
    items = [
        {"item_id": f"oats-{lang}", "title": name, "description": about[lang], "categories": ["food"]}
        for lang, name in (("en", "Mill Oats"), ("zh", "磨坊燕麦粥"))
    ]
    items.append({"item_id": "tea", "title": "Immune Boost Tea", "description": "A tea.", "categories": ["food"]})
    reviews = [
        {"review_id": f"{lang}-{n}", "user_id": f"{lang}-{n}", "item_id": f"oats-{lang}", "rating": 5, "text": claim}
        for lang in ("en", "zh")
        for n, claim in enumerate(sentences(CLAIMS[lang]))
    ]
    liked = {"review_id": "liked", "user_id": "me", "item_id": "tea", "rating": 5, "text": "The tea is tasty and mild."}
    reviews.append(liked)
    rows = [row | {"timestamp": n} for n, row in enumerate(reviews)]
    files = {
        "items": planted.write_jsonl(folder / "i.jsonl", items),
        "reviews": planted.write_jsonl(folder / "r.jsonl", rows),
    }
    build("shelf", **files, embedder=HashedEmbedder(), folder=folder / "indexes")
    settings = load_settings(indexes=folder / "indexes", state=folder / "state")
    made = Explainer(settings=settings, embedder=HashedEmbedder(), engine=ScriptedEngine(), analysers=known)
    yield made
    made.close()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_of_what_is_praised_for_its_effects_only_its_own_text_is_told(shelf: Explainer, language: Language) -> None:
    def ask(template: str) -> tuple[str, str]:
        body = {"index": "shelf", "item": {"id": f"oats-{language}"}, "template": template, "language": language}
        reply = shelf.explain(RationaleRequest.model_validate({**body, "max_sentences": 6}))
        return reply.rationale, reply.model_dump_json()

    told, whole = ask("health")
    assert told
    assert [c for c in sentences(CLAIMS[language]) if c in whole] == []
    assert any(c in ask("default")[1] for c in sentences(CLAIMS[language]))


def test_a_claim_in_the_name_of_what_the_user_had_is_not_told_either(shelf: Explainer) -> None:
    def ask(template: str) -> str:
        body = {"index": "shelf", "item": {"id": "oats-en"}, "user": {"id": "me"}, "template": template}
        return shelf.explain(RationaleRequest.model_validate({**body, "language": "en"})).rationale

    assert "Immune Boost Tea" in ask("default")
    assert "Immune Boost Tea" not in ask("health")
