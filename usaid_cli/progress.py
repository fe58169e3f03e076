"""``usaid progress``: what a run of the workflow is at, from another terminal."""

import argparse
from pathlib import Path

from usaid_cli.arguments import Commands


def add_progress(commands: Commands) -> None:
    """``progress``."""
    parser = commands.add_parser(
        "progress",
        help="what a run is at: done, running, failed, and for how long still",
        description="Only reads, so it may run in another terminal, or on another machine that sees the folder; its "
        "Ctrl-C does not stop the run. Of a run that was killed it says how to go on.",
    )
    parser.add_argument("results", type=Path, metavar="RESULTS", help="the experiment's folder: results/paper")
    parser.add_argument("--watch", action="store_true", help="look again every two seconds until the run ends")
    parser.add_argument("--json", action="store_true", help="as JSON; with --watch an object a line")
    parser.set_defaults(run=_progress)


def _progress(options: argparse.Namespace) -> None:
    import json
    import sys
    import time

    from evaluators.run.report import content_of_run, seen_run, text_of_run

    clear = "\x1b[H\x1b[J" if options.watch and sys.stdout.isatty() and not options.json else ""
    while True:
        seen = seen_run(options.results)
        text = (
            json.dumps(content_of_run(seen), indent=None if options.watch else 1)
            if options.json
            else (text_of_run(seen))
        )
        print(f"{clear}{text}", flush=True)
        if not options.watch or not seen.is_at_work:
            return
        time.sleep(2)
