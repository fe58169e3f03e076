"""Score files: round trips, bad files, files of earlier versions and a full disk."""

import json
import os
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from usaid.errors import UsaidError
from usaid.scores.files import Scores, read_provenance, read_scores, write_scores

REFERENCE = Path(__file__).parents[3] / "results/reference"


def row(image_id: str, sigma: float = 25.0, psnr: float = 30.0) -> dict:
    return {"image_id": image_id, "image_sha256": "00", "sigma": sigma, "draw": 0, "psnr_rgb_float": psnr}


@pytest.fixture
def provenance() -> dict:
    return {
        "experiment": "smoke", "benchmark": "kodak_quality", "denoiser": "noisy", "title": "Noisy",
        "entry": {"method": "noisy"}, "metrics": ["psnr_rgb_float"], "deviations": [], "judge": {},
        "dataset": {"name": "kodak", "split": "all", "n": 2, "n_official": 24, "subset": None, "ids_sha256": "0"},
        "weights_sha256": None, "code_hash": "0", "config_sha256": "0", "noise_version": 1,
        "git": {"commit": None, "dirty": None}, "packages": {}, "python": "3", "platform": "p", "device": "cpu",
        "precision": "float32", "seconds": {"denoiser": 1.5}, "pixels": 10, "pixels_per_second": 7, "failure": None,
    }  # fmt: skip


def test_round_trip_keeps_rows_infinities_and_provenance(tmp_path, provenance):
    rows = pd.DataFrame([row("a", psnr=float("inf")), row("b")])
    write_scores(tmp_path / "s.parquet", Scores(rows, provenance))
    back = read_scores(tmp_path / "s.parquet")
    pd.testing.assert_frame_equal(back.rows, rows, check_dtype=False)
    assert back.provenance == provenance


def test_provenance_is_checked(tmp_path, provenance):
    with pytest.raises(UsaidError, match="provenance key"):
        write_scores(tmp_path / "s.parquet", Scores(pd.DataFrame([row("a")]), provenance | {"surprise": 1}))
    provenance["dataset"]["n"] = -1
    with pytest.raises(UsaidError, match=r"provenance key dataset\.n"):
        write_scores(tmp_path / "s.parquet", Scores(pd.DataFrame([row("a")]), provenance))


def test_files_of_earlier_versions_are_read_in_todays_words(tmp_path):
    committed = REFERENCE / "subset/scores/kodak_quality/noisy.parquet"
    raw = json.loads(pq.read_schema(committed).metadata[b"usaid_provenance"])
    expected = {("code_hash" if key == "source_hash" else key): value for key, value in raw.items()}
    assert "source_hash" in raw, "the committed file is of an earlier version"
    assert read_provenance(committed) == read_scores(committed).provenance == expected
    write_scores(tmp_path / "again.parquet", read_scores(committed))
    assert read_provenance(tmp_path / "again.parquet") == expected


def test_what_is_no_score_file(tmp_path):
    (tmp_path / "s.parquet").write_bytes(b"PAR1 half a file")
    with pytest.raises(UsaidError, match=r"s\.parquet: not a readable score file"):
        read_scores(tmp_path / "s.parquet")
    pd.DataFrame([row("a")]).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(UsaidError, match=r"t\.parquet: has no provenance"):
        read_scores(tmp_path / "t.parquet")


@pytest.mark.skipif(os.name != "posix", reason="file size limits are POSIX")
def test_full_disk_while_writing_the_score_file(tmp_path, provenance, run_with_file_size_limit):
    code = f"""
        import pandas as pd
        from usaid.errors import UsaidError
        from usaid.scores.files import Scores, write_scores
        rows = pd.DataFrame({{"image_id": [str(i * 7919 % 10007) for i in range(9999)]}})
        try:
            write_scores({str(tmp_path / "s.parquet")!r}, Scores(rows, {provenance!r}))
        except UsaidError as error:
            print(error)
    """
    done = run_with_file_size_limit(code, 4000)
    assert "s.parquet: cannot be written" in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []
