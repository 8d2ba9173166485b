"""Which places OpenAI's clients find: files and batches of them."""

from gateway.batch.compile import Rules
from gateway.batch.routes import RouteTable
from gateway.config.dialects import OpenAISettings
from gateway.config.jobs import JobSettings
from gateway.dialects.openai_create import make_windows
from gateway.jobs.clients import Clients
from gateway.jobs.desk import Desk
from gateway.jobs.shelf import Shelf
from gateway.places.openai_batches import OpenAIBatches
from gateway.places.openai_calls import OpenAICall, OpenAIPost, OpenAIUpload
from gateway.places.openai_files import OpenAIFiles
from gateway.places.openai_form import OVERHEAD
from gateway.places.place import Place


def make_openai_places(
    settings: OpenAISettings, jobs: JobSettings, clients: Clients, desk: Desk, shelf: Shelf, routes: RouteTable, rules: Rules
) -> dict[str, dict[str, Place]]:
    """What is served below `settings.path`, by path and method."""
    files = OpenAIFiles(clients, shelf, jobs.upload, settings.any_filename)
    batches = OpenAIBatches(
        clients,
        desk,
        routes,
        rules,
        make_windows(settings.completion_windows),
        jobs.auth == "keys",
    )
    path = settings.path.rstrip("/")
    return {
        f"{path}/files": {"POST": OpenAIUpload(files.upload, jobs.upload + OVERHEAD), "GET": OpenAICall(files.list)},
        f"{path}/files/{{id}}": {"GET": OpenAICall(files.find), "DELETE": OpenAICall(files.remove)},
        f"{path}/files/{{id}}/content": {"GET": OpenAICall(files.read)},
        f"{path}/batches": {"POST": OpenAIPost(batches.create), "GET": OpenAICall(batches.list)},
        f"{path}/batches/{{id}}": {"GET": OpenAICall(batches.find)},
        f"{path}/batches/{{id}}/cancel": {"POST": OpenAICall(batches.cancel)},
    }
