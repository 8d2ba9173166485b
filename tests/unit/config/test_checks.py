from pathlib import Path

import pytest

from gateway.config.load import load_text
from gateway.config.problems import ConfigurationError


def problems_of(text: str) -> list[str]:
    try:
        load_text(text, "f", {}, Path(__file__).parent)
    except ConfigurationError as refused:
        return str(refused).splitlines()
    return []


def upstream(settings: str) -> str:
    return f"upstreams: {{a: {{{settings}}}}}"


VALID = upstream("url: 'http://a', routes: [/a]") + "\n"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "'::'"])
def test_the_two_listeners_need_two_ports(host: str) -> None:
    assert problems_of(f"{VALID}admin: {{port: 8080, host: {host}}}") == [
        "f:2:15: admin.port must differ from server.port on the same host, got 8080"
    ]


def test_a_problem_with_a_default_is_shown_at_what_it_was_compared_with() -> None:
    assert problems_of(f"{VALID}server: {{port: 9090}}") == ["f:2:16: admin.port must differ from server.port on the same host"]


@pytest.mark.parametrize(
    "listeners", ["admin: {port: 8080, host: 127.0.0.2}", "server: {port: 0}\nadmin: {port: 0}", "server: {port: 0}"]
)
def test_listeners_that_do_not_meet(listeners: str) -> None:
    assert problems_of(VALID + listeners) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "127.1", "[::ffff:127.0.0.1]"])
@pytest.mark.parametrize(("port", "name"), [(8080, "server"), (9090, "admin")])
def test_an_upstream_is_not_the_gateway_itself(host: str, port: int, name: str) -> None:
    (problem,) = problems_of(upstream(f"url: 'http://{host}:{port}', routes: [/a]"))
    message = f"f:1:22: upstreams.a.url must not be the gateway's own address ({name}.host and {name}.port)"
    assert problem == f'{message}, got "http://{host}:{port}"'


def test_a_default_port_of_the_scheme_counts() -> None:
    text = "server: {port: 80, host: '::'}\n" + upstream("url: 'http://localhost', routes: [/a]")
    assert [problem.partition(" must")[0] for problem in problems_of(text)] == ["f:2:22: upstreams.a.url"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:8081", "http://127.0.0.2:8080", "http://users:8080"])
def test_an_upstream_beside_the_gateway_is_allowed(url: str) -> None:
    assert problems_of(upstream(f"url: '{url}', routes: [/a]")) == []


@pytest.mark.parametrize(
    ("limits", "problems"),
    [
        ("operation_timeout: 30s", []),
        (
            "operation_timeout: 30.001",
            ["f:2:29: limits.operation_timeout must not be more than limits.timeout (30s), got 30.001"],
        ),
        ("response: 16MiB", []),
        ("response: 16777217", ["f:2:20: limits.response must not be more than limits.answer (16MiB), got 16777217"]),
        ("answer: 256MiB", []),
        ("answer: 268435457", ["f:2:18: limits.answer must not be more than limits.buffered (256MiB), got 268435457"]),
        ("timeout: 1s", []),
        ("buffered: 1KiB", []),
    ],
)
def test_a_part_is_not_allowed_more_than_the_whole(limits: str, problems: list[str]) -> None:
    assert problems_of(f"{VALID}limits: {{{limits}}}") == problems


def test_a_prefix_stands_once_in_an_upstream() -> None:
    assert problems_of(upstream("url: 'http://a', routes: [/a, /b, /a/]")) == [
        'f:1:51: upstreams.a.routes[2] repeats a prefix of this upstream, got "/a/"'
    ]


def test_a_repeated_prefix_is_found_in_its_long_spelling() -> None:
    (problem,) = problems_of(upstream("url: 'http://a', routes: [/a, {path: /a}]"))
    assert problem == "f:1:47: upstreams.a.routes[1] repeats a prefix of this upstream"


def test_two_upstreams_may_have_the_same_prefix() -> None:
    assert problems_of("upstreams: {a: {url: 'http://a', routes: [/x]}, b: {url: 'http://b', routes: [/x]}}") == []


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ("forward: [a, A]", 'f:1:71: upstreams.a.headers.forward[1] repeats a header of this list, got "A"'),
        ("deny: [a, A]", 'f:1:68: upstreams.a.headers.deny[1] repeats a header of this list, got "A"'),
        ("set: {a: b, A: c}", "f:1:58: upstreams.a.headers.set has the header a twice: upper and lower case are the same"),
        (
            "forward: [a], deny: [A]",
            'f:1:68: upstreams.a.headers.forward[0] must not be in headers.deny too, which takes it away again, got "a"',
        ),
    ],
)
def test_headers_that_contradict_each_other(headers: str, problem: str) -> None:
    assert problems_of(upstream(f"url: 'http://a', routes: [/a], headers: {{{headers}}}")) == [problem]


def test_a_header_may_be_denied_to_batches_and_set() -> None:
    assert problems_of(upstream("url: 'http://a', routes: [/a], headers: {deny: [a], set: {a: b}}")) == []


@pytest.mark.parametrize(
    ("settings", "problems"),
    [
        ("url: 'http://a', routes: [/a], tls: {verify: true}", ["f:1:48: upstreams.a.tls needs an https url"]),
        ("url: 'http+unix://%2Fa', routes: [/a], tls: {verify: true}", ["f:1:56: upstreams.a.tls needs an https url"]),
        ("url: 'http+unix://%2Fa', routes: [/a]", []),
        (
            "url: 'https://a', routes: [/a], tls: {key: test_checks.py}",
            ['f:1:60: upstreams.a.tls.key needs tls.certificate beside it, got "test_checks.py"'],
        ),
        (
            "url: 'https://a', routes: [/a], tls: {certificate: absent.pem}",
            ['f:1:68: upstreams.a.tls.certificate must be a file that exists, got "absent.pem"'],
        ),
        ("url: 'https://a', routes: [/a], tls: {ca: .}", ['f:1:59: upstreams.a.tls.ca must be a file that exists, got "."']),
        ("url: 'https://a', routes: [/a], tls: {certificate: test_checks.py, verify: false}", []),
    ],
)
def test_tls(settings: str, problems: list[str]) -> None:
    assert problems_of(upstream(settings)) == problems


def test_graph_batches_have_paths_of_their_own() -> None:
    paths = 'dialects: {graph: {paths: ["/$batch", /batch, "/$batch"]}}'
    assert [problem.partition(" must")[0] for problem in problems_of(VALID + paths)] == [
        "f:2:39: dialects.graph.paths[1]",
        "f:2:47: dialects.graph.paths[2]",
    ]
    assert problems_of(f"{VALID}dialects: {{graph: {{enabled: false, paths: [/batch]}}}}") == []
