"""A LoRA adapter of the writer, by setting: tiny ones are made here."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest

from rag_rationale.config import load_settings
from rag_rationale.errors import SettingsError
from rag_rationale.generation import open_engine
from rag_rationale.models import resolve
from rag_rationale.service.opening import open_writer
from rag_rationale.types import GenerateRequest, ScoreRequest

SCORED = ScoreRequest("The room was", (" quiet", " noisy and dark", "很安静"))
WRITTEN = GenerateRequest("Guests say the breakfast", max_tokens=8)


def write_adapter(path: Path, *, size: float = 1.0, architecture: str = "llama") -> Path:
    """An adapter of rank 1 for one matrix of SmolLM2-135M, whose weights are as large as told."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 1.0)
    wave = np.sin(np.arange(576, dtype=np.float32))
    writer.add_tensor("blk.3.attn_q.weight.lora_a", size * wave[np.newaxis])
    writer.add_tensor("blk.3.attn_q.weight.lora_b", wave[:, np.newaxis])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def smollm() -> Path:
    path = resolve("smollm2-135m-instruct", "writer", folder=load_settings().models).path
    assert path is not None
    return path


def answers(lora: Path | str | None) -> tuple[list[float], str]:
    engine = open_engine(smollm(), threads=2, context=512, lora=None if lora is None else str(lora))
    try:
        scores = [score.logprob for score in engine.score(SCORED)]
        alone = [engine.score(ScoreRequest(SCORED.prefix, (c,)))[0].logprob for c in SCORED.candidates]
        assert alone == scores, "with an adapter too, a score does not depend on what is asked beside it"
        return scores, "".join(event.text for event in engine.generate(WRITTEN))
    finally:
        engine.close()


@pytest.mark.slow
def test_an_adapter_of_zeros_changes_nothing_and_one_of_weights_changes_scores_by_its_scale(tmp_path: Path) -> None:
    plain = answers(None)
    assert answers(write_adapter(tmp_path / "zeros.gguf", size=0.0)) == plain
    tone = write_adapter(tmp_path / "tone.gguf")
    assert answers(tone) == answers(f"{tone}:1.0") != plain
    assert answers(f"{tone}:0") == plain
    assert answers(f"{tone}:-0.5")[0] not in (plain[0], answers(tone)[0])


@pytest.mark.slow
def test_the_setting_reaches_the_engine_and_its_name(tmp_path: Path) -> None:
    tone = write_adapter(tmp_path / "tone.gguf")
    engine = open_writer(load_settings(llm="smollm2-135m-instruct", lora=f"{tone}:0.5", context=512, isolated=True))
    assert engine.name == "smollm2-135m-instruct+tone:0.5"
    assert [score.logprob for score in engine.score(SCORED)] == answers(f"{tone}:0.5")[0]
    engine.close()


@pytest.mark.slow
def test_what_is_no_adapter_for_the_model_is_refused_with_the_reason(tmp_path: Path) -> None:
    other = write_adapter(tmp_path / "other.gguf", architecture="gemma3")
    text = tmp_path / "notes:2b"
    text.write_text("no model at all")
    for lora, reason in (
        (tmp_path / "gone.gguf", r"gone\.gguf, which is no adapter .* There is no such file"),
        (other, "arch mismatch"),
        (smollm(), "adapter"),
        (text, "notes:2b, which is no adapter"),
    ):
        with pytest.raises(SettingsError, match=reason):
            answers(lora)


def test_an_adapter_without_a_gguf_file_to_adapt_is_refused() -> None:
    for llm in ("scripted", "http://127.0.0.1:1/v1"):
        with pytest.raises(SettingsError, match=r"`lora` is 'tone\.gguf'"):
            open_engine(llm, lora="tone.gguf")
