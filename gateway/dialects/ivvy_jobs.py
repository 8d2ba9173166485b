"""A job of the ivvy dialect: `{"namespace", "action", "params"}`, from its JSON text to the operation that is sent for it.

Without a catalog that is `POST /api/1.0/NAMESPACE?action=ACTION` with the params as its body, byte for byte: nothing in them
is a reference. With one it is what the kind NAMESPACE.ACTION makes of the params, which are its element.
"""

import re

from gateway.batch.catalog import Catalog
from gateway.batch.headers import shorten
from gateway.batch.operation import JsonBody, Operation
from gateway.dialects.fields import describe, is_string
from gateway.dialects.ivvy_refusals import BAD_JOB, EMPTY_PARAMETER, refuse_jobs
from gateway.errors import Problem
from gateway.jsontext import Raw, Record, load, members
from gateway.messages import Reason

_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""No dots: a word is one segment of a path, and NAMESPACE.ACTION can be read in one way only."""

_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")


class IvvyJob(Record, frozen=True):
    """A job. `params` is JSON text."""

    namespace: str
    action: str
    params: bytes

    def make_operation(self, catalog: Catalog | None, pointer: str) -> Operation:
        """What is sent for it. An IvvyRefusal if the catalog has no such kind, or the params do not fit its schema."""
        if catalog is not None:
            return self._make_kind(catalog, pointer)
        path = f"/api/1.0/{self.namespace}?action={self.action}"
        body = JsonBody((self.params,))
        return Operation(pointer, path, (path,), method="POST", body=body, content_type="application/json")

    def _make_kind(self, catalog: Catalog, pointer: str) -> Operation:
        name = f"{self.namespace}.{self.action}"
        kind = catalog.kinds.get(name)
        if kind is None:
            problem = Problem(pointer, Reason.NOT_SUPPORTED, f"{name} is none of the calls that can be made here")
            raise refuse_jobs(BAD_JOB, problem.detail, (problem,))
        wrong = kind.schema.problems(self.params)
        if wrong:
            problems = tuple([Problem(f"{pointer}/params{at}", Reason.INVALID_BODY, detail) for at, detail in wrong])
            raise refuse_jobs(BAD_JOB, f"the params do not fit {name}", problems)
        return kind.make_operation(self.params, b"{}", pointer)


class JobReader:
    """Reads the jobs of a batch. What is wrong is in `misformed` and `empty`, which have specific codes of their own."""

    def __init__(self) -> None:
        self.misformed: list[Problem] = []
        self.empty: list[Problem] = []

    def read(self, text: bytes | Raw, pointer: str) -> IvvyJob | None:
        """A job, or None."""
        fields = members(text)
        if fields is None:
            self._wrong(pointer, f"a job must be an object with namespace, action and params, got {describe(Raw(bytes(text)))}")
            return None
        namespace = self._word(fields, "namespace", pointer)
        action = self._word(fields, "action", pointer)
        params = self._params(fields, pointer)
        if namespace is None or action is None or params is None:
            return None
        return IvvyJob(namespace, action, params)

    def refuse(self) -> None:
        """An IvvyRefusal if something is wrong."""
        problems = (*self.misformed, *self.empty)
        if problems:
            code = BAD_JOB if self.misformed else EMPTY_PARAMETER
            raise refuse_jobs(code, "Incorrect job format" if self.misformed else "Empty job parameter found", problems)

    def _wrong(self, pointer: str, detail: str) -> None:
        self.misformed.append(Problem(pointer, Reason.INVALID_ENVELOPE, detail))

    def _empty(self, pointer: str, field: str) -> None:
        self.empty.append(Problem(f"{pointer}/{field}", Reason.INVALID_ENVELOPE, f"{field} must not be empty"))

    def _word(self, fields: dict[str, Raw], field: str, pointer: str) -> str | None:
        if field not in fields:
            self._wrong(pointer, f"{field} is missing")
            return None
        raw = fields[field]
        if not is_string(raw):
            self._wrong(f"{pointer}/{field}", f"{field} must be a string, got {describe(raw)}")
            return None
        word: str = load(raw)
        if not word:
            self._empty(pointer, field)
        elif _WORD.fullmatch(word):
            return word
        else:
            detail = f"{field} must be at most 64 letters, digits, - and _, got {shorten(word)}"
            self._wrong(f"{pointer}/{field}", detail)
        return None

    def _params(self, fields: dict[str, Raw], pointer: str) -> bytes | None:
        # One SDK leaves out what is null, another writes no params as []: both are calls without params.
        params = bytes(fields["params"]) if "params" in fields else b"{}"
        if params in (b"null", b'""'):
            self._empty(pointer, "params")
            return None
        if params[:1] not in (b"{", b"["):
            self._wrong(f"{pointer}/params", f"params must be an object, got {describe(Raw(params))}")
            return None
        return params


def as_line(text: bytes | Raw) -> bytes:
    """A job as one line of a file: in valid JSON a line end stands between tokens only, where a blank means the same."""
    return bytes(text).translate(_LINE_ENDS)


def read_line(content: bytes) -> IvvyJob:
    """The job of a line that was written because it could be read."""
    reader = JobReader()
    job = reader.read(content, "")
    if job is None:
        reader.refuse()
        raise ValueError("a job without a problem could not be read")
    return job
