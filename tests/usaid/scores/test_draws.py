"""Further noise draws join a denoiser's main scores, or are refused by a line that names both files."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pytest

from usaid.errors import UsaidError
from usaid.scores.comparable import check_comparable
from usaid.scores.draws import is_of_further_draws, score_file_name, with_further_draws
from usaid.scores.files import Scores

BOTH = "kodak_quality/u_said.parquet and kodak_quality/draws/u_said.parquet"


def scores(
    draws: Sequence[int],
    sigmas: Sequence[float] = (25,),
    told: Sequence[float] = (float("nan"),),
    pixels: Mapping[str, str] | None = None,
    **provenance: Any,
) -> Scores:
    """Scores of two images; an image's PSNR is its number plus a tenth of the draw."""
    pixels = pixels or {"a": "0a", "b": "0b"}
    rows = [
        {"image_id": name, "image_sha256": sha256, "sigma": sigma, "draw": draw, "told_sigma": level}
        | {"psnr_rgb_float": number + draw / 10}
        for number, (name, sha256) in enumerate(pixels.items())
        for sigma in sigmas
        for draw in draws
        for level in told
    ]
    record = {
        "benchmark": "kodak_quality", "denoiser": "u_said", "title": "U-SAID", "failure": None,
        "entry": {"method": "u_said", "weights": "w.pth"}, "weights_sha256": "0", "noise_version": 1,
        "dataset": {"name": "kodak", "n": 2}, "judge": {"code": "c0de"}, "deviations": ["a trial"],
        "precision": "float32",
    }  # fmt: skip
    return Scores(pd.DataFrame(rows), record | provenance)


def further(draws: Sequence[int] = (1, 2), **changes: Any) -> Scores:
    made = scores(draws, **changes)
    return Scores(made.rows, made.provenance | {"draws": [*draws]})


def test_draws_of_both_are_there_at_the_sigma_of_the_further_ones():
    joined = with_further_draws(scores([0], sigmas=[15, 25, 35]), further())
    assert sorted(zip(joined.rows["image_id"], joined.rows["sigma"], joined.rows["draw"], strict=True)) == [
        (image, 25, draw) for image in "ab" for draw in (0, 1, 2)
    ]
    by_draw = joined.rows.groupby("draw")["psnr_rgb_float"].mean()
    assert by_draw.tolist() == pytest.approx([0.5, 0.6, 0.7])
    assert joined.provenance["failure"] is None
    check_comparable("kodak_quality", {"u_said": joined})


def test_a_main_file_may_have_several_draws_itself():
    joined = with_further_draws(scores([0, 1, 2]), further([3, 4]))
    assert sorted(joined.rows["draw"].unique()) == [0, 1, 2, 3, 4]


def test_rows_of_another_told_level_are_dropped():
    joined = with_further_draws(scores([0], sigmas=[15, 25], told=[25, 40]), further(told=[25]))
    assert set(joined.rows["told_sigma"]) == {25}
    assert len(joined.rows) == 2 * 3


def test_a_main_file_of_before_methods_could_be_told_a_level():
    main = scores([0])
    joined = with_further_draws(Scores(main.rows.drop(columns="told_sigma"), main.provenance), further())
    assert "told_sigma" not in joined.rows
    assert len(joined.rows) == 2 * 3


def test_deviations_of_both_are_kept():
    joined = with_further_draws(scores([0]), further(deviations=["a trial", "another device"]))
    assert joined.provenance["deviations"] == ["a trial", "another device"]


def test_further_draws_of_a_list_of_its_images_are_joined_with_these_alone():
    part = further(pixels={"b": "0b"}, dataset={"name": "kodak", "n": 1, "subset": "few.txt"})
    joined = with_further_draws(scores([0], pixels={"a": "0a", "b": "0b"}), part)
    assert {*joined.rows["image_id"]} == {"b"}
    assert sorted(joined.rows["draw"]) == [0, 1, 2]
    assert joined.provenance["dataset"] == {"name": "kodak", "n": 1, "subset": "few.txt"}
    check_comparable("kodak_quality", {"u_said": joined})


def test_a_list_has_to_be_of_its_images():
    part = further(pixels={"c": "0c"}, dataset={"name": "kodak", "n": 1, "subset": "few.txt"})
    with pytest.raises(UsaidError, match=r"image 'c' of 'draws\.subsets\.kodak_quality' is not among"):
        with_further_draws(scores([0]), part)


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"pixels": {"a": "0a", "c": "0c"}}, "image 'b' is only in the first"),
        ({"pixels": {"a": "0a", "b": "0b", "c": "0c"}}, "image 'c' is only in the second"),
        ({"pixels": {"a": "0a", "b": "ff"}}, "image 'b' has not the same pixels in the two"),
        ({"draws": (0, 1)}, "draw 0 at sigma 25 is in both"),
        ({"judge": {"code": "other"}}, "judge.code is 'c0de' in the first and 'other' in the second"),
        ({"judge": {}}, "judge.code is 'c0de' in the first and None in the second"),
        ({"noise_version": 2}, "noise_version is 1 in the first and 2 in the second"),
        ({"dataset": {"name": "kodak", "n": 3}}, "dataset.n is 2 in the first and 3 in the second"),
        ({"weights_sha256": "1"}, "weights_sha256 is '0' in the first and '1' in the second"),
        ({"precision": "bfloat16"}, "precision is 'float32' in the first and 'bfloat16' in the second"),
        (
            {"entry": {"method": "u_said", "weights": "v.pth"}},
            "entry.weights is 'w.pth' in the first and 'v.pth' in the second",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_of_one_evaluation_is_refused_by_both_names(changes, difference):
    draws = changes.pop("draws", (1, 2))
    with pytest.raises(UsaidError) as error:
        with_further_draws(scores([0]), further(draws, **changes))
    assert str(error.value) == f"{BOTH}: {difference}; score both again, on the same terms"


@pytest.mark.parametrize(("key", "value"), [("benchmark", "voc_segmentation"), ("denoiser", "s_said")])
def test_another_benchmark_or_denoiser_is_refused(key, value):
    with pytest.raises(UsaidError, match=rf"^kodak_quality/u_said\.parquet and .*: {key} is '.*' in the first"):
        with_further_draws(scores([0]), further(**{key: value}))


@pytest.mark.parametrize("key", ["title", "sigmas", "benchmarks"])
def test_another_title_or_choice_of_sigmas_in_the_entry_is_no_other_denoiser(key):
    entry = {"method": "u_said", "weights": "w.pth", key: "changed since"}
    assert len(with_further_draws(scores([0]), further(entry=entry)).rows) == 6


@pytest.mark.parametrize(
    ("failed", "file"), [("main", "kodak_quality/u_said.parquet"), ("further", "kodak_quality/draws/u_said.parquet")]
)
def test_a_failure_of_either_passes_through_and_says_which(failed, file):
    parts = {"main": scores([0]), "further": further()}
    whole = parts[failed]
    nothing = {"failure": "it broke", "judge": {}, "dataset": {"name": "kodak", "n": 0}}
    parts[failed] = Scores(whole.rows[:0], whole.provenance | nothing)
    joined = with_further_draws(parts["main"], parts["further"])
    assert joined.provenance["failure"] == f"{file}: it broke"
    assert len(joined.rows) == 0


@pytest.mark.parametrize("other", [{"sigmas": [15]}, {"told": [40]}])
def test_a_main_file_without_such_rows_is_a_failure_of_one_column(other):
    joined = with_further_draws(scores([0], **other), further())
    assert joined.provenance["failure"] == ("kodak_quality/u_said.parquet: has no rows at sigma 25, told the truth")
    assert len(joined.rows) == 0


def test_of_a_main_file_that_lacks_the_level_the_reason_is_told():
    lost = [{"sigma": 25.0, "told_sigma": None, "reason": "image a: boom"}]
    joined = with_further_draws(scores([0], sigmas=[15], failed_levels=lost), further())
    assert joined.provenance["failure"].endswith("has no rows at sigma 25, told the truth (image a: boom)")


def test_files_are_told_apart_by_their_provenance():
    assert not is_of_further_draws(scores([0]).provenance)
    assert not is_of_further_draws(scores([0]).provenance | {"draws": None})
    assert is_of_further_draws(further().provenance)
    assert score_file_name(further().provenance) == "kodak_quality/draws/u_said.parquet"
    assert score_file_name(scores([0]).provenance) == "kodak_quality/u_said.parquet"


def test_scores_of_other_evaluators_are_in_no_table_together():
    files = {"u_said": scores([0]), "s_said": scores([0], denoiser="s_said", judge={"code": "other"})}
    with pytest.raises(UsaidError) as error:
        check_comparable("kodak_quality", files)
    assert str(error.value) == (
        "kodak_quality/u_said.parquet and kodak_quality/s_said.parquet: judge.code is 'c0de' in the first and 'other' "
        "in the second; score both denoisers on the same terms"
    )
    both_of_an_earlier_version = {name: scores([0], denoiser=name, judge={}) for name in ("u_said", "s_said")}
    check_comparable("kodak_quality", both_of_an_earlier_version)


def test_an_image_of_the_further_list_that_was_not_scored_is_refused_with_its_key():
    own = further(pixels={"a": "0a", "c": "0c"}, dataset={"name": "kodak", "n": 2, "subset": "few.txt"})
    reason = "image 'c' of 'draws.subsets.kodak_quality' is not among those of kodak_quality/u_said.parquet"
    with pytest.raises(UsaidError, match=f"^{reason}; take it out of that list$"):
        with_further_draws(scores([0]), own)
