"""Who is asking: the request id, the trace, the client and the headers that may travel on, from the outer request's headers.

Pure. Only a trusted proxy's word counts for who the client is; everyone else is what the socket says. Whatever could be taken
for the gateway's own word about the client is removed here, and said again in `Context.identity`.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from gateway.batch.headers import is_reserved
from gateway.messages import Context, Headers, Trace

ENTROPY_BYTES = 34
"""What `make_context` consumes: 10 for the request id, 16 for a trace id, 8 for a span id."""

KEPT_BACK = frozenset("content-type content-encoding x-request-id traceparent tracestate baggage".split())
"""Never forwarded, beside what batch.headers reserves: true of the envelope only, said anew for each operation, or private."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_HOST = re.compile(r"[A-Za-z0-9._\[\]:-]{1,255}")
_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_TRACE_MEMBERS = 32
_TRACE_STATE = 512
_VIA = 512
_NOTHING: Mapping[str, str] = {}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Trust:
    """The gateway's own name in Via, and the networks of the proxies whose word about a client is believed."""

    name: str
    proxies: tuple[Network, ...] = ()


def read_fields(lines: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Field values by lower-case name, several lines joined (RFC 9110 section 5.3; RFC 6265 section 4.2.1 for cookies)."""
    fields: dict[str, str] = {}
    for raw_name, raw_value in lines:
        name, value = _spell_name(raw_name), raw_value.decode("latin-1")
        if name in fields:
            separator = "; " if name == "cookie" else ", "
            value = f"{fields[name]}{separator}{value}"
        fields[name] = value
    return fields


@lru_cache(maxsize=256)
def _spell_name(name: bytes) -> str:
    return name.decode("latin-1").lower()


def make_context(fields: Mapping[str, str], peer: str, trust: Trust, now: float, entropy: bytes) -> Context:
    """The Context of a request with these outer headers, as `read_fields` gives them, from the socket address `peer`.

    `now` is in seconds since 1970, `entropy` ENTROPY_BYTES random bytes.
    """
    if _is_trusted(peer, trust.proxies):
        told, hops = fields, (*_read_hops(fields.get("x-forwarded-for", "")), peer)
        client = _find_client(hops, trust.proxies)
    else:
        told, hops, client = _NOTHING, (peer,), peer
    request_id = told.get("x-request-id")
    if request_id is None or not _REQUEST_ID.fullmatch(request_id):
        request_id = make_uuid7(now, entropy[:10])
    return Context(
        request_id=request_id,
        trace=read_trace(fields.get("traceparent", ""), fields.get("tracestate", ""), entropy[10:]),
        client=client,
        headers=keep_forwardable(fields),
        identity=_make_identity(request_id, hops, told, fields, trust.name),
    )


def keep_forwardable(fields: Mapping[str, str]) -> Headers:
    """The headers an upstream's `forward` may pick from: not about this connection or body, and no claim about the client.

    Names with an underscore go too: many servers read `X_Real_IP` as `X-Real-IP`.
    """
    hop_by_hop = _read_options(fields.get("connection", ""))
    return tuple([(name, value) for name, value in fields.items() if name not in hop_by_hop and _is_end_to_end(name)])


@lru_cache(maxsize=64)
def _read_options(connection: str) -> frozenset[str]:
    """The fields that a Connection names (RFC 9110 section 7.6.1)."""
    return frozenset([name.strip().lower() for name in connection.split(",")])


@lru_cache(maxsize=1024)
def _is_end_to_end(name: str) -> bool:
    return not (name in KEPT_BACK or "_" in name or is_reserved(name))


def make_uuid7(now: float, entropy: bytes) -> str:
    """A UUID version 7 (RFC 9562 section 5.7) of the second `now` and 10 random bytes: ids sort by time."""
    time, random = f"{int(now * 1000):012x}", entropy.hex()
    variant = "89ab"[entropy[2] >> 4 & 0x3]
    return f"{time[:8]}-{time[8:]}-7{random[1:4]}-{variant}{random[5:8]}-{random[8:]}"


def read_trace(parent: str, state: str, entropy: bytes) -> Trace:
    """The trace the caller is in, with a new span for us; a new trace if `parent` does not follow W3C Trace Context level 1.

    24 bytes of `entropy`. A state without its parent means nothing and is dropped.
    """
    span_id = _nonzero(entropy[16:24])
    match = _TRACEPARENT.fullmatch(parent) if parent else None
    if match is None:
        return Trace(_nonzero(entropy[:16]), span_id)
    version, trace_id, parent_id, flags, more = match.groups()
    if version == "ff" or (version == "00" and more) or not int(trace_id, 16) or not int(parent_id, 16):
        return Trace(_nonzero(entropy[:16]), span_id)
    return Trace(trace_id, span_id, f"{int(flags, 16) & 0x03:02x}", _cap_state(state))


def _nonzero(entropy: bytes) -> str:
    """Hex digits of `entropy`; all zeros mean "no id" in a traceparent."""
    return entropy.hex() if any(entropy) else "1".zfill(2 * len(entropy))


def _cap_state(state: str) -> str:
    """The leading members of a tracestate, at most 32 and 512 characters; the oldest stand last and go first."""
    if not _PRINTABLE.fullmatch(state):
        return ""
    members = [member.strip() for member in state.split(",") if member.strip()][:_TRACE_MEMBERS]
    while len(capped := ",".join(members)) > _TRACE_STATE:
        members.pop()
    return capped


def _is_trusted(address: str, proxies: tuple[Network, ...]) -> bool:
    if not proxies:
        return False
    parsed = _parse_address(address)
    return parsed is not None and any(parsed in network for network in proxies)


def _parse_address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _read_hops(forwarded_for: str) -> tuple[str, ...]:
    """The addresses of an X-Forwarded-For, client first. What stands left of something that is no address is hearsay."""
    hops: list[str] = []
    for hop in reversed(forwarded_for.split(",") if forwarded_for else []):
        address = _parse_address(hop.strip())
        if address is None:
            break
        hops.append(str(address))
    return tuple(reversed(hops))


def _find_client(hops: tuple[str, ...], proxies: tuple[Network, ...]) -> str:
    """The last address that is not a trusted proxy's: who the first proxy that can be believed says it talked to."""
    for hop in reversed(hops):
        if not _is_trusted(hop, proxies):
            return hop
    return hops[0]


def _make_identity(
    request_id: str, hops: tuple[str, ...], told: Mapping[str, str], fields: Mapping[str, str], name: str
) -> Headers:
    """What every sub-request says about where it came from; `told` are the headers of a trusted proxy, or nothing."""
    proto = told.get("x-forwarded-proto", "http").lower()
    host = told.get("x-forwarded-host", fields.get("host", ""))
    via = told.get("via", "")
    identity = [
        ("x-request-id", request_id),
        ("x-forwarded-for", ", ".join(hops)),
        ("x-forwarded-proto", proto if proto in {"http", "https"} else "http"),
    ]
    if _HOST.fullmatch(host):
        identity.append(("x-forwarded-host", host))
    believable = via and len(via) <= _VIA and _PRINTABLE.fullmatch(via)
    identity.append(("via", f"{via}, 1.1 {name}" if believable else f"1.1 {name}"))
    return tuple(identity)


def has_come_through(via: str, name: str) -> bool:
    """Whether a Via (RFC 9110 section 7.6.3) names the gateway: then it is talking to itself."""
    for entry in via.split(",") if via else ():
        words = entry.split()
        if len(words) > 1 and words[1].lower() == name.lower():
            return True
    return False
