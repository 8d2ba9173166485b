"""What an unquoted word in YAML means: YAML 1.2's core schema, and a refusal where YAML 1.1 means something else.

The same word is a boolean to one parser and text to the next (`no`), a time to people and the number 750 to a parser (`12:30`).
Such words are refused with the spelling that means the same everywhere.
"""

import math
import re

from gateway.config.nodes import Value
from gateway.config.problems import Wrong

NULLS = frozenset({"", "~", "null", "Null", "NULL"})
BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]{0,18})")
"""As many digits as a 64-bit integer has: schemas of a catalog need its bounds exactly."""
DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")

SURPRISES = (
    (r"(?i:y|yes|on)", 'a boolean in YAML 1.1 and text in YAML 1.2: write "{0}" in quotes, or true'),
    (r"(?i:n|no|off)", 'a boolean in YAML 1.1 and text in YAML 1.2: write "{0}" in quotes, or false'),
    (r"[-+]?0[0-9_]+", 'an octal number in YAML 1.1: write it without the leading zero, or "{0}" in quotes'),
    (r"[-+]?0[xob][0-9a-fA-F_]+", 'which parsers read differently: write a decimal number, or "{0}" in quotes'),
    (r"[-+]?[0-9.]+_[0-9_.]*", 'a number in YAML 1.1 and text in YAML 1.2: write it without "_", or "{0}" in quotes'),
    (r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?", 'a number in base 60 in YAML 1.1: write "{0}" in quotes'),
    (r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?", 'a date in YAML 1.1: write "{0}" in quotes'),
    (r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "not a usable number"),
    (r"=", 'which has a meaning of its own in YAML 1.1: write "{0}" in quotes'),
)
"""Pattern of the whole word, and what to say after "is the unquoted …,". First match wins."""


def resolve(text: str) -> Value:
    """The value of an unquoted scalar. Raises Wrong where parsers would disagree about it."""
    if text in NULLS:
        return None
    if text in BOOLEANS:
        return BOOLEANS[text]
    if WHOLE.fullmatch(text):
        return int(text)
    for pattern, explanation in SURPRISES:
        if re.fullmatch(pattern, text):
            raise Wrong(f"is the unquoted {text}, {explanation.format(text)}")
    if DECIMAL.fullmatch(text):
        return _finite(text)
    return text


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Wrong("is too large a number")
    return number
