"""Where stored batches are run, and what is said where clients may not write batches of their own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from gateway.dialects.dialect import Asked, Encoded
from gateway.dialects.problem import encode_refusal
from gateway.dialects.view import View
from gateway.errors import Refusal
from gateway.execution.engine import Engine
from gateway.messages import Context, Reason
from gateway.pipeline import Answer
from gateway.places.batches import Batches
from gateway.places.place import Place, Takes


def path_of(name: str) -> str:
    """Where a view is served."""
    return f"/views/{name}"


def open_views(views: Mapping[str, View], engine: Engine) -> dict[str, dict[str, Place]]:
    """A path for each view: POST, and GET and HEAD where it changes nothing."""
    return {path_of(name): dict.fromkeys(methods_of(view), Batches(view, engine)) for name, view in views.items()}


def methods_of(view: View) -> tuple[str, ...]:
    """The methods a view is asked for by. Links and prefetching make GETs, so what changes something takes none."""
    return ("GET", "HEAD", "POST") if view.is_safe else ("POST",)


@dataclass(frozen=True, slots=True)
class OnlyStored:
    """Refuses batches that clients write. `served` is what there is in their place."""

    takes: ClassVar[Takes] = Takes.JSON
    served: tuple[str, ...]
    dialect: str = "native"

    async def serve(self, asked: Asked, context: Context) -> Answer:  # noqa: ARG002  # it is what a Place takes
        """Never: a Refusal."""
        raise Refusal(Reason.NOT_FOUND, f"only stored batches are taken here: {', '.join(self.served) or 'there are none'}")

    def refuse(self, refusal: Refusal, request_id: str) -> Encoded:
        """As problem details."""
        return encode_refusal(refusal, request_id)


def refuse_others(paths: Iterable[str], served: Iterable[str]) -> dict[str, dict[str, Place]]:
    """A place that refuses batches at each of `paths`, and says what is `served`."""
    place = OnlyStored(tuple(served))
    return {path: {"POST": place} for path in paths}
