"""Our walk finds what the library that parsed the path finds, in its order, and never more than allowed."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonpath_ng.ext.parser import parse as parse_extended
from jsonpath_ng.parser import parse as parse_core

from gateway.batch.jsonpath import BadJsonPath, PathRules, TooManyVisits, compile_path
from gateway.jsontext import Node

ALL = PathRules(descendants=True, filters=True)
PLENTY = 1 << 40

NAMES = ["a", "b", "c", "a b", "é", "*", "0", "-1", "$", "x.y"]
DOCUMENTS: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.sampled_from(["", "x", "1", "aab"]),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.sampled_from(NAMES), below, max_size=4),
    max_leaves=25,
)

QUOTED = st.builds(lambda name, quote: f"{quote}{name}{quote}", st.sampled_from(NAMES), st.sampled_from("'\""))
INDEX = st.integers(-4, 4).map(str)
BOUND = st.none() | st.integers(-4, 4)
SLICE = st.builds(
    lambda start, end, step: ":".join("" if one is None else str(one) for one in (start, end, step)), BOUND, BOUND, BOUND
)
BRACKETS = st.one_of(
    QUOTED,
    st.lists(QUOTED, min_size=2, max_size=3).map(",".join),
    INDEX,
    st.lists(INDEX, min_size=2, max_size=3).map(",".join),
    SLICE,
    st.just("*"),
).map("[{}]".format)
FIELD = st.sampled_from([".a", ".b", ".c", ".*"])
DESCENDANT = st.sampled_from(["..a", "..b", "..*"]) | BRACKETS.map("..{}".format)
CONDITION = st.builds(
    lambda target, operator, literal: f"[?(@{target} {operator} {literal})]",
    st.sampled_from([".a", ".b", ".a.b", ".a[0]", ""]),
    st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
    st.sampled_from(["1", "-1", "0.5", "'x'", '"1"', "true", "null"]),
) | st.sampled_from(["[?(@.a)]", "[?(@.a.b)]", "[?(@.a > 0 & @.b < 2)]"])


def paths(*segments: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(st.one_of(*segments), max_size=4).map(lambda parts: "$" + "".join(parts))


def walk(path: str, document: Any, rules: PathRules = ALL) -> list[Any]:
    return [json.loads(node.text()) for node in compile_path(path, rules).find(Node(json.dumps(document).encode()), PLENTY)]


def spell(values: list[Any]) -> list[str]:
    """So that 1, 1.0 and true differ."""
    return [json.dumps(value) for value in values]


@given(paths(FIELD, BRACKETS), DOCUMENTS)
@example("$[*]", {"a": 1})
@example("$.*", [1, 2])
@example("$[::-1]", [1, 2, 3])
@example("$['*']", {"*": 1, "a": 2})
def test_plain_paths_find_what_the_library_finds(path: str, document: Any) -> None:
    assert spell(walk(path, document, PathRules())) == spell([found.value for found in parse_core(path).find(document)])


@given(paths(FIELD, BRACKETS, DESCENDANT), DOCUMENTS)
def test_descendants_find_what_the_library_finds(path: str, document: Any) -> None:
    rules = PathRules(descendants=True)
    assert spell(walk(path, document, rules)) == spell([found.value for found in parse_core(path).find(document)])


@given(paths(FIELD, BRACKETS, CONDITION), DOCUMENTS)
def test_filters_find_what_the_library_finds(path: str, document: Any) -> None:
    try:
        compile_path(path, ALL)
    except BadJsonPath:
        return
    assert spell(walk(path, document)) == spell([found.value for found in parse_extended(path).find(document)])


@pytest.mark.parametrize("path", ["$[?(@.a == 1)]", "$[?(@.a)]", "$[?(@.a.b > 0)].c", "$..[?(@.a == 'x')]"])
def test_plain_filters_are_taken_where_they_are_enabled(path: str) -> None:
    compile_path(path, ALL)
    with pytest.raises(BadJsonPath):
        compile_path(path, PathRules())


@pytest.mark.parametrize(
    ("path", "singular"),
    [("$", True), ("$.a", True), ("$[0]", True), ("$['a'][-1].b", True), ("$[0:1]", False), ("$[*]", False), ("$.*", False),
     ("$['a','b']", False), ("$[0,1]", False), ("$.a[*].b", False)],
)  # fmt: skip
def test_one_place_is_singular(path: str, singular: bool) -> None:
    assert compile_path(path, PathRules()).singular is singular


@pytest.mark.parametrize(
    "path",
    ["", "a", "$.", "$[", "$[]", "$.a b", "$.a]]", "a.$", "$['a", "$..a", "$..*", "$.a where $.b", "$.`parent`", "$.`this`",
     "$.a | $.b", "$.a & $.b", "$[?(@.a == 1)]", "$.a.`len`", "$.a + 1", "$.a * 3000000", "$[0,'a']", "$.`sub(/a+/, b)`",
     "$.`split(-, 0, -1)`", "$.`sorted`", "$[\\a]", "$[(@.length-1)]", "$.a~", "$$", "($.a)", "$.a.$.b"],
)  # fmt: skip
def test_what_is_not_accepted(path: str) -> None:
    with pytest.raises(BadJsonPath):
        compile_path(path, PathRules())


@pytest.mark.parametrize(
    "path",
    ['$[?(@.a =~ "(a+)+$")]', "$[?(@.a == $.b)]", "$[?(@..a == 1)]", "$[?(@[*] == 1)]", "$.a * 3000000", "$.a + $.b",
     "$.`sub(/(a+)+/, b)`", "$[\\a]", "$[/a]", "$.`len`", "$.a where $.b", "$[?(@.a == 1 || @.b == 2)]", "$[?(@.`len` > 1)]"],
)  # fmt: skip
def test_enabling_filters_enables_nothing_that_computes(path: str) -> None:
    with pytest.raises(BadJsonPath):
        compile_path(path, ALL)


@given(st.text(alphabet="$.[]*'\"?@()=<>~!&|,:-0123456789ab `\\/+wher \n", max_size=30) | st.text(max_size=20), st.booleans())
def test_any_text_compiles_or_is_refused(text: str, enabled: bool) -> None:
    with contextlib.suppress(BadJsonPath):
        compile_path("$" + text, ALL if enabled else PathRules())


@pytest.mark.parametrize(
    ("rules", "path", "accepted"),
    [
        (PathRules(length=8), "$.abcdef", True),
        (PathRules(length=8), "$.abcdefg", False),
        (PathRules(segments=3), "$.a[0].b", True),
        (PathRules(segments=3), "$.a[0].b.c", False),
        (PathRules(segments=0), "$", True),
        (PathRules(), "$" + ".a" * 16, True),
        (PathRules(), "$" + ".a" * 17, False),
        (PathRules(length=4096), "$" + ".a" * 900, False),
    ],
)
def test_length_and_segments_are_limited(rules: PathRules, path: str, accepted: bool) -> None:
    if accepted:
        compile_path(path, rules)
    else:
        with pytest.raises(BadJsonPath):
            compile_path(path, rules)


@pytest.mark.parametrize(
    ("path", "visits"), [("$[0].a", 2), ("$[*]", 3), ("$[0:2]", 2), ("$[*].a", 6), ("$..a", 10), ("$[?(@.a == 1)]", 3)]
)
def test_the_walk_ends_at_its_limit(path: str, visits: int) -> None:
    compiled, document = compile_path(path, ALL), Node(b'[{"a":1},{"a":2},{"a":3}]')
    compiled.find(document, visits)
    with pytest.raises(TooManyVisits):
        compiled.find(document, visits - 1)


def test_values_keep_their_text() -> None:
    document = Node(b'{"n": [1.10, 123456789012345678901234567890, 1E2, -0]}')
    assert [node.text() for node in compile_path("$.n[*]", PathRules()).find(document, 9)] == [
        b"1.10",
        b"123456789012345678901234567890",
        b"1E2",
        b"-0",
    ]
