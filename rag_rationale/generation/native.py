"""The one door to llama.cpp: a model, a context, batches of rows in, logits out.

Knows tokens, sequences and the C API, and nothing of requests, caching or threads: whoever owns a `Native` calls it
from one thread at a time. Importing this module loads the native library.
"""

from __future__ import annotations

import ctypes
import logging
import os
from collections import deque
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as C  # noqa: N812 - the C API, named as the binding's own code names it
from numpy.typing import NDArray

from rag_rationale.errors import BackendError, ModelMissingError, SettingsError
from rag_rationale.generation.batching import EVEN_ROWS, Row
from rag_rationale.generation.chat import ChatTemplate
from rag_rationale.types import Speaker

Logits = NDArray[np.float32]
"""float32, shape (vocabulary,): a view into native memory that the next decode overwrites."""

# For EVEN_ROWS: K-quants by one kernel at every width, not by another one for fewer than eight rows. llama.cpp looks it
# up at its first product.
os.environ.setdefault("GGML_CPU_TILED_MM_FORCE", "1")

LOG = logging.getLogger("rag_rationale.llama")
_WARNING, _ERROR = 3, 4
_complaints: deque[str] = deque(maxlen=3)


@C.llama_log_callback  # type: ignore[untyped-decorator]
def _on_log(level: int, text: bytes, _: object) -> None:
    line = text.decode("utf-8", "replace").strip()
    if level in (_WARNING, _ERROR) and line:
        _complaints.append(line)
    LOG.debug("%s", line)


class Native:
    """One model and one context whose cells all sequences share.

    A row may belong to several sequences: their common tokens are computed and held once. `swa_full` keeps every
    position of sliding-window layers, without which a cached prefix could not be continued from its middle.
    """

    def __init__(
        self, path: Path, *, threads: int, context: int, sequences: int, adapter: tuple[Path, float] | None = None
    ) -> None:
        if not path.is_file():
            raise ModelMissingError(
                f"No model file at {path}.",
                remedy="Run `rag-rationale models prepare`, or point the setting at a GGUF.",
            )
        C.llama_log_set(_on_log, None)
        C.llama_backend_init()
        _complaints.clear()
        self._context: Any = None
        self._batch: Any = None
        how = C.llama_model_default_params()
        how.use_extra_bufts = False  # for EVEN_ROWS: repacked weights go by groups of four rows
        self._model = C.llama_model_load_from_file(str(path).encode(), how)
        if not self._model:
            raise BackendError(f"llama.cpp cannot load {path}: {_last_words()}", remedy="Check that it is a GGUF file.")
        if C.llama_model_is_recurrent(self._model) or C.llama_model_is_hybrid(self._model):
            self.close()
            raise BackendError(
                f"{path} is a recurrent model, whose state cannot be cut or shared.",
                remedy="Take a model with attention in every layer.",
            )
        lora = self._load_adapter(adapter[0], path) if adapter else None  # a context must find it loaded
        params = C.llama_context_default_params()
        params.n_ctx = context
        params.n_batch = params.n_ubatch = params.n_outputs_max = max(EVEN_ROWS[-1], sequences)
        params.n_seq_max, params.kv_unified, params.swa_full = sequences, True, True
        params.n_threads = params.n_threads_batch = threads
        params.no_perf = True
        self._context = C.llama_init_from_model(self._model, params)
        if not self._context:
            self.close()
            raise BackendError(
                f"llama.cpp cannot open a context of {context} tokens: {_last_words()}", remedy="Ask for a smaller one."
            )
        if lora and adapter:
            C.llama_set_adapters_lora(self._context, (type(lora) * 1)(lora), 1, (ctypes.c_float * 1)(adapter[1]))
        self._memory = C.llama_get_memory(self._context)
        self._vocab = C.llama_model_get_vocab(self._model)
        self._batch = C.llama_batch_init(EVEN_ROWS[-1], 0, sequences)
        self.context = int(C.llama_n_ctx(self._context))
        self.vocabulary = int(C.llama_vocab_n_tokens(self._vocab))
        bos, eos, eot = C.llama_vocab_bos(self._vocab), C.llama_vocab_eos(self._vocab), C.llama_vocab_eot(self._vocab)
        self.opener = int(bos if bos >= 0 else eos)
        self.enders = tuple(sorted({int(token) for token in (eos, eot) if token >= 0}))

    def _text(self, token: int) -> str:
        return str(C.llama_vocab_get_text(self._vocab, token).decode("utf-8", "replace")) if token >= 0 else ""

    def _load_adapter(self, path: Path, model: Path) -> Any:
        if path.is_file():
            _complaints.clear()
            if lora := C.llama_adapter_lora_init(self._model, str(path).encode()):
                return lora
        told = f"llama.cpp says: {_last_words()}" if path.is_file() else "There is no such file."
        self.close()
        raise SettingsError(
            f"`lora` names {path}, which is no adapter for {model.name}. {told}",
            remedy="Expected PATH or PATH:SCALE of a LoRA adapter in GGUF format, made for this very model.",
        )

    def ends(self, token: int) -> bool:
        """Whether the token ends a text or a turn; `enders` are the foremost of those that do."""
        return bool(C.llama_vocab_is_eog(self._vocab, token))

    def tokenise(self, text: str) -> list[int]:
        """Tokens of a text, the opening token first where the GGUF asks for one.

        Text never becomes a control token: `<eos>` in a review is five characters.
        """
        return self._tokens(text, opening=True, control=False)

    def _tokens(self, text: str, *, opening: bool, control: bool) -> list[int]:
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        while True:
            tokens = (C.llama_token * room)()
            count = C.llama_tokenize(self._vocab, data, len(data), tokens, room, opening, control)
            if count >= 0:
                return list(tokens[:count])
            room = -count

    @cached_property
    def chat(self) -> ChatTemplate | None:
        """How the GGUF wants a conversation put; None where it does not say."""
        source = C.llama_model_chat_template(self._model, None)
        if not source:
            return None
        marked = C.LLAMA_TOKEN_ATTR_CONTROL | C.LLAMA_TOKEN_ATTR_UNKNOWN
        tokens = (i for i in range(self.vocabulary) if C.llama_vocab_get_attr(self._vocab, i) & marked)
        return ChatTemplate(
            source.decode("utf-8", "replace"),
            opener=self._text(C.llama_vocab_bos(self._vocab)),
            ender=self._text(C.llama_vocab_eos(self._vocab)),
            control=[text for token in tokens if (text := self._text(token))],
        )

    def converse(self, messages: Sequence[tuple[Speaker, str]]) -> list[int]:
        """Tokens of a conversation up to where the assistant speaks next, control tokens where the template has them
        and nowhere else. Raises BackendError where the GGUF has no template, or one that refuses these messages.
        """
        if self.chat is None:
            raise BackendError(
                "The writer's GGUF has no chat template.",
                remedy="Take an instruct model, such as smollm2-135m-instruct, or ask with a plain prefix.",
            )
        pieces = self.chat.pieces(messages)
        opens = not self.chat.opener or not pieces[0].startswith(self.chat.opener)
        tokens = [self._tokens(piece, opening=opens and i == 0, control=True) for i, piece in enumerate(pieces)]
        return [token for part in tokens for token in part] or [self.opener]

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for, perhaps a part of a character; nothing for a control token."""
        room = 64
        while True:
            buffer = (ctypes.c_char * room)()
            count = C.llama_token_to_piece(self._vocab, token, buffer, room, 0, False)
            if count >= 0:
                return buffer.raw[:count]
            room = -count

    def decode(self, rows: Sequence[Row]) -> list[Logits]:
        """Evaluate rows; the logits of those that ask for them, in order.

        Raises BackendError where llama.cpp fails; what memory holds is then undefined, so `clear` it.
        """
        batch = self._batch
        batch.n_tokens = len(rows)
        for i, row in enumerate(rows):
            batch.token[i] = row.token
            batch.pos[i] = row.position
            batch.logits[i] = row.logits
            batch.n_seq_id[i] = len(row.sequences)
            held = batch.seq_id[i]
            for j, sequence in enumerate(row.sequences):
                held[j] = sequence
        _complaints.clear()
        code = C.llama_decode(self._context, batch)
        if code != 0:
            raise BackendError(
                f"llama.cpp failed to decode {len(rows)} rows (code {code}): {_last_words()}",
                remedy="The engine goes on with an empty cache; if it recurs, raise the setting `context`.",
            )
        shape = (self.vocabulary,)
        return [
            np.ctypeslib.as_array(C.llama_get_logits_ith(self._context, i), shape)
            for i, row in enumerate(rows)
            if row.logits
        ]

    def copy(self, source: int, target: int, start: int, stop: int = -1) -> None:
        """Let `target` hold the positions of `source` from `start` up to `stop` (to the end for -1), without cost.

        Positions that it holds already stay as they are.
        """
        C.llama_memory_seq_cp(self._memory, source, target, start, stop)

    def truncate(self, sequence: int, length: int = 0) -> None:
        """Forget a sequence's positions from `length` on."""
        C.llama_memory_seq_rm(self._memory, sequence, length, -1)

    def length(self, sequence: int) -> int:
        """How many positions memory holds of a sequence, from the first on."""
        return int(C.llama_memory_seq_pos_max(self._memory, sequence)) + 1

    def save(self, sequence: int) -> bytearray:
        """What memory holds of a sequence, for `load`.

        Of more positions than a sliding window has, those outside of it would be missing.
        """
        data = bytearray(C.llama_state_seq_get_size(self._context, sequence))
        C.llama_state_seq_get_data(self._context, _view(data), len(data), sequence)
        return data

    def load(self, sequence: int, data: bytearray) -> None:
        """Put what was saved into the next free cells, as this sequence. Raises BackendError where they are too few."""
        if C.llama_state_seq_set_data(self._context, _view(data), len(data), sequence) == 0:
            raise BackendError(f"llama.cpp cannot take back {len(data)} bytes of a sequence: {_last_words()}")

    def clear(self) -> None:
        """Forget every sequence."""
        C.llama_memory_clear(self._memory, False)

    def close(self) -> None:
        """Free native memory; calling twice is harmless."""
        if self._batch is not None:
            C.llama_batch_free(self._batch)
        if self._context is not None:
            C.llama_free(self._context)
        if self._model is not None:
            C.llama_model_free(self._model)
        self._batch = self._context = self._model = None


def _view(data: bytearray) -> Any:
    return (ctypes.c_uint8 * len(data)).from_buffer(data)


def _last_words() -> str:
    return " / ".join(_complaints) or "it gave no reason."
