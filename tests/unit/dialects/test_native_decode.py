"""The native envelope, decoded: what an operation becomes, and what is wrong where. The corpus has the whole of it."""

import json
from typing import Any

import pytest

from gateway.batch.compile import Rules
from gateway.batch.limits import Limits
from gateway.batch.operation import BytesBody, Envelope, JsonBody, Operation, TextBody
from gateway.batch.reference import Reference, Source
from gateway.batch.template import Hole
from gateway.dialects.native_decode import decode
from gateway.errors import Refusal
from gateway.messages import Reason


def read(envelope: Any, limits: Limits | None = None, json_in_strings: bool = False) -> Envelope:
    return decode(json.dumps(envelope).encode(), Rules(limits or Limits()), json_in_strings)


def read_one(operation: dict[str, Any], json_in_strings: bool = False, **envelope: Any) -> Operation:
    decoded = read({"requests": [{"path": "/users/1"} | operation]} | envelope, json_in_strings=json_in_strings)
    assert decoded.problems == ()
    return decoded.operations[0]


def list_problems(envelope: Any, limits: Limits | None = None, json_in_strings: bool = False) -> list[tuple[str, Reason]]:
    return [(problem.pointer, problem.reason) for problem in read(envelope, limits, json_in_strings).problems]


def test_an_operation_that_says_only_its_path_is_a_get() -> None:
    assert read_one({}) == Operation(pointer="/requests/0", path="/users/1", target=("/users/1",))


def test_every_field_finds_its_place() -> None:
    decoded = read(
        {
            "requests": [
                {
                    "name": "a", "path": "/x", "method": "PUT", "headers": {"X-A": "1", "x-b": None}, "body": {"n": 1},
                    "dependsOn": ["b"], "after": ["c"], "timeout": 250, "omit": "onSuccess", "upstream": "users",
                    "requests": [{"path": "/y"}],
                }
            ],
            "headers": {"X-Env": "e"}, "timeout": 2000, "onError": "stop", "responseHeaders": False, "coalesce": True,
        }
    )  # fmt: skip
    nested = Operation(pointer="/requests/0/requests/0", path="/y", target=("/y",))
    assert decoded == Envelope(
        operations=(
            Operation(
                pointer="/requests/0",
                path="/x",
                target=("/x",),
                name="a",
                method="PUT",
                headers=(("x-a", ("1",)), ("x-b", None)),
                body=JsonBody((b'{"n": 1}',)),
                content_type="application/json",
                depends_on=("b",),
                after=("c",),
                nested=(nested,),
                timeout=0.25,
                omit_on_success=True,
                upstream="users",
            ),
        ),
        headers=(("x-env", ("e",)),),
        timeout=2.0,
        stop_on_error=True,
        show_headers=False,
    )


@pytest.mark.parametrize(
    "body", ["", " \n", "{", '{"requests": [],}', "{'requests': []}", '{"requests": NaN}', "{} {}", "\ufeff{}"]
)
def test_what_is_no_json_is_refused_with_400(body: str) -> None:
    with pytest.raises(Refusal) as refused:
        decode(body.encode(), Rules(), False)
    assert (refused.value.reason, refused.value.status) == (Reason.MALFORMED_JSON, 400)


@pytest.mark.parametrize(
    "body", [b'{"requests": [{"path": "/\xff"}]}', b'{"requests": [{"path": "/x", "body": "\xc3("}]}', b"\xff\xfe{\0}\0"]
)
def test_what_is_no_utf_8_is_refused_with_400(body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        decode(body, Rules(), False)
    assert refused.value.reason is Reason.MALFORMED_JSON


@pytest.mark.parametrize("depth", [3, 4, 5])
def test_nesting_is_bounded(depth: int) -> None:
    body = b'{"requests": [{"path": "/x", "method": "POST", "body": []}]}'
    if depth >= 4:
        assert decode(body, Rules(Limits(depth=depth)), False).problems == ()
    else:
        with pytest.raises(Refusal):
            decode(body, Rules(Limits(depth=depth)), False)


@pytest.mark.parametrize("text", ["[]", '"text"', "1", "null"])
def test_what_is_no_object_is_refused_with_422(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        decode(text.encode(), Rules(), False)
    assert refused.value.status == 422
    assert [problem.pointer for problem in refused.value.problems] == [""]


@pytest.mark.parametrize(("count", "problems"), [(1, 0), (2, 0), (3, 1)])
def test_operations_are_counted(count: int, problems: int) -> None:
    found = list_problems({"requests": [{"path": "/x"}] * count}, Limits(operations=2))
    assert found == [("/requests", Reason.TOO_MANY_OPERATIONS)] * problems


@pytest.mark.parametrize(("length", "problems"), [(7, 0), (8, 0), (9, 1)])
def test_names_have_a_length(length: int, problems: int) -> None:
    found = list_problems({"requests": [{"path": "/x", "name": "n" * length}]}, Limits(name=8))
    assert found == [("/requests/0/name", Reason.INVALID_ENVELOPE)] * problems


@pytest.mark.parametrize(("count", "problems"), [(1, 0), (2, 0), (3, 1)])
def test_headers_are_counted(count: int, problems: int) -> None:
    found = list_problems({"requests": [{"path": "/x", "headers": {f"x-{n}": "1" for n in range(count)}}]}, Limits(headers=2))
    assert found == [("/requests/0/headers", Reason.INVALID_HEADER)] * problems


def test_a_body_becomes_what_its_content_type_says() -> None:
    assert read_one({"method": "POST", "body": "5"}).body == JsonBody((b'"5"',))
    assert read_one({"method": "POST", "body": "5", "headers": {"Content-Type": "text/plain"}}).body == TextBody(("5",))
    assert read_one({"method": "POST", "body": "AAE=", "bodyEncoding": "base64"}).body == BytesBody(b"\x00\x01")
    assert read_one({"method": "POST", "body": {}, "headers": {"content-type": "application/a+json"}}).body == JsonBody(
        (b"{}",)
    )


def test_the_envelopes_content_type_counts_until_an_operation_says_otherwise() -> None:
    outer = {"content-type": "text/plain"}
    post = {"method": "POST", "body": "5"}
    assert read_one(post, headers=outer).body == TextBody(("5",))
    assert read_one(post | {"headers": {"content-type": None}}, headers=outer).body == JsonBody((b'"5"',))
    assert read_one(post | {"headers": {"content-type": "application/json"}}, headers=outer).body == JsonBody((b'"5"',))


def test_a_content_type_that_is_a_reference_is_refused() -> None:
    operation = {"path": "/x", "method": "POST", "body": 1, "headers": {"content-type": "${header=a:content-type}"}}
    assert list_problems({"requests": [operation]}) == [("/requests/0/headers", Reason.INVALID_REFERENCE)]


def test_references_are_noted_with_where_they_stand() -> None:
    operation = read_one(
        {"method": "POST", "path": "/x/${status=a}", "body": {"a/b": ["${status=b}"]}, "headers": {"X-A": "${status=c}"}}
    )
    assert sorted((pointer, reference.name) for pointer, reference in operation.references) == [
        ("/requests/0/body/a~1b/0", "b"),
        ("/requests/0/headers/X-A", "c"),
        ("/requests/0/path", "a"),
    ]


def test_the_path_is_kept_as_asked() -> None:
    operation = read_one({"path": "/x/${status=a}"})
    assert operation.path == "/x/${status=a}"
    assert operation.target == ("/x/", Reference(Source.STATUS, "a"))


def test_a_wrong_for_each_is_told_once() -> None:
    operation = {"path": "/x/${item}", "forEach": "no reference", "headers": {"x-n": "${index}"}}
    decoded = read({"requests": [operation]})
    assert [(problem.pointer, problem.reason) for problem in decoded.problems] == [
        ("/requests/0/forEach", Reason.INVALID_REFERENCE)
    ]
    assert decoded.operations[0].references == ()


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ('{"a": 1.10}', (b'{"a": 1.10}',)),
        (" [1]\n", (b"[1]",)),
        ("5", (b'"5"',)),
        ("{not json", (b'"{not json"',)),
        ("[1", (b'"[1"',)),
        ('["' + "x" * 9 + '", NaN]', (b'"[\\"xxxxxxxxx\\", NaN]"',)),
    ],
)
def test_a_string_that_holds_an_object_or_array_is_that_json_where_the_flavour_says_so(text: str, sent: tuple[bytes]) -> None:
    assert read_one({"method": "POST", "body": text}, json_in_strings=True).body == JsonBody(sent)
    assert read_one({"method": "POST", "body": text}).body == JsonBody((json.dumps(text).encode(),))


def test_references_inside_such_a_string_point_at_the_string() -> None:
    operation = read_one({"method": "POST", "body": '{"a": "${status=b}"}'}, json_in_strings=True)
    assert operation.references == (("/requests/0/body", Reference(Source.STATUS, "b")),)
    assert operation.body == JsonBody((b'{"a":', Hole(Reference(Source.STATUS, "b"), typed=True), b"}"))
    wrong = {"path": "/x", "method": "POST", "body": '{"a": ["${status=}"]}'}
    assert list_problems({"requests": [wrong]}, json_in_strings=True) == [("/requests/0/body", Reason.INVALID_REFERENCE)]


def test_headers_inside_a_string_point_at_the_string() -> None:
    assert list_problems({"requests": [{"path": "/x", "headers": '{"host": "a"}'}]}) == [
        ("/requests/0/headers", Reason.HEADER_NOT_ALLOWED)
    ]


@pytest.mark.parametrize("where", ["envelope", "operation"])
def test_a_great_many_unknown_fields_make_few_problems(where: str) -> None:
    unknown = {f"dpends{n}": 1 for n in range(1000)}
    assert len(read(unknown if where == "envelope" else {"requests": [unknown]}).problems) < 30
