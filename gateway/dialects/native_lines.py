"""The native answer as a stream: a line for each top-level operation when it has ended, the summary last.

Newline-delimited JSON, or server-sent events (WHATWG HTML section 9.2) with the same lines as their data.
"""

from gateway.batch.assembly import Entry
from gateway.batch.operation import Envelope
from gateway.batch.results import Finished
from gateway.dialects.native_encode import NATIVE, Spelling, milliseconds
from gateway.jsontext import Record, dump, dump_record
from gateway.messages import Headers

_TO_BLANKS = bytes.maketrans(b"\r\n", b"  ")


class Form(Record, frozen=True):
    """A way to cut a stream into lines. `heartbeat` is read and dropped by whoever reads that form."""

    content_type: str
    before_entry: bytes
    before_summary: bytes
    end: bytes
    heartbeat: bytes

    @property
    def headers(self) -> Headers:
        """What an answer in this form says. Nginx would hold lines back until it has a buffer full of them."""
        return (("content-type", self.content_type), ("x-accel-buffering", "no"))


NDJSON = Form("application/x-ndjson", b"", b"", b"\n", b"\n")
EVENTS = Form("text/event-stream", b"event: response\ndata: ", b"event: summary\ndata: ", b"\n\n", b":\n\n")


class Lines:
    """Spells the lines of one answer."""

    def __init__(self, form: Form, envelope: Envelope) -> None:
        self._form = form
        self._spelling = Spelling(NATIVE, True if envelope.show_headers is None else envelope.show_headers)

    def entry(self, index: int, entry: Entry) -> bytes:
        """The line of the top-level operation at `index`: its entry as in the plain answer, with the index before it.

        JSON holds line breaks between its tokens only. An upstream's may, and they become blanks.
        """
        spelled = dump_record(self._spelling.spell(entry))
        if b"\n" in spelled or b"\r" in spelled:
            spelled = spelled.translate(_TO_BLANKS)
        return b'%b{"index":%d,%b%b' % (self._form.before_entry, index, spelled[1:], self._form.end)

    def summary(self, finished: Finished) -> bytes:
        """The last line."""
        summary = {
            "operations": finished.operations,
            "failed": finished.failed,
            "duration": milliseconds(finished.duration),
        }
        return b"%b%b%b" % (self._form.before_summary, dump({"summary": summary}), self._form.end)
