"""axe, the checker of accessibility, on a page of the dashboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import axe_playwright_python
from playwright.sync_api import Page

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def findings(page: Page) -> list[str]:
    """The page's context needs `bypass_csp`: the page's own policy keeps axe's script out, as it should."""
    page.evaluate(AXE)
    found: Any = page.evaluate("rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", RULES)
    return [
        f"{v['id']}: {node['html'][:200]} {node.get('failureSummary')}"
        for v in found["violations"]
        for node in v["nodes"]
    ]
