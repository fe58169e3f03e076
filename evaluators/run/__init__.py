"""What is said and done around a run of the workflow: its lock, what is known to fail, how far it is, and its end."""

from evaluators.run.after import failures, how_it_ended, summary
from evaluators.run.before import problems
from evaluators.run.jobs import RunJob, parts_of
from evaluators.run.locking import lock
from evaluators.run.look import first_line
from evaluators.run.record import begin_record, end_record
from evaluators.run.running import Running
from evaluators.run.status_line import StatusLine

__all__ = [
    "RunJob",
    "Running",
    "StatusLine",
    "begin_record",
    "end_record",
    "failures",
    "first_line",
    "how_it_ended",
    "lock",
    "parts_of",
    "problems",
    "summary",
]
