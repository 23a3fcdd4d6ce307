"""`kubectl argo rollouts …` inside the process: the commands' own code, with a client that calls the API server itself."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from unittest import mock

from serinus.cli import main
from serinus.kube import sync
from serinus.kube.clock import Clock
from serinus.kube.configuration.config import Connection
from serinus.kube.errors import error_from
from serinus.kube.transport import JSON, Handler, Request, Response

Json = dict[str, Any]

SERVER = "https://in.this.process"


def rollouts(line: str, handle: Handler, namespace: str, clock: Clock) -> str:
    """The output of `kubectl argo rollouts LINE`, on stdout and then on stderr, and a failure's exit code."""
    return _printed(main.rollouts, ["--server", SERVER, "-n", namespace, *line.split()], handle, clock)


def serinus(line: str, handle: Handler, namespace: str, clock: Clock) -> str:
    """The same of `serinus LINE`."""
    return _printed(main.main, [*line.split(), "--server", SERVER, "-n", namespace], handle, clock)


def _printed(program: Callable[[], None], arguments: list[str], handle: Handler, clock: Clock) -> str:
    out, err = io.StringIO(), io.StringIO()
    argv = ["kubectl-argo-rollouts", *arguments]
    code = 0
    with contextlib.ExitStack() as inside:
        inside.enter_context(mock.patch.object(sys, "argv", argv))
        inside.enter_context(mock.patch.object(sync, "SyncClient", _client(handle)))
        inside.enter_context(mock.patch.object(time, "time", clock.now))
        inside.enter_context(contextlib.redirect_stdout(out))
        inside.enter_context(contextlib.redirect_stderr(err))
        try:
            program()
        except SystemExit as end:
            code = int(end.code or 0)
    return out.getvalue() + err.getvalue() + (f"(exit {code})" if code else "")


def _client(handle: Handler) -> Callable[[Connection], sync.SyncClient]:
    class Inside(sync.SyncClient):
        def clone(self) -> sync.SyncClient:
            return Inside(self.connection)

        def call(
            self,
            method: str,
            path: str,
            *,
            query: Mapping[str, str] | None = None,
            body: Any = None,
            content_type: str = JSON,
        ) -> Json:
            payload = b"" if body is None else json.dumps(body).encode()
            headers = {"accept": JSON, "user-agent": "kubectl-argo-rollouts"}
            if payload:
                headers["content-type"] = content_type
            answer = at_once(handle(Request(method, path, query or {}, headers, payload)))
            if answer.status >= 300:
                raise error_from(answer.status, answer.body, None)
            return json.loads(answer.body) if answer.body else {}

    return Inside


def at_once(asked: Any) -> Response:
    """The answer of an API server in memory, which never waits: so a command need not leave the loop."""
    coroutine: Coroutine[Any, Any, Response] = asked
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    raise AssertionError("the API server in memory waited for something: a command cannot be answered at once")
