"""A command of `serinus` alone, in the process of the test."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest.mock import patch

from serinus.cli.framework.errors import Problem, told
from serinus.cli.main import serinus


@dataclass
class Done:
    """`output`: of both streams, in order. `problem`: the failure that `output` ends with; None for others."""

    exit_code: int
    output: str
    problem: Problem | None = None


def invoke(*words: str, text: str = "") -> Done:
    """`serinus WORDS` with this standard input."""
    output, problem = io.StringIO(), None
    stdin = io.TextIOWrapper(io.BytesIO(text.encode()))
    with redirect_stdout(output), redirect_stderr(output), patch.object(sys, "stdin", stdin):
        try:
            code = serinus(words)
        except Problem as found:
            code, problem = 1, found
            output.write(told(found))
    return Done(code, output.getvalue(), problem)


def printed(*words: str, text: str = "") -> str:
    """The output of a command that ends with 0. Raises its Problem."""
    done = invoke(*words, text=text)
    if done.problem is not None:
        raise done.problem
    assert done.exit_code == 0, done.output
    return done.output
