"""The settings of stored batches. What `gateway.config.settings` says of settings holds for these.

Below `views` a `${…}` is a reference of the batch, filled when it runs, and never a variable of the environment.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Annotated, Any

from pydantic import Field, PlainValidator, ValidationInfo, WithJsonSchema

from gateway.batch.compile import Rules
from gateway.batch.routes import RouteTable
from gateway.config.kinds import Kind, from_text, not_text
from gateway.config.problems import Path, Wrong
from gateway.config.section import Section
from gateway.dialects.view import View
from gateway.dialects.view_compile import BadView, Flaw, compile_view
from gateway.jsontext import NotJson, check_document, dump

LARGEST_FILE = 1 << 20
DEEPEST = 64

Told = tuple[Path, str]
"""One thing wrong with a view: where below it, and what, going on from the setting's path."""


@dataclass(frozen=True, slots=True)
class EnvelopeFile:
    """A file that has been read: JSON."""

    name: str
    text: bytes


def _read_file(value: object, info: ValidationInfo) -> EnvelopeFile | None:
    """The file, found from the folder of the configuration (the validation context) if its path is relative."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise not_text(value)
    folder = info.context if isinstance(info.context, FilePath) else FilePath()
    try:
        with (folder / value).open("rb") as file:
            text = file.read(LARGEST_FILE + 1)
        check_document(text, DEEPEST)
    except NotJson as error:
        raise Wrong(f"must be a file of JSON: {str(error).replace('the body', 'it')}") from None
    except (OSError, ValueError) as error:
        raise Wrong(f"cannot be read: {getattr(error, 'strerror', None) or 'not a usable path'}") from None
    if len(text) > LARGEST_FILE:
        raise Wrong("must not be larger than 1MiB")
    return EnvelopeFile(value, text)


def _read_envelope(value: object) -> dict[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        raise Wrong("must be an envelope, a mapping with a list of requests")
    return value


def _read_schema(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Wrong("must be a JSON Schema of an object, a mapping")
    return value


def _read_select(value: object) -> str | dict[str, str] | None:
    if isinstance(value, dict):
        for path in value.values():
            if not isinstance(path, str):
                raise not_text(path)
        return value
    if value is not None and not isinstance(value, str):
        raise Wrong("must be a JSONPath such as $.user, or a mapping of names to JSONPaths")
    return value


_JSON_SCHEMA = {"type": "object", "$ref": "https://json-schema.org/draft/2020-12/schema"}
_SELECT = {"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}, {"type": "null"}]}

OptionalEnvelopeFile = Annotated[EnvelopeFile | None, PlainValidator(_read_file), WithJsonSchema({"type": ["string", "null"]})]
StoredEnvelope = Annotated[dict[str, Any] | None, Kind(_read_envelope, {"type": ["object", "null"]})]
ParametersSchema = Annotated[dict[str, Any], Kind(_read_schema, _JSON_SCHEMA)]
Selection = Annotated[str | dict[str, str] | None, Kind(_read_select, _SELECT)]
Text = Annotated[str, from_text(str)]


class ViewSettings(Section):
    """A stored batch, served at /views/<name>."""

    envelope: StoredEnvelope = Field(
        default=None, description="A native envelope, with ${param:$.NAME} where a parameter is to stand; or name a file."
    )
    file: OptionalEnvelopeFile = Field(default=None, description="File of the envelope, JSON, in place of envelope.")
    parameters: ParametersSchema = Field(
        default={}, description="JSON Schema (draft 2020-12) of the parameters, an object; names it does not have are refused."
    )
    select: Selection = Field(
        default=None,
        description="What is answered: a JSONPath, or JSONPaths by name, over an object of the operations' bodies by name.",
    )
    description: Text = Field(default="", description="What it is for; GET /batch shows it.")

    def make_view(self, rules: Rules, routes: RouteTable) -> View:
        """The compiled view. Raises BadView."""
        text = self.file.text if self.file is not None else dump(self.envelope)
        return compile_view(text, self.parameters, self.select, rules, routes)

    def find_wrong(self, rules: Rules, routes: RouteTable) -> Iterator[Told]:
        """Everything wrong with it."""
        if (self.envelope is None) == (self.file is None):
            yield (), "must have either envelope or file"
            return
        try:
            self.make_view(rules, routes)
        except BadView as bad:
            for flaw in bad.flaws:
                yield self._place(flaw)

    def _place(self, flaw: Flaw) -> Told:
        """Where a flaw stands. What is in a file is told by its pointer there."""
        if flaw.field == "envelope" and self.file is not None:
            where = f"{self.file.name} at {flaw.pointer}" if flaw.pointer else self.file.name
            return ("file",), f"{flaw.detail} (in {where})"
        written: Any = {"envelope": self.envelope, "parameters": self.parameters, "select": self.select}[flaw.field]
        path: list[str | int] = [flaw.field]
        for token in flaw.pointer.split("/")[1:]:
            key = token.replace("~1", "/").replace("~0", "~")
            is_list = isinstance(written, list) and key.isdecimal()
            step: str | int = int(key) if is_list else key
            try:
                written = written[step]
            except (LookupError, TypeError):
                written = None
            path.append(step)
        return tuple(path), flaw.detail


def make_views(settings: Mapping[str, ViewSettings], rules: Rules, routes: RouteTable) -> dict[str, View]:
    """The compiled views by name; each has been found right by `find_wrong`."""
    return {name: view.make_view(rules, routes) for name, view in settings.items()}
