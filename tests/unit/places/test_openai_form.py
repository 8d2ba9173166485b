"""The form of an upload, cut anywhere, its parts in any order: the bytes of the file come out, and what the fields say."""

from collections.abc import AsyncIterator

import pytest

from gateway.dialects.openai_errors import BadParameter
from gateway.errors import Refusal
from gateway.jobs.shelf import Described
from gateway.messages import Reason
from gateway.places.openai_form import UploadForm

TYPE = "multipart/form-data; boundary=sep"
CONTENT = b"\r\n--se\r\n--\r\n\r\n--Sep--\r\n" + bytes(range(256)) * 40 + b"\r\n"
"""A file that looks much like the end of itself."""


def field(name: str, value: str) -> bytes:
    return f'--sep\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


def file(content: bytes = CONTENT, filename: str = "requests.jsonl") -> bytes:
    head = f'--sep\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
    return head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + content + b"\r\n"


PURPOSE = field("purpose", "batch")
END = b"--sep--\r\n"


async def cut(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read(body: bytes, size: int = 1000, longest: int = 1 << 20, any_filename: bool = False) -> tuple[bytes, Described]:
    form = UploadForm(TYPE, longest, any_filename)
    content = b"".join([piece async for piece in form.file(cut(body, size))])
    return content, form.describe()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 1 << 20])
@pytest.mark.parametrize("body", [PURPOSE + file() + END, file() + PURPOSE + END], ids=["file last", "file first"])
async def test_the_file_comes_out_byte_for_byte_wherever_the_form_is_cut(body: bytes, size: int) -> None:
    assert await read(body, size) == (CONTENT, Described("batch", "requests.jsonl"))


async def test_a_file_may_be_empty_and_the_form_end_without_a_line_end() -> None:
    assert await read(PURPOSE + file(b"") + b"--sep--") == (b"", Described("batch", "requests.jsonl"))


async def test_how_long_it_is_kept_may_come_after_the_file() -> None:
    expiry = field("expires_after[anchor]", "created_at") + field("expires_after[seconds]", "3600")
    _, described = await read(file() + PURPOSE + expiry + END)
    assert described == Described("batch", "requests.jsonl", 3600.0)


@pytest.mark.parametrize(
    ("sent", "name"),
    [("C:\\\\data\\\\requests.jsonl", "requests.jsonl"), ("../../requests.jsonl", "requests.jsonl"), ("ü.jsonl", "ü.jsonl")],
)
async def test_a_name_has_no_folders(sent: str, name: str) -> None:
    assert (await read(PURPOSE + file(filename=sent) + END))[1].filename == name


async def test_bytes_without_a_name_are_called_upload() -> None:
    body = field("purpose", "user_data") + field("file", "text") + END
    assert await read(body) == (b"text", Described("user_data", "upload"))
    assert (await read(PURPOSE + field("file", "text") + END, any_filename=True))[1].filename == "upload"


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        (PURPOSE + END, "file", "missing_required_parameter"),
        (file() + END, "purpose", "missing_required_parameter"),
        (field("purpose", "party") + file() + END, "purpose", "invalid_value"),
        (PURPOSE + file(filename="upload") + END, "file", None),
        (file(filename="upload") + PURPOSE + END, "file", None),
        (PURPOSE + file(filename="a\x00.jsonl") + END, "file", "invalid_value"),
        (PURPOSE + file(filename="a" * 300 + ".jsonl") + END, "file", "invalid_value"),
        (PURPOSE + file() + file() + END, "file", "invalid_value"),
        (PURPOSE + PURPOSE + file() + END, "purpose", "invalid_value"),
        (PURPOSE + field("color", "blue") + file() + END, "color", "unknown_parameter"),
        (field("purpose", "b" * 2000) + file() + END, "purpose", "string_above_max_length"),
        (
            PURPOSE + field("expires_after[seconds]", "3600") + file() + END,
            "expires_after.anchor",
            "missing_required_parameter",
        ),
    ],
    ids=[
        "no file",
        "no purpose",
        "a purpose there is not",
        "no .jsonl",
        "no .jsonl, told late",
        "a control character in the name",
        "a long name",
        "two files",
        "two purposes",
        "a field there is not",
        "a long field",
        "half an expiry",
    ],
)
async def test_each_mistake_has_its_param_and_code(body: bytes, param: str, code: str | None) -> None:
    with pytest.raises(BadParameter) as caught:
        await read(body)
    assert (caught.value.param, caught.value.code) == (param, code)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form at all",
        PURPOSE + file()[:-2],
        PURPOSE + file(),
        b"--sep\r\nno header\r\n\r\nx\r\n--sep--",
        b"--sep\r\nContent-Type: text/plain\r\n\r\nx\r\n--sep--",
        b"--sep\nContent-Disposition: form-data; name=purpose\n\nbatch\n--sep--",
        b"--sep\r\nX: " + b"x" * 100_000,
        b"".join(field(f"purpose{number}", "") for number in range(20)),
    ],
    ids=[
        "empty",
        "no form",
        "cut in the file",
        "cut before the end",
        "no header",
        "no name",
        "bare LF",
        "a long header",
        "many",
    ],
)
async def test_what_is_no_whole_form_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        await read(body)
    assert caught.value.reason in (Reason.INVALID_BODY, Reason.INVALID_PARAMETER)


async def test_a_head_that_is_not_utf_8_is_refused_in_plain_words() -> None:
    with pytest.raises(Refusal) as caught:
        await read(file().replace(b"requests", b"\xff"))
    assert caught.value.detail == "the body is not valid multipart/form-data: segment header failed to decode"


async def test_a_file_that_is_too_long_is_refused_before_it_has_been_read() -> None:
    assert (await read(PURPOSE + file(b"x" * 500) + END, longest=500))[0] == b"x" * 500
    with pytest.raises(Refusal):
        await read(PURPOSE + file(b"x" * 501) + END, longest=500)
    form = UploadForm(TYPE, 500, any_filename=False)
    endless = cut(PURPOSE + file(b"x" * 1_000_000), 1000)
    with pytest.raises(Refusal) as caught:
        _ = [piece async for piece in form.file(endless)]
    assert caught.value.reason is Reason.PAYLOAD_TOO_LARGE
    assert len(b"".join([piece async for piece in endless])) > 990_000


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "multipart/mixed; boundary=sep",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f"multipart/form-data; boundary={'x' * 71}",
    ],
)
def test_what_is_no_form_is_refused_at_once(content_type: str) -> None:
    with pytest.raises(Refusal) as caught:
        UploadForm(content_type, 1, any_filename=False)
    assert caught.value.reason is Reason.UNSUPPORTED_MEDIA_TYPE
