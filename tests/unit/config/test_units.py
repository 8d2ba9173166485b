import pytest

from gateway.config.problems import Wrong
from gateway.config.units import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("250ms", 0.25), ("2s", 2.0), ("1.5 s", 1.5), ("1m", 60.0), ("1h", 3600.0), ("-1s", -1.0), (3, 3.0), (0.5, 0.5)],
)
def test_durations(written: object, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize("written", ["", "2", "s", "2 seconds", "2S", "1m30s", "1e3s", "٢s", True, None, [], "9" * 400 + "s"])
def test_what_is_not_a_duration(written: object) -> None:
    with pytest.raises(Wrong, match="must be a duration such as 250ms, 2s or 1m"):
        parse_duration(written)


@pytest.mark.parametrize(
    ("written", "size"), [("512B", 512), ("8KiB", 8192), ("1.5 MiB", 1_572_864), ("1GiB", 1 << 30), (7, 7), ("-1B", -1)]
)
def test_sizes(written: object, size: int) -> None:
    assert parse_size(written) == size


@pytest.mark.parametrize("written", ["", "1", "1 byte", 1.5, True, None])
def test_what_is_not_a_size(written: object) -> None:
    with pytest.raises(Wrong, match="must be a size such as 512B, 8KiB or 1MiB"):
        parse_size(written)


@pytest.mark.parametrize(("written", "meant"), [("1MB", "1MiB"), ("2kb", "2KiB"), ("3G", "3GiB"), ("4mib", "4MiB")])
def test_a_size_open_to_doubt_is_refused_with_the_spelling_that_is_not(written: str, meant: str) -> None:
    with pytest.raises(Wrong) as refused:
        parse_size(written)
    assert refused.value.suggestion == meant


def test_a_part_of_a_byte_is_refused() -> None:
    with pytest.raises(Wrong, match="whole number of bytes"):
        parse_size("0.3B")


@pytest.mark.parametrize("text", ["0s", "1ms", "250ms", "1s", "1.5s", "90s", "2m", "1h"])
def test_durations_are_written_as_they_are_read(text: str) -> None:
    assert format_duration(parse_duration(text)) == text


@pytest.mark.parametrize("text", ["0B", "1000B", "8KiB", "1MiB", "1536KiB", "2GiB"])
def test_sizes_are_written_as_they_are_read(text: str) -> None:
    assert format_size(parse_size(text)) == text
