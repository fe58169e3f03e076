"""MLP: the authors' files, the sliding window against a loop in MATLAB's conventions, and files that are wrong."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from kinds.denoisers import DenoiserTests
from safetensors.torch import save_file
from scipy.io import savemat

from usaid.checkpoints import load_state, stored_record
from usaid.denoisers.mlp import denoiser as mlp
from usaid.denoisers.mlp.denoiser import MLPDenoiser
from usaid.denoisers.mlp.importing import import_mlp, import_published, read_mat
from usaid.denoisers.mlp.models import load_models, write_models
from usaid.denoisers.mlp.network import MLP
from usaid.denoisers.sliding_window import starts_of_patches
from usaid.errors import UsaidError
from usaid.files import sha256_of_file
from usaid.registries import METHODS

FACTS = METHODS["mlp"].facts
INPUT, OUTPUT = 9, 5


def small_mlp(seed: int = 0, hidden: tuple[int, ...] = (16, 12)) -> MLP:
    """A network for patches of 9x9 whose tanh is far from linear."""
    torch.manual_seed(seed)
    network = MLP(INPUT, hidden, OUTPUT)
    for layer in network.layers:
        torch.nn.init.normal_(layer.weight, std=1.5 * layer.in_features**-0.5)
        torch.nn.init.normal_(layer.bias, std=0.3)
    return network


def middle_of_patches() -> MLP:
    """A network without hidden layers that copies the middle of its patches."""
    network = MLP(INPUT, (), OUTPUT)
    pixels = torch.arange(INPUT**2).view(INPUT, INPUT)[2:7, 2:7].flatten()
    network.load_state_dict(
        {"layers.0.weight": torch.eye(INPUT**2)[pixels], "layers.0.bias": torch.zeros(OUTPUT**2)}, strict=True
    )
    return network


def denoiser_of(folder: Path, models: dict[float, MLP], **options) -> MLPDenoiser:
    """A denoiser with these models, through a file."""
    write_models(models, folder / "mlp.safetensors", {})
    return MLPDenoiser(folder / "mlp.safetensors", FACTS, **options)


class TestMLP(DenoiserTests):
    method = "mlp"

    def make(self):
        return denoiser_of(self.folder, {12.5: small_mlp(1), 25: small_mlp(2)})


def random_matrices(seed: int = 0) -> list[np.ndarray]:
    """Weights as the authors store them, the bias in the last column, for patches of 9x9 and 5x5."""
    generator = np.random.default_rng(seed)
    sizes = [INPUT**2, 16, 12, OUTPUT**2]
    return [generator.normal(size=(outputs, inputs + 1)) / inputs**0.5 for inputs, outputs in pairwise(sizes)]


def cells(matrices: list[np.ndarray]) -> np.ndarray:
    """A MATLAB cell array."""
    array = np.empty((1, len(matrices)), object)
    array[0, :] = matrices
    return array


def write_mat(path: Path, matrices: list[np.ndarray], toolbox: str = "cvpr") -> Path:
    """A file as in one of the authors' two toolboxes."""
    numbered = {f"w_{number}": np.float32(matrix) for number, matrix in enumerate(matrices, start=1)}
    savemat(path, {"w": cells(matrices)} if toolbox == "cvpr" else numbered)
    return path


def as_the_authors_do(plane: np.ndarray, matrices: list[np.ndarray], order: str, stride: int) -> np.ndarray:
    """Denoise a grey-scale image, 0-255 scale, patch by patch; ``order`` "F" reads patches column by column."""
    side, out = math.isqrt(matrices[0].shape[1] - 1), math.isqrt(len(matrices[-1]))
    border, middle, deviation = (side - out) // 2, out // 2, (out // 2) / 2
    padded = np.pad((plane / 255 - 0.5) / 0.2, border, mode="reflect")
    y, x = np.mgrid[:out, :out]
    window = np.exp(-((y - middle) ** 2 + (x - middle) ** 2) / (2 * deviation**2))
    total, weights = np.zeros_like(plane), np.zeros_like(plane)
    rows, columns = (list(range(0, size - out + 1, stride)) for size in plane.shape)
    for starts, size in ((rows, plane.shape[0]), (columns, plane.shape[1])):
        if starts[-1] != size - out:
            starts.append(size - out)
    for row in rows:
        for column in columns:
            values = padded[row : row + side, column : column + side].flatten(order)
            for matrix in matrices[:-1]:
                values = np.tanh(matrix @ np.append(values, 1))
            patch = (matrices[-1] @ np.append(values, 1)).reshape(out, out, order=order)
            total[row : row + out, column : column + out] += window * patch
            weights[row : row + out, column : column + out] += window
    return (total / weights * 0.2 + 0.5) * 255


# The sliding window


@pytest.mark.parametrize(("toolbox", "order"), [("cvpr", "F"), ("later", "C")])
@pytest.mark.parametrize(("size", "stride"), [((11, 14), 3), ((12, 10), 3), ((7, 13), 1), ((20, 15), 5)])
def test_does_what_the_authors_do(tmp_path, toolbox, order, size, stride):
    matrices = random_matrices()
    mat = write_mat(tmp_path / "weights.mat", matrices, toolbox)
    import_published({25: mat}, tmp_path / "mlp.safetensors")
    noisy = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1)) * 1.4 - 0.2
    denoised = MLPDenoiser(tmp_path / "mlp.safetensors", FACTS, stride=stride)(noisy, 25)
    for channel in range(3):
        expected = as_the_authors_do(noisy[0, channel].double().numpy() * 255, matrices, order, stride)
        np.testing.assert_allclose(denoised[0, channel] * 255, expected, atol=2e-3)
    assert denoised.std() > 0.05
    assert denoised.dtype == torch.float32


def test_has_the_papers_size():
    with torch.device("meta"):
        network = MLP()
    sizes = [(layer.in_features, layer.out_features) for layer in network.layers]
    assert sizes == [(1521, 3072), (3072, 3072), (3072, 2559), (2559, 2047), (2047, 289)]
    assert network.border == 11


def test_window_of_the_published_network():
    window = mlp.gaussian_window(17)
    assert window[8] == 1
    assert window[[4, 12]].tolist() == pytest.approx([math.exp(-0.5)] * 2), "one standard deviation is 4 pixels"


@pytest.mark.parametrize("side", [1, 2, 4])
def test_window_of_any_side_is_symmetric(side):
    window = mlp.gaussian_window(side)
    assert torch.equal(window, window.flip(0))
    assert (window > 0).all()


@pytest.mark.parametrize("size", [(5, 5), (5, 31), (8, 9), (40, 6)])
@pytest.mark.parametrize("stride", [1, 3, 5])
def test_every_pixel_is_covered(tmp_path, size, stride):
    """A network that copies leaves the image as it is; a pixel that no patch holds would be 0 / 0."""
    noisy = torch.rand(2, 3, *size)
    denoised = denoiser_of(tmp_path, {25: middle_of_patches()}, stride=stride)(noisy, 25)
    assert (denoised - noisy).abs().max() < 1e-6


@pytest.mark.parametrize(("size", "side", "stride", "expected"), [(17, 17, 3, [0]), (24, 17, 3, [0, 3, 6, 7])])
def test_positions_end_with_the_last(size, side, stride, expected):
    assert starts_of_patches(size, side, stride) == expected


def test_channels_and_images_are_denoised_one_by_one(tmp_path):
    denoiser = denoiser_of(tmp_path, {25: small_mlp()})
    noisy = torch.rand(3, 3, 13, 16)
    denoised = denoiser(noisy, 25)
    assert denoised.shape == noisy.shape
    for image in range(3):
        assert (denoiser(noisy[image : image + 1], 25) - denoised[image]).abs().max() < 1e-6
    swapped = denoiser(noisy.flip(1), 25)
    assert (swapped.flip(1) - denoised).abs().max() < 1e-6
    assert (denoised[0] - denoised[1]).abs().max() > 0.01


def test_chunks_do_not_change_the_result(tmp_path, monkeypatch):
    denoiser = denoiser_of(tmp_path, {25: small_mlp()})
    noisy = torch.rand(2, 3, 20, 17)
    whole = denoiser(noisy, 25)
    sizes = []
    monkeypatch.setattr(mlp, "PATCHES_PER_CHUNK", 7)
    denoiser.models[25].register_forward_pre_hook(lambda network, arguments: sizes.append(len(arguments[0])))
    assert (denoiser(noisy, 25) - whole).abs().max() < 1e-6
    assert max(sizes) == 7
    assert sum(sizes) == 2 * 3 * 6 * 5


def test_bfloat16_stays_close(tmp_path):
    noisy = torch.rand(1, 3, 20, 20)
    exact = denoiser_of(tmp_path, {25: small_mlp()})(noisy, 25)
    rounded = denoiser_of(tmp_path, {25: small_mlp()}, precision="bfloat16")(noisy, 25)
    assert rounded.dtype == torch.float32
    assert 0 < (rounded - exact).square().mean() < 1e-3 * exact.var()


@pytest.mark.parametrize("size", [(4, 30), (30, 4)])
def test_image_smaller_than_an_output_patch(tmp_path, size):
    height, width = size
    with pytest.raises(UsaidError, match=rf"^MLP: an image of {width}x{height} pixels is too small; it needs 5x5$"):
        denoiser_of(tmp_path, {25: small_mlp()})(torch.rand(1, 3, *size), 25)


def test_image_too_small_to_be_reflected(tmp_path):
    denoiser = denoiser_of(tmp_path, {25: MLP(15, (4,), 3)})
    assert denoiser(torch.rand(1, 3, 7, 7), 25).isfinite().all()
    with pytest.raises(UsaidError, match="an image of 7x6 pixels is too small; it needs 7x7"):
        denoiser(torch.rand(1, 3, 6, 7), 25)


@pytest.mark.parametrize("stride", [0, 6])
def test_stride_that_leaves_pixels_out(tmp_path, stride):
    with pytest.raises(UsaidError, match=rf"^'stride' = {stride}: must be from 1 to 5,"):
        denoiser_of(tmp_path, {25: small_mlp()}, stride=stride)


# The told sigma


@pytest.mark.parametrize("told", [0, -25.0, None, math.nan, math.inf])
@pytest.mark.parametrize("sigma_choice", ["nearest", "trained"])
def test_told_sigma_must_be_above_0(tmp_path, told, sigma_choice):
    denoiser = denoiser_of(tmp_path, {25: small_mlp()}, sigma_choice=sigma_choice)
    with pytest.raises(UsaidError, match=r"^told sigma (is missing|= .*: must be)"):
        denoiser(torch.rand(1, 3, 9, 9), told)


@pytest.mark.parametrize(
    ("told", "heard"), [(1, 12.5), (18.7, 12.5), (18.75, 25), (18.8, 25), (25, 25), (37.4, 25), (37.5, 50), (200, 50)]
)
def test_nearest_model_answers_and_of_two_the_larger(tmp_path, told, heard):
    models = {sigma: small_mlp(seed) for seed, sigma in enumerate((50, 12.5, 25))}
    denoiser = denoiser_of(tmp_path, models)
    noisy = torch.rand(1, 3, 9, 9)
    assert denoiser.hears(told) == heard
    assert torch.equal(denoiser(noisy, told), denoiser_of(tmp_path, {7: models[heard]})(noisy, 7))


def test_only_trained_sigmas_if_asked_for(tmp_path):
    denoiser = denoiser_of(tmp_path, {50: small_mlp(1), 12.5: small_mlp(2)}, sigma_choice="trained")
    assert (denoiser.hears(12.5), denoiser.hears(50)) == (12.5, 50)
    with pytest.raises(UsaidError, match=r"^told sigma = 25: no MLP was trained at it, only at 12\.5, 50;"):
        denoiser(torch.rand(1, 3, 9, 9), 25)


def test_unknown_choice_of_sigma(tmp_path):
    with pytest.raises(UsaidError, match=r"^MLP: sigma_choice = 'closest': must be one of nearest, trained$"):
        denoiser_of(tmp_path, {25: small_mlp()}, sigma_choice="closest")


# The suite's file of weights


def test_weights_of_several_sigmas_and_sizes_come_back(tmp_path):
    models = {50.0: small_mlp(1), 12.5: MLP(7, (6, 5, 4), 3), 33.333333333333336: small_mlp(2, hidden=())}
    write_models(models, tmp_path / "mlp.safetensors", {"origin": "trained", "steps": 3})
    assert "sigma12_5.layers.3.bias" in load_state(tmp_path / "mlp.safetensors")
    found = load_models(tmp_path / "mlp.safetensors")
    assert list(found) == sorted(models)
    for sigma, network in models.items():
        assert (found[sigma].input_side, found[sigma].output_side) == (network.input_side, network.output_side)
        assert found[sigma].state_dict().keys() == network.state_dict().keys()
        for key, value in network.state_dict().items():
            assert torch.equal(found[sigma].state_dict()[key], value), key
    assert stored_record(tmp_path / "mlp.safetensors") == {"origin": "trained", "steps": 3}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sigma25.layers.1.bias": None}, "key 'sigma25.layers.1.bias' is missing"),
        (
            {"sigma25.layers.0.weight": None, "sigma25.layers.0.bias": None},
            "key 'sigma25.layers.0.weight' is missing",
        ),
        ({"sigma25.layers.0.scale": (3,)}, "key 'sigma25.layers.0.scale' does not belong to MLP"),
        ({"dncnn.0.weight": (8, 3, 3, 3)}, "key 'dncnn.0.weight' does not belong to MLP"),
        ({"sigma-3.layers.0.weight": (3, 3)}, "key 'sigma-3.layers.0.weight' does not belong to MLP"),
        ({"sigma25.layers.0.bias": (15,)}, r"'sigma25.layers.0' has a weight of shape \(16, 81\) and a bias of shape"),
        ({"sigma25.layers.1.weight": (12, 15)}, "'sigma25.layers.1' has 15 inputs, 'sigma25.layers.0' before it 16"),
        ({"sigma25.layers.0.weight": (16, 80)}, "'sigma25.layers.0' has 80 inputs, no square number of pixels"),
        (
            {"sigma25.layers.2.weight": (24, 12), "sigma25.layers.2.bias": (24,)},
            "'sigma25.layers.2' has 24 outputs, no square number",
        ),
        ({"sigma25.layers.0.weight": (16, 64)}, "output patches of 5x5 and input patches of 8x8; the sides must"),
        ({"sigma25.layers.0.weight": (16, 9)}, "output patches of 5x5 and input patches of 3x3; the sides must"),
    ],
)
def test_wrong_keys_and_shapes(tmp_path, change, message):
    state = {f"sigma25.{key}": value for key, value in small_mlp().state_dict().items()}
    state |= {key: torch.zeros(shape) for key, shape in change.items() if shape is not None}
    save_file({key: state[key] for key in state if change.get(key, ()) is not None}, tmp_path / "bad.safetensors")
    with pytest.raises(UsaidError, match=rf"bad\.safetensors: (has )?{message}") as error:
        load_models(tmp_path / "bad.safetensors")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.full((16,), torch.nan), "'sigma25.layers.0.bias' holds weights that are not finite"),
        (torch.tensor([1e300] * 16, dtype=torch.float64), "'sigma25.layers.0.bias' holds weights that are not finite"),
        (torch.zeros(16, dtype=torch.int8), "'sigma25.layers.0' holds no floating-point numbers"),
    ],
)
def test_weights_that_are_no_finite_floating_point_numbers(tmp_path, value, message):
    state = {f"sigma25.{key}": value for key, value in small_mlp().state_dict().items()}
    save_file(state | {"sigma25.layers.0.bias": value}, tmp_path / "bad.safetensors")
    with pytest.raises(UsaidError, match=rf"bad\.safetensors: {message}"):
        import_mlp({"": tmp_path / "bad.safetensors"}, tmp_path / "mlp.safetensors")
    assert not (tmp_path / "mlp.safetensors").exists()


def test_file_without_weights(tmp_path):
    save_file({}, tmp_path / "empty.safetensors")
    with pytest.raises(UsaidError, match=r"empty\.safetensors: holds no weights"):
        MLPDenoiser(tmp_path / "empty.safetensors", FACTS)


# The authors' files


def test_published_weights_say_where_they_come_from(tmp_path):
    paths = {25: write_mat(tmp_path / "weights_cvpr.mat", random_matrices())}
    paths[12.5] = write_mat(tmp_path / "neuralweights_sig12.mat", random_matrices(1), "later")
    weights = tmp_path / "mlp.safetensors"
    import_published(paths, weights)
    assert list(load_models(weights)) == [12.5, 25]
    facts = stored_record(weights)
    assert facts["origin"] == "published"
    assert facts["sources"] == {
        "25": {"file": "weights_cvpr.mat", "sha256": sha256_of_file(paths[25])},
        "12.5": {"file": "neuralweights_sig12.mat", "sha256": sha256_of_file(paths[12.5])},
    }
    (sentence,) = MLPDenoiser(weights, FACTS).deviations
    assert sentence.startswith("MLP: the weights that its authors published for sigma 25, 12.5;")


def test_weights_of_this_suite_and_of_others_are_told_apart(tmp_path):
    facts = {"origin": "trained", "steps": 2000, "batch": 64, "n_images": 311}
    for stored, expected in [
        (facts, "on 128,000 patches (2,000 steps of 64) of 311 images at each sigma, not the weights that its"),
        ({}, "MLP: weights of unknown origin"),
    ]:
        write_models({25: small_mlp()}, tmp_path / "mlp.safetensors", stored)
        (sentence,) = MLPDenoiser(tmp_path / "mlp.safetensors", FACTS).deviations
        assert expected in sentence


def without_a_column(matrices: list[np.ndarray]) -> list[np.ndarray]:
    return [matrices[0], matrices[1][:, 1:], matrices[2]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"weights": np.eye(3)}, "holds neither 'w' nor 'w_1'"),
        ({"w": np.eye(3)}, "'w' is no cell array of one matrix a layer"),
        ({"w": np.empty((1, 0), object)}, "'w' is no cell array of one matrix a layer"),
        ({"w": cells([np.zeros((4, 5, 6))])}, r"'w\{1\}' is no matrix of numbers"),
        ({"w": cells([random_matrices()[0], "text"])}, r"'w\{2\}' is no matrix of numbers"),
        ({"w_1": np.zeros((4, 5, 6))}, "'w_1' is no matrix of numbers"),
        ({"w_1": np.full((25, 82), np.nan)}, "'w_1' holds weights that are not finite"),
        ({"w": cells([np.full((25, 82), 1e300)])}, r"'w\{1\}' holds weights that are not finite"),
        ({"w_1": np.zeros((25, 82), complex)}, "'w_1' is no matrix of numbers"),
        ({"w": cells(without_a_column(random_matrices()))}, r"'w\{2\}' has 15 inputs, 'w\{1\}' before it 16 outputs"),
        ({"w": cells([np.zeros((25, 81))])}, r"'w\{1\}' has 80 inputs, no square number of pixels"),
        ({"w": cells([np.zeros((24, 82))])}, r"'w\{1\}' has 24 outputs, no square number of pixels"),
        ({"w": cells([np.zeros((25, 1))])}, r"'w\{1\}' has 0 inputs, no square number of pixels"),
        ({"w": cells([np.zeros((25, 10))])}, "output patches of 5x5 and input patches of 3x3; the sides must differ"),
        ({"w": cells([np.zeros((16, 82))])}, "output patches of 4x4 and input patches of 9x9; the sides must differ"),
    ],
)
def test_wrong_mat_files(tmp_path, content, message):
    savemat(tmp_path / "bad.mat", content)
    with pytest.raises(UsaidError, match=rf"bad\.mat: (has )?{message}") as error:
        import_published({25: tmp_path / "bad.mat"}, tmp_path / "mlp.safetensors")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "mlp.safetensors").exists()


@pytest.mark.parametrize("content", [b"", b"no MATLAB file at all, but long enough to have a header" * 9])
def test_unreadable_mat_file(tmp_path, content):
    (tmp_path / "bad.mat").write_bytes(content)
    with pytest.raises(UsaidError, match=r"bad\.mat: not a readable MATLAB file") as error:
        read_mat(tmp_path / "bad.mat")
    assert "\n" not in str(error.value)


def test_truncated_mat_file(tmp_path):
    whole = write_mat(tmp_path / "weights.mat", random_matrices()).read_bytes()
    (tmp_path / "weights.mat").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsaidError, match=r"weights\.mat: not a readable MATLAB file"):
        read_mat(tmp_path / "weights.mat")


def test_missing_mat_file(tmp_path):
    with pytest.raises(UsaidError, match=r"none\.mat: weights are missing"):
        read_mat(tmp_path / "none.mat")


def test_sigma_of_published_weights_must_be_above_0(tmp_path):
    with pytest.raises(UsaidError, match=r"sigma = 0: must be"):
        import_published({0: write_mat(tmp_path / "w.mat", random_matrices())}, tmp_path / "mlp.safetensors")


# What an experiment names


def test_weights_of_an_experiment_are_the_authors_files_by_sigma_or_one_of_ours(tmp_path):
    models = {25.0: MLP(9, (6,), 5), 50.0: MLP(9, (4,), 5)}
    write_models(models, tmp_path / "ours.safetensors", {"origin": "trained", "steps": 1, "batch": 1, "n_images": 1})
    import_mlp({"": tmp_path / "ours.safetensors"}, tmp_path / "imported.safetensors")
    assert list(load_models(tmp_path / "imported.safetensors")) == [25, 50]
    assert stored_record(tmp_path / "imported.safetensors") == stored_record(tmp_path / "ours.safetensors")
    with pytest.raises(UsaidError, match=r"SHA-256 is .*, expected 000"):
        import_mlp({"": tmp_path / "ours.safetensors"}, tmp_path / "x.safetensors", "0" * 64)

    matrices = [np.zeros((6, 82)), np.ones((25, 7))]
    cells = np.empty(2, object)
    cells[:] = matrices
    savemat(tmp_path / "theirs.mat", {"w": cells})
    import_mlp({"12.5": tmp_path / "theirs.mat"}, tmp_path / "imported.safetensors")
    assert list(load_models(tmp_path / "imported.safetensors")) == [12.5]
    assert "published" in MLPDenoiser(tmp_path / "imported.safetensors", FACTS).deviations[0]
    with pytest.raises(UsaidError, match=r"theirs\.mat: does not say at which sigma it was trained"):
        import_mlp({"": tmp_path / "theirs.mat"}, tmp_path / "x.safetensors")
