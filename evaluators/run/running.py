"""A run of the workflow, from before its first job to after its last."""

import sys
from collections.abc import Iterable, Sequence

from evaluators.dag.dag import Dag
from evaluators.plan import forecast_of
from evaluators.run.after import failures, how_it_ended, summary
from evaluators.run.before import problems
from evaluators.run.jobs import RunJob, parts_of
from evaluators.run.locking import lock
from evaluators.run.look import first_line
from evaluators.run.record import begin_record, end_record
from evaluators.run.status_line import StatusLine


class Running:
    """Keeps the results for itself, has a record on disk, and says on the terminal what it is at."""

    def __init__(self, dag: Dag, asked: Iterable[RunJob], to_do: Sequence[RunJob], on_cluster: bool) -> None:
        """Begin: say what is known to fail, and about how long it will take.

        Args:
            dag: of the experiment.
            asked: the jobs that were asked for, and what they need.
            to_do: those of them that will run.
            on_cluster: jobs run on other machines.

        Raises:
            UsaidError: another run is at work on the same results, or they cannot be written.
        """
        self._dag = dag
        self._lock = lock(dag.results)  # open, and so held, as long as this is
        if on_cluster:
            dag.keep_planned_failures()
        for images in dag.experiment.unread_subsets:
            _say(f"warning: subsets.{images}: nothing reads this split")
        for line in problems(dag, _parts(dag, asked)):
            _say(f"warning: {line} (will be dashes)")
        forecast = forecast_of(dag, to_do)
        self._record = begin_record(dag, to_do, forecast.seconds)
        if forecast.line:
            _say(forecast.line)
        _say(first_line(dag.results, self._record))
        self._status = StatusLine(dag.results, self._record)
        self._status.start()

    def end(self, asked: Iterable[RunJob]) -> bool:
        """Say what there is and what failed.

        Args:
            asked: the jobs that were asked for, and what they need.

        Returns:
            Whether all is well: nothing failed, or the experiment allows it.
        """
        self._status.stop()
        dag, jobs = self._dag, _parts(self._dag, asked)
        failed = failures(dag, jobs)
        end_record(dag.results, self._record, how_it_ended(dag, jobs, failed))
        print(summary(dag, jobs, failed), flush=True)
        return not failed or dag.experiment.allow_failures


def _parts(dag: Dag, jobs: Iterable[RunJob]) -> list[RunJob]:
    """Jobs by what they make: score files, however many a job makes."""
    return [part for job in jobs for part in parts_of(dag, job)]


def _say(line: str) -> None:
    print(line, file=sys.stderr)
