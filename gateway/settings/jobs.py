"""Jobs: how many a worker holds and runs, and when one is given up."""

from __future__ import annotations

import msgspec

from gateway.settings.quantities import Bytes, Count, Rows, Seconds

__all__ = ["JobSettings"]


class JobSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[jobs]``"""

    #: Jobs that one worker process runs at once, each in a greenlet.
    jobs_in_flight_max: Count = 1_000
    #: Jobs that one worker process has read from the ledger and not started yet.
    jobs_buffered_max: Count = 4_000
    #: Jobs of one lane that it has read; the rest of a long lane is read when these are done.
    lane_buffered_max: Count = 16
    #: Jobs written to the ledger, read from it, or settled in one statement.
    batch_rows_max: Count = 500
    #: Jobs that wait for a batch in a process; above it whoever asks for one is told to come back later.
    batch_waiting_max: Count = 20_000
    #: Jobs in the ledger, kept and buried ones too, as PostgreSQL estimates them; above it whoever asks for one is told
    #: to come back later.  What belongs to something accepted already is written all the same.
    waiting_max: Rows = 10_000_000
    #: Bytes of a job's payload as JSON, and of a result that is kept.
    payload_bytes_max: Bytes = 262_144
    #: Seconds between two looks for jobs of which no hint came.
    poll_s: Seconds = 0.5
    #: Entries of the stream of hints of one partition in Redis; what has no place there is found by a look.
    hints_per_partition_max: Count = 1_000
    #: Failed tries after which a job is a dead letter, where its kind does not say otherwise.
    attempts_max: Count = 12
    #: Seconds of the first pause between two tries; it doubles with each, with full jitter.
    backoff_base_s: Seconds = 1.0
    #: Seconds of the longest pause between two tries.
    backoff_max_s: Seconds = 300.0
    #: Seconds for one try, where the job's kind does not say otherwise.
    time_limit_s: Seconds = 60.0
    #: Deaths of a process that had the job in its hands, after which it is a dead letter.
    deaths_max: Count = 3
    #: Seconds between two writes of the progress that a job reports.
    progress_every_s: Seconds = 1.0
    #: Seconds between two looks at how many partitions this worker should own.
    share_every_s: Seconds = 1.0

    def __post_init__(self) -> None:
        if self.backoff_base_s > self.backoff_max_s:
            raise ValueError(
                f"backoff_base_s ({self.backoff_base_s:g}) must not be more than "
                f"backoff_max_s ({self.backoff_max_s:g})"
            )
