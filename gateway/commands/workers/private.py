"""Files without a name, to hand to a process that is started."""

import os
import tempfile


def open_private_file(content: bytes = b"") -> int:
    """The descriptor of a new file, at its beginning, that nobody else can open. In memory where the system can do that."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("gateway")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
