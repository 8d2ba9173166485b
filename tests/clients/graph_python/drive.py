"""Microsoft's own client for Graph, unchanged, talking to a gateway.

python drive.py URL: prints what it saw as JSON. Run by the environment of requirements/clients.txt.
"""

import asyncio
import json
import sys
from io import BytesIO
from typing import Any

from kiota_abstractions.authentication import AnonymousAuthenticationProvider
from kiota_abstractions.method import Method
from kiota_abstractions.request_information import RequestInformation
from kiota_abstractions.serialization import ParseNodeFactoryRegistry, SerializationWriterFactoryRegistry
from kiota_serialization_json.json_parse_node_factory import JsonParseNodeFactory
from kiota_serialization_json.json_serialization_writer_factory import JsonSerializationWriterFactory
from msgraph_core import BaseGraphRequestAdapter
from msgraph_core.requests.batch_request_builder import BatchRequestBuilder
from msgraph_core.requests.batch_request_content import BatchRequestContent
from msgraph_core.requests.batch_request_item import BatchRequestItem


def item(
    url: str, name: str, method: Method = Method.GET, body: Any = None, after: list[str] | None = None
) -> BatchRequestItem:
    """A request of a batch."""
    request = RequestInformation()
    request.http_method = method
    request.url = url
    if body is not None:
        request.headers.try_add("Content-Type", "application/json")
        request.content = json.dumps(body).encode()
    return BatchRequestItem(request, name, list(after or []))


def show(body: Any) -> Any:
    """A body as the client gives it."""
    raw = body.getvalue() if isinstance(body, BytesIO) else body
    return raw.decode() if isinstance(raw, bytes) else raw


async def drive(url: str) -> dict[str, Any]:
    """Everything seen, by batch and id."""
    ParseNodeFactoryRegistry().CONTENT_TYPE_ASSOCIATED_FACTORIES["application/json"] = JsonParseNodeFactory()
    writers = SerializationWriterFactoryRegistry().CONTENT_TYPE_ASSOCIATED_FACTORIES
    writers["application/json"] = JsonSerializationWriterFactory()
    adapter = BaseGraphRequestAdapter(AnonymousAuthenticationProvider())
    adapter.base_url = f"{url}/v1.0"
    builder = BatchRequestBuilder(adapter)

    async def batch(*items: BatchRequestItem) -> dict[str, Any]:
        content = BatchRequestContent()
        for one in items:
            content.add_request(one.id, one)
        answer = await builder.post(content)
        return {
            name: {"status": response.status, "headers": response.headers, "body": show(response.body)}
            for name, response in answer.responses.items()
        }

    base = adapter.base_url
    return {
        "parallel": await batch(item(f"{base}/users/1", "1"), item(f"{base}/users/text", "2")),
        "serial": await batch(
            item(f"{base}/users", "create", Method.POST, {"name": "Ann"}),
            item(f"{base}/notes", "note", Method.POST, {"about": "$create/id", "price": "$10"}, ["create"]),
            item("/users/42", "read", after=["note"]),
        ),
        "listed": await batch(item(f"{base}/notes", "1", Method.POST, [1, 2])),
        "failed": await batch(
            item(f"{base}/users/missing", "1"), item(f"{base}/users/1", "2", Method.PATCH, {"name": "Bea"}, ["1"])
        ),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(drive(sys.argv[1])), default=str))
