import json
from pathlib import Path
from typing import Any

import pytest

from gateway.config.load import load, load_bytes, load_text
from gateway.config.problems import ConfigProblem, ConfigurationError
from gateway.config.settings import Settings

VALID = "upstreams: {a: {url: 'http://a', routes: [/a]}}\n"


def problems_of(text: str, environ: dict[str, str] | None = None, folder: Path = Path()) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        load_text(text, "f", environ or {}, folder)
    return str(refused.value).splitlines()


def test_a_small_configuration_has_every_default() -> None:
    settings = load_text(VALID, "f", {})
    assert settings == Settings.model_validate({"upstreams": {"a": {"url": "http://a", "routes": [{"path": "/a"}]}}})


def test_json_is_yaml() -> None:
    text = json.dumps({"upstreams": {"a": {"url": "http://a", "routes": ["/a"]}}}, indent=1)
    assert load_text(text, "f", {}) == load_text(VALID, "f", {})


EVERY_PROBLEM = """\
f:2:3: server.prot is not a setting (did you mean "port"?)
f:3:9: server.port must be a whole number, got "eighty"
f:5:9: admin.port must be between 0 and 65535, got 70000
f:7:3: upstreams.Users must be lower-case letters, digits, - and _, at most 63, a letter first, got "Users" (did you mean "users"?)
f:8:10: upstreams.Users.url must not have a path: an upstream is an origin such as http://users:8080, and paths are passed on as they are, got "http://users/v1"
f:9:13: upstreams.Users.routes must be a list, got "/users": write ["/users"]
f:10:14: upstreams.Users.timeout must be positive, got -1
f:12:5: upstreams.orders.ulr is not a setting (did you mean "url"?)
f:15:14: upstreams.orders.headers.deny[0] is the unquoted no, a boolean in YAML 1.1 and text in YAML 1.2: write "no" in quotes, or false
f:15:18: upstreams.orders.headers.deny[1] must be a header name such as x-tenant, got "X Y"
f:18:15: upstreams.notes.routes[0].paths is not a setting (did you mean "path"?)
f:19:19: upstreams.notes.tls.verify must be true or false, got "maybe"
f:20:5: log must be a mapping of settings, got nothing
f:21:1: limit is not a setting (did you mean "limits"?)
f:22:29: limits.operation_timeout must not be more than limits.timeout (30s), got "2m"
f:22:41: limits.answer must not be more than limits.buffered (256MiB), got "1GiB"
"""  # noqa: E501  # lines as they are printed


def test_every_problem_is_told_at_once_with_its_place() -> None:
    text = """\
server:
  prot: 8080
  port: eighty
admin:
  port: 70000
upstreams:
  Users:
    url: http://users/v1
    routes: /users
    timeout: -1
  orders:
    ulr: http://orders
    routes: [/orders, /orders]
    headers:
      deny: [no, X Y]
  notes:
    url: http://notes
    routes: [{paths: /notes}]
    tls: {verify: maybe}
log:
limit: {}
limits: {operation_timeout: 2m, answer: 1GiB}
"""
    assert problems_of(text) == EVERY_PROBLEM.splitlines()


def test_problems_are_values() -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_text(VALID + "log: {level: loud}\n", "f", {})
    expected = 'must be one of debug, info, warning, error, got "loud"'
    assert refused.value.problems == (ConfigProblem("f", 2, 14, "log.level", expected),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("log: {}", "f:1:1: upstreams must name at least one upstream"),
        ("upstreams: {}", "f:1:1: upstreams must name at least one upstream"),
        ("upstreams:", "f:1:11: upstreams must be a mapping of settings, got nothing"),
        ("upstreams: [a]", "f:1:1: upstreams must be a mapping of settings, got a list"),
        ("upstreams: {a: }", "f:1:15: upstreams.a must be a mapping of settings, got nothing"),
        ("upstreams: {a: {routes: [/]}}", "f:1:13: upstreams.a.url is required"),
        ("upstreams: {a: {url: 'http://a'}}", "f:1:13: upstreams.a.routes is required"),
        ("upstreams: {a: {url: 'http://a', routes: []}}", "f:1:34: upstreams.a.routes must not be empty"),
        ("upstreams: {a: {url: 'http://a', routes: [{methods: [GET]}]}}", "f:1:43: upstreams.a.routes[0].path is required"),
        (
            "upstreams: {a: {url: 'http://a', routes: [3]}}",
            "f:1:43: upstreams.a.routes[0] must be a mapping of settings, got 3",
        ),
        ("upstreams: {a: {url: 3, routes: [/]}}", "f:1:22: upstreams.a.url must be text: write it in quotes, got 3"),
        (VALID + "server: {port: 80.0}", "f:2:16: server.port must be a whole number, got 80.0"),
        (VALID + "server: {port: true}", "f:2:16: server.port must be a whole number, got true"),
        (VALID + "server: {name: a b}", 'f:2:16: server.name must be one word of letters, digits and -._~, got "a b"'),
        (VALID + "limits: {body: 0}", "f:2:16: limits.body must be positive, got 0"),
        (VALID + "limits: {operations: 0}", "f:2:22: limits.operations must be at least 1, got 0"),
        (VALID + "limits: {references: -1}", "f:2:22: limits.references must not be negative, got -1"),
        (VALID + "limits: {timeout: 25h}", 'f:2:19: limits.timeout must be between 0s and 24h, got "25h"'),
        (VALID + "server: {host: ''}", 'f:2:16: server.host must be a host name or an IP address such as 127.0.0.1, got ""'),
        (VALID + "log: {format: {a: 1}}", "f:2:7: log.format must be one of auto, json, text, got a mapping"),
    ],
)
def test_one_problem(text: str, problem: str) -> None:
    assert problems_of(text) == [problem]


@pytest.mark.parametrize(
    ("setting", "environ", "expected"),
    [
        ("server: {port: '${PORT}'}", {"PORT": "81"}, {"server": {"port": 81}}),
        ("server:\n  port: ${PORT}", {"PORT": "81"}, {"server": {"port": 81}}),
        ("server:\n  port: ${PORT:-82}", {}, {"server": {"port": 82}}),
        ("server: {host: '${HOST}'}", {"HOST": "::1"}, {"server": {"host": "::1"}}),
        (
            "limits: {timeout: '${TIME}', body: '${SIZE}'}",
            {"TIME": "9", "SIZE": "1KiB"},
            {"limits": {"timeout": 9, "body": 1024}},
        ),
        ("paths: {semicolon: '${SWITCH}'}", {"SWITCH": "true"}, {"paths": {"semicolon": True}}),
        ("log: {format: '${FORMAT}'}", {"FORMAT": "json"}, {"log": {"format": "json"}}),
    ],
)
def test_text_from_outside_becomes_what_the_setting_is(setting: str, environ: dict[str, str], expected: dict[str, Any]) -> None:
    upstreams = {"upstreams": {"a": {"url": "http://a", "routes": ["/a"]}}}
    assert load_text(VALID + setting, "f", environ) == Settings.model_validate(upstreams | expected)


def test_a_number_from_outside_stays_text_where_text_is_wanted() -> None:
    text = 'upstreams: {a: {url: "http://a", routes: [/a], headers: {set: {x-key: "${KEY}"}}, tls: {ca: "${CA:-}"}}}'
    upstream = load_text(text.replace("http:", "https:"), "f", {"KEY": "0123"}).upstreams["a"]
    assert (upstream.headers.set, upstream.tls.ca) == ({"x-key": "0123"}, None)


def test_a_list_with_a_wrong_item_only_is_not_called_empty() -> None:
    (problem,) = problems_of("upstreams: {a: {url: 'http://a', routes: [/a], methods: [on]}}")
    assert problem.startswith("f:1:58: upstreams.a.methods[0] is the unquoted on, a boolean")


SECRET = "hush-hush"


@pytest.mark.parametrize(
    "setting",
    [
        "server: {host: '${S} '}",
        "server: {port: '${S}'}",
        "server: {name: 'a b ${S}'}",
        "server: {trusted_proxies: ['${S}']}",
        "server: '${S}'",
        "server: {trusted_proxies: '${S}'}",
        "log: {format: '${S}'}",
        "limits: {timeout: '${S}', body: '${S}'}",
        "paths: {semicolon: '${S}'}",
        "upstreams: {a: {url: '${S}', routes: ['${S}', '/${S}/*'], methods: ['${S}']}}",
        "upstreams: {a: {url: 'http://u:${S}@a', routes: [/a]}}",
        "upstreams: {a: {url: 'http://a/${S}', routes: [/a]}}",
        "upstreams: {a: {url: 'http://a', routes: ['/${S}', '/${S}'], headers: {forward: ['${S}', '${S}'], deny: ['${S}']}}}",
        "upstreams: {a: {url: 'https://a', routes: [/a], tls: {ca: '${S}', key: '${S}'}}}",
        "upstreams: {a: {url: 'https://a', routes: [/a], headers: {set: {b: \"x\\n${S}\", c: '${MISSING:-hush-hush} '}}}}",
        "upstreams: {a: {url: 'http://a', routes: [/a], timeout: '${MISSING:-hush-hush}'}}",
        "upstreams: {a: {url: 'https://a', routes: [/a], headers: {set: {b: \"hush-hush\\n\"}}}}",
        "upstreams: {a: {url: 'http://hush-hush@a', routes: [/a]}}",
        "upstreams: {a: {url: 'http://a', routes: [/a], timeout: '${X!hush}', retries: '${file:s}'}}",
    ],
)
@pytest.mark.parametrize("secret", [SECRET, f"{SECRET}\r\n", "012345", "12:34"])
def test_no_problem_shows_a_value_from_outside(setting: str, secret: str, tmp_path: Path) -> None:
    (tmp_path / "s").write_text(secret)
    with pytest.raises(ConfigurationError) as refused:
        load_text(setting, "f", {"S": secret}, tmp_path)
    for shown in (str(refused.value), repr(refused.value), repr(refused.value.problems)):
        assert secret.strip() not in shown.replace("!hush", "")
        assert SECRET not in shown


def test_relative_paths_begin_at_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    (tmp_path / "token").write_text("secret\n")
    (tmp_path / "gateway.yaml").write_text(
        "upstreams: {a: {url: 'https://a', routes: [/a], tls: {ca: ca.pem}, headers: {set: {x-key: '${file:token}'}}}}"
    )
    upstream = load(tmp_path / "gateway.yaml", {}).upstreams["a"]
    assert upstream.tls.ca == str(tmp_path / "ca.pem")
    assert upstream.headers.set == {"x-key": "secret"}


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path / "absent.yaml", {})
    assert str(refused.value) == f"{tmp_path}/absent.yaml: cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a: 1\nb: \xff", "f:2:4: the file must be UTF-8, got the byte 0xff"),
        (VALID.encode("utf-16"), "f:1:1: the file must be UTF-8, got the byte 0xff"),
        ("ä: ö\n".encode("latin-1"), "f:1:1: the file must be UTF-8, got the byte 0xe4"),
    ],
)
def test_a_file_that_is_not_utf_8_is_a_problem(content: bytes, problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_bytes(content, "f", {})
    assert str(refused.value) == problem


def test_a_byte_order_mark_is_no_problem() -> None:
    assert load_bytes(VALID.encode("utf-8-sig"), "f", {}) == load_text(VALID, "f", {})


def test_what_is_found_is_shown_on_one_line_and_cut() -> None:
    (problem,) = problems_of(VALID + 'server: {host: "\\e[31m\\n' + "x" * 100 + '"}')
    assert 'got "\\x1b[31m\\n' in problem
    assert problem.endswith('…"')
    assert len(problem) < 180


def test_a_problem_is_told_once_where_an_alias_repeats_it() -> None:
    text = "upstreams: {a: &a {url: 'http://a', routes: [/a], timeout: 0}, b: *a}"
    assert problems_of(text) == [
        "f:1:60: upstreams.a.timeout must be positive, got 0",
        "f:1:60: upstreams.b.timeout must be positive, got 0",
    ]


def test_a_wrong_setting_does_not_bring_up_others() -> None:
    text = VALID + "limits: {timeout: soon, operation_timeout: 40s}\nserver: {port: x}\nadmin: {port: 8080}\n"
    assert [problem.partition(" must")[0] for problem in problems_of(text)] == ["f:2:19: limits.timeout", "f:3:16: server.port"]


def test_an_empty_environment_is_not_the_process_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "81")
    assert problems_of(VALID + "server: {port: '${PORT}'}") == [
        "f:2:16: server.port needs the environment variable PORT, which is not set"
    ]
