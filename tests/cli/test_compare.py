"""``usaid compare``: what it prints, which files it takes, and its refusals, each in one line."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from score_files import PSNR, made_scores

import usaid_cli
from usaid.scores.files import Scores, write_scores

A, B = [30.0, 31, 32, 35], [29.0, 30.5, 31, 33]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with score files of two denoisers at two sigmas, and of one that was trained twice."""
    monkeypatch.chdir(tmp_path)
    columns = ({PSNR: [values], "niqe_live": [[v / 10 for v in values]]} for values in (A, B))
    for name, own in zip("ab", columns, strict=True):
        write_scores(f"{name}.parquet", made_scores(name, own, sigmas=(15, 25)))
    for seed, psnr in enumerate((30.0, 30.2, 30.1)):
        write_scores(f"a_{seed}.parquet", trained("a", psnr, seed))
        write_scores(f"b_{seed}.parquet", trained("b", psnr - 0.1 * seed, seed))
    return tmp_path


def trained(name: str, psnr: float, seed: int) -> Scores:
    return made_scores(f"{name}_{seed}", {PSNR: [[psnr - 0.5, psnr + 0.5]]}, seed, method=name)


def compared(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """The lines that the command prints."""
    usaid_cli.main(["compare", *arguments])
    return capsys.readouterr().out.splitlines()


def test_all_metrics_and_sigmas_that_both_have(folder, capsys):
    lines = compared(capsys, "a.parquet", "b.parquet")
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["15", "PSNR"], ["15", "NIQE"], ["25", "PSNR"], ["25", "NIQE"],
    ]  # fmt: skip
    assert lines[1].split()[3:8] == [PSNR, "32.000", "30.875", "+1.125", "[+0.124,"]
    assert len(lines) == 7, "a blank line, and one sentence of how to read it"
    assert "Holm's method for 4 comparisons" in lines[6]


def test_one_metric_and_sigma(folder, capsys):
    lines = compared(capsys, "a.parquet", "b.parquet", "--metric", "niqe_live", "--sigma", "25")
    assert len(lines) == 4
    assert lines[1].split()[:3] == ["25", "NIQE", "niqe_live"]
    assert "Holm" not in lines[3]


def test_several_files_of_a_side_with_commas_between_them(folder, capsys):
    sides = [",".join(f"{name}_{seed}.parquet" for seed in range(3)) for name in "ab"]
    lines = compared(capsys, *sides, "--over", "seeds")
    assert "+0.100" in lines[1]
    assert lines[3].startswith("a_0 - b_0 on kodak_quality, over seeds (3 seeds, 2 images; paired t-test)")
    (folder / "a_0.parquet").rename(folder / "a,0.parquet")
    assert compared(capsys, "a,0.parquet", "b_0.parquet")[1].split()[0] == "25"


def test_what_cannot_be_tested_says_why(folder, capsys):
    lines = compared(capsys, "a.parquet", "b.parquet", "--over", "draws", "--sigma", "25", "--metric", "psnr")
    assert lines[1].endswith("not testable: one draw")
    assert lines[3] == "a - b on kodak_quality, over draws: nothing could be tested."


def refusal(arguments: Sequence[str]) -> str:
    with pytest.raises(SystemExit) as error:
        usaid_cli.main(["compare", *arguments])
    return str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.parquet", "absent.parquet"], "error: absent.parquet: score file is missing"),
        (["a.parquet", ""], "error: compare: the path of one of the two sides is empty; give a score file"),
        (["a.parquet", ",".join(["absent.parquet"] * 99)], "error: absent.parquet: score file is missing"),
        (["a.parquet", "long" * 99], "error: longlong"),
        (["a.parquet", ","], "error: compare: one of the two sides has no score file"),
        (["a.parquet", "b.parquet", "--metric", "mse"], "error: metric 'mse': must be one of psnr, "),
        (["a.parquet", "b.parquet", "--sigma", "50"], "error: sigma 50 is not in all files (a.parquet has 15, 25; b"),
        (["a_0.parquet,a_1.parquet", "b.parquet"], "error: a_0.parquet and a_1.parquet: several training seeds; "),
        (["a.parquet", "a_0.parquet"], "error: a.parquet and a_0.parquet: 4 and 2 images, other lists; score"),
    ],
)
def test_refusals_are_one_line(folder, arguments, message):
    found = refusal(arguments)
    assert found.startswith(message)
    assert "\n" not in found


def test_a_file_that_the_suite_did_not_write_is_not_to_be_deleted(folder):
    for name, cure in (
        ("config.yaml", "give a score file (.parquet)"),
        ("c.parquet", "delete it; the run that it is of"),
    ):
        (folder / name).write_text("experiment: mine\n")
        assert cure in refusal([name, "b.parquet"])
        assert ("delete" in refusal([name, "b.parquet"])) == (name == "c.parquet")


def test_another_version_of_the_evaluator_is_refused_naming_both(folder):
    write_scores("new.parquet", made_scores("b", {PSNR: [B]}, sigmas=(15, 25), judge={"code": "2"}))
    assert refusal(["a.parquet", "new.parquet"]).startswith("error: a.parquet and new.parquet: judge.")


def test_hostile_names_are_printed_on_one_line_without_codes(folder, capsys):
    write_scores("evil.parquet", made_scores("evil\n\x1b[31m", {PSNR: [B]}, sigmas=(25,), experiment="\x1b]0;x\x07"))
    lines = compared(capsys, "evil.parquet", "a.parquet")
    assert len(lines) == 4
    assert not any(character in text for text in lines for character in "\x1b\x07")


def test_a_hostile_benchmark_is_printed_on_one_line_without_codes(folder, capsys):
    for name, own in (("x", A), ("y", B)):
        write_scores(f"{name}.parquet", made_scores(name, {PSNR: [own]}, benchmark="kodak_quality\n\x1b[31m\x9b31m"))
    lines = compared(capsys, "x.parquet", "y.parquet")
    assert len(lines) == 4
    assert "on kodak_quality" in lines[3]
    assert not any(character in text for text in lines for character in "\x1b\x9b")
