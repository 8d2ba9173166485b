"""What one batch may cost. Every field is a setting `limits.<name>` with the same name and default."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds, the rest counts. A limit itself is still allowed: n passes, n + 1 does not."""

    body: int = 1 << 20
    depth: int = 64
    operations: int = 50
    items: int = 100
    expanded_operations: int = 500
    dependency_depth: int = 10
    name: int = 128
    target: int = 8192
    headers: int = 64
    header: int = 8192
    references: int = 200
    references_per_operation: int = 32
    reference: int = 256
    reference_segments: int = 16
    value: int = 64 << 10
    value_matches: int = 1000
    value_visits: int = 100_000
    response: int = 4 << 20
    answer: int = 16 << 20
    timeout: float = 30.0
    operation_timeout: float = 30.0
