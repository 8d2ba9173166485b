"""What the settings of jobs, clients and their dialects must be to each other."""

from pathlib import Path

import pytest

from gateway.config.load import load_text
from gateway.config.problems import ConfigurationError

HASH = f'"sha256:{"a" * 64}"'
OTHER = f'"sha256:{"b" * 64}"'
ENABLED = "jobs: {enabled: true, auth: none}\n"
CATALOG = "catalogs: {c: {types: {a.b: {path: /a, schema: true}}}}\n"


def problems_of(text: str) -> list[str]:
    try:
        load_text(f"upstreams: {{a: {{url: 'http://a', routes: [/a]}}}}\n{text}", "f", {}, Path(__file__).parent)
    except ConfigurationError as refused:
        return str(refused).splitlines()
    return []


@pytest.mark.parametrize("jobs", ["enabled: true", "enabled: true, auth: keys"])
@pytest.mark.parametrize("clients", ["", "clients: {shop: {}}", "clients: {shop: {ivvy: {key: a, secret: b}}}"])
def test_jobs_that_nobody_can_ask_for(jobs: str, clients: str) -> None:
    assert problems_of(f"jobs: {{{jobs}}}\n{clients}") == [
        "f:2:17: jobs.enabled needs a client that has keys (clients.NAME.keys), or jobs.auth: none, got true"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "jobs: {enabled: true, auth: none}",
        f"jobs: {{enabled: true}}\nclients: {{shop: {{keys: [{HASH}]}}}}",
        f"jobs: {{enabled: true}}\nclients: {{none: {{}}, shop: {{keys: [{HASH}]}}}}",
        "jobs: {enabled: true}\nclients: {shop: {ivvy: {key: a, secret: b}}}\ndialects: {ivvy: {path: /x, signed: true}}",
        "jobs: {enabled: false}",
        "clients: {shop: {}}",
    ],
)
def test_jobs_that_somebody_can_ask_for(text: str) -> None:
    assert problems_of(text) == []


@pytest.mark.parametrize(
    ("jobs", "problems"),
    [
        ("concurrency: 8, concurrency_beside_live: 8, concurrency_per_job: 8", []),
        ("concurrency: 1", []),
        (
            "concurrency: 7, concurrency_beside_live: 8",
            ["f:2:49: jobs.concurrency_beside_live must not be more than jobs.concurrency (7), got 8"],
        ),
        ("concurrency_per_job: 65", ["f:2:29: jobs.concurrency_per_job must not be more than jobs.concurrency (64), got 65"]),
        ("line: 2MiB, upload: 1MiB", ['f:2:14: jobs.line must not be more than jobs.upload (1MiB), got "2MiB"']),
        ("upload: 1MiB", []),
        ("callbacks: {retries: [1s, 5s, 1m]}", []),
        ("callbacks: {retries: []}", []),
        (
            "callbacks: {retries: [5s, 5s]}",
            ['f:2:34: jobs.callbacks.retries[1] must be more than the one before it, got "5s"'],
        ),
    ],
)
def test_parts_and_wholes(jobs: str, problems: list[str]) -> None:
    assert problems_of(f"jobs: {{{jobs}}}") == problems


def test_a_key_belongs_to_one_client_and_is_not_shown() -> None:
    found = problems_of(f"clients: {{a: {{keys: [{HASH}]}}, b: {{keys: [{OTHER}, {HASH}]}}, c: {{keys: [{OTHER}]}}}}")
    assert [problem.partition(": clients")[2] for problem in found] == [
        ".b.keys has a key that clients.a has already",
        ".c.keys has a key that clients.b has already",
    ]
    found = problems_of(f"clients: {{a: {{keys: [{HASH}, {HASH}]}}}}")
    assert [problem.partition(": clients")[2] for problem in found] == [".a.keys has a key that this client has already"]


def test_a_key_pair_belongs_to_one_client() -> None:
    found = problems_of("clients: {a: {ivvy: {key: k, secret: s}}, b: {ivvy: {key: k, secret: t}}}")
    assert [problem.partition(": clients")[2] for problem in found] == [".b.ivvy has the key that clients.a has already"]


def test_callback_jobs_need_jobs() -> None:
    assert problems_of("dialects: {ivvy: {path: /api/1.0/batch}}") == [
        'f:2:25: dialects.ivvy.path needs jobs.enabled, got "/api/1.0/batch"'
    ]


def test_the_catalog_of_callback_jobs_must_exist() -> None:
    text = "dialects: {ivvy: {path: /api/1.0/batch, catalog: %s}}"
    assert problems_of(ENABLED + CATALOG + text % "c") == []
    assert problems_of(ENABLED + CATALOG + text % "d") == ['f:4:50: dialects.ivvy.catalog must be one of the catalogs, got "d"']


def test_only_stored_batches_means_callback_jobs_of_a_catalog() -> None:
    text = ENABLED + CATALOG + "server: {only_stored: true}\ndialects: {ivvy: {path: /x%s}}"
    assert problems_of(text % ", catalog: c") == []
    assert problems_of(text % "") == ['f:5:25: dialects.ivvy.path needs a catalog, because of server.only_stored, got "/x"']


def test_signed_callback_jobs_need_a_key_pair() -> None:
    text = ENABLED + "dialects: {ivvy: {path: /x, signed: true}}\n"
    assert problems_of(text) == [
        "f:3:37: dialects.ivvy.signed needs a client that has a key pair (clients.NAME.ivvy), got true"
    ]
    assert problems_of(text + "clients: {shop: {ivvy: {key: a, secret: b}}}") == []


@pytest.mark.parametrize(
    "path", ["/batch", "/batch/plan", "/$batch", "/views", "/views/a", "/jobs", "/jobs/x", "/v1/files", "/v1/batches"]
)
def test_callback_jobs_have_a_path_of_their_own(path: str) -> None:
    (problem,) = problems_of(ENABLED + f"dialects: {{ivvy: {{path: '{path}'}}}}")
    assert " must " in problem


def test_files_of_requests_have_paths_of_their_own() -> None:
    text = ENABLED + "dialects: {openai: {path: %s}, graph: {paths: [/x/files]}}"
    assert problems_of(text % "/y") == []
    assert problems_of(text % "/x") == [
        'f:3:27: dialects.openai.path must leave /files and /batches below it to it alone, got "/x"'
    ]


def test_upstreams_may_be_ready_for_files_of_requests_before_there_are_any() -> None:
    text = "upstreams: {a: {url: 'http://a', routes: [{path: /a, file_batches: true}]}}"
    load_text(text, "f", {}, Path(__file__).parent)
