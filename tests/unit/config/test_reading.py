from pathlib import Path

import pytest

from gateway.config.nodes import as_plain, find
from gateway.config.problems import Mark, ProblemList
from gateway.config.reading import read_tree
from gateway.config.substitution import Surroundings

HERE = Surroundings({"NAME": "va: [lue", "NO": "no"}, Path())


def problems_of(text: str) -> list[str]:
    problems = ProblemList("f")
    read_tree(text, problems, HERE)
    return [str(problem) for problem in problems.found]


def test_values_and_their_places() -> None:
    tree = read_tree("a:\n  b: [1, x]\n", problems := ProblemList("f"), HERE)
    assert tree is not None
    assert not problems.found
    assert as_plain(tree) == {"a": {"b": [1, "x"]}}
    assert find(tree, ("a", "b", 1))[1] == Mark(2, 10)
    assert find(tree, ("a", "c"))[:2] == (("a",), Mark(1, 1))


def test_a_substituted_value_stays_text_whatever_it_holds() -> None:
    tree = read_tree('a: ${NAME}\nb: "${NO}"\n', problems := ProblemList("f"), HERE)
    assert tree is not None
    assert not problems.found
    assert as_plain(tree) == {"a": "va: [lue", "b": "no"}


def test_keys_are_not_substituted() -> None:
    tree = read_tree("${NAME}: 1", ProblemList("f"), HERE)
    assert tree is not None
    assert as_plain(tree) == {"${NAME}": 1}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "f:1:1: the file is empty: it needs upstreams at least"),
        ("# only this\n", "f:1:1: the file is empty: it needs upstreams at least"),
        ("- a", "f:1:1: the file must be a mapping of settings, such as upstreams: …"),
        ("text", "f:1:1: the file must be a mapping of settings, such as upstreams: …"),
        ("a: 1\nb: 2\na: 3", "f:3:1: a is given twice, first on line 1"),
        ("a: {b: 1, b: 2}", "f:1:11: a.b is given twice, first on line 1"),
        ("a: 1\n---\nb: 2", "f:3:1: a second document begins here: a configuration is one document"),
        ("a: !!str 1", 'f:1:4: the tag "tag:yaml.org,2002:str" is not supported: write the value without it'),
        ("a: &x {b: 1}\nc:\n  <<: *x", "f:3:3: c has a merge key (<<), which is not supported: write the settings out"),
        ("a: &x [*x]", "f:1:4: a[0] is nested too deeply, or inside itself"),
        ("a: *x", "f:1:4: this is not valid YAML: found undefined alias 'x'"),
        ("a:\n\tb: 1", "f:2:1: a tab is used as indentation: YAML wants spaces"),
        ("a:\n  b: 1\n \tc: 1", "f:3:2: a tab is used as indentation: YAML wants spaces"),
        ("a: [1", "f:1:6: this is not valid YAML: while parsing a flow sequence expected ',' or ']', but got '<stream end>'"),
        ("a: \x07", "f:1:4: the character U+0007 is not allowed in YAML"),
        ("a: no", 'f:1:4: a is the unquoted no, a boolean in YAML 1.1 and text in YAML 1.2: write "no" in quotes, or false'),
        ("1: a", "f:1:1: has a key that is not text: 1; write it in quotes"),
        ("[a]: b", "f:1:1: has a key that is not text"),
        ("a: ${MISSING}", "f:1:4: a needs the environment variable MISSING, which is not set"),
    ],
)
def test_what_is_refused(text: str, problem: str) -> None:
    assert problems_of(text) == [problem]


@pytest.mark.parametrize("tag", ["python/name:os.system", "python/object/apply:os.system", "binary", "set"])
def test_tags_are_refused(tag: str) -> None:
    (problem,) = problems_of(f"a: !!{tag} x")
    assert problem == f'f:1:4: the tag "tag:yaml.org,2002:{tag}" is not supported: write the value without it'


def test_the_key_no_is_refused() -> None:
    (problem,) = problems_of("no: a")
    assert problem.startswith("f:1:1: has a key that is the unquoted no, a boolean in YAML 1.1")


def test_a_hole_without_quotes_in_braces_is_explained() -> None:
    (problem,) = problems_of("a: {b: ${NAME}}")
    assert "needs quotes" in problem


def test_aliases_are_taken() -> None:
    tree = read_tree("a: &x [1]\nb: *x\n", problems := ProblemList("f"), HERE)
    assert tree is not None
    assert not problems.found
    assert as_plain(tree) == {"a": [1], "b": [1]}


def test_aliases_that_expand_without_end_are_refused() -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 12))
    assert problems_of(f"l0: &l0 [x]\n{levels}") == [
        "f:1:1: the file has more than 50000 values, or aliases that expand to more"
    ]


@pytest.mark.parametrize("text", ["a: " + "[" * 600 + "]" * 600, "a: " + "[" * 40 + "]" * 40])
def test_deep_nesting_is_refused(text: str) -> None:
    (problem,) = problems_of(text)
    assert "nested too deeply" in problem
