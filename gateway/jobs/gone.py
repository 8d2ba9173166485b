"""Reading what the folder must have: as it was written, or not at all."""

from gateway.jobs.ports import Files, NoSuchObject


class Gone(Exception):
    """An object is not there, or is shorter than it was: somebody has been in the folder. It will not come back by itself."""


async def read_exactly(files: Files, key: str, start: int, size: int, missing: int = 0) -> bytes:
    """`size` bytes of an object, or up to `missing` fewer. Raises Gone, or StorageError for what may be better later."""
    try:
        content = await files.read(key, start, size)
    except NoSuchObject as error:
        raise Gone(key) from error
    if len(content) < size - missing:
        raise Gone(key)
    return content
