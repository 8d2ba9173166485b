"""`python -m gateway` and the command `gateway`: hands over to the command line."""

import sys

from gateway.commands import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
