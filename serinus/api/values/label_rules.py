"""Labels, selectors and names: the texts that Kubernetes accepts, and the matching of selectors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from serinus.api.meta import LabelSelector, LabelSelectorRequirement
from serinus.api.validation.findings import Finding, forbidden, invalid, required

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_QUALIFIED_RULE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)
_IS_LABEL, _IS_SUBDOMAIN, _IS_QUALIFIED = (re.compile(p, re.ASCII) for p in (_LABEL, _SUBDOMAIN, _QUALIFIED))


def _explained(rule: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{rule} (e.g. {shown}regex used for validation is '{pattern}')"


_NAME_TEXT = _explained(_QUALIFIED_RULE, _QUALIFIED, "MyName", "my.name", "123-abc")
_VALUE_TEXT = _explained(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character",
    f"({_QUALIFIED})?",
    "MyValue",
    "my_value",
    "12345",
)
_DNS_LABEL_TEXT = _explained(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character",
    _LABEL,
    "my-name",
    "123-abc",
)
_SUBDOMAIN_TEXT = _explained(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character",
    _SUBDOMAIN,
    "example.com",
)


def dns_label(path: str, name: str) -> Iterator[Finding]:
    """Findings about the name of a container or volume."""
    if len(name) > 63:
        yield invalid(path, name, "must be no more than 63 characters")
    if not _IS_LABEL.fullmatch(name):
        yield invalid(path, name, _DNS_LABEL_TEXT)


def label_key(path: str, key: str) -> Iterator[Finding]:
    """Findings about the key of a label, an annotation or a selector."""
    prefix, slash, name = key.rpartition("/")
    if "/" in prefix:
        yield invalid(
            path,
            key,
            f"a qualified name {_NAME_TEXT} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
        )
        return
    if slash and not prefix:
        yield invalid(path, key, "prefix part must be non-empty")
    if prefix and (len(prefix) > 253 or not _IS_SUBDOMAIN.fullmatch(prefix)):
        yield invalid(path, key, f"prefix part {_SUBDOMAIN_TEXT}")
    if not name:
        yield invalid(path, key, "name part must be non-empty")
    elif len(name) > 63:
        yield invalid(path, key, "name part must be no more than 63 characters")
    if not _IS_QUALIFIED.fullmatch(name):
        yield invalid(path, key, f"name part {_NAME_TEXT}")


def label_value(path: str, value: str) -> Iterator[Finding]:
    if len(value) > 63:
        yield invalid(path, value, "must be no more than 63 characters")
    if value and not _IS_QUALIFIED.fullmatch(value):
        yield invalid(path, value, _VALUE_TEXT)


def labels(path: str, given: Mapping[str, str]) -> Iterator[Finding]:
    for key, value in given.items():
        yield from label_key(path, key)
        yield from label_value(path, value)


def selector_findings(path: str, selector: LabelSelector) -> Iterator[Finding]:
    """Findings about a label selector, in Kubernetes' order; a selector that selects everything is not one."""
    yield from labels(f"{path}.matchLabels", selector.match_labels)
    for i, requirement in enumerate(selector.match_expressions):
        yield from _requirement(f"{path}.matchExpressions[{i}]", requirement)


def _requirement(path: str, requirement: LabelSelectorRequirement) -> Iterator[Finding]:
    if requirement.operator in ("In", "NotIn"):
        if not requirement.values:
            yield required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif requirement.operator in ("Exists", "DoesNotExist"):
        if requirement.values:
            yield forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    else:
        yield invalid(f"{path}.operator", requirement.operator, "not a valid selector operator")
    yield from label_key(f"{path}.key", requirement.key)
    for i, value in enumerate(requirement.values):
        yield from label_value(f"{path}.values[{i}]", value)


def selects(selector: LabelSelector | None, given: Mapping[str, str]) -> bool:
    """Whether the selector selects an object with these labels: none selects nothing, an empty one everything."""
    if selector is None:
        return False
    return all(given.get(k) == v for k, v in selector.match_labels.items()) and all(
        _holds(requirement, given) for requirement in selector.match_expressions
    )


def _holds(requirement: LabelSelectorRequirement, given: Mapping[str, str]) -> bool:
    match requirement.operator:
        case "In":
            return given.get(requirement.key) in requirement.values
        case "NotIn":
            return given.get(requirement.key) not in requirement.values
        case "Exists":
            return requirement.key in given
        case _:
            return requirement.key not in given
