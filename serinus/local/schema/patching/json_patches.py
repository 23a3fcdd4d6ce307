"""JSON patches (RFC 6902) with bounded cost: a small patch can copy data and move list items far beyond its own size.

The limits on operations and copied bytes are kube-apiserver's: `maxJSONPatchOperations` of its patch handler, and
`AccumulatedCopySizeLimit`, which it sets to the size of the largest request.
"""

from __future__ import annotations

import re
from typing import Any

import jsonpatch
import jsonpointer
import msgspec

from serinus.api.pods.defaults import copied
from serinus.local.schema.patching.strategic import PatchError

Json = dict[str, Any]
MOST_OPERATIONS = 10_000
MOST_COPIED = 3 << 20
"""Bytes of JSON that the copy operations of one patch may add."""

MOST_SHIFTED = 200_000_000
"""List items that one patch may shift by inserting or removing before them: a tenth of a second."""


class PatchTooLarge(PatchError):
    """The patch exceeds the limit of operations."""


def json_patch(obj: Json, ops: list[Any]) -> Json:
    """The object after the operations. Raises PatchError, and PatchTooLarge beyond MOST_OPERATIONS."""
    if len(ops) > MOST_OPERATIONS:
        raise PatchTooLarge(f"The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {len(ops)}")
    result, cost = copied(obj), _Cost()
    try:
        for op in ops:
            cost.add(result, op)
            result = jsonpatch.JsonPatch([op]).apply(result, in_place=True)
    except jsonpatch.JsonPatchTestFailed as error:
        text = re.sub(r" \(<class '\w+'>\)", "", str(error))  # the error must not expose Python's type names
        raise PatchError(f"testing value failed: {text}") from error
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
        raise PatchError(str(error)) from error
    except (TypeError, KeyError, AttributeError, ValueError, IndexError, RecursionError) as error:
        raise PatchError(f"the patch does not fit the object: {error}") from error
    if not isinstance(result, dict):
        raise PatchError("the patch must leave an object")
    return result


class _Cost:
    """The copied bytes and shifted items so far."""

    def __init__(self) -> None:
        self._copied = self._shifted = 0

    def add(self, document: Any, op: Any) -> None:
        """Raises PatchError if `op` exceeds a limit. An unreadable operation costs nothing."""
        if not isinstance(op, dict):
            return
        kind = op.get("op")
        if kind == "copy":
            self._copied += len(msgspec.json.encode(_at(document, op.get("from"))))
            if self._copied > MOST_COPIED:
                raise PatchError(
                    "Unable to complete the copy, the accumulated size increase of JSON Patch copy is "
                    f"{self._copied}, exceeding the limit {MOST_COPIED}"
                )
        for place in (op.get("path"), op.get("from") if kind == "move" else None) if kind != "test" else ():
            parent = _at(document, place.rpartition("/")[0]) if isinstance(place, str) and place else None
            self._shifted += len(parent) if isinstance(parent, list) else 0
            if self._shifted > MOST_SHIFTED:
                raise PatchError(
                    f"the patch moves more than {MOST_SHIFTED} items of lists: send the whole list instead"
                )


def _at(document: Any, path: Any) -> Any:
    """The value at the path; None if there is none."""
    return jsonpointer.resolve_pointer(document, path, None) if isinstance(path, str) else None
