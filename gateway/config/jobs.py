"""The settings of batches that run later, and of the clients who own them; as in `gateway.config.settings`."""

from typing import Annotated, Literal

from pydantic import Field

from gateway.config.addresses import Network, read_network
from gateway.config.kinds import (
    Count,
    CountOrZero,
    Duration,
    Folder,
    Keeping,
    OptionalCount,
    OptionalSize,
    Port,
    Size,
    Switch,
    choice,
    from_text,
    text,
    whole_number,
)
from gateway.config.secrets import read_key_hash, read_signing_secret
from gateway.config.section import Section

KeyHash = Annotated[str, from_text(read_key_hash, r"^sha256:[0-9a-f]{64}$", secret=True)]
SigningSecret = Annotated[str, from_text(read_signing_secret, secret=True)]
Secret = Annotated[str, from_text(str, secret=True)]
Networks = tuple[Annotated[Network, from_text(read_network)], ...]


class FlushSettings(Section):
    """When results are made safe: at the first of these. What is not safe yet is sent again after a crash."""

    results: Count = Field(default=256, description="So many results of a chunk.")
    size: Size = Field(default=1 << 20, description="So many bytes of them.")
    interval: Duration = Field(default=0.25, description="So long after the first of them.")


class RetentionSettings(Section):
    """How long things are kept."""

    files: Keeping = Field(
        default=30 * 86_400.0, description="Files and results of file batches, if their client says nothing."
    )
    results: Keeping = Field(default=2 * 86_400.0, description="Callback jobs and native ones, with their results.")


class CallbackSettings(Section):
    """How results are posted to the URL a client gave (Standard Webhooks)."""

    secrets: tuple[SigningSecret, ...] = Field(
        default=(),
        repr=False,
        description="Secrets (whsec_…) that sign callbacks. All of them sign, so that receivers can change to a new one.",
    )
    timeout: Duration = Field(default=20.0, description="The most that one attempt may take.")
    retries: tuple[Keeping, ...] = Field(
        default=(5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0),
        description="When to try again, counted from the first attempt; up to a tenth is added by chance.",
    )
    concurrency: Count = Field(default=2, description="The most attempts at one time to the same host and port.")
    longest: Size = Field(default=16 << 20, description="Larger results are not sent: the callback says where they are.")
    https_only: Switch = Field(default=True, description="Whether a callback URL must be https.")
    ports: tuple[Port, ...] = Field(default=(443, 8443), min_length=1, description="The ports a callback URL may have.")
    allow: Networks = Field(
        default=(),
        description="Networks (CIDR) that callbacks may go to although they are not public.",
    )


class QuotaSettings(Section):
    """The most a client may keep here at one time; null is no limit."""

    stored: OptionalSize = Field(default=None, description="Bytes of files and results.")
    jobs: OptionalCount = Field(default=None, description="Jobs that have not ended.")
    lines: OptionalCount = Field(default=None, description="Lines of those.")


class IvvySettings(Section):
    """The key pair with which a client signs its requests in the ivvy dialect."""

    key: Annotated[str, text(r"[\x21-\x39\x3b-\x7e]{1,128}", "printable characters without blanks and colons")] = Field(
        description="The API key, which goes over the wire."
    )
    secret: Secret = Field(repr=False, description="The secret, which does not: ${file:/run/secrets/…} or ${VAR}.")


class ClientSettings(Section):
    """Somebody who has jobs here. What one client has, no other sees."""

    keys: tuple[KeyHash, ...] = Field(
        default=(), repr=False, description='SHA-256 of API keys, "sha256:" and 64 hex digits; `gateway jobs key` makes one.'
    )
    ivvy: IvvySettings | None = Field(default=None, description="The key pair of the ivvy dialect.")
    quota: QuotaSettings = Field(default=QuotaSettings(), description="The most it may keep here.")
    callback_secrets: tuple[SigningSecret, ...] = Field(
        default=(), repr=False, description="Secrets for its callbacks, in place of jobs.callbacks.secrets."
    )


class JobSettings(Section):
    """Batches that run later: files, callback jobs, native batches that ask for it."""

    enabled: Switch = Field(default=False, description="Whether they are taken. Then one process only serves the data folder.")
    data: Folder = Field(
        default="./data", description="Folder for records and files, from the working directory; made if missing."
    )
    auth: Annotated[Literal["keys", "none"], choice("keys", "none")] = Field(
        default="keys", description="keys: who has none of the clients' keys is answered 401. none: everybody is one client."
    )
    concurrency: Count = Field(default=64, description="The most requests in flight for all jobs.")
    concurrency_beside_live: Count = Field(
        default=8, description="The same while batches are answered live: these never wait for jobs."
    )
    concurrency_per_job: Count = Field(default=64, description="The most requests in flight for one job.")
    chunks: Annotated[int, whole_number(1, 256)] = Field(default=8, description="The most chunks worked on at one time.")
    chunk_lines: Annotated[int, whole_number(1, 10_000)] = Field(default=250, description="Lines of a chunk.")
    attempts: Count = Field(
        default=5, description="How often a chunk is begun before its lines are given up: something in it may kill the process."
    )
    on_interrupt: Annotated[Literal["auto", "resend", "fail"], choice("auto", "resend", "fail")] = Field(
        default="auto",
        description="Requests in flight when the process was killed: auto sends again what is idempotent.",
    )
    timeout: Keeping = Field(default=86_400.0, description="How long a native or callback job may take in all.")
    lines: Count = Field(default=50_000, description="Most lines of a file of requests.")
    line: Size = Field(default=4 << 20, description="Longest of these lines.")
    upload: Size = Field(default=200 << 20, description="Largest file.")
    callback_jobs: Count = Field(default=200, description="Most jobs of one callback batch.")
    flush: FlushSettings = Field(default=FlushSettings(), description="When results are made safe.")
    retention: RetentionSettings = Field(default=RetentionSettings(), description="How long what is over is kept.")
    callbacks: CallbackSettings = Field(default=CallbackSettings(), description="How results are posted to callback URLs.")


class UpstreamJobSettings(Section):
    """What jobs may do to an upstream."""

    concurrency: CountOrZero = Field(
        default=0, description="The most requests of jobs in flight here; 0 is half of the upstream's connections."
    )
    idempotency_key: Switch = Field(
        default=False,
        description="Send an Idempotency-Key, JOB:LINE, with requests of jobs: where it is understood they are safe to resend.",
    )
