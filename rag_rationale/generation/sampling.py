"""Reading logits: what they sum to, which token they favour. Pure NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 14
_FAR = 25.0


def log_normaliser(logits: NDArray[np.float32]) -> float:
    """log(sum(exp(logits))), block by block so that it stays in the processor's cache."""
    top, total = logits.max(), 0.0
    scratch = np.empty(min(_BLOCK, len(logits)), np.float32)
    for start in range(0, len(logits), _BLOCK):
        block = logits[start : start + _BLOCK]
        part = scratch[: len(block)]
        np.subtract(block, top, out=part)
        total += float(np.exp(part, out=part).sum())
    return float(top) + float(np.log(total))


def pick(weights: NDArray[np.float32], temperature: float, random: np.random.Generator) -> int:
    """The position of the greatest weight, or one drawn with probability softmax(weights / temperature).

    What is less than exp(-_FAR) times as likely as the greatest is never drawn: a vocabulary of it adds up to nothing.
    """
    if temperature <= 0:
        return int(weights.argmax())
    near = np.flatnonzero(weights >= weights.max() - np.float32(_FAR * temperature))
    scaled = weights[near].astype(np.float64) / temperature
    cumulative = np.cumsum(np.exp(scaled - scaled.max()))
    return int(near[np.searchsorted(cumulative, random.random() * cumulative[-1], side="right")])
