import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.api.meta import LabelSelector, LabelSelectorRequirement
from serinus.api.values.selectors import Requirement, Selector


@pytest.mark.parametrize(
    ("text", "labels", "matches"),
    [
        ("", {"a": "b"}, True),
        ("a=b", {"a": "b"}, True),
        ("a==b", {"a": "c"}, False),
        ("a = b , c", {"a": "b", "c": ""}, True),
        ("a!=b", {}, True),
        ("a!=b", {"a": "b"}, False),
        ("a in (b, c)", {"a": "c"}, True),
        ("a in (b,c)", {}, False),
        ("a notin (b,c)", {}, True),
        ("a notin (b,c)", {"a": "c"}, False),
        ("!a", {"a": ""}, False),
        ("! a", {}, True),
        ("a=", {"a": ""}, True),
        ("a in (,b)", {"a": ""}, True),
        ("n>3", {"n": "4"}, True),
        ("n<3", {"n": "4"}, False),
        ("n>3", {"n": "x"}, False),
        ("in in (in)", {"in": "in"}, True),
        ("example.com/in=notin", {"example.com/in": "notin"}, True),
    ],
)
def test_a_query_selects_what_kubectl_users_expect(text: str, labels: dict[str, str], matches: bool) -> None:
    assert Selector.parse(text).matches(labels) is matches


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a in b", "expected: '('"),
        ("a in (b", "expected: ',' or ')'"),
        ("a=b,", "a requirement after ','"),
        (",a", "the key of a label"),
        ("a b", "one of =, =="),
        ("a=b c", "',' or the end"),
        ("a>b", "needs a whole number"),
        ("a/b/c=d", "the prefix 'a/b'"),
        ("-a=b", "the key '-a'"),
        ("a=" + "x" * 64, "at most 63"),
        ("!", "the key of a label"),
        ("a=b=c", "',' or the end"),
    ],
)
def test_a_wrong_query_is_refused_with_what_was_found_and_expected(text: str, says: str) -> None:
    with pytest.raises(ValueError, match="unable to parse the label selector") as caught:
        Selector.parse(text)
    assert says in str(caught.value)


def test_the_text_is_sorted_by_key_so_that_equal_selectors_read_equal() -> None:
    assert Selector.parse("c in (z,y),a==b,!d,e").text() == "a=b,c in (y,z),!d,e"


def test_struct_and_dict_of_a_selector_mean_the_same() -> None:
    struct = LabelSelector(
        {"b": "1"}, [LabelSelectorRequirement("a", "In", ["x"]), LabelSelectorRequirement("c", "DoesNotExist")]
    )
    expressions = [{"key": "a", "operator": "In", "values": ["x"]}, {"key": "c", "operator": "DoesNotExist"}]
    as_dict = {"matchLabels": {"b": "1"}, "matchExpressions": expressions}
    assert Selector.of(struct) == Selector.of(as_dict)
    assert Selector.of(struct).text() == "a in (x),b=1,!c"


def test_an_absent_selector_selects_nothing_and_an_empty_one_everything() -> None:
    assert not Selector.of(None).matches({})
    assert not Selector.of(None).empty
    assert Selector.of({}).matches({})
    assert Selector.of({}).empty


@pytest.mark.parametrize(
    "expression",
    [
        {"key": "a", "operator": "Equals"},
        {"key": "a", "operator": "In"},
        {"key": "a", "operator": "Exists", "values": ["x"]},
    ],
)
def test_an_impossible_expression_is_refused(expression: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="operator"):
        Selector.of({"matchExpressions": [expression]})


_KEYS = st.sampled_from(["a", "b", "example.com/c"])
_VALUES = st.sampled_from(["", "x", "1", "in"])
_REQUIREMENTS = st.one_of(
    st.builds(lambda k, o: Requirement(k, o), _KEYS, st.sampled_from(["exists", "!"])),
    st.builds(lambda k, o, v: Requirement(k, o, (v,)), _KEYS, st.sampled_from(["=", "!="]), _VALUES),
    st.builds(
        lambda k, o, v: Requirement(k, o, tuple(sorted(v))),
        _KEYS,
        st.sampled_from(["in", "notin"]),
        st.sets(_VALUES, min_size=1),
    ),
)


@given(st.lists(_REQUIREMENTS, max_size=4))
def test_the_canonical_text_parses_back_to_the_same_selector(requirements: list[Requirement]) -> None:
    selector = Selector(tuple(sorted(requirements, key=lambda r: r.key)))
    assert Selector.parse(selector.text()) == selector
