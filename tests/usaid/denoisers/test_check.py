"""Every check finds what it is for, names the cure, and has nothing to say of a good denoiser."""

import os

import denoisers_to_check as zoo
import numpy as np
import pytest
import torch

from usaid.denoisers.build import build_denoiser
from usaid.denoisers.check.checks import CHECKS, run_check
from usaid.denoisers.check.finding import Finding
from usaid.denoisers.check.run import check, is_fit
from usaid.denoisers.check.subject import Subject, random_numbers_kept

GOOD = {name: Subject(make) for name, make in {"blind": zoo.Good, "told": zoo.Told}.items()}


@pytest.fixture(autouse=True)
def _process_as_before():
    """Some of these denoisers change what is everybody's."""
    folder, dtype, threads = os.getcwd(), torch.get_default_dtype(), torch.get_num_threads()
    with random_numbers_kept():
        yield
    os.chdir(folder)
    torch.set_default_dtype(dtype)
    torch.set_num_threads(threads)


def found(name: str, make, device: str = "cpu") -> Finding:
    return run_check(name, Subject(make, device))


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("kind", GOOD)
def test_nothing_is_wrong_with_a_good_one(name, kind):
    finding = run_check(name, GOOD[kind])
    assert (finding.name, finding.status, finding.cure) == (name, "ok", ""), finding


BAD = [
    ("facts", zoo.WithoutFacts, "no attribute 'facts'", "usaid.cards.Facts"),
    ("output", zoo.AnArray, "returned a NumPy array", "torch.from_numpy"),
    ("output", zoo.Nothing, "returned None", "end it with `return`"),
    ("output", zoo.ATuple, "returned a tuple of 2", "return the denoised batch alone"),
    ("output", zoo.ChannelsLast, "(2, 64, 64, 3) for a batch of (2, 3, 64, 64)", "permute(0, 3, 1, 2)"),
    ("output", zoo.NoBatch, "(3, 64, 64) for", "batch first"),
    ("output", zoo.OneChannel, "(2, 1, 64, 64) for", "--channels grey"),
    ("output", zoo.Cropped, "(2, 3, 60, 60) for", "padding='same'"),
    ("output", zoo.Larger, "(2, 3, 72, 72) for", "crop"),
    ("output", zoo.EightBits, "torch.uint8", "divide by 255"),
    ("output", zoo.Returns255, "returned values up to 2", "divide it by 255"),
    ("output", zoo.NotANumber, "% of the output is NaN", "square root"),
    ("output", zoo.OneImageOnly, "takes one image, but not a batch of two: ValueError", "torch.cat"),
    ("output", zoo.OfChannels, "takes grey images only: RuntimeError", "--channels grey"),
    ("output", zoo.WithMap, "takes four channels", "--told-as map"),
    ("output", zoo.TakesArrays, "raises", ""),
    ("output", zoo.WrongSignature, "raises TypeError", "told_sigma=None"),
    ("output", zoo.SelfMade, "raises KeyError: 'body.0.weight' (denoisers_to_check.py, line ", "mend the line"),
    ("sizes", zoo.OfBlocks, "fails at 47x33: RuntimeError", "--divisible-by 8"),
    ("sizes", zoo.OneSize, "fails at 47x33: AssertionError", "--tile 64"),
    ("sizes", zoo.AtLeast33, "fails at 32x32: ValueError: too small", "only CIFAR's"),
    ("noise", zoo.PredictsNoise, "it predicts the noise: read so, PSNR goes from 20.2 to", "--predicts noise"),
    ("noise", zoo.PredictsMinusNoise, "sign changed", "noisy + what"),
    ("range", zoo.Works255, "works on values of 0-255: read so", "--value-range 255"),
    ("range", zoo.Works255PredictsNoise, "0-255 and predicts the noise", "{predicts: noise, value_range: 255}"),
    ("range", zoo.MinusOneToOne, "from -1 to 1", "2 * noisy - 1"),
    ("range", zoo.Wants01, "wants the noise level on the scale of 0-1", "divide it by 255"),
    ("range", zoo.Zero, "darker by 0.", "scale"),
    ("psnr", zoo.Untouched, "removes no noise: 24.", "weights"),
    ("batch", zoo.InTraining, "with the others of its batch", "BatchNorm2d in training mode: call network.eval()"),
    ("batch", zoo.MeanOfBatch, "with the others of its batch", "no statistics of the batch"),
    ("repeats", zoo.WithDropout, "differ by up to", "Dropout in training mode"),
    ("repeats", zoo.Remembers, "differ by up to", "keep no state"),
    ("told", zoo.HearsInSecret, "says that it is blind, but told 15 and 50", "facts.blind=False"),
    ("state", zoo.ChangesFolder, "working folder", "set it back"),
    ("state", zoo.ChangesDtype, "default dtype (torch.float32 -> torch.float64)", "set it back"),
    ("device", zoo.WordForDevice, "'device' is 'cpu'", "torch.device(device)"),
]
WARNED = [
    ("output", zoo.Doubles, "torch.float64", "output.float()"),
    ("noise", zoo.Zero, "nearer to the noise", "--predicts noise"),
    ("range", zoo.Darker, "darker by", "scale"),
    ("psnr", zoo.OnlyStrongNoise, "no better at sigma 15", "leave these levels out"),
    ("told", zoo.Deaf, "told 15 and 50, outputs are the same", "facts.blind=True"),
    ("input", zoo.InPlace, "changes its input", "clone()"),
    ("gradients", zoo.TracksGradients, "graph", "detach()"),
    ("state", zoo.ChangesThreads, "number of torch's threads (", "set it back"),
    ("state", zoo.Seeds, "torch's random numbers, NumPy's random numbers, Python's random numbers", "generator of its"),
]


@pytest.mark.parametrize(
    ("name", "make", "what", "cure", "status"), [(*c, "failed") for c in BAD] + [(*c, "warning") for c in WARNED]
)
def test_a_mistake_is_found_and_its_cure_named(name, make, what, cure, status):
    finding = found(name, make)
    assert (finding.name, finding.status) == (name, status), finding
    assert what in finding.what
    assert cure in finding.cure
    assert "\n" not in finding.what + finding.cure


@pytest.mark.parametrize(
    ("function", "what", "cure"),
    [
        (lambda image: np.clip(image.astype(np.float32), 0, 1), "takes NumPy images: AttributeError", "@FromArrays"),
        (
            lambda image: image if image.dtype == np.uint8 else image.absent,
            "takes NumPy images",
            "for OpenCV [..., ::-1]",
        ),
        (lambda image: image.resize(image.size), "takes NumPy images", "Image.fromarray(np.uint8("),
        (lambda images, level: images * level, "raises TypeError", "told_as argument"),
        (lambda images: images.squeeze(0), "returns shape (3, 64, 64) for a batch of one", "no squeeze()"),
    ],
)
def test_what_a_function_is_made_for_is_found(function, what, cure):
    finding = found("output", lambda: build_denoiser(function))
    assert finding.status == "failed"
    assert what in finding.what
    assert cure in finding.cure


def test_a_level_on_another_scale_is_warned_of():
    def weighted(images, level):  # which it takes for 0-255
        return images + level / 255

    finding = found("told", lambda: build_denoiser(weighted, adapt={"told_as": "argument"}))
    assert (finding.status, finding.what) == ("warning", "told 15 and 50, outputs hardly differ, by up to 0.001")
    assert "sigma / 255" in finding.cure


def with_default(images, sigma=50):
    return images * sigma


class WithNoiseLevel(torch.nn.Module):
    def forward(self, images, noise_level=0.1):
        return images * noise_level


@pytest.mark.parametrize(("code", "name"), [(with_default, "sigma"), (WithNoiseLevel, "noise_level")])
def test_a_level_that_keeps_its_default_is_warned_of(code, name):
    finding = found("told", lambda: build_denoiser(code, adapt={"divisible_by": 2}))
    assert (finding.status, finding.what.split(",")[0]) == (
        "warning",
        f"it has a parameter '{name}' which is not told: it keeps its default",
    )
    assert "--told-as argument" in finding.cure
    assert "rename it told_sigma" in finding.cure


def test_a_level_that_is_told_or_chosen_is_not_warned_of():
    assert found("told", lambda: build_denoiser(with_default, options={"sigma": 25})).status == "ok"
    assert found("told", lambda: build_denoiser(with_default, adapt={"told_as": "argument"})).status == "ok"
    assert found("told", lambda: build_denoiser(lambda noise: noise)).status == "ok", "its batch"


@pytest.mark.parametrize(
    ("code", "name"), [(with_default, "with_default"), (WithNoiseLevel, "WithNoiseLevel"), (zoo.Good(), "Good")]
)
def test_what_was_made_is_the_authors(code, name):
    made, *_ = check(lambda: build_denoiser(code, adapt={"divisible_by": 2}), apart=False, names=[])
    assert made.what.startswith(f"{name} was imported and made in ")


def test_a_device_that_was_not_taken():
    finding = found("device", zoo.StaysOnCPU, "cuda")
    assert (finding.status, finding.what) == ("warning", "computes on cpu, though cuda was asked for")


def test_evaluation_mode_is_the_cure_of_a_batchs_statistics():
    assert found("batch", zoo.InEvaluation).status == "ok"


@pytest.mark.parametrize(("name", "make"), [("range", zoo.PredictsNoise), ("noise", zoo.Works255)])
def test_one_mistake_is_one_failure(name, make):
    """The others see the denoiser as it is meant, and show that the cure is one."""
    assert found(name, make).status == "ok"
    finding = found("psnr", make)
    assert finding.status == "ok"
    assert "(read as: it " in finding.what


def test_a_weak_denoiser_is_not_read_otherwise():
    findings = [found(name, zoo.Weak) for name in ("noise", "range", "psnr")]
    assert [finding.status for finding in findings] == ["ok", "ok", "ok"]


def test_measures_are_numbers_for_scripts():
    subject = GOOD["blind"]
    assert run_check("psnr", subject).values["gain_25"] > 3
    hours = run_check("hours", subject).values
    assert hours["voc_quality"] == hours["voc_segmentation"] > hours["kodak_quality"] > 0
    assert run_check("time", subject).values["seconds"] * 24 * 3 / 3600 == pytest.approx(hours["kodak_quality"])
    assert 0 < run_check("memory", subject).values["bytes_before"] <= run_check("memory", subject).values["bytes"]


def test_in_this_process_all_checks_in_their_order():
    findings = check(zoo.Good, apart=False)
    assert [finding.name for finding in findings] == ["made", *CHECKS]
    assert is_fit(findings, strict=True)


def test_without_an_output_nothing_else_is_tried():
    findings = check(zoo.Nothing, apart=False)
    assert [finding.name for finding in findings] == ["made", "facts", "output", "untried"]
    assert not is_fit(findings)


def test_warnings_do_not_fail_unless_asked():
    findings = [found("input", zoo.InPlace)]
    assert is_fit(findings)
    assert not is_fit(findings, strict=True)
