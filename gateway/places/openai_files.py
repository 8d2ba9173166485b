"""Files, as OpenAI's clients upload, list, read and delete them."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import cast

from gateway.batch.job import StoredFile
from gateway.batch.target import encode_value
from gateway.dialects.dialect import Asked
from gateway.dialects.openai_errors import BadParameter
from gateway.dialects.openai_objects import describe_deletion, describe_file, describe_list
from gateway.dialects.openai_query import read_file_listing
from gateway.errors import Refusal
from gateway.jobs.clients import Clients
from gateway.jobs.ports import Page
from gateway.jobs.shelf import Shelf
from gateway.messages import Context, Headers, Reason
from gateway.pipeline import Answer, Sink
from gateway.places.openai_calls import answer_json, check_site
from gateway.places.openai_form import UploadForm


class OpenAIFiles:
    """What can be done with files. Those uploaded have at most `longest` bytes; `any_filename` as in the settings."""

    def __init__(self, clients: Clients, shelf: Shelf, longest: int, any_filename: bool) -> None:
        self._clients = clients
        self._shelf = shelf
        self._longest = longest
        self._any_filename = any_filename

    async def upload(self, asked: Asked, context: Context) -> Answer:
        """Store a file as it arrives."""
        check_site(asked, context)
        client = self._clients.identify(asked.headers)
        form = UploadForm(asked.headers.get("content-type", ""), self._longest, self._any_filename)
        async with aclosing(form.file(cast(AsyncIterator[bytes], asked.stream))) as pieces:
            file = await self._shelf.add(client, pieces, form.describe)
        return answer_json(describe_file(file))

    async def list(self, asked: Asked, context: Context) -> Answer:  # noqa: ARG002  # it is what an Act takes
        """A page of files."""
        client = self._clients.identify(asked.headers)
        listing = read_file_listing(asked.query)
        page = Page(listing.limit + 1, listing.after, listing.newest_first)
        try:
            files = await self._shelf.list(client, listing.purpose, page)
        except Refusal as refusal:
            raise about_cursor(refusal) from None
        shown = [describe_file(file) for file in files[: listing.limit]]
        return answer_json(describe_list(shown, len(files) > listing.limit))

    async def find(self, asked: Asked, context: Context) -> Answer:  # noqa: ARG002
        """One file's object."""
        return answer_json(describe_file(await self._find(asked)))

    async def remove(self, asked: Asked, context: Context) -> Answer:
        """Remove a file for good."""
        check_site(asked, context)
        file_id = asked.captured[0]
        await self._shelf.remove(self._clients.identify(asked.headers), file_id)
        return answer_json(describe_deletion(file_id))

    async def read(self, asked: Asked, context: Context) -> Answer:  # noqa: ARG002
        """The bytes of a file."""
        file = await self._find(asked)
        pieces = self._shelf.read(file)
        first = await anext(pieces, b"")  # while a refusal can still be told
        headers = _head(file)

        async def stream(sink: Sink) -> Answer:
            if first:
                await sink.write(first)
            async for piece in pieces:
                await sink.write(piece)
            return Answer(200, headers, b"")

        return Answer(200, headers, b"", stream=stream, length=file.size)

    async def _find(self, asked: Asked) -> StoredFile:
        return await self._shelf.find(self._clients.identify(asked.headers), asked.captured[0])


def about_cursor(refusal: Refusal) -> Refusal:
    """The refusal of a list: what was not found is what it was to go on from."""
    if refusal.reason is Reason.NOT_FOUND:
        return BadParameter("Invalid 'after': there is nothing with this id to go on from.", "after", "invalid_value")
    return refusal


def _head(file: StoredFile) -> Headers:
    """It must not become a page of the gateway's own site, whatever was uploaded (RFC 6266, RFC 8187)."""
    return (
        ("content-type", "application/octet-stream"),
        ("content-disposition", f"attachment; filename*=UTF-8''{encode_value(file.filename)}"),
        ("x-content-type-options", "nosniff"),
    )
