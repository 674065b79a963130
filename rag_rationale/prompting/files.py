"""Reads what a template is written in: its file, what that extends, and the partials they name, merged into one.

`extends: default/en.v1` takes everything from another template, `partials: [no-cures.en]` from
`partials/no-cures.en.yaml`. Of a mapping the nearest file wins, key by key; frames are replaced by id or added; what is
forbidden only adds up. `without` leaves inherited frames out (`asked-*`), `words` puts other words into them. A frame
whose text is a list is as many frames, `says`, `says-2` and so on, and is replaced with all of them. It knows where
each part was written, and nothing of what parts mean.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from rag_rationale.errors import TemplateError

Location = tuple[int | str, ...]
_OWN = frozenset(("description", "domain", "tests"))  # said of one file, not of those that extend it
_LINKS = ("extends", "partials", "without", "words")
_HEAD = re.compile(r"---\n(.*?)\n---\n(.*)\Z", re.DOTALL)
_PLACE = re.compile(r"(\{\{.*?\}\})")


@dataclass(frozen=True, eq=False)
class Source:
    """One file: the data of its YAML, which begins on line `first` + 1, and the body of a template."""

    path: Path
    head: str
    first: int
    data: dict[str, Any]
    body: str

    @cached_property
    def body_line(self) -> int:
        """The line of the file on which the body begins, from 1."""
        return self.first + self.head.count("\n") + 3

    def line(self, location: Location) -> int | None:
        """The line of the deepest part of `location` that is written here; None where its first key is not."""
        node: yaml.Node | None = yaml.compose(self.head)
        line = None
        for key in location:
            children: list[yaml.Node] = []
            if isinstance(node, yaml.MappingNode):
                children = [v for k, v in node.value if k.value == str(key)]
            elif isinstance(node, yaml.SequenceNode) and isinstance(key, int):
                children = node.value[key : key + 1]
            if not children:
                break
            node = children[0]
            line = self.first + node.start_mark.line + 1
        return line

    def error(self, location: Location, reason: str, *, remedy: str = "") -> TemplateError:
        """That `reason` is wrong with what stands at `location` of this file."""
        return TemplateError(self.path, self.line(location) or 0, reason, remedy=remedy)


@dataclass(frozen=True)
class Merged:
    """The data of a template with what it extends; `sources` nearest first; where each frame was written."""

    data: dict[str, Any]
    sources: tuple[Source, ...]
    frames: tuple[tuple[Source, int], ...]
    body: Source
    """The file whose body is the template's: the nearest that has one."""

    def error(self, location: Location, reason: str, *, remedy: str = "") -> TemplateError:
        """That `reason` is wrong at `location` of the merged data, with the file and line where it was written."""
        match location:
            case ("frames", int(n), *rest) if n < len(self.frames):
                source, place = self.frames[n]
                return source.error(("frames", place, *rest), reason, remedy=remedy)
        for source in self.sources:
            if source.line(location) is not None:
                return source.error(location, reason, remedy=remedy)
        return TemplateError(self.sources[0].path, 1, reason, remedy=remedy)


def read_merged(path: Path, *, root: Path) -> Merged:
    """The template at `path` under `root`, the prompts folder. Raises TemplateError with file and line."""
    return _merge(path, root, ())


def read_text(path: Path) -> str:
    """The text of a file. TemplateError where it is not UTF-8."""
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise TemplateError(path, line, "not UTF-8.", remedy="Save it in that encoding.") from error


def read_yaml(path: Path, text: str, *, first: int = 0) -> Any:
    """The data of YAML that begins on line `first` + 1 of a file. TemplateError with its line where it is none."""
    try:
        return yaml.load(text, yaml.CSafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line if mark else text.count("\n", 0, getattr(error, "position", 0))
        told = getattr(error, "problem", None) or getattr(error, "reason", "unreadable")
        raise TemplateError(path, first + 1 + line, f"not YAML: {told}.") from error


def strip_head(text: str) -> str:
    """A template's body without its front matter; any other text as it is."""
    found = _HEAD.match(text)
    return found[2] if found else text


def _merge(path: Path, root: Path, above: tuple[Path, ...]) -> Merged:
    source = _read(path)
    parts = [_merge(part, root, (*above, path)) for part in _linked(source, root, (*above, path))]
    own = {k: v for k, v in source.data.items() if k not in _LINKS}
    data: dict[str, Any] = {}
    frames: dict[str, tuple[dict[str, Any], Source, int]] = {}
    for part in parts:
        data = _over(data, {k: v for k, v in part.data.items() if k not in _OWN})
        frames |= {str(f.get("id")): (f, *w) for f, w in zip(part.data["frames"], part.frames, strict=True)}
    for n, pattern in enumerate(_list_of(source, "without", str)):
        left_out = fnmatch.filter(frames, pattern)
        if not left_out:
            raise source.error(("without", n), f"no inherited frame is named '{pattern}'.")
        frames = {id_: f for id_, f in frames.items() if id_ not in left_out}
    words = _words(source, [str(f.get("text")) for f, _, _ in frames.values()])
    frames = {id_: ({**f, "text": words.put(str(f.get("text")))}, s, n) for id_, (f, s, n) in frames.items()}
    if "leads" in data:
        data["leads"] = {shape: words.put(str(lead)) for shape, lead in data["leads"].items()}
    data = _over(data, own)
    named = {str(f.get("id")) for f in _list_of(source, "frames", dict)}
    kept = {id_: f for id_, f in frames.items() if not {id_, re.sub(r"-\d+$", "", id_)} & named}
    frames = kept | _own_frames(source)
    data["frames"] = [f for f, _, _ in frames.values()]
    sources = (source, *dict.fromkeys(s for part in parts for s in part.sources))
    body = next((s for s in sources if s.body.strip()), source)
    return Merged(data, sources, tuple((s, n) for _, s, n in frames.values()), body)


def _own_frames(source: Source) -> dict[str, tuple[dict[str, Any], Source, int]]:
    """The frames that a file writes, by id, each with its place: one for each of its texts."""
    found: dict[str, tuple[dict[str, Any], Source, int]] = {}
    for n, frame in enumerate(_list_of(source, "frames", dict)):
        id_, text = str(frame.get("id")), frame.get("text")
        texts = text if isinstance(text, list) else [text]
        if not texts:
            raise source.error(("frames", n, "text"), f"frame '{id_}' has no text.")
        for way, one in enumerate(texts, 1):
            named = id_ if way == 1 else f"{id_}-{way}"
            if named in found:
                raise source.error(("frames", n), f"two frames have the same id '{named}'.")
            found[named] = ({**frame, "id": named, "text": one} if isinstance(text, list) else frame, source, n)
    return found


def _linked(source: Source, root: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    """The files that a source takes from: the template it extends, then its partials, each over those before it."""
    named = [(("extends",), f"{source.data['extends']}.prompt")] if "extends" in source.data else []
    named += [(("partials", n), f"partials/{p}.yaml") for n, p in enumerate(_list_of(source, "partials", str))]  # type: ignore[misc]
    for location, name in named:
        path = root / name
        if ".." in name or not path.is_file():
            raise source.error(location, f"no file {name} in the prompts folder.")
        if path in above:
            raise source.error(location, f"{name} extends itself.")
        yield path


def _read(path: Path) -> Source:
    text = read_text(path)
    head, first, body = text, 0, ""
    if path.suffix == ".prompt":
        found = _HEAD.match(text)
        if found is None:
            raise TemplateError(path, 1, "expected YAML front matter between two lines of `---`.")
        head, first, body = found[1], 1, found[2]
    data = read_yaml(path, head, first=first)
    if not isinstance(data, dict):
        raise TemplateError(path, first + 1, "expected YAML of the form `key: value`.")
    return Source(path, head, first, data, body)


def _over(base: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _over(merged[key], value)
        elif key == "forbidden" and isinstance(value, list):
            merged[key] = list(dict.fromkeys([*merged.get(key, ()), *value]))
        else:
            merged[key] = value
    return merged


def _list_of(source: Source, key: str, kind: type) -> list[Any]:
    found = source.data.get(key, [])
    if not isinstance(found, list):
        raise source.error((key,), f"`{key}` is a list.")
    for n, each in enumerate(found):
        if not isinstance(each, kind):
            raise source.error((key, n), f"`{key}` is a list of {'names' if kind is str else 'mappings'}.")
    return found


@dataclass(frozen=True)
class _Words:
    """Words put in the place of others, whole words in English, outside of slots."""

    known: Mapping[str, str]
    pattern: re.Pattern[str]

    def put(self, text: str) -> str:
        parts = _PLACE.split(text)
        return "".join(p if p.startswith("{{") else self.pattern.sub(lambda m: self.known[m[0]], p) for p in parts)


def _words(source: Source, texts: Sequence[str]) -> _Words:
    known = source.data.get("words", {})
    if not isinstance(known, dict) or not all(isinstance(x, str) for pair in known.items() for x in pair):
        raise source.error(("words",), "`words` are pairs of texts: what the inherited frames say, and what to say.")
    inherited = _PLACE.sub("\n", "\n".join(texts))
    for word in known:
        if not _whole(word).search(inherited):
            raise source.error(("words", word), f"no inherited frame says '{word}'.")
    longest_first = sorted(known, key=len, reverse=True)
    return _Words(known, re.compile("|".join(_whole(w).pattern for w in longest_first) or r"(?!)"))


def _whole(word: str) -> re.Pattern[str]:
    edge = r"\b" if word.isascii() else ""
    return re.compile(f"{edge}{re.escape(word)}{edge}")
