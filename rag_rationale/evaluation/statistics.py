"""Figures with their intervals at 95 %: proportions, means over clusters, differences, AUC, rank correlation.

Arguments that could be swapped are named. Knows nothing of rationales.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

RESAMPLES = 2000
_DRAWN_AT_ONCE = 200  # resamples held in memory together


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure over `n` cases. NaN where there is none; no interval where fewer than two draws could differ."""

    value: float
    interval: tuple[float, float] | None
    n: int


def wilson(successes: int, n: int) -> Estimate:
    """A proportion with Wilson's score interval (1927), which holds at small `n` and near 0 and 1."""
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}")
    if n == 0:
        return Estimate(float("nan"), None, 0)
    interval = stats.binomtest(successes, n).proportion_ci(method="wilson")
    return Estimate(successes / n, (float(interval.low), float(interval.high)), n)


def auc(*, scores: Sequence[float], labels: Sequence[bool]) -> float:
    """How often a true case scores above a false one, ties a half: the area under the ROC curve, which is
    Mann and Whitney's U over the number of pairs. NaN where one of the two is missing.
    """
    held = np.asarray(scores, float)
    true = np.asarray(labels)
    if held.shape != true.shape or not np.isin(true, (0, 1)).all():
        raise ValueError(f"expected a label of 0 or 1 for each score, got {len(held)} scores, {len(true)} labels")
    ones, others = held[true == 1], held[true == 0]
    if not len(ones) or not len(others):
        return float("nan")
    return float(stats.mannwhitneyu(ones, others, method="asymptotic").statistic) / (len(ones) * len(others))


def bootstrap_mean(
    values: Sequence[float], *, clusters: Sequence[str] | None = None, seed: int = 0, resamples: int = RESAMPLES
) -> Estimate:
    """The mean with a percentile interval. With `clusters`, one name per value, whole clusters are drawn: cases of one
    item are not independent (Efron and Tibshirani 1993, ch. 8).
    """
    held = np.asarray(values, float)
    if not len(held):
        return Estimate(float("nan"), None, 0)
    names = np.arange(len(held)) if clusters is None else np.unique(_one_each(held, clusters), return_inverse=True)[1]
    sums, counts = np.bincount(names, held), np.bincount(names)
    interval = _percentile((sums, counts), _ratio, paired=True, seed=seed, resamples=resamples)
    return Estimate(float(held.mean()), interval, len(held))


def paired_bootstrap(
    values: Mapping[str, float],
    *,
    minus: Mapping[str, float],
    clusters: Mapping[str, str] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Mean of `values` minus mean of `minus`, over the case ids that both have; pairs are drawn together."""
    both = sorted(values.keys() & minus.keys())
    gaps = [values[case] - minus[case] for case in both]
    homes = None if clusters is None else [clusters[case] for case in both]
    return bootstrap_mean(gaps, clusters=homes, seed=seed, resamples=resamples)


def group_difference(
    values: Sequence[float], *, minus: Sequence[float], seed: int = 0, resamples: int = RESAMPLES
) -> Estimate:
    """Mean of one group minus that of another, drawn apart."""
    ones, others = np.asarray(values, float), np.asarray(minus, float)
    if not len(ones) or not len(others):
        return Estimate(float("nan"), None, 0)
    interval = _percentile((ones, others), _gap, paired=False, seed=seed, resamples=resamples)
    return Estimate(float(ones.mean() - others.mean()), interval, len(ones) + len(others))


def rank_correlation(
    ones: Sequence[float], others: Sequence[float], *, seed: int = 0, resamples: int = 500
) -> Estimate:
    """Spearman's rank correlation, pairs drawn together. NaN where either side has one value only."""
    x, y = np.asarray(ones, float), np.asarray(others, float)
    if x.shape != y.shape:
        raise ValueError(f"{len(x)} values beside {len(y)}")
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Estimate(float("nan"), None, len(x))
    drawn = np.random.default_rng(seed).integers(len(x), size=(resamples, len(x)))
    rhos = [_rho(x[rows], y[rows]) for rows in drawn if np.ptp(x[rows]) > 0 and np.ptp(y[rows]) > 0]
    low, high = np.quantile(rhos, [0.025, 0.975])
    return Estimate(_rho(x, y), (float(low), float(high)), len(x))


def _one_each(values: NDArray[Any], clusters: Sequence[str]) -> NDArray[Any]:
    if len(clusters) != len(values):
        raise ValueError(f"{len(clusters)} clusters for {len(values)} values")
    return np.asarray(clusters)


def _rho(x: NDArray[Any], y: NDArray[Any]) -> float:
    return float(np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1])


def _ratio(sums: NDArray[Any], counts: NDArray[Any], axis: int) -> NDArray[Any]:
    return np.asarray(sums.sum(axis) / counts.sum(axis))


def _gap(ones: NDArray[Any], others: NDArray[Any], axis: int) -> NDArray[Any]:
    return np.asarray(ones.mean(axis) - others.mean(axis))


def _percentile(
    samples: tuple[NDArray[Any], ...], statistic: Callable[..., Any], *, paired: bool, seed: int, resamples: int
) -> tuple[float, float] | None:
    if min(map(len, samples)) < 2:
        return None
    drawn = stats.bootstrap(
        samples,
        statistic,
        paired=paired,
        vectorized=True,
        method="percentile",
        n_resamples=resamples,
        batch=_DRAWN_AT_ONCE,
        rng=np.random.default_rng(seed),
    )
    return float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)
