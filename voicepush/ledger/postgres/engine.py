"""
The engine's tables beside those of a ledger: jobs, by the functions that it offers in
SQL. One job is one batch, and holds nothing but its ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from voicepush.ledger.sharing import STALLED_AFTER, TASK
from voicepush.ledger.sql.store import Connection, Row

#: A campaign's tag is the name of its queue.
_JOBS = """
    SELECT procrastinate_defer_jobs_v1(array_agg(ROW(
        tag, ?, -priority, NULL, tag || '-' || batch.number,
        jsonb_build_object('tag', tag, 'number', batch.number),
        CASE WHEN greatest(due_at, opens) > ? THEN
            to_timestamp(greatest(due_at, opens))
        END
    )::procrastinate_job_to_defer_v1))
    FROM batch JOIN campaign ON campaign.id = batch.campaign
    JOIN message_group ON message_group.campaign = batch.campaign
    AND message_group.number = batch.message_group
    LEFT JOIN unnest(?::bigint[], ?::double precision[]) AS opening (number, opens)
    ON opening.number = batch.message_group
    WHERE batch.campaign = ? AND batch.state = 0 AND {}
    HAVING count(*) > 0
"""

_NO_JOB = """
    NOT EXISTS (
        SELECT * FROM procrastinate_jobs
        WHERE queueing_lock = tag || '-' || batch.number AND status = 'todo'
    )
"""

#: Whether any job waits in a queue, and is due.
_IS_ANY_DUE = """
    SELECT * FROM procrastinate_jobs
    WHERE queue_name = ? AND status = 'todo'
    AND (scheduled_at IS NULL OR scheduled_at <= now()) LIMIT 1
"""

_CANCEL_LATER = """
    SELECT procrastinate_cancel_job_v1(id, false, true) FROM procrastinate_jobs
    WHERE queue_name = ? AND status = 'todo' AND scheduled_at > now()
"""

#: No group waits for its windows.
_OPEN: Mapping[int, float] = MappingProxyType({})

_RUNNING = """
    SELECT (args->>'number')::bigint FROM procrastinate_jobs
    WHERE queue_name = ? AND status = 'doing'
"""

_DOING_BY = """
    SELECT id, (args->>'number')::bigint AS number FROM procrastinate_jobs
    WHERE queue_name = ? AND status = 'doing' AND worker_id = ?
"""

_STALLED = """
    SELECT job.id, (job.args->>'number')::bigint AS number
    FROM procrastinate_jobs AS job
    LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
    WHERE queue_name = ? AND status = 'doing' AND (
        worker.id IS NULL OR last_heartbeat < now() - ? * interval '1 second'
    )
"""


def put_all(
    connection: Connection, campaign: int, opens: Mapping[int, float] = _OPEN
) -> None:
    """
    Make a job of each batch of *campaign* in which someone is pending, where there is
    none.

    Args:
        opens: When the windows of groups that are closed open, by their numbers.
    """
    connection.execute(
        _JOBS.format(_NO_JOB),
        (
            *(TASK, connection.now()),
            *(list(opens), list(opens.values()), campaign),
        ),
    )


def put_anew(
    connection: Connection, campaign: int, tag: str, opens: Mapping[int, float]
) -> None:
    """
    The same, where those who wait for a window may wait for another one now.
    """
    connection.execute(_CANCEL_LATER, (tag,))
    put_all(connection, campaign, opens)


def put(
    connection: Connection,
    campaign: int,
    numbers: Iterable[int],
    opens: Mapping[int, float] = _OPEN,
) -> None:
    """
    The same of the batches with these *numbers* alone.
    """
    connection.execute(
        _JOBS.format(f"batch.number = ANY(?) AND {_NO_JOB}"),
        (
            *(TASK, connection.now()),
            *(list(opens), list(opens.values()), campaign, list(numbers)),
        ),
    )


def put_lost(connection: Connection, campaign: int, tag: str) -> None:
    """
    The same of those that nobody is at, where no job is left in the queue: a process
    died between taking its job and giving it back.
    """
    if connection.execute(_IS_ANY_DUE, (tag,)).fetchone() is not None:
        return
    running = [row[0] for row in connection.execute(_RUNNING, (tag,))]
    connection.execute(
        _JOBS.format(f"NOT batch.number = ANY(?) AND {_NO_JOB}"),
        (TASK, connection.now(), [], [], campaign, running),
    )


def end_stalled(connection: Connection, campaign: int, tag: str) -> None:
    """
    Give the jobs of workers that gave no sign to others, where someone is pending and
    not in flight.
    """
    _end(
        *(connection, campaign),
        connection.execute(_STALLED, (tag, STALLED_AFTER)).fetchall(),
    )


def end_all_of(connection: Connection, campaign: int, tag: str, worker: int) -> None:
    """
    The same of one of the engine's workers, which is gone.
    """
    _end(
        *(connection, campaign),
        connection.execute(_DOING_BY, (tag, worker)).fetchall(),
    )


def _end(connection: Connection, campaign: int, jobs: Sequence[Row]) -> None:
    for job in jobs:
        # Not the same job again: its worker may wake, and would end it.
        connection.execute(
            "SELECT procrastinate_finish_job_v1(?, 'failed', true)", (job["id"],)
        )
    put(connection, campaign, [job["number"] for job in jobs])


def drop_jobs(connection: Connection, tag: str) -> None:
    """
    Let no job be in the queue of a campaign that is over, which its last worker leaves:
    those that are being done are of workers that ended without a word.
    """
    connection.execute(
        "SELECT procrastinate_cancel_job_v1(id, false, true) FROM procrastinate_jobs "
        "WHERE queue_name = ? AND status = 'todo'",
        (tag,),
    )
    connection.execute(
        "SELECT procrastinate_finish_job_v1(id, 'failed', true) "
        "FROM procrastinate_jobs WHERE queue_name = ? AND status = 'doing'",
        (tag,),
    )
