"""A collection of the API server, kept current by a thread, for commands that watch.

An ended watch resumes from its last version. If that version is too old, and after every lost connection, the
collection is listed again. Lost connections are retried without limit. A refusal ends the thread: `refusal` has the
error.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from serinus.api.resources import Resource
from serinus.kube.errors import ApiError, Gone, Unavailable
from serinus.kube.sync import SyncClient

Json = dict[str, Any]

AGAIN_SECONDS = 1.0

ENDING_SECONDS = 2.0
"""The longest wait for the end of the thread, which may still resolve a name or connect."""


class Mirror:
    """The thread calls `changed` at every change, including the first list and a refusal."""

    def __init__(
        self, client: SyncClient, resource: Resource, namespace: str, changed: Callable[[], None], *, fields: str = ""
    ) -> None:
        self.resource = resource
        self.refusal: ApiError | None = None
        self.listed = False
        self.trouble: Unavailable | None = None
        """Why the copy may be out of date; None if it is current."""
        self._client, self._namespace, self._changed, self._fields = client.clone(), namespace, changed, fields
        self._objects: dict[tuple[str, str], Json] = {}
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"mirror of {resource.plural}", daemon=True)

    def start(self) -> Mirror:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ends the thread's request. Call `join` afterwards."""
        self._ended.set()
        self._client.abort()

    def join(self) -> None:
        """Waits for the end of the thread. A thread that is in OpenSSL when the process exits can crash it: OpenSSL frees
        its locks then."""
        self._thread.join(ENDING_SECONDS)

    def objects(self) -> list[Json]:
        """All objects as last seen, sorted by namespace and name."""
        with self._lock:
            return [self._objects[key] for key in sorted(self._objects)]

    def _keep(self) -> None:
        version = ""
        while not self._ended.is_set():
            try:
                version = self._follow(version or self._list())
            except Gone:
                version = ""
            except Unavailable as error:
                version, self.trouble = "", error
                self._changed()
                self._ended.wait(error.retry_after or AGAIN_SECONDS)
            except ApiError as error:
                return self._refused(error)
            except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
                # The answer is not an object of this API. A thread cannot raise to its caller.
                return self._refused(
                    ApiError(0, "", f"the answer about {self.resource.plural} makes no sense: {error}")
                )
        return None

    def _refused(self, error: ApiError) -> None:
        self.refusal = error
        self._changed()

    def _list(self) -> str:
        listing = self._client.list(self.resource, self._namespace, fields=self._fields)
        with self._lock:
            self._objects = {_key(obj): obj for obj in listing.get("items") or []}
        self.listed, self.trouble = True, None
        self._changed()
        return str((listing.get("metadata") or {}).get("resourceVersion") or "")

    def _follow(self, version: str) -> str:
        """Applies changes until the watch ends; returns the version to resume from."""
        for kind, obj in self._client.watch(self.resource, self._namespace, version=version, fields=self._fields):
            version = str((obj.get("metadata") or {}).get("resourceVersion") or version)
            if self._ended.is_set():
                break
            if kind == "BOOKMARK":
                continue
            with self._lock:
                if kind == "DELETED":
                    self._objects.pop(_key(obj), None)
                else:
                    self._objects[_key(obj)] = obj
            self._changed()
        else:
            # Pause, in case the API server ends every watch at once.
            self._ended.wait(0.05)
        return version


def _key(obj: Json) -> tuple[str, str]:
    meta: Json = obj["metadata"]
    return str(meta.get("namespace") or ""), str(meta["name"])
