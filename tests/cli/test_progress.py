"""``usaid progress``: a folder of a run, or of none."""

import json
from pathlib import Path

import pytest

from evaluators.run.record import RecordedJob, RunRecord, write_record
from usaid_cli import main


def record(folder: Path, **changes: object) -> None:
    jobs = (RecordedJob("table 6", "table", "a.log", "table/6", {"table/6": 0}),)
    write_record(folder, RunRecord("small", "snakemake", "/there", "elsewhere", 1, 0, 0.0, jobs, **changes))


def test_a_finished_run(tmp_path, capsys):
    record(tmp_path, how="stopped", wall_seconds=240.0)
    main(["progress", str(tmp_path), "--watch"])
    assert capsys.readouterr().out.splitlines()[0] == f"{tmp_path}: stopped after 4 min"
    main(["progress", str(tmp_path), "--json"])
    said = json.loads(capsys.readouterr().out)
    assert (said["how"], said["wall_seconds"], said["counts"]["waiting"]) == ("stopped", 240.0, 1)


def test_watching_ends_with_the_run(tmp_path, capsys, monkeypatch):
    record(tmp_path)
    monkeypatch.setattr("time.sleep", lambda seconds: record(tmp_path, how="failed", wall_seconds=9.0))
    main(["progress", str(tmp_path), "--watch", "--json"])
    assert [json.loads(line)["how"] for line in capsys.readouterr().out.splitlines()] == ["running", "failed"]


def test_no_folder_is_one_line(tmp_path):
    with pytest.raises(SystemExit) as ended:
        main(["progress", str(tmp_path / "nowhere")])
    assert str(ended.value).startswith(f"error: {tmp_path}/nowhere: no such folder; ")
