"""Figures of evaluation, against hand-computed ones and brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rag_rationale.evaluation.statistics import (
    auc,
    bootstrap_mean,
    group_difference,
    paired_bootstrap,
    rank_correlation,
    wilson,
)


def test_wilson_is_the_textbook_interval_and_refuses_swapped_arguments() -> None:
    z = 1.959963984540054
    centre, half = (0.9 + z * z / 20) / (1 + z * z / 10), z * math.sqrt(0.09 / 10 + z * z / 400) / (1 + z * z / 10)
    made = wilson(9, 10)
    assert (made.value, made.n) == (0.9, 10)
    assert made.interval == pytest.approx((centre - half, centre + half))
    assert wilson(10, 10).interval == pytest.approx((1 / (1 + z * z / 10), 1.0))
    assert wilson(0, 0).interval is None
    with pytest.raises(ValueError, match="10 successes of 9"):
        wilson(10, 9)


def test_auc_counts_pairs_in_the_right_order_and_ties_as_half() -> None:
    assert auc(scores=[0.9, 0.8, 0.3, 0.1], labels=[True, False, True, False]) == 0.75
    assert auc(scores=[0.1, 0.3, 0.8, 0.9], labels=[True, False, True, False]) == 0.25
    assert auc(scores=[0.5, 0.5], labels=[True, False]) == 0.5
    assert math.isnan(auc(scores=[0.5, 0.6], labels=[True, True]))
    with pytest.raises(ValueError, match="label"):
        auc(scores=[1, 0], labels=[0.9, 0.1])  # type: ignore[list-item]


def test_a_mean_over_clusters_draws_whole_clusters() -> None:
    values = [1.0] * 50 + [0.0] * 50
    alone = bootstrap_mean(values)
    assert alone.value == 0.5
    assert alone.interval == pytest.approx((0.4, 0.6), abs=0.02)  # 1.96 * sqrt(0.25 / 100)
    assert bootstrap_mean(values, clusters=["a"] * 50 + ["b"] * 50).interval == (0.0, 1.0)
    assert bootstrap_mean(values, clusters=["a"] * 100).interval is None
    assert bootstrap_mean([3.0]).interval is None
    assert bootstrap_mean([]).n == 0


def test_clusters_of_unequal_size_weigh_by_their_cases() -> None:
    values, homes = [1.0, 1.0, 1.0, 0.0], ["a", "a", "a", "b"]
    made = bootstrap_mean(values, clusters=homes)
    rng = np.random.default_rng(5)
    draws = []
    for picked in rng.integers(2, size=(4000, 2)):
        taken = [v for p in picked for v, home in zip(values, homes, strict=True) if home == "ab"[p]]
        draws.append(sum(taken) / len(taken))
    assert made.value == 0.75
    assert made.interval == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])))


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(1).random(30).tolist()
    assert bootstrap_mean(values, seed=3) == bootstrap_mean(values, seed=3)
    assert bootstrap_mean(values, seed=3).interval != bootstrap_mean(values, seed=4).interval


def test_runs_compare_pair_by_pair_and_not_by_order() -> None:
    old = {f"c{n}": n * 1.0 for n in range(40)}
    new = {f"c{n}": n + 0.5 for n in reversed(range(41))}
    made = paired_bootstrap(new, minus=old)
    assert (made.value, made.interval, made.n) == (0.5, (0.5, 0.5), 40)
    assert paired_bootstrap(old, minus=new).value == -0.5


def test_the_difference_of_two_groups_has_a_sign() -> None:
    ones, others = [1.0, 2.0, 3.0] * 20, [0.0, 1.0] * 20
    made = group_difference(ones, minus=others)
    spread = 1.96 * math.sqrt((2 / 3) / 60 + 0.25 / 40)
    assert made.value == 1.5
    assert made.interval == pytest.approx((1.5 - spread, 1.5 + spread), abs=0.04)
    assert group_difference(others, minus=ones).value == -1.5
    assert group_difference([], minus=ones).n == 0


def test_rank_correlation_is_spearmans() -> None:
    made = rank_correlation([1, 2, 3, 4, 5], [1, 4, 9, 25, 16])
    assert made.value == pytest.approx(0.9)  # 1 - 6 * (1 + 1) / (5 * 24)
    assert rank_correlation([1, 2, 3, 4], [8, 6, 4, 2]).value == pytest.approx(-1)
    assert math.isnan(rank_correlation([1, 1, 1], [1, 2, 3]).value)
