"""Begins a new template: a short file per language that extends another and says where to go on."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from rag_rationale.errors import InvalidRequestError
from rag_rationale.prompting import Template, TemplateStore
from rag_rationale.types import Language

_NAME = re.compile(r"[a-z0-9_-]{1,40}")
_WHO: dict[Language, re.Pattern[str]] = {
    "en": re.compile(r"\b[Oo]ne (\w+) says"),
    "zh": re.compile(r"有([\u3400-\u9fff]{2,3})说\{\{"),
}
_TEXT: dict[Language, str] = {
    "en": """---
extends: {base}/en.v{number}
description: Say here what this template is for and how it should sound.
domain: {domain}
# Put other words into the frames it takes over:
# words: {{{person}: guest, {person}s: guests}}
# Leave some of them out: `without: [asked-*]`. Shorten: `limits: {{sentence: 180}}`. `prompts show {base}` lists them.
frames:
  - id: {name}-hears
    kind: merit
    theirs: {{polarity: positive, speakers: one}}
    text: # one way to say it, or a list of them
      - "As one {person} sees it, {{{{ theirs.clause }}}} {{{{ theirs.cite }}}}."
      - "{{{{ theirs.clause }}}}, in the view of one {person} {{{{ theirs.cite }}}}."
# tests:
#   - name: the hotel is recommended in a few words
#     request: {{item: {{id: en-travel-hotel}}}}
#     verdict: supported
#     max-length: 400
---
""",
    "zh": """---
extends: {base}/zh.v{number}
description: 在这里写清楚这个模板给谁看、用什么口气。
domain: {domain}
# 给继承来的句式换词：
# words: {{{person}: 住客}}
# 不要哪些句式：`without: [asked-*]`；缩短：`limits: {{sentence: 100}}`；都有哪些句式：`prompts show {base}`。
frames:
  - id: {name}-hears
    kind: merit
    theirs: {{polarity: positive, speakers: one}}
    text: # 一种说法，或几种说法的列表
      - "听一位{person}说，{{{{ theirs.clause }}}}{{{{ theirs.cite }}}}。"
      - "{{{{ theirs.clause }}}}，这是一位{person}的看法{{{{ theirs.cite }}}}。"
# tests:
#   - name: 几句话推荐酒店
#     request: {{item: {{id: zh-travel-hotel}}}}
#     verdict: supported
#     max-length: 160
---
""",
}


def _person(template: Template) -> str:
    """What the frames of a template call those who wrote the reviews."""
    said = Counter(found for f in template.meta.frames for found in _WHO[template.language].findall(f.text))
    return said.most_common(1)[0][0] if said else {"en": "reviewer", "zh": "评价者"}[template.language]


def begin(name: str, store: TemplateStore, *, base: str) -> list[Path]:
    """Write the first version of template `name`, or the next one where there is one already, for every language of the
    template `base`; returns the files. InvalidRequestError for a name that cannot be.
    """
    if not _NAME.fullmatch(name) or name == "partials":
        raise InvalidRequestError(f"{name!r} is no name for a template.", remedy="Use small letters, digits, - and _.")
    numbers = [t.number for t in store.all() if t.name == name]
    based = name if numbers else base
    number = max(numbers, default=0)
    latest = {t.language: t for t in store.all() if t.name == based}  # `all` is sorted: the last number stays
    written = []
    for language, template in latest.items():
        path = store.folder / name / f"{language}.v{number + 1}.prompt"
        path.parent.mkdir(exist_ok=True)
        known = {"person": _person(template), "domain": template.meta.domain, "number": template.number}
        path.write_text(_TEXT[language].format(base=based, name=name, **known), "utf-8")
        written.append(path)
    if not written:
        raise InvalidRequestError(f"There is no template '{base}' to extend.", remedy="`rag-rationale prompts list`")
    return written
