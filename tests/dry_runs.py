"""Dry runs of the workflow, many in one process: Snakemake is imported once, and each run has a copy of the process."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from snakemake_runs import REPOSITORY, environment

_RUNS = """
import json, os, sys
import snakemake.cli
import usaid_cli

folder, commands = json.loads(sys.argv[1])
for number, (program, *arguments) in enumerate(commands):
    child = os.fork()
    if child:
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        open(f"{folder}/{number}.status", "w").write(str(status))
        continue
    output = os.open(f"{folder}/{number}.log", os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = [program, *arguments]
    try:
        (snakemake.cli.main if program == "snakemake" else usaid_cli.main)(arguments)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code)
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    else:
        status = 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
"""

_LOOKS = {"--dry-run", "-n", "--lint", "--list-rules", "--summary"}


def dry_run(commands: Sequence[Sequence[str]]) -> list[tuple[int, str]]:
    """The exit status and the output of each command, ``snakemake ...`` or ``usaid run ...``, as a dry run.

    They run in the working folder.
    """
    asked = [[*command, *([] if _LOOKS & {*command} else ["-n"])] for command in commands]
    with TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", _RUNS, json.dumps([folder, asked])],
            env=environment(REPOSITORY), capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return [
            (int(Path(folder, f"{number}.status").read_text()), Path(folder, f"{number}.log").read_text())
            for number in range(len(asked))
        ]
