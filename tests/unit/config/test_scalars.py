import pytest

from gateway.config.problems import Wrong
from gateway.config.scalars import resolve


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("0", 0),
        ("-7", -7),
        ("1.10", 1.1),
        ("1e3", 1000.0),
        ("users", "users"),
        ("10s", "10s"),
        ("::1", "::1"),
        ("1.2.3.4", "1.2.3.4"),
        ("nobody", "nobody"),
        ("-9223372036854775808", -(2**63)),
        ("9" * 20, 1e20),
    ],
)
def test_words_that_mean_the_same_everywhere(word: str, value: object) -> None:
    found = resolve(word)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("word", "because"),
    [
        ("no", 'a boolean in YAML 1.1 and text in YAML 1.2: write "no" in quotes, or false'),
        ("On", 'a boolean in YAML 1.1 and text in YAML 1.2: write "On" in quotes, or true'),
        ("y", 'a boolean in YAML 1.1 and text in YAML 1.2: write "y" in quotes, or true'),
        ("010", 'an octal number in YAML 1.1: write it without the leading zero, or "010" in quotes'),
        ("0x1F", 'which parsers read differently: write a decimal number, or "0x1F" in quotes'),
        ("0o17", 'which parsers read differently: write a decimal number, or "0o17" in quotes'),
        ("1_000", 'a number in YAML 1.1 and text in YAML 1.2: write it without "_", or "1_000" in quotes'),
        ("12:30", 'a number in base 60 in YAML 1.1: write "12:30" in quotes'),
        ("2024-01-31", 'a date in YAML 1.1: write "2024-01-31" in quotes'),
        (".inf", "not a usable number"),
        (".NaN", "not a usable number"),
    ],
)
def test_words_that_mean_something_else_elsewhere(word: str, because: str) -> None:
    with pytest.raises(Wrong) as refused:
        resolve(word)
    assert refused.value.message == f"is the unquoted {word}, {because}"


def test_a_number_beyond_a_float_is_refused() -> None:
    with pytest.raises(Wrong, match="too large"):
        resolve("1e999")
