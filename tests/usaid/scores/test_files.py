"""Score files: round trips, bad files, files of earlier versions and a full disk."""

import json
import os
import re
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pyarrow as pa
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
        rows["sigma"], rows["draw"], rows["psnr_rgb_float"] = 25.0, 0, 30.0
        try:
            write_scores({str(tmp_path / "s.parquet")!r}, Scores(rows, {provenance!r}))
        except UsaidError as error:
            print(error)
    """
    done = run_with_file_size_limit(code, 4000)
    assert "s.parquet: cannot be written" in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []


# Damaged and foreign files


def refusals(path: Path) -> list[str]:
    """With what both ways of reading refuse a file."""
    messages = []
    for read in (read_scores, read_provenance):
        with pytest.raises(UsaidError) as caught:
            read(path)
        messages.append(str(caught.value))
        assert messages[-1].startswith(f"{path}: ")
        assert messages[-1].isprintable()
        assert len(messages[-1]) < 500 + len(str(path))
    return messages


@pytest.fixture
def whole(tmp_path, provenance) -> bytes:
    """A score file."""
    write_scores(tmp_path / "whole.parquet", Scores(pd.DataFrame([row("a"), row("b")]), provenance))
    return (tmp_path / "whole.parquet").read_bytes()


def write_raw(path: Path, rows: pa.Table, metadata: object) -> None:
    """A Parquet file with something for provenance; bytes as they are, anything else as JSON."""
    content = metadata if isinstance(metadata, bytes) else json.dumps(metadata).encode()
    pq.write_table(rows.replace_schema_metadata({b"usaid_provenance": content}), path)


ROWS = pa.table({"image_id": ["a", "b"], "sigma": [25.0, 25.0], "draw": [0, 0], "psnr_rgb_float": [30.0, 31.0]})


def test_truncated_files_at_every_length(tmp_path, whole):
    for length in [*range(0, len(whole), 97), len(whole) - 1, len(whole) - 9]:
        (tmp_path / "s.parquet").write_bytes(whole[:length])
        for message in refusals(tmp_path / "s.parquet"):
            assert "delete it; the run that it is of makes it again" in message


def test_damaged_bytes_are_refused_or_harmless(tmp_path, whole):
    for position in range(4, len(whole), 41):
        content = bytearray(whole)
        content[position : position + 8] = b"\xff" * 8
        (tmp_path / "s.parquet").write_bytes(content)
        for read in (read_scores, read_provenance):
            with suppress(UsaidError):
                read(tmp_path / "s.parquet")


def test_a_flipped_bit_of_the_numbers_is_noticed(tmp_path, provenance):
    psnr = [30 + i / 7 for i in range(200)]
    rows = pd.DataFrame([row(str(i), psnr=value) for i, value in enumerate(psnr)])
    write_scores(tmp_path / "s.parquet", Scores(rows, provenance))
    content = bytearray((tmp_path / "s.parquet").read_bytes())
    chunk = pq.read_metadata(tmp_path / "s.parquet").row_group(0).column(4)
    assert chunk.path_in_schema == "psnr_rgb_float"
    content[chunk.dictionary_page_offset + chunk.total_compressed_size // 2] ^= 1
    (tmp_path / "s.parquet").write_bytes(content)
    with pytest.raises(UsaidError, match=r"not a readable score file .*; delete it; the run that it is of makes it"):
        read_scores(tmp_path / "s.parquet")


@pytest.mark.parametrize("content", [b"", b"text\n", b"\0" * 1000, b"PAR1" + b"\xff" * 100 + b"PAR1", b"\x1b[31mred"])
def test_files_of_other_kinds(tmp_path, content):
    (tmp_path / "s.parquet").write_bytes(content)
    assert all("not a readable score file" in message for message in refusals(tmp_path / "s.parquet"))


def test_folders_and_missing_files(tmp_path):
    (tmp_path / "folder.parquet").mkdir()
    assert all(
        "is a folder, not a score file; move it away" in message for message in refusals(tmp_path / "folder.parquet")
    )
    assert all("score file is missing" in message for message in refusals(tmp_path / "none.parquet"))


@pytest.mark.parametrize(
    ("metadata", "complaint"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        ([1, 2], "is a list, not a mapping"),
        (None, "is a NoneType, not a mapping"),
        ({}, r"provenance key \(top\)"),
        ({"surprise": "x" * 100_000}, r"provenance key \(top\)"),
        ({"experiment": "a\nb\x1b[31m" * 10_000}, r"provenance key \(top\)"),
    ],
)
def test_hostile_provenance(tmp_path, metadata, complaint):
    write_raw(tmp_path / "s.parquet", ROWS, metadata)
    for message in refusals(tmp_path / "s.parquet"):
        assert re.search(complaint, message)
        assert message.endswith("delete it; the run that it is of makes it again")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"dataset": "kodak"}, "dataset"),
        ({"deviations": [3]}, "deviations.0"),
        ({"failure": 3}, "failure"),
        ({"entry": {"train": 3}}, "entry.train"),
        ({"entry": {"train": {"seed": [1]}}}, "entry.train.seed"),
        ({"judge": {"class_names": 3}}, "judge.class_names"),
        ({"title": None}, "title"),
    ],
)
def test_provenance_of_a_wrong_schema(tmp_path, provenance, change, key):
    write_raw(tmp_path / "s.parquet", ROWS, provenance | change)
    assert all(f"provenance key {key}: " in message for message in refusals(tmp_path / "s.parquet"))


@pytest.mark.parametrize(
    ("column", "values", "complaint"),
    [
        *((name, None, f"column {name} is missing") for name in ("image_id", "sigma", "draw", "psnr_rgb_float")),
        ("image_id", [1, 2], "column image_id holds int64"),
        ("image_id", ["a", None], "column image_id lacks values"),
        ("sigma", ["25", "25"], "column sigma holds string"),
        ("sigma", [25.0, float("inf")], "column sigma holds numbers that are not finite"),
        ("draw", [0.0, 0.0], "column draw holds double"),
        ("told_sigma", ["25", None], "column told_sigma holds string"),
        ("psnr_rgb_float", ["30", "31"], "column psnr_rgb_float holds string"),
        ("psnr_rgb_float", [True, False], "column psnr_rgb_float holds bool"),
        ("psnr_rgb_float", [[30.0], [31.0]], r"column psnr_rgb_float holds list"),
        ("confusion", ["1", "2"], "column confusion holds string"),
        ("confusion", [[1, 2], None], "column confusion lacks values"),
    ],
)
def test_rows_that_are_not_what_they_should_be(tmp_path, provenance, column, values, complaint):
    rows = ROWS.drop_columns([column]) if column in ROWS.column_names else ROWS
    rows = rows if values is None else rows.append_column(column, pa.array(values))
    metrics = ["psnr_rgb_float", *["confusion"] * (column == "confusion")]
    write_raw(tmp_path / "s.parquet", rows, provenance | {"metrics": metrics})
    with pytest.raises(UsaidError, match=f"s.parquet: {complaint}.*; delete it; the run that it is of makes it again"):
        read_scores(tmp_path / "s.parquet")
    write_raw(tmp_path / "s.parquet", rows, provenance | {"metrics": metrics, "failure": "no rows are needed"})
    assert read_scores(tmp_path / "s.parquet").provenance["failure"] == "no rows are needed"


def test_a_column_twice_is_refused(tmp_path, provenance):
    write_raw(tmp_path / "s.parquet", ROWS.append_column("sigma", pa.array([1.0, 2.0])), provenance)
    with pytest.raises(UsaidError, match=r"s\.parquet: "):
        read_scores(tmp_path / "s.parquet")


def test_undefined_values_are_no_fault(tmp_path, provenance):
    rows = pd.DataFrame([row("a"), row("b", psnr=float("nan"))])
    write_scores(tmp_path / "s.parquet", Scores(rows, provenance))
    assert read_scores(tmp_path / "s.parquet").rows["psnr_rgb_float"].isna().tolist() == [False, True]


def test_rows_that_are_no_numbers_are_not_written(tmp_path, provenance):
    with pytest.raises(UsaidError, match="column psnr_rgb_float holds large_string; correct the judge"):
        write_scores(tmp_path / "s.parquet", Scores(pd.DataFrame([row("a") | {"psnr_rgb_float": "30"}]), provenance))
    mixed = pd.DataFrame([row("a"), row("b") | {"psnr_rgb_float": [1]}])
    with pytest.raises(UsaidError, match="rows that no table can hold"):
        write_scores(tmp_path / "s.parquet", Scores(mixed, provenance))
    assert list(tmp_path.iterdir()) == []


def test_the_name_of_a_folder_is_no_column(tmp_path, provenance):
    folder = tmp_path / "sigma=50"
    folder.mkdir()
    write_scores(folder / "s.parquet", Scores(pd.DataFrame([row("a")]), provenance))
    assert read_scores(folder / "s.parquet").rows["sigma"].tolist() == [25]
