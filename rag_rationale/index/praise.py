"""How likely a passage praises: one linear head per language on centred vectors, fitted on the catalogue's own ratings.

A rating is a weak label: it judges a whole review, and "the coffee was cold" may stand in one of five stars. So each
review counts as much as any other, however many passages it has, praise as much as complaint in sum, and the
probabilities are calibrated on reviews held out (Platt 1999). It knows no words.
"""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from rag_rationale.errors import SnapshotError
from rag_rationale.index.statistics import Gather, centre_vectors
from rag_rationale.types import LANGUAGES, Language, Vectors

LOW, HIGH = 2.0, 4.0  # ratings up to the one are complaints, from the other on praise; those between tell neither
LEAST = 40  # reviews of each kind below which a language gets no head
WEAKEST = 0.75  # AUC on held-out reviews below which a head is not worth hearing
MOST = 20_000  # reviews of each kind that are looked at
TRUSTED = 0.5  # passages of less trust teach nothing
_FOLDS = 5
_STRENGTH = 1.0  # scikit-learn's C, the inverse weight of the L2 penalty: 0.3 to 3 differ by under 0.01 in AUC
_SEED = 20_240_229
_BLOCK = 4096


@dataclass(slots=True)
class Rated:
    """What ratings say of passages: of each its position, language, review and whether that was rated high.

    Holds 18 bytes a passage; reviews are told apart by a hash.
    """

    positions: array[int] = field(default_factory=lambda: array("q"))
    languages: array[int] = field(default_factory=lambda: array("b"))
    reviews: array[int] = field(default_factory=lambda: array("q"))
    praise: array[int] = field(default_factory=lambda: array("b"))

    def add(self, position: int, lang: Language, review: str, rating: float) -> None:
        """Take note of a passage; a rating in the middle teaches nothing."""
        if LOW < rating < HIGH:
            return
        self.positions.append(position)
        self.languages.append(LANGUAGES.index(lang))
        self.reviews.append(_number(review))
        self.praise.append(rating >= HIGH)


def _number(review: str) -> int:
    digest = hashlib.blake2b(review.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


@dataclass(frozen=True, slots=True)
class Heads:
    """The log-odds of praise: `weights` of shape (languages, d), `biases` of shape (languages,), rows as in LANGUAGES.

    The bias of a language without a head is NaN.
    """

    weights: NDArray[np.float32]
    biases: NDArray[np.float64]

    def __call__(self, vectors: Vectors, lang: Language) -> NDArray[np.float64] | None:
        """Probabilities of shape (n,) for centred vectors of shape (n, d); None where the language has no head."""
        code = LANGUAGES.index(lang)
        if np.isnan(self.biases[code]):
            return None
        return np.asarray(1 / (1 + np.exp(-(vectors @ self.weights[code] + self.biases[code]))), np.float64)


def no_heads(dimension: int) -> Heads:
    """Heads that know nothing."""
    return Heads(np.zeros((len(LANGUAGES), dimension), np.float32), np.full(len(LANGUAGES), np.nan))


def fit_heads(
    gather: Gather, rated: Rated, centres: NDArray[np.float32]
) -> tuple[Heads, dict[Language, dict[str, float]]]:
    """The heads and, per language with ratings enough, figures: `auc` on held-out reviews, and how many of each kind.

    A language whose `auc` is under WEAKEST has figures and no head.
    `gather` returns the vectors at some positions; `centres` are of shape (languages, d). The same input gives the same
    heads.
    """
    heads, figures = no_heads(centres.shape[1]), dict[Language, dict[str, float]]()
    of, praise, reviews = np.array(rated.languages), np.array(rated.praise, bool), np.array(rated.reviews)
    for code, lang in enumerate(LANGUAGES):
        kinds = [np.unique(reviews[(of == code) & (praise == kind)]) for kind in (True, False)]
        if min(map(len, kinds)) < LEAST:
            continue
        seen = np.flatnonzero((of == code) & np.isin(reviews, np.concatenate([_spread(kind) for kind in kinds])))
        vectors = _centred(gather, np.array(rated.positions, np.int64)[seen], centres[code])
        weights, bias, auc = _fit(vectors, reviews[seen], praise[seen])
        if auc >= WEAKEST:
            heads.weights[code], heads.biases[code] = weights, bias
        del vectors  # before the next language's are gathered
        figures[lang] = {"auc": round(auc, 4), "praise": len(kinds[0]), "complaint": len(kinds[1])}
    return heads, figures


def _centred(gather: Gather, positions: NDArray[np.int64], centre: NDArray[np.float32]) -> Vectors:
    """The vectors at these positions less their centre, norm 1, shape (n, d); a block of them is held twice."""
    found = np.empty((len(positions), len(centre)), np.float32)
    for at in range(0, len(positions), _BLOCK):
        found[at : at + _BLOCK] = centre_vectors(gather(positions[at : at + _BLOCK]), centre)
    return found


def _spread(reviews: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most MOST of them, evenly spread."""
    return reviews[np.unique(np.linspace(0, len(reviews) - 1, min(MOST, len(reviews))).astype(np.int64))]


def _fit(
    vectors: Vectors, reviews: NDArray[np.int64], praise: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], float, float]:
    """Weights of shape (d,), bias, and AUC over folds that keep the passages of one review together."""
    from sklearn.linear_model import LogisticRegression  # a second to import, and only a build needs it
    from sklearn.metrics import roc_auc_score

    shares = _weights(reviews, praise)
    held, folds = np.zeros(len(praise)), _folds(reviews, praise)
    for fold in range(_FOLDS):
        hidden = folds == fold  # left out by a weight of 0: what is seen is not copied
        model = LogisticRegression(C=_STRENGTH, max_iter=500).fit(vectors, praise, np.where(hidden, 0.0, shares))
        held[hidden] = model.decision_function(vectors[hidden])
    scale = LogisticRegression(C=1e6).fit(held[:, None], praise, shares)
    whole = LogisticRegression(C=_STRENGTH, max_iter=500).fit(vectors, praise, shares)
    slope = float(scale.coef_[0, 0])
    bias = float(whole.intercept_[0]) * slope + float(scale.intercept_[0])
    auc = float(roc_auc_score(praise, held, sample_weight=shares))
    return np.asarray(whole.coef_[0] * slope, np.float32), bias, auc


def _folds(reviews: NDArray[np.int64], praise: NDArray[np.bool_]) -> NDArray[np.int64]:
    """A fold for each passage: reviews of each kind are dealt out evenly, and those of one review stay together.

    scikit-learn's StratifiedGroupKFold looks at every group in Python: ten minutes for what is looked at here at most.
    """
    random = np.random.default_rng(_SEED)
    folds = np.empty(len(reviews), np.int64)
    for kind in (praise, ~praise):
        names, numbers = np.unique(reviews[kind], return_inverse=True)
        folds[kind] = (random.permutation(len(names)) % _FOLDS)[numbers]
    return folds


def _weights(reviews: NDArray[np.int64], praise: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Each review weighs the same within its kind, and both kinds the same in sum; the mean is 1."""
    _, numbers, counts = np.unique(reviews, return_inverse=True, return_counts=True)
    weights = 1 / counts[numbers]
    for kind in (praise, ~praise):
        weights[kind] /= weights[kind].sum()
    return np.asarray(weights * len(weights) / 2, np.float64)


def write_heads(path: Path, heads: Heads) -> None:
    """Write both arrays to one .npz."""
    with path.open("wb") as file:
        np.savez(file, weights=heads.weights, biases=heads.biases)


def read_heads(path: Path, *, dimension: int) -> Heads:
    """Read what `write_heads` wrote; without a file, heads that know nothing. SnapshotError for a damaged one."""
    if not path.exists():
        return no_heads(dimension)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = Heads(arrays["weights"], arrays["biases"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise SnapshotError(f"{path} is damaged: {error}.", remedy="Rebuild the index.") from error
    if found.weights.shape != (len(LANGUAGES), dimension) or found.biases.shape != (len(LANGUAGES),):
        raise SnapshotError(f"{path} has arrays of another shape than expected.", remedy="Rebuild the index.")
    return found
