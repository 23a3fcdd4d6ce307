"""Compiles schemas to a tree for fast traversal: one node for each field of an object.

There are two input dialects: the published definitions of built-in kinds (`$ref`s, recursive) and structural schemas of
CustomResourceDefinitions. Built-in kinds treat null as absent, like Go's decoder; custom ones keep it where allowed. Of
a structural schema's CEL rules, only `self == oldSelf` is evaluated.
"""

from __future__ import annotations

from typing import Any

from serinus.api.schema import schemas
from serinus.api.schema.crds import UNCHANGED

Json = dict[str, Any]
OBJECT, LIST, STRING, INTEGER, NUMBER, BOOLEAN, INT_OR_STRING, QUANTITY, ANY = range(9)
_TYPES = {"object": OBJECT, "array": LIST, "string": STRING, "integer": INTEGER, "number": NUMBER, "boolean": BOOLEAN}
_SPECIAL = {"IntOrString": INT_OR_STRING, "Quantity": QUANTITY}


class SchemaNode:
    """The schema of one field. `fields`: schemas by name; `values`: the schema of all other keys (a map)."""

    __slots__ = (
        "atomic", "default", "defaults", "enum", "fields", "fixed", "fixes", "format", "items", "keys", "lenient", "list_type",
        "longest", "maximum", "merges", "minimum", "nullable", "pattern", "preserve", "required", "rules", "shape", "shortest",
        "values",
    )  # fmt: skip

    def __init__(self, shape: int = ANY, *, lenient: bool = False) -> None:
        self.shape = shape
        self.lenient = lenient
        """Null counts as absent (built-in kinds)."""
        self.fields: dict[str, SchemaNode] = {}
        self.required: tuple[str, ...] = ()
        self.values: SchemaNode | None = None
        self.items: SchemaNode | None = None
        self.preserve = shape == ANY
        """Unknown fields are kept."""
        self.atomic = False
        """Owned and merged as a whole, not per field."""
        self.list_type = "atomic"
        self.keys: tuple[str, ...] = ()
        self.merges: dict[str, tuple[frozenset[str], str]] = {}
        """Field -> (patch strategies, merge key) of strategic merge patches."""
        self.enum: tuple[Any, ...] = ()
        self.minimum: float | None = None
        self.maximum: float | None = None
        self.shortest: int | None = None
        self.longest: int | None = None
        self.pattern: str = ""
        self.format = ""
        self.nullable = lenient
        self.default: Any = None
        self.defaults = False
        """Whether this node or a descendant has schema defaults."""
        self.fixed = ""
        """Why the value is immutable once set; empty if it is not."""
        self.fixes = False
        """Whether this node or a descendant, lists excluded, is immutable."""
        self.rules = False
        """Whether a scalar needs checks beyond its type."""


ANYTHING = SchemaNode(ANY)


class Compiler:
    """Compiles schemas; nodes of named definitions are shared."""

    def __init__(self, *, lenient: bool) -> None:
        self._lenient = lenient
        self._named: dict[str, SchemaNode] = {}

    def named(self, name: str) -> SchemaNode:
        """The node of a published definition."""
        if name not in self._named:
            self._named[name] = node = SchemaNode(_SPECIAL.get(name.rsplit(".", 1)[1], ANY), lenient=self._lenient)
            if node.shape == ANY:
                self._fill(node, schemas.definitions()[name])
        return self._named[name]

    def node(self, schema: Json) -> SchemaNode:
        if "$ref" in schema:
            return self.named(schema["$ref"].removeprefix(schemas.PREFIX))
        node = SchemaNode(lenient=self._lenient)
        self._fill(node, schema)
        return node

    def _fill(self, node: SchemaNode, schema: Json) -> None:
        if schema.get("x-kubernetes-int-or-string"):
            node.shape = INT_OR_STRING
        else:
            node.shape = _TYPES.get(schema.get("type", ""), OBJECT if "properties" in schema else ANY)
        node.preserve = node.shape == ANY or bool(schema.get("x-kubernetes-preserve-unknown-fields"))
        node.nullable = self._lenient or bool(schema.get("nullable"))
        if node.shape == OBJECT:
            self._object(node, schema)
        elif node.shape == LIST:
            node.items = self.node(schema["items"]) if isinstance(schema.get("items"), dict) else ANYTHING
            node.list_type = schema.get("x-kubernetes-list-type", "atomic")
            node.keys = tuple(schema.get("x-kubernetes-list-map-keys", ()))
            node.atomic = node.list_type == "atomic"
            node.shortest, node.longest = schema.get("minItems"), schema.get("maxItems")
        else:
            self._scalar(node, schema)
        for rule in schema.get("x-kubernetes-validations", ()):
            if rule.get("rule", "").strip() == UNCHANGED:
                node.fixed = rule.get("message") or f"failed rule: {UNCHANGED}"
        node.fixes = bool(node.fixed) or any(n.fixes for n in node.fields.values())
        # Built-in kinds have their own defaults; the schema's defaults only supply list item keys.
        node.default = schema.get("default")
        below = [*node.fields.values(), *([node.values] if node.values else []), *([node.items] if node.items else [])]
        node.defaults = not self._lenient and any(n.defaults or n.default is not None for n in below)

    def _object(self, node: SchemaNode, schema: Json) -> None:
        properties: dict[str, Json] = schema.get("properties", {})
        node.required = tuple(schema.get("required", ()))
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict):
            node.values = self.node(extra)
        elif extra is True or (self._lenient and not properties):
            node.preserve = True
        node.atomic = schema.get("x-kubernetes-map-type") == "atomic"
        for name, part in properties.items():
            node.fields[name] = self.node(part)
            strategies, key = part.get("x-kubernetes-patch-strategy", ""), part.get("x-kubernetes-patch-merge-key", "")
            if strategies or key:
                node.merges[name] = (frozenset(strategies.split(",")), key)
            if part.get("x-kubernetes-map-type") == "atomic" and "$ref" in part:
                node.fields[name].atomic = True

    def _scalar(self, node: SchemaNode, schema: Json) -> None:
        node.enum = tuple(schema.get("enum", ()))
        node.minimum, node.maximum = schema.get("minimum"), schema.get("maximum")
        node.shortest, node.longest = schema.get("minLength"), schema.get("maxLength")
        node.format = schema.get("format", "")
        if "pattern" in schema:
            node.pattern = schema["pattern"]
        node.rules = bool(node.enum or node.pattern or node.format in ("date-time", "int32")) or any(
            limit is not None for limit in (node.minimum, node.maximum, node.shortest, node.longest)
        )
