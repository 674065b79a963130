"""Leave out of a GGUF's vocabulary what English and Chinese do not need (vocabulary trimming, Ushio et al. 2023).

Of Gemma 3 270M two weights in three are its 262,144 rows of token embeddings, which are its output layer too: every
token that is scored or written is multiplied with all of them. `scripts/choose_vocabulary` says what is kept; a text in
a script that is left out is still read, byte by byte, and a rare word in more pieces. Every byte written is determined
by the source, so that the registry can pin the file.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader, GGUFValueType
from numpy.typing import NDArray

from rag_rationale.errors import ModelError
from rag_rationale.types import Progress

Kept = NDArray[np.bool_]
"""Of each token whether it is kept; shape (vocabulary,)."""

NOTE = "Modified by rag_rationale: of its vocabulary only what English and Chinese need is left."
_BY_TOKEN = ("token_embd.weight", "output.weight")


def trim_vocabulary(source: Path, target: Path, kept: Kept, *, progress: Progress) -> None:
    """Write the GGUF `source` with the tokens kept: the embeddings' rows as they were, all else to the byte.

    Raises ModelError where it has not as many tokens as `kept` tells of.
    """
    reader = GGUFReader(source)
    tokens = reader.fields.get("tokenizer.ggml.tokens")
    if tokens is None or len(tokens.data) != len(kept):
        raise ModelError(
            f"{source} has {len(tokens.data) if tokens else 0} tokens, expected {len(kept)}.",
            remedy="Choose anew what is kept of its vocabulary: scripts/choose_vocabulary.",
        )
    places = np.flatnonzero(kept)
    fields = list(_fields(reader, places.tolist()))
    tensors = [(tensor, tensor.data[places] if tensor.name in _BY_TOKEN else tensor.data) for tensor in reader.tensors]
    total, done = sum(data.nbytes for _, data in tensors), 0
    with target.open("wb") as file:
        file.write(struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(fields)))
        file.write(b"".join(fields))
        offset = 0
        for tensor, data in tensors:
            shape = [int(n) for n in tensor.shape]
            if tensor.name in _BY_TOKEN:
                shape[-1] = len(places)
            file.write(_text(tensor.name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape))
            file.write(struct.pack("<IQ", tensor.tensor_type, offset))
            offset += data.nbytes + -data.nbytes % reader.alignment
        file.write(bytes(-file.tell() % reader.alignment))
        for _, data in tensors:
            done += file.write(np.ascontiguousarray(data).tobytes())
            file.write(bytes(-data.nbytes % reader.alignment))
            progress("trimming", done, total)


def write_kept(kept: Kept, path: Path) -> None:
    """Write which tokens are kept, a bit each, compressed."""
    path.write_bytes(struct.pack("<I", len(kept)) + zlib.compress(np.packbits(kept).tobytes(), 9))


def read_kept(path: Path) -> Kept:
    """What `write_kept` wrote."""
    data = path.read_bytes()
    (count,) = struct.unpack_from("<I", data)
    return np.unpackbits(np.frombuffer(zlib.decompress(data[4:]), np.uint8), count=count).astype(bool)


def _fields(reader: GGUFReader, kept: Sequence[int]) -> Iterator[bytes]:
    """Every field as it stands in the file, save those that tell of tokens; and what was done to it."""
    fields = [field for name, field in reader.fields.items() if not name.startswith("GGUF.")]
    ends = [*(field.offset for field in fields[1:]), reader.tensors[0].field.offset]
    places = {token: place for place, token in enumerate(kept)}
    for field, end in zip(fields, ends, strict=True):
        name = field.name
        if name.startswith("tokenizer.ggml.") and field.types[0] == GGUFValueType.ARRAY:
            values = field.contents()
            yield _text(name) + _array(field.types[1], [values[i] for i in kept])
        elif name.endswith("_token_id"):
            yield _text(name) + struct.pack("<II", GGUFValueType.UINT32, places[int(field.contents())])
        elif name.endswith(".vocab_size"):
            yield _text(name) + struct.pack("<II", GGUFValueType.UINT32, len(kept))
        elif name != "general.description":
            yield reader.data[field.offset : end].tobytes()
    yield _text("general.description") + struct.pack("<I", GGUFValueType.STRING) + _text(NOTE)


def _array(kind: GGUFValueType, values: Sequence[Any]) -> bytes:
    head = struct.pack("<IIQ", GGUFValueType.ARRAY, kind, len(values))
    if kind == GGUFValueType.STRING:
        return head + b"".join(map(_text, values))
    return head + np.asarray(values, {GGUFValueType.FLOAT32: "<f4", GGUFValueType.INT32: "<i4"}[kind]).tobytes()


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data
