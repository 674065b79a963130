"""Begins a new template: a short file per language that extends another and says where to go on."""

from __future__ import annotations

import re
from pathlib import Path

from rag_rationale.errors import InvalidRequestError
from rag_rationale.prompting import TemplateStore
from rag_rationale.types import Language

_NAME = re.compile(r"[a-z0-9_-]{1,40}")
_TEXT: dict[Language, str] = {
    "en": """---
extends: {base}/en.v{number}
description: Say here what this template is for and how it should sound.
domain: any
# Put other words into the frames it takes over: `words: {{reviewer: guest}}`.
# Leave some of them out: `without: [asked-*]`. Shorten: `limits: {{sentence: 180}}`.
frames:
  - id: {name}-hears
    kind: merit
    text: "As one reviewer sees it, {{{{ theirs.clause }}}} {{{{ theirs.cite }}}}."
    theirs: {{polarity: positive, speakers: one}}
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
domain: any
# 给继承来的句式换词：`words: {{评价者: 住客}}`；不要哪些句式：`without: [asked-*]`；缩短：`limits: {{sentence: 100}}`。
frames:
  - id: {name}-hears
    kind: merit
    text: "听一位评价者说，{{{{ theirs.clause }}}}{{{{ theirs.cite }}}}。"
    theirs: {{polarity: positive, speakers: one}}
# tests:
#   - name: 几句话推荐酒店
#     request: {{item: {{id: zh-travel-hotel}}}}
#     verdict: supported
#     max-length: 160
---
""",
}


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
        path.write_text(_TEXT[language].format(base=based, number=template.number, name=name), "utf-8")
        written.append(path)
    if not written:
        raise InvalidRequestError(f"There is no template '{base}' to extend.", remedy="`rag-rationale prompts list`")
    return written
