"""Measures of rankings, by ir-measures (trec_eval), with confidence intervals and paired tests by scipy."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HEADLINE = "nDCG@10"
MEASURES = (HEADLINE, "R@1", "R@5", "R@10", "RR@10")
_CONFIDENCE = 0.95
_RESAMPLES = 2_000
_PERMUTATIONS = 9_999
_SEED = 7

# Score by target, by question.
Ranking = Mapping[str, Mapping[str, float]]
Relevance = Mapping[str, Mapping[str, int]]
# Value of each measure, by question.
Judged = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Estimate:
    """A mean over questions, or an AUC, and its 95 % confidence interval (bootstrap over questions)."""

    value: float
    low: float
    high: float


def judged(ranking: Ranking, relevance: Relevance) -> dict[str, dict[str, float]]:
    """Each of MEASURES by question, for the questions that have a relevant target; one without a ranking has 0."""
    import ir_measures

    wanted = {key: dict(targets) for key, targets in relevance.items() if any(grade > 0 for grade in targets.values())}
    found: dict[str, dict[str, float]] = defaultdict(dict)
    run = {key: dict(ranking.get(key, {})) for key in wanted}
    for metric in ir_measures.iter_calc([ir_measures.parse_measure(name) for name in MEASURES], wanted, run):
        found[metric.query_id][str(metric.measure)] = float(metric.value)
    return {key: {name: found[key].get(name, 0.0) for name in MEASURES} for key in wanted}


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and interval. One value alone, or equal ones, have an interval of no width."""
    import numpy as np

    mean = float(np.mean(values))
    return Estimate(mean, mean, mean) if len(set(values)) < 2 else _with_interval(np.mean, values)


def auc(higher: Sequence[float], lower: Sequence[float]) -> Estimate:
    """How often one of `higher` is above one of `lower`, equal ones half: 0.5 is chance (Mann and Whitney's U).

    Fewer than two of either have an interval of no width.
    """
    import numpy as np
    from scipy import stats

    def share(above: Any, below: Any, axis: int = -1) -> Any:
        n, others = above.shape[axis], below.shape[axis]
        ranks = stats.rankdata(np.concatenate([above, below], axis=axis), axis=axis)
        return (ranks[..., :n].sum(axis=axis) - n * (n + 1) / 2) / (n * others)

    if min(len(higher), len(lower)) < 2:
        value = float(share(np.asarray(higher), np.asarray(lower)))
        return Estimate(value, value, value)
    return _with_interval(share, higher, lower)


def p_value(first: Sequence[float], second: Sequence[float]) -> float:
    """Two-sided, paired by question: how often random signs give a mean difference as large (Fisher's randomisation).

    Smucker, Allan, Carterette: 'A comparison of statistical significance tests for information retrieval', CIKM 2007.
    """
    import numpy as np
    from scipy import stats

    difference = np.asarray(first) - np.asarray(second)
    # One question alone shows nothing, and scipy refuses it.
    if len(difference) < 2 or not difference.any():
        return 1.0
    found = stats.permutation_test(
        (difference,),
        np.mean,
        permutation_type="samples",
        n_resamples=_PERMUTATIONS,
        vectorized=True,
        batch=200,
        rng=np.random.default_rng(_SEED),
    )
    return float(found.pvalue)


def _with_interval(statistic: Callable[..., Any], *samples: Sequence[float]) -> Estimate:
    import numpy as np
    from scipy import stats

    arrays = [np.asarray(sample) for sample in samples]
    interval = stats.bootstrap(
        arrays,
        statistic,
        confidence_level=_CONFIDENCE,
        n_resamples=_RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(_SEED),
        batch=100,
    ).confidence_interval
    return Estimate(float(statistic(*arrays)), float(interval.low), float(interval.high))


def median_and_p95(values: Sequence[float]) -> tuple[float, float]:
    """Of times, in the unit of `values`."""
    import numpy as np

    return float(np.percentile(values, 50)), float(np.percentile(values, 95))
