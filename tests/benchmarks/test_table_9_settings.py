"""The journal of the settings of Table IX, and what is summed up from it."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks import table_9_settings as benchmark
from usaid.errors import UsaidError

PRINTED = {"noisy": (20.17, 0.3233), "cdncnn_b": (32.70, 0.9137), "s_said": (32.48, 0.9095), "u_said": (32.60, 0.9108)}
"""PSNR and SSIM at sigma 25."""


def rows_of(setting: str, image_id: str, by: float = 0.0) -> list[benchmark.Row]:
    """Rows of one image, whose PSNR is ``by`` dB from print."""
    return [benchmark.Row(setting, image_id, name, 25, psnr + by, ssim) for name, (psnr, ssim) in PRINTED.items()]


def test_a_journal_goes_on_after_a_line_that_was_cut_off(tmp_path: Path) -> None:
    journal = tmp_path / "rows.csv"
    benchmark.write_rows(journal, benchmark.read_rows(journal))
    benchmark.append(journal, iter(rows_of("stored", "139")))
    whole = benchmark.read_rows(journal)
    with open(journal, "a", encoding="utf-8") as file:
        file.write("stored,285,noisy,25,20.1")
    cut = benchmark.read_rows(journal)
    pd.testing.assert_frame_equal(cut, whole)
    benchmark.write_rows(journal, cut)
    benchmark.append(journal, iter(rows_of("stored", "285")))
    assert [*benchmark.read_rows(journal)["image_id"]] == ["139"] * 4 + ["285"] * 4


def test_cells_are_means_of_whole_images_beside_print() -> None:
    rows = [*rows_of("stored", "139", by=1.0), *rows_of("stored", "285", by=2.0), *rows_of("stored", "632")[:2]]
    cells = benchmark.summed_up(pd.DataFrame(rows))
    psnr = cells[cells["metric"] == "psnr"].set_index("denoiser")
    assert [*psnr.index] == [*PRINTED]
    assert psnr["n"].eq(2).all()
    assert psnr["difference"].to_numpy() == pytest.approx([1.5] * 4)


def test_the_page_says_how_far_each_setting_is_from_print_and_what_rounding_costs() -> None:
    rows = pd.DataFrame([*rows_of("letterbox_2019", "139", by=0.25), *rows_of("letterbox_2019_float", "139", by=0.5)])
    lines = benchmark.page(benchmark.summed_up(rows), rows).splitlines()
    assert "| letterboxed to 416, code of 2019 | 1 | 0.25 | 0.0000 | 0.0000 | 2 of 2 |" in lines
    assert any("to 8 bits: -0.250 dB, +0.0000 in SSIM (1 images, cdncnn_b, s_said, u_said" in line for line in lines)
    assert "| letterboxed to 416, code of 2019 | PSNR | 25 | u_said | 32.85 | 32.60 | +0.25 |" in lines


@pytest.mark.parametrize(
    "text",
    ["a,b\n1,2\n", f"{','.join(benchmark.COLUMNS)}\nstored,139,noisy,25,x,0.3\n"],
)
def test_a_file_of_something_else_is_no_journal(tmp_path: Path, text: str) -> None:
    journal = tmp_path / "rows.csv"
    journal.write_text(text)
    with pytest.raises(UsaidError, match=r"rows\.csv: not a journal of this script; delete it"):
        benchmark.read_rows(journal)


def test_an_unknown_setting_and_no_images_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = tmp_path / "rows.csv"
    journal.write_text(f"{','.join(benchmark.COLUMNS)}\nshrunk,139,noisy,25,20.1,0.3\n")
    with pytest.raises(UsaidError, match="holds setting 'shrunk', which is none"):
        benchmark.read_rows(journal)
    monkeypatch.setattr("sys.argv", ["table_9_settings.py", "--images", "0", "--output", str(tmp_path)])
    with pytest.raises(SystemExit, match="2"):
        benchmark.main()
