"""`gateway run` in front of a gateway that answers from a can: what it prints, and its exit status."""

import argparse
import asyncio
import io
import json
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.commands import run
from tests.support.canned import CannedGateway, entry, problem

_ENVELOPE = {"requests": [{"name": "a", "path": "/a"}, {"name": "b", "path": "/b/${result=a:$.id}"}]}
_GOOD = {"responses": [entry(200, "/a", 30.0, name="a"), entry(200, "/b/1", 20.0, name="b")], "duration": 50.0}
_HALF = {
    "responses": [
        entry(404, "/a", 30.0, name="a"),
        entry(424, "/b/${result=a:$.id}", name="b", error=problem("dependency-failed", "a failed", "a")),
    ],
    "duration": 31.0,
}


@pytest.fixture
def envelope(tmp_path: Path) -> Path:
    path = tmp_path / "batch.json"
    path.write_text(json.dumps(_ENVELOPE))
    return path


def _parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gateway run")
    run.add_arguments(parser)
    return parser.parse_args(arguments)


async def _run(*arguments: str) -> int:
    return await asyncio.to_thread(run.main, _parse(*arguments))


async def test_a_batch_that_succeeds_is_drawn_and_exits_0(envelope: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with CannedGateway(200, _GOOD) as gateway:
        status = await _run(str(envelope), "--url", gateway.url, "--header", "Authorization: Bearer a:b")

    printed = capsys.readouterr()
    assert status == 0
    assert gateway.bodies == [json.dumps(_ENVELOPE).encode()]
    assert gateway.requests[0].headers["authorization"] == "Bearer a:b"
    assert [line.split()[0:3] for line in printed.out.splitlines()[:2]] == [["✓", "a", "200"], ["✓", "b", "200"]]
    assert "\x1b" not in printed.out
    assert printed.err == ""


async def test_a_batch_with_a_failure_exits_1(envelope: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with CannedGateway(207, _HALF, {"batch-operations": "2", "batch-failed": "2"}) as gateway:
        status = await _run(str(envelope), "--url", gateway.url)

    assert status == 1
    printed = capsys.readouterr().out
    assert "  dependency-failed: a failed\n" in printed
    assert "2 of 2 failed" in printed


async def test_json_prints_the_answer_as_it_came(envelope: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = '{"responses":[{"status":200,"path":"/a","body":1.10000000000000000001}],  "duration":1}'
    async with CannedGateway(200, text) as gateway:
        status = await _run(str(envelope), "--url", gateway.url, "--json")

    assert (status, capsys.readouterr().out) == (0, text + "\n")


async def test_a_refusal_is_explained_with_the_place_in_the_file(envelope: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = {"pointer": "/requests/1/path", "reason": "invalid-reference", "detail": "no operation is named a"}
    refusal = {"title": "A reference is not valid", "detail": error["detail"], "errors": [error]}
    async with CannedGateway(422, refusal, content_type="application/problem+json") as gateway:
        status = await _run(str(envelope), "--url", gateway.url)

    printed = capsys.readouterr()
    assert (status, printed.out) == (1, "")
    assert "A reference is not valid (422)" in printed.err
    assert "/requests/1/path" in printed.err
    assert "invalid-reference: no operation is named a" in printed.err


async def test_a_refusal_as_json_is_the_problem(envelope: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refusal: dict[str, Any] = {"title": "A reference is not valid", "status": 422}
    async with CannedGateway(422, refusal, content_type="application/problem+json") as gateway:
        status = await _run(str(envelope), "--url", gateway.url, "--json")

    assert (status, json.loads(capsys.readouterr().out)) == (1, refusal)


async def test_nobody_listening_is_one_line_that_says_what_to_do(envelope: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/batch"
        status = await _run(str(envelope), "--url", url)

    printed = capsys.readouterr()
    assert (status, printed.out, printed.err.count("\n")) == (1, "", 1)
    assert url in printed.err
    assert "--url" in printed.err


async def test_a_gateway_that_is_too_slow_exits_1(envelope: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with CannedGateway(200, {}, silent=True) as gateway:
        status = await _run(str(envelope), "--url", gateway.url, "--timeout", "100ms")

    assert status == 1
    assert "nothing within 0.1 s" in capsys.readouterr().err


async def test_a_dash_reads_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b'{"requests": []}')))
    async with CannedGateway(200, {"responses": [], "duration": 1.0}) as gateway:
        status = await _run("-", "--url", gateway.url)

    assert (status, gateway.bodies) == (0, [b'{"requests": []}'])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b'{\n  "requests": [,]\n}', "batch.json:2:16: not JSON: "),
        (b"", "batch.json:1:1: not JSON: "),
        (b'{"a": "\xff"}', "batch.json is not UTF-8: byte 7"),
        (b"[" * 200_000, "batch.json is nested too deeply"),
    ],
)
def test_a_file_that_is_no_json_is_a_usage_error(
    content: bytes, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "batch.json"
    path.write_bytes(content)

    assert run.main(_parse(str(path))) == 2
    assert complaint in capsys.readouterr().err


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(_parse(str(tmp_path / "none.json"))) == 2
    assert "none.json: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--header", "nonsense"], ["--header", ": x"], ["--header", "a: b\r\nc: d"]])
def test_a_header_that_is_none_is_a_usage_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        _parse("batch.json", *arguments)

    assert stopped.value.code == 2
    assert "NAME: VALUE" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "seconds"), [("2", 2.0), ("0.5", 0.5), ("250ms", 0.25), ("1m", 60.0)])
def test_the_timeout_is_written_as_in_the_configuration(text: str, seconds: float) -> None:
    assert _parse("batch.json", "--timeout", text).timeout == seconds


@pytest.mark.parametrize("text", ["0", "-1", "0s", "soon", "nan", "inf", ""])
def test_a_timeout_that_is_none_is_a_usage_error(text: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        _parse("batch.json", f"--timeout={text}")

    assert stopped.value.code == 2
