"""How good rankings are, by trec_eval's own formulas (pytrec_eval).

recall@k: relevant in the first k / relevant. hit@k: 1 if any is in the first k. MRR@20: 1 / rank of
the first relevant one of 20, else 0. nDCG@10: gain = grade, discount = log2(rank + 1).
"""

from collections.abc import Mapping, Sequence

from serve_app.evaluation.extras import load_library

Scores = dict[str, float]
"""The value of each metric."""

DEPTHS = (5, 10, 20, 50)
RANKS = 20
CUTS = ",".join(map(str, DEPTHS))
METRICS = {
    **{f"recall_{k}": f"recall@{k}" for k in DEPTHS},
    **{f"success_{k}": f"hit@{k}" for k in DEPTHS},
    "recip_rank": f"MRR@{RANKS}",
    "ndcg_cut_10": "nDCG@10",
}
"""Our names by trec_eval's."""


def score_rankings(
    rankings: Sequence[Sequence[str]], relevant: Sequence[Mapping[str, int]]
) -> list[Scores]:
    """The metrics of each ranking (ids, best first, none twice) against its graded ids."""
    grades = {str(number): dict(graded) for number, graded in enumerate(relevant)}
    runs = {str(number): _write_run(ranked) for number, ranked in enumerate(rankings)}
    first = {str(number): _write_run(ranked[:RANKS]) for number, ranked in enumerate(rankings)}
    measures = {f"recall.{CUTS}", f"success.{CUTS}", "ndcg_cut.10"}
    scored = _evaluate(grades, runs, measures)
    reciprocal = _evaluate(grades, first, {"recip_rank"})
    return [
        {
            ours: float((scored.get(key, {}) | reciprocal.get(key, {})).get(theirs, 0.0))
            for theirs, ours in METRICS.items()
        }
        for key in grades
    ]


def _evaluate(
    grades: Mapping[str, Mapping[str, int]],
    runs: Mapping[str, Mapping[str, float]],
    measures: set[str],
) -> dict[str, dict[str, float]]:
    return load_library("pytrec_eval").RelevanceEvaluator(grades, measures).evaluate(runs)


def _write_run(ranked: Sequence[str]) -> dict[str, float]:
    """trec_eval orders by score alone, so that a rank is handed over as one."""
    return {identifier: -float(rank) for rank, identifier in enumerate(ranked)}
