"""What a gateway says when it is there."""

import sys

from gateway.app.listening import Addresses
from gateway.logs import Logs


def announce(addresses: Addresses, logs: Logs, **fields: object) -> None:
    """Say where it listens; on a terminal, what to try."""
    logs.info("listening", public=addresses.public, admin=addresses.admin, **fields)
    if sys.stdout.isatty():
        body = '{"requests": [{"path": "/"}]}'
        sys.stderr.write(f"\ntry: curl -s {addresses.public}/batch -H 'content-type: application/json' -d '{body}'\n\n")
