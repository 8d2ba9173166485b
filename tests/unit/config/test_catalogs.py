"""Catalogs in a configuration: what is wrong with them is told with its place, and what is right is compiled."""

from pathlib import Path

import pytest

from gateway.config.load import load_text
from gateway.config.problems import ConfigurationError
from gateway.config.settings import Settings

UPSTREAMS = "upstreams: {a: {url: 'http://a', routes: [{path: /a}, {path: /a/read, methods: [GET]}]}}\n"


def with_kind(*lines: str, name: str = "k") -> str:
    """A configuration with one kind; its settings begin on line 6, column 9."""
    settings = "".join(f"        {line}\n" for line in lines)
    return f"{UPSTREAMS}catalogs:\n  c:\n    types:\n      {name}:\n{settings}"


def load(text: str) -> Settings:
    return load_text(text, "f", {"a": "from the environment"}, Path(__file__).parent)


def problems_of(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        load(text)
    return str(refused.value).splitlines()


def test_templates_are_not_filled_from_the_environment() -> None:
    settings = load(with_kind("path: /a/${param:$.element.id}", "body: '${param}'", "schema: {const: '${a}'}"))
    kind = settings.catalogs["c"].types["k"]
    assert (kind.path, kind.body, kind.accepts) == (("/a/${param:$.element.id}",), "${param}", {"const": "${a}"})


def test_a_catalog_is_compiled_for_the_batch_room() -> None:
    settings = load(with_kind("path: [/a/1, /a]", "method: PUT", "schema: {}"))
    catalog = settings.catalogs["c"].make_catalog(settings.make_template_rules())
    assert [(kind.name, kind.method, len(kind.targets), kind.passes_element) for kind in catalog.kinds.values()] == [
        ("k", "PUT", 2, True)
    ]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (("schema: {}",), "f:5:7: catalogs.c.types.k.path is required"),
        (("path: /a",), "f:5:7: catalogs.c.types.k.schema is required"),
        (("path: 5", "schema: {}"), "f:6:15: catalogs.c.types.k.path must be text: write it in quotes, got 5"),
        (("path: []", "schema: {}"), "f:6:9: catalogs.c.types.k.path must not be empty, got a list"),
        (
            ("path: b", "schema: {}"),
            "f:6:15: catalogs.c.types.k.path cannot be used: the path must start with '/': it is a path on a configured",
        ),
        (("path: /b", "schema: {}"), 'f:6:15: catalogs.c.types.k.path leads to no upstream, got "/b"'),
        (
            ("path: /a/read", "schema: {}"),
            'f:6:15: catalogs.c.types.k.path leads to /a/read, where POST is not allowed, got "/a/read"',
        ),
        (
            ("path: [/a, '/a/${param:x}']", "schema: {}"),
            "f:6:20: catalogs.c.types.k.path[1] cannot be used: column 4: ",
        ),
        (("path: /a/${result=x:$}", "schema: {}"), "f:6:15: catalogs.c.types.k.path cannot be used: ${result=x:$} has nothing"),
        (("path: /a", "schema: []"), "f:7:9: catalogs.c.types.k.schema must be a JSON Schema, a mapping, got a list"),
        (
            ("path: /a", "schema: {properties: {x: {type: strin}}}"),
            "f:7:41: catalogs.c.types.k.schema.properties.x.type cannot be used: ",
        ),
        (
            ("path: /a", "schema: {}", "headers: {x: ''}", "body: {a: ['${param']}"),
            "f:9:20: catalogs.c.types.k.body.a[0] cannot",
        ),
        (
            ("path: /a", "schema: {}", "headers: {host: x}"),
            "f:8:25: catalogs.c.types.k.headers.host cannot be used: the header",
        ),
        (("path: /a", "schema: {}", "headers: {cookie: x}"), "f:6:15: catalogs.c.types.k.path leads to a, which forwards no"),
        (("path: /a", "schema: {}", "methd: PUT"), 'f:8:9: catalogs.c.types.k.methd is not a setting (did you mean "method"?)'),
        (("path: /a", "shema: {}", "schema: {}"), 'f:7:9: catalogs.c.types.k.shema is not a setting (did you mean "schema"?)'),
        (("path: /a", "schema: {}", "upstream: b"), "f:6:15: catalogs.c.types.k.path leads to no upstream"),
    ],
)
def test_a_problem_has_its_place(lines: tuple[str, ...], problem: str) -> None:
    (found,) = problems_of(with_kind(*lines))
    assert found.startswith(problem)


def test_every_problem_is_told_at_once() -> None:
    found = problems_of(with_kind("path: b", "method: GET", "body: {}", "schema: {type: x}"))
    assert [line.split(" ")[1] for line in found] == [
        "catalogs.c.types.k.path", "catalogs.c.types.k.body", "catalogs.c.types.k.schema.type",
    ]  # fmt: skip


def test_names_of_kinds_and_catalogs_are_checked() -> None:
    assert "catalogs.c.types" in problems_of(with_kind("path: /a", "schema: {}", name="'a b'"))[0]
    assert problems_of(f"{UPSTREAMS}catalogs: {{c: {{types: {{}}}}}}") == ["f:2:16: catalogs.c.types must not be empty"]


COLLECTOR = with_kind("path: /a", "schema: {}") + "dialects:\n  collector: "


def test_the_collectors_catalog_must_be_there_and_its_path_free() -> None:
    load(COLLECTOR + "{catalog: c, path: /typed}")
    assert problems_of(COLLECTOR + "{catalog: d}") == [
        'f:9:24: dialects.collector.catalog must be one of the catalogs, got "d"'
    ]
    for path in ("/batch", "/api/2.3/batch", "/batch/plan", "/$batch", "/views/x"):
        assert problems_of(COLLECTOR + f"{{catalog: c, path: {path}}}") == [
            f'f:9:33: dialects.collector.path must not be that of anything else served, got "{path}"'
        ]
    load(COLLECTOR + "{path: /batch}")
