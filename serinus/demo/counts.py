"""Request counts of the demo application: as text for Prometheus, as JSON for other clients."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(slots=True)
class Counts:
    """Answers by status since the process started. Requests for the counts are not counted."""

    by_status: dict[int, int] = field(default_factory=lambda: {200: 0, 500: 0})
    """200 and 500 start at zero: a rate includes the first answer only if a zero was scraped before it."""

    def note(self, status: int) -> None:
        self.by_status[status] = self.by_status.get(status, 0) + 1

    @property
    def requests(self) -> int:
        return sum(self.by_status.values())

    @property
    def errors(self) -> int:
        return sum(n for status, n in self.by_status.items() if status >= 500)

    def text(self) -> bytes:
        """Prometheus's text format."""
        lines = [
            "# HELP http_requests_total Requests answered, by status code.",
            "# TYPE http_requests_total counter",
            *(f'http_requests_total{{code="{status}"}} {n}' for status, n in sorted(self.by_status.items())),
            "# HELP http_request_errors_total Requests answered with status 500 or above.",
            "# TYPE http_request_errors_total counter",
            f"http_request_errors_total {self.errors}",
        ]
        return "\n".join((*lines, "")).encode()

    def json(self) -> bytes:
        """`successRate` from 0 to 1; null before the first request."""
        requests, errors = self.requests, self.errors
        rate = round(1 - errors / requests, 4) if requests else None
        return json.dumps({"requests": requests, "errors": errors, "successRate": rate}).encode()
