"""Makes the material of an evaluation: subjects, the replies they get, and who judges closeness.

Replies are remembered on disk under everything they depend on, so that a run that was interrupted goes on, instruments
share them, and a change of the code, the templates, the models or the index makes them anew.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import cache
from pathlib import Path

import rag_rationale
from rag_rationale.errors import UnknownTemplateError
from rag_rationale.evaluation.material import Material, Subject, quiet
from rag_rationale.evaluation.memory import Memory, RememberingEmbedder, fingerprint
from rag_rationale.evaluation.subjects import draw_subjects
from rag_rationale.service import Explainer
from rag_rationale.service.opening import open_embedder
from rag_rationale.types import LANGUAGES, Embedder, Manifest, Progress, Rationale, RationaleRequest

JUDGES = ("all-minilm-l6-v2", "multilingual-e5-small")
"""Judge closeness in catalogues that are nearly all English: the first that is not the index's own embedder, which
chose the text."""

_NEARLY_ALL = 0.9
_BESIDE = frozenset(("api", "building", "cli", "connect", "evaluation"))  # parts of the package that write no reply
_SHAPING = frozenset((".py", ".yaml", ".json", ".txt", ".npz"))


def prepare(
    explainer: Explainer,
    index: str,
    *,
    n: int,
    seed: int = 0,
    folder: Path,
    template: str = "default",
    embedder: Embedder | None = None,
    progress: Progress = quiet,
) -> Material:
    """Draw at most `n` subjects of an index and have each one's item explained to her, her own review hidden.

    What was made is kept under `folder`. `embedder` judges closeness: by default one of `JUDGES` where nine in
    ten passages are English, and the index's own elsewhere.
    """
    replies = Replies(explainer, index, template=template, folder=folder)
    snapshot, min_trust = explainer.snapshots.get(index), explainer.settings.min_trust
    subjects = draw_subjects(snapshot, n=n, seed=seed, min_trust=min_trust)
    made = []
    for done, subject in enumerate(subjects, 1):
        made.append(replies(subject, frozenset()))
        progress("replies", done, len(subjects))
    own = explainer.snapshots.open(index).embedder
    named = judge_for(snapshot.manifest)
    judge = embedder or (open_embedder(explainer.settings.model_copy(update={"embedder": named})) if named else own)
    return Material(
        index=snapshot.manifest.label,
        snapshot=snapshot,
        subjects=subjects,
        replies=tuple(made),
        explain=replies,
        engine=explainer.engine,
        embedder=RememberingEmbedder(judge, Memory(folder / f"vectors-{fingerprint(judge.name)[:12]}.jsonl")),
        seed=seed,
        min_trust=min_trust,
        analysers=explainer.analysers,
        progress=progress,
        indexer=own,
    )


class Replies:
    """Answers as `material.Explain`: the rationale for a subject, her own review and more sources excluded."""

    def __init__(self, explainer: Explainer, index: str, *, template: str = "default", folder: Path) -> None:
        self._explainer, self._index, self._template = explainer, index, template
        made_by = fingerprint(
            explainer.snapshots.get(index).manifest.label,
            _versions(explainer, template),
            explainer.engine.name,
            explainer.snapshots.get(index).manifest.embedder,
            explainer.settings.min_trust,
            rag_rationale.__version__,
            code_version(),
        )
        self._memory = Memory(folder / f"replies-{index}-{made_by[:12]}.jsonl")

    def __call__(self, subject: Subject, exclude: frozenset[str]) -> Rationale:
        hidden = sorted(exclude | {subject.review})
        body = {"index": self._index, "user": {"id": subject.user}, "item": {"id": subject.item}}
        request = RationaleRequest.model_validate(body | {"template": self._template})
        known = self._memory.get(request.model_dump(), hidden)
        if known is not None:
            return Rationale.model_validate_json(known)
        reply = self._explainer.explain(request, exclude=hidden)
        self._memory.put(reply.model_dump_json(), request.model_dump(), hidden)
        return reply


@cache
def code_version() -> str:
    """12 hex characters over the package's own files, those left out that write no reply."""
    root = Path(rag_rationale.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        place = path.relative_to(root)
        if path.suffix in _SHAPING and place.parts[0] not in _BESIDE:
            digest.update(place.as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _versions(explainer: Explainer, template: str) -> list[str]:
    found = []
    for language in LANGUAGES:
        with suppress(UnknownTemplateError):
            found.append(explainer.templates.get(template, language=language).label)
    return found


def judge_for(manifest: Manifest) -> str | None:
    """Which of `JUDGES` judges closeness over an index; None where its own embedder must, as they read too little."""
    if manifest.languages.get("en", 0) < _NEARLY_ALL * sum(manifest.languages.values()):
        return None
    return next(name for name in JUDGES if name != manifest.embedder.partition("@")[0])
