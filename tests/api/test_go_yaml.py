"""YAML has kubectl's meaning: by tables, and compared with kubectl where one is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from serinus.api.yaml.reader import YamlError, documents, load
from serinus.api.yaml.writer import dump

HEAD = "apiVersion: x/v1\nkind: Foo\nmetadata: {name: a}\n"

SCALARS: dict[str, Any] = {
    # integers in every base, with underscores and signs
    "0": 0, "00": 0, "-0": 0, "+5": 5, "1_000": 1000, "1__0": 10, "_1": "_1", "014": 12, "0777": 511, "-014": -12, "0_7": 7,
    "0o14": 12, "0O7": 7, "-0o7": -7, "0o8": "0o8", "0o": "0o", "08": 8, "-08": -8, "0x1F": 31, "0X1f": 31, "+0x1": 1,
    "0x_1F": 31, "0x": "0x", "0b101": 5, "-0b101": -5, "0b2": "0b2", "9223372036854775807": 2**63 - 1,
    # floats: one without a fraction is an integer
    "1e3": 1000, "1E3": 1000, "1e+3": 1000, "1.e3": 1000, ".1e3": 100, "5.": 5, "1.0": 1, "-0.0": 0, "0e0": 0, "1e20": 1e20,
    ".5": 0.5, "+.5": 0.5, ".5_0": 0.5, "1_000.5": 1000.5, "007.5": 7.5, "1e-7": 1e-7, "123456789.123": 123456789.123,
    "1e400": "1e400", "1e": "1e", "e3": "e3", ".e3": ".e3", "1.2.3": "1.2.3", "0x1p4": "0x1p4", "+": "+", ".": ".", "..": "..",
    "9223372036854775808": 2.0**63, "18446744073709551616": 2.0**64,
    # no base 60, no dates, no `=`
    "12:30": "12:30", "12:30:45": "12:30:45", "1:30.5": "1:30.5", "2001-01-01": "2001-01-01", "=": "=", "<<": "<<",
    "2001-12-14 21:59:43.10 -5": "2001-12-14 21:59:43.10 -5", "2001-01-01T00:00:00Z": "2001-01-01T00:00:00Z",
    # words
    "yes": True, "Yes": True, "yES": "yES", "y": True, "on": True, "true": True, "TRUE": True, "tRue": "tRue",
    "no": False, "N": False, "Off": False, "false": False, "~": None, "": None, "null": None, "NULL": None, "nULL": "nULL",
    "nan": "nan", "inf": "inf", "Infinity": "Infinity", '"yes"': "yes", "'12'": "12", "'~'": "~", '""': "",
    # tags
    "!!str 5": "5", "!!str ~": "~", "!!str": "", '!!int "5"': 5, "!!int 0o14": 12, "!!float 5": 5, '!!float "1e3"': 1000,
    '!!bool "yes"': True, '!!null ""': None, "!!binary aGVsbG8=": "hello", "!!binary /w==": "\ufffd", "!!binary": "",
    "!!timestamp 2001-01-01": "2001-01-01", "!foo bar": "bar", "!!foo 5": "5", "! 12": "12", "!!set {a, b}": {"a": None, "b": None},
    "!<tag:yaml.org,2002:int> 5": 5, "!!map {a: 1}": {"a": 1}, "!!seq [1]": [1], "!!value =": "=",
    # collections and keys
    "[a,]": ["a"], "[]": [], "{a: 1, b: }": {"a": 1, "b": None}, "{a:1}": {"a:1": None}, '{"a":1}': {"a": 1},
    "{1: a}": {"1": "a"}, "{0x10: a}": {"16": "a"}, "{1e3: a}": {"1000": "a"}, "{yes: a}": {"true": "a"}, "{'yes': a}": {"yes": "a"},
    "{1.5: a, 0.1: b, 1e6: c, 1e5: d, 123456.7: e, 1234567.0: f, 0.00001: g, .inf: h}": {
        "1.5": "a", "0.1": "b", "1e+06": "c", "100000": "d", "123456.7": "e", "1.234567e+06": "f", "1e-05": "g", ".inf": "h",
    },
    "{2001-01-01: a}": {"2001-01-01": "a"}, "{!!binary aGk=: a}": {"hi": "a"}, "{? a : b}": {"a": "b"}, "{a: 1, a: 2}": {"a": 2},
    "[http://x:80/a, b:c, -]": ["http://x:80/a", "b:c", "-"], "a#b": "a#b", "a #b": "a", '"a\\tb"': "a\tb", "&x 5": 5,
    # tabs where kubectl accepts them
    "\ta\t": "a", "{\n\ta: b,\n\tc: d }": {"a": "b", "c": "d"},
}  # fmt: skip
"""A value, as written after `v: ` -> the value that is read."""

UNREADABLE = {
    ".inf": "no number in JSON", ".nan": "no number in JSON", "!!float .inf": "no number in JSON",
    "!!int x": "cannot decode !!str `x` as a !!int", "!!int 1e3": "cannot decode !!float `1e3` as a !!int",
    "!!int": "cannot decode !!null `` as a !!int", "!!bool 1": "cannot decode !!int `1` as a !!bool",
    "!!null x": "cannot decode !!str `x` as a !!null", "!!timestamp x": "cannot decode !!str `x` as a !!timestamp",
    "!!binary aGVsbG": "invalid base64", "!!binary 'aG Vs'": "invalid base64",
    "{~: a}": "null cannot be a key", "{[a]: b}": "a list cannot be a key", "{{a: b}: c}": "a mapping cannot be a key",
    "{18446744073709551615: a}": "cannot be a key", "*x": "unknown anchor 'x'", "&a [*a]": "anchor 'a' value contains itself",
    "{<<: 5}": "map merge requires map", "{<<: [{a: 1}, 5]}": "map merge requires map", "{<<: }": "map merge requires map",
    "@a": "cannot start any token", "a: b: c": "mapping values are not allowed", "- a": "not allowed in this context",
    "[1, , 2]": "did not find expected node content", "[": "did not find", '"\\ud83d\\ude00"': "invalid Unicode character escape code",
    "\n\ta: b": "cannot start any token", "\x01": "control characters are not allowed", "!!": "did not find expected tag URI",
}  # fmt: skip

FILES: dict[str, tuple[list[Any], str]] = {
    # merges, in go-yaml's order: the later one wins, except between the mappings of one list
    "§b: &b {x: 1, z: 2}\nv:\n  x: 9\n  <<: *b\n": ([{"b": {"x": 1, "z": 2}, "v": {"x": 1, "z": 2}}], ""),
    "§b: &b {x: 1}\nv:\n  <<: *b\n  x: 9\n": ([{"b": {"x": 1}, "v": {"x": 9}}], ""),
    "§b: &b {x: 1}\nc: &c {x: 5, z: 6}\nv: {<<: [*b, *c]}\n": (
        [{"b": {"x": 1}, "c": {"x": 5, "z": 6}, "v": {"x": 1, "z": 6}}], "",
    ),
    "§b: &b {x: 1}\nv: {'<<': *b}\n": ([{"b": {"x": 1}, "v": {"<<": {"x": 1}}}], ""),
    # anchors
    "§a: &a 1\nb: &a 2\nc: *a\n": ([{"a": 1, "b": 2, "c": 2}], ""),
    "§a: &a [x]\nb: &b [*a, *a]\nc: *b\n": ([{"a": ["x"], "b": [["x"], ["x"]], "c": [["x"], ["x"]]}], ""),
    "§a: &a k\nb: {*a : 1}\n": ([{"a": "k", "b": {"k": 1}}], ""),
    "§a: &a 1\n---\n§b: *a\n": ([{"a": 1}], "line 3: unknown anchor 'a'"),
    # documents
    "": ([], ""),
    "---\n": ([], ""),
    "# a\n---\n---\n# b\n": ([], ""),
    "null\n": ([], ""),
    "---\n---\n§a: 1\n---\n---\n§b: 2\n---\n": ([{"a": 1}, {"b": 2}], ""),
    "--- # comment\n§a: 1\n---#x\n§b: 2\n": ([{"a": 1}, {"b": 2}], ""),
    "---\r\n§a: 1\r\n---\r\n§b: 2\r\n": ([{"a": 1}, {"b": 2}], ""),
    "§a: |\n  x\n  ---\n  y\n": ([{"a": "x\n---\ny\n"}], ""),
    "§a: 1\n...\nb: [\n": ([{"a": 1}], ""),
    "\ufeff§a: 1\n": ([{"a": 1}], ""),
    "--- {§a: 1}\n": ([], "line 1: invalid document separator"),
    "§a: 1\n---x\n": ([{"a": 1}], "line 2: invalid document separator"),
    "%YAML 1.1\n---\n§a: 1\n": ([], "line 2: did not find expected <document start>"),
    "§a: 1\n---\n§b: 1\n  c: 2\n": ([{"a": 1}], "line 4: mapping values are not allowed"),
    # JSON
    '{§"a": 1}\n{§"a": 1.5}': ([{"a": 1}, {"a": 1.5}], ""),
    '{§"a": 1}\n---\n§b: 2\n': ([{"a": 1}, {"b": 2}], ""),
    '{§"a": "\\ud83d\\ude00 \\/"}': ([{"a": "\U0001f600 /"}], ""),
    '{§"a": 1,}': ([{"a": 1}], ""),
    "{§a: yes}": ([{"a": True}], ""),
    '{§"a": 9223372036854775808}': ([{"a": 2.0**63}], ""),
    '{§"a": NaN}': ([{"a": "NaN"}], ""),
}  # fmt: skip
"""A file -> (its documents, the error that ends it). `§`: where kubectl needs a kind and a name."""


def same(one: Any, other: Any) -> bool:
    """Equal, and true is not 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@pytest.mark.parametrize("text", SCALARS)
def test_a_value_means_what_kubectl_makes_of_it(text: str) -> None:
    assert same(load(f"v: {text}\n")["v"], SCALARS[text])


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_kubectl_cannot_read_is_an_error_with_its_reason(text: str) -> None:
    with pytest.raises(YamlError) as caught:
        load(f"v: {text}\n")
    assert UNREADABLE[text] in str(caught.value)


@pytest.mark.parametrize("text", FILES)
def test_a_file_has_the_documents_that_kubectl_finds(text: str) -> None:
    wanted, error = FILES[text]
    found: list[Any] = []
    with pytest.raises(YamlError) if error else nullcontext() as caught:
        found.extend(document.value for document in documents(text.replace("§", "")))
    assert same(found, wanted)
    if caught:
        assert str(caught.value).startswith(error)
        assert caught.value.document == len(wanted) + 1


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", '{"a": 1, "a": 2}', "b: {1: x, '1': y}\n"])
def test_a_key_that_is_there_twice_is_an_error_for_who_asks_for_it(text: str) -> None:
    assert load(text)
    with pytest.raises(YamlError, match="is there twice"):
        load(text, strict=True)


def test_a_merged_key_may_be_there_as_well() -> None:
    assert load("b: &b {x: 1}\nv:\n  <<: *b\n  x: 2\n", strict=True)["v"] == {"x": 2}


@pytest.mark.parametrize(
    "text", ["[" * 200 + "]" * 200, '{"a":' * 200 + "1" + "}" * 200, "[" * 5000], ids=["yaml", "json", "open"]
)
def test_depth_is_bounded(text: str) -> None:
    with pytest.raises(YamlError, match=r"nested more than 128 levels|maximum nesting depth"):
        load(text)


def test_what_aliases_write_out_is_bounded() -> None:
    """Nine levels of nine aliases are 400 million values."""
    levels = "".join(f"a{i}: &a{i} [{f'*a{i - 1},' * 9}]\n" for i in range(1, 10))
    with pytest.raises(YamlError, match="excessive aliasing"):
        load("a0: &a0 [x]\n" + levels)


def test_an_aliased_value_can_be_changed_alone() -> None:
    value = load("a: &a {x: [1]}\nb: *a\n")
    value["b"]["x"].append(2)
    assert value["a"] == {"x": [1]}


def test_bytes_that_are_no_text_are_an_error() -> None:
    with pytest.raises(YamlError, match="UTF-8"):
        load(b"a: \xff")


TEXTS = [text for text in (*SCALARS, *UNREADABLE) if text.isprintable()] + [
    "a\nb\n",
    " a ",
    "'",
    "- a",
    "#",
    "a: b",
    "\u2028",
    "é",
    "\t",
]


@pytest.mark.parametrize("text", TEXTS)
def test_text_stays_text_however_it_looks(text: str) -> None:
    """Output of -o yaml, and objects of the API server, can be applied again."""
    assert load(dump({"v": text, text: [text]})) == {"v": text, text: [text]}


KUBECTL = Path(sys.executable).parent / "kubectl"


def by_kubectl(text: str) -> tuple[list[Any], bool]:
    """(the objects that kubectl reads, whether it reads all), without an API server."""
    command = [str(KUBECTL), "patch", "--local", "-f", "-", "--type", "merge", "-p", "{}", "-o", "json"]
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, env={"KUBECONFIG": "/dev/null"}, timeout=60, check=False
    )
    found: list[Any] = []
    rest = done.stdout.strip()
    while rest:
        value, end = json.JSONDecoder(parse_int=float).raw_decode(rest)
        found.append(value)
        rest = rest[end:].strip()
    return found, done.returncode == 0


def floats(value: Any) -> Any:
    """kubectl prints a large float as an integer."""
    if isinstance(value, dict):
        return {key: floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [floats(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


needs_kubectl = pytest.mark.skipif(not (KUBECTL.exists() or shutil.which("kubectl")), reason="there is no kubectl here")


@needs_kubectl
def test_kubectl_reads_the_same_values() -> None:
    text = HEAD + "spec:\n" + "".join(f"  v{i}: {value}\n" for i, value in enumerate(SCALARS))
    (found,), complete = by_kubectl(text)
    assert complete
    assert {value: found["spec"][f"v{i}"] for i, value in enumerate(SCALARS)} == {
        k: floats(v) for k, v in SCALARS.items()
    }


@needs_kubectl
def test_kubectl_reads_text_as_it_was_written() -> None:
    spec = {f"v{i}": text for i, text in enumerate(TEXTS)}
    (found,), complete = by_kubectl(HEAD + dump({"spec": spec, "keys": dict.fromkeys(TEXTS, "x")}))
    assert complete
    assert (found["spec"], set(found["keys"])) == (spec, set(TEXTS))


@needs_kubectl
@pytest.mark.parametrize("text", FILES)
def test_kubectl_reads_the_same_documents(text: str) -> None:
    wanted, error = FILES[text]
    inside = '"apiVersion": "x/v1", "kind": "Foo", "metadata": {"name": "a"}, '
    found, complete = by_kubectl(text.replace("{§", "{" + inside).replace("§", HEAD))
    if error or not wanted:  # kubectl prints nothing, or the output before the error
        assert not complete
    else:
        own = [{k: v for k, v in obj.items() if k not in ("apiVersion", "kind", "metadata")} for obj in found]
        assert same(own, floats(wanted))


@needs_kubectl
@pytest.mark.parametrize("text", UNREADABLE)
def test_kubectl_cannot_read_it_either(text: str) -> None:
    assert not by_kubectl(f"{HEAD}v: {text}\n")[1]
