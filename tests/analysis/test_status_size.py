"""The status of a run fits into an object, whatever was measured."""

from __future__ import annotations

import msgspec

from serinus.analysis.status_size import LARGEST, fitted
from serinus.api.analysis import AnalysisRunStatus, Measurement, MetricResult

AT = "2026-01-01T00:00:00Z"


def status(metrics: int, measurements: int, length: int) -> AnalysisRunStatus:
    one = Measurement("Failed", "m" * length, AT, AT, "v" * length, {"job-name": "web"})
    return AnalysisRunStatus(
        "Running",
        metric_results=[
            MetricResult(f"m{i}", "Running", [one] * measurements, "", 3, 1, 2, metadata={"query": "q" * length})
            for i in range(metrics)
        ],
    )


def test_a_status_that_fits_is_left_alone():
    small = status(20, 10, 1_000)
    assert fitted(small) is small


def test_texts_are_cut_until_all_of_them_fit():
    large = status(100, 10, 10_000)
    cut = fitted(large)
    assert len(msgspec.json.encode(cut)) < LARGEST + 400 * 1_000  # not text: phases and times
    newest, oldest = cut.metric_results[0].measurements[-1], cut.metric_results[0].measurements[0]
    assert len(newest.value) > len(oldest.value) > 0
    assert newest.value.endswith("…")


def test_what_decisions_are_made_of_stays():
    large = status(3_000, 10, 200)
    cut = fitted(large)

    def facts(of: AnalysisRunStatus) -> list[object]:
        return [
            (
                r.name,
                r.phase,
                r.count,
                r.failed,
                [(m.phase, m.started_at, m.finished_at, m.metadata) for m in r.measurements],
            )
            for r in of.metric_results
        ]

    assert facts(cut) == facts(large)
    assert fitted(cut) == cut
