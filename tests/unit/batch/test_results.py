"""Results, counted."""

from gateway.batch.content import EMPTY
from gateway.batch.operation import Operation
from gateway.batch.results import Finished, Result, summarise
from gateway.messages import Failure, Reason, Response


def test_a_batch_is_flat_and_counts_children() -> None:
    operation = Operation("/requests/0", "/a", ("/a",), name="a", method="PUT")
    failed = Result(operation, "u", Failure(Reason.UPSTREAM_CLOSED, "gone", queued=0.5), EMPTY, "/a", 1.0, 2.0, item=1)
    found = Result(operation, "u", Response(399, (), b""), EMPTY, "/a", 1.0, 2.0, item=0)
    parent = Result(operation, "u", Response(207, (), b""), EMPTY, items=(found, failed))
    assert summarise((parent, found), 3.0) == Finished(4, 1, 3.0, (parent, found, failed, found))
    assert (failed.name, failed.pointer, failed.method, failed.queued) == ("a", "/requests/0", "PUT", 0.5)
    assert (failed.status, failed.succeeded, found.succeeded, parent.succeeded) == (502, False, True, True)
