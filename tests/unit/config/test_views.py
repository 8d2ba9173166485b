import json
import textwrap
from pathlib import Path

import pytest

from gateway.config.load import load, load_text
from gateway.config.problems import ConfigurationError
from gateway.config.settings import Settings
from gateway.config.views import make_views

CONFIG = Path(__file__).resolve().parents[3] / "config"
UPSTREAMS = "upstreams: {a: {url: 'http://a', routes: [/a]}}\n"
ENVELOPE = {"requests": [{"name": "one", "path": "/a/${param:$.id}"}]}
PARAMETERS = {"properties": {"id": {"type": "integer"}}}


def read(views: str, folder: Path = Path()) -> Settings:
    return load_text(UPSTREAMS + textwrap.dedent(views), "f", {}, folder)


def problems_of(views: str, folder: Path = Path()) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        read(views, folder)
    return str(refused.value).splitlines()


def paths_of(settings: Settings) -> dict[str, list[str]]:
    views = make_views(settings.views, settings.make_rules(), settings.route_table())
    return {name: [operation.path for operation in view.envelope.operations] for name, view in views.items()}


def test_an_envelope_stands_in_the_file_and_keeps_its_references() -> None:
    settings = read(
        """\
        views:
          one:
            envelope:
              requests:
                - {name: one, path: "/a/${param:$.id}"}
                - path: /a?q=${result=one:$.id}
            parameters: {properties: {id: {type: integer}}}
        """
    )
    assert paths_of(settings) == {"one": ["/a/${param:$.id}", "/a?q=${result=one:$.id}"]}


def test_an_envelope_is_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(ENVELOPE))
    settings = read(f"views: {{one: {{file: one.json, parameters: {json.dumps(PARAMETERS)}}}}}", tmp_path)
    (tmp_path / "one.json").unlink()  # it was read with the configuration
    assert paths_of(settings) == {"one": ["/a/${param:$.id}"]}


EVERY_PROBLEM = """\
f:4:3: views.both must have either envelope or file
f:5:3: views.Neither must be lower-case letters, digits, - and _, at most 63, a letter first, got "Neither" (did you mean "neither"?)
f:6:3: views.neither must have either envelope or file
f:10:29: views.wrong.envelope.requests[0].path is refused: no upstream serves '/b/', got "/b/${param:$.id}"
f:11:30: views.wrong.envelope.requests[1].mehtod is refused: an operation has no field 'mehtod'; did you mean method?, got "GET"
f:12:42: views.wrong.parameters.properties.id.type is no JSON Schema: it is not valid under any of the schemas listed in the 'anyOf' keyword, got "int"
f:13:20: views.wrong.select.user is refused: a JSONPath starts with $, got "user"
f:14:11: views.shape.envelope must be an envelope, a mapping with a list of requests, got a list
f:15:24: views.schema.parameters must be a JSON Schema of an object, a mapping, got 5
f:16:20: views.select.select must be a JSONPath such as $.user, or a mapping of names to JSONPaths, got 5
f:17:19: views.missing.file cannot be read: No such file or directory, got "nowhere.json"
f:18:46: views.more.selct is not a setting (did you mean "select"?)
"""  # noqa: E501  # lines as they are printed


def test_every_problem_of_every_view_has_its_place(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(ENVELOPE))
    found = problems_of(
        """\
        views:
          fine: {file: one.json, parameters: {properties: {id: {}}}}
          both: {file: one.json, envelope: {requests: [{path: /a}]}}
          Neither: {envelope: {requests: [{path: /a}]}}
          neither: {}
          wrong:
            envelope:
              requests:
                - {name: one, path: "/b/${param:$.id}"}
                - {path: /a, mehtod: GET}
            parameters: {properties: {id: {type: int}}}
            select: {user: user}
          shape: {envelope: [1]}
          schema: {parameters: 5, envelope: {requests: [{path: /a}]}}
          select: {select: 5, envelope: {requests: [{path: /a}]}}
          missing: {file: nowhere.json}
          more: {envelope: {requests: [{path: /a}]}, selct: $.a}
        """,
        tmp_path,
    )
    assert found == EVERY_PROBLEM.splitlines()


def test_problems_in_a_file_are_told_with_a_pointer_into_it(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text('{"requests": [{"path": "/b"}, {"path": "/a/${param:$.x}"}]}')
    (tmp_path / "two.json").write_text("{")
    assert problems_of("views: {one: {file: one.json}, two: {file: two.json}}", tmp_path)[0].startswith(
        "f:2:21: views.one.file is refused: no upstream serves '/b' (in one.json at /requests/0/path)"
    )
    assert (
        "views.two.file must be a file of JSON: it is cut short" in problems_of("views: {two: {file: two.json}}", tmp_path)[0]
    )


def test_a_view_does_not_hide_a_dialect() -> None:
    found = problems_of("dialects: {graph: {paths: [/views/one]}}\nviews: {one: {envelope: {requests: [{path: /a}]}}}")
    assert found == ["f:3:9: views.one must not have the path of a dialect"]


def test_a_broken_upstream_is_not_told_again_as_a_broken_view() -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_text("upstreams: {a: {url: 'ftp://a', routes: [/a]}}\nviews: {one: {envelope: {requests: [{path: /a}]}}}", "f", {})
    assert [problem.path for problem in refused.value.problems] == ["upstreams.a.url"]


def test_a_view_without_parameters_takes_none() -> None:
    (view,) = make_views(
        (settings := read("views: {one: {envelope: {requests: [{path: /a}]}}}")).views,
        settings.make_rules(),
        settings.route_table(),
    ).values()
    assert view.parameters.schema.problems(b'{"a": 1}') == [("/a", "a is not allowed")]


def test_the_example_in_gateway_yaml_can_be_used(tmp_path: Path) -> None:
    written = (CONFIG / "gateway.yaml").read_text("utf-8")
    start, end = written.index("#   overview:\n"), written.index("views: {}\n")
    example = "".join(line[1:] for line in written[start:end].splitlines(keepends=True))
    (tmp_path / "gateway.yaml").write_text(f"{written[:start]}views:\n{example}{written[end + len('views: {}') :]}", "utf-8")
    assert paths_of(load(tmp_path / "gateway.yaml", {})) == {
        "overview": ["/example/users/${param:$.id}", "/example/orders?user=${result=user:$.id}&limit=${param:$.limit}"]
    }
