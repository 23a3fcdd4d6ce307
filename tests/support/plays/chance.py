"""The parts of a trace that depend on chance or the machine, and are therefore unified in a copy that is compared.

- uids: a Job of an analysis has its run's uid in its name;
- the order of an AnalysisRun's results: in the reference metrics are measured at the same time, and the first to end is
  written first (ours are in the order of the metrics: tests/plays/test_where_we_differ.py);
- the order of an object's fields, which each API server has its own of;
- the number of measurements of a metric that continues until something else ends it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

Json = dict[str, Any]

UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
RESULTS = "status.metricResults"
GOES_ON: Mapping[str, str] = {
    "analysis-background": "AnalysisRun/",
    "analysis-background-fails": "AnalysisRun/",
    "analysis-run-alone": "AnalysisRun/endless",
    "analysis-superseded": "AnalysisRun/",
}
"""Play -> its runs, by the beginning of their names, whose metric `value` something else ends: the last step, a user, a new
revision. Equal measurements count once there."""
HOW_OFTEN = ("count", "successful", "consecutiveSuccess")


def without_chance(play: str, trace: Path, copy: Path) -> str:
    """The path of the copy."""
    lines = [json.loads(line) for line in UID.sub("<uid>", trace.read_text()).splitlines()]
    for line in lines:
        if line.get(RESULTS):
            goes_on = play in GOES_ON and str(line["object"]).startswith(GOES_ON[play])
            line[RESULTS] = sorted((_result(r, goes_on) for r in line[RESULTS]), key=lambda r: str(r["name"]))
    copy.write_text("".join(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n" for line in lines))
    return str(copy)


def _result(result: Json, goes_on: bool) -> Json:
    if not goes_on or result["name"] != "value":
        return result
    kept = {key: value for key, value in result.items() if key not in HOW_OFTEN}
    return {**kept, "measurements": [measurement for measurement, _ in groupby(result.get("measurements", []))]}
