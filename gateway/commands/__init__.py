"""The command line: one module for each verb, in the table below, imported only when it is asked for.

A verb's module has `add_arguments(parser)`, which may set the parser's epilog to examples, and `main(arguments) -> int`.
Exit statuses: 0 it worked, 1 it did not, 2 the command line was wrong; 130 and 141 ended by Ctrl-C or by a closed pipe.
"""

import argparse
import errno
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from gateway.config.problems import suggest

VERBS = {
    "serve": "take batches, as a configuration file says",
    "check": "look for mistakes in a configuration file, and start nothing",
    "schema": "print the JSON Schema of configuration files, for editors",
    "routes": "show which upstream serves which paths",
    "plan": "show what a batch would do, and send nothing",
    "run": "send a batch to a gateway and draw what happened when",
    "jobs": "see and end the batches that run later",
    "demo": "serve a small example with upstreams of its own",
    "version": "print the versions of the gateway and what it runs on",
}
"""Verb -> what it does. The module is `gateway.commands.<verb>`."""

EXAMPLES = """\
examples:
  gateway check --config gateway.yaml
  gateway serve --config gateway.yaml
  gateway run batch.json
  gateway run --help

exit status: 0 it worked, 1 it did not, 2 the command line was wrong"""


_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class Parser(argparse.ArgumentParser):
    """Prints examples as they are written, says what is wrong in one line, and takes no abbreviated options."""

    def __init__(self, prog: str, description: str, epilog: str | None = None) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        self.exit(2, f"{self.prog}: {message}\nTry '{self.prog} --help'.\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says and return the exit status; it does not raise SystemExit."""
    try:
        status = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except SystemExit as end:  # argparse ends so, after --help as well as after a mistake
        return end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:  # the reader has gone (| head)
        _write_no_more()
        return 128 + signal.SIGPIPE
    except OSError as error:
        if error.filename is not None or error.errno not in _UNWRITABLE:
            raise
        _write_no_more()
        sys.stderr.write(f"gateway: cannot write standard output: {error.strerror}\n")
        return 1
    return status


def _write_no_more() -> None:
    """Python flushes standard output once more at its end: let that go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(argv: Sequence[str]) -> int:
    verb = argv[0] if argv else ""
    if verb not in VERBS:
        return _run_without_verb(argv)
    module = importlib.import_module(f"gateway.commands.{verb}")
    parser = Parser(f"gateway {verb}", f"{VERBS[verb][0].upper()}{VERBS[verb][1:]}.")
    module.add_arguments(parser)
    status: int = module.main(parser.parse_args(argv[1:]))
    return status


def _run_without_verb(argv: Sequence[str]) -> int:
    verbs = "\n".join(f"  {verb:<8} {summary}" for verb, summary in VERBS.items())
    description = f"The batch gateway: many operations in one request, one ordered answer.\n\nverbs:\n{verbs}"
    parser = Parser("gateway", description, EXAMPLES)
    parser.usage = "gateway VERB [options]"
    parser.add_argument("--version", action="store_true", help="the same as the verb version")
    if parser.parse_known_args(argv)[0].version:
        return _run(["version"])
    return parser.error(_explain(argv))


def _explain(argv: Sequence[str]) -> str:
    """What is wrong with a command line that does not begin with a verb."""
    if not argv:
        return f"say what to do: {', '.join(VERBS)}"
    later = next((word for word in argv if word in VERBS), "")
    if later:
        return f"the verb comes first: gateway {later} …"
    meant = suggest(argv[0], VERBS)
    return f"{argv[0]!r} is not a verb" + (f' (did you mean "{meant}"?)' if meant else "")
