"""OpenAI's own client, unchanged, with every answer checked against its models, talking to a gateway.

python drive.py URL: prints what it saw as JSON. Run by the environment of requirements/clients.txt.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from openai import APIStatusError, OpenAI

ENDPOINT = "/v1/chat/completions"
POLL = 0.05
"""Seconds between two looks at a batch."""


def request(name: str, number: int) -> bytes:
    """A line of a file of requests."""
    body = {"model": "small", "messages": [{"role": "user", "content": f"question {number}"}]}
    return json.dumps({"custom_id": name, "method": "POST", "url": ENDPOINT, "body": body}).encode()


def refused(call: Callable[[], Any]) -> dict[str, Any]:
    """What the client raised."""
    try:
        call()
    except APIStatusError as error:
        return {"status": error.status_code, "error": error.body, "request_id": error.request_id}
    return {}


def wait(client: OpenAI, batch_id: str) -> Any:
    """The batch once it has ended."""
    while (batch := client.batches.retrieve(batch_id)).status not in ("completed", "failed", "cancelled", "expired"):
        time.sleep(POLL)
    return batch


def read(client: OpenAI, file_id: str | None) -> list[Any]:
    """The records of a result file."""
    return [] if file_id is None else [json.loads(line) for line in client.files.content(file_id).text.splitlines()]


def drive(url: str) -> dict[str, Any]:
    """Everything seen, by the life of a file and of a batch."""
    client = OpenAI(base_url=f"{url}/v1", api_key="sk-ann", _strict_response_validation=True)
    content = b"\n".join([request(f"request-{number}", number) for number in range(30)])
    seen: dict[str, Any] = {}

    file = client.files.create(
        file=("requests.jsonl", content), purpose="batch", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    seen["file"] = file.to_dict() | {"has_request_id": bool(file._request_id)}
    seen["same"] = client.files.content(file.id).read() == content
    seen["retrieved"] = client.files.retrieve(file.id) == file
    seen["unnamed"] = refused(lambda: client.files.create(file=content, purpose="batch"))
    seen["picture"] = client.files.create(file=b"\x89PNG", purpose="vision").filename
    seen["listed"] = [one.filename for one in client.files.list(limit=1)]
    seen["batch_files"] = [one.id for one in client.files.list(purpose="batch")] == [file.id]

    created = client.batches.create(input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h", metadata={"team": "a"})
    seen["created"] = created.to_dict()
    batch = wait(client, created.id)
    seen["ended"] = batch.to_dict()
    seen["output"] = read(client, batch.output_file_id)
    seen["errors"] = read(client, batch.error_file_id)
    seen["too_late"] = refused(lambda: client.batches.cancel(created.id))

    missing = client.batches.create(input_file_id="file-nothing", endpoint=ENDPOINT, completion_window="24h", metadata=None)
    seen["failed"] = wait(client, missing.id).to_dict()
    bad = client.files.create(file=("bad.jsonl", b"{\n" + request("a", 1)), purpose="batch")
    failed = wait(client, client.batches.create(input_file_id=bad.id, endpoint=ENDPOINT, completion_window="24h").id)
    seen["invalid"] = failed.to_dict()["errors"]

    ids = [one.id for one in client.batches.list(limit=1)]
    seen["paged"] = [len(ids), len(set(ids)), ids[-1] == created.id]
    seen["window"] = refused(lambda: client.batches.create(input_file_id=file.id, endpoint=ENDPOINT, completion_window="1h"))
    seen["deleted"] = client.files.delete(file.id).to_dict() | {"id": None}
    seen["gone"] = refused(lambda: client.files.retrieve(file.id))
    other = OpenAI(base_url=f"{url}/v1", api_key="sk-bob", _strict_response_validation=True)
    seen["other"] = refused(lambda: other.batches.retrieve(created.id))
    seen["nobody"] = refused(lambda: OpenAI(base_url=f"{url}/v1", api_key="sk-eve").batches.retrieve(created.id))
    return seen


if __name__ == "__main__":
    print(json.dumps(drive(sys.argv[1])))
