"""MATLAB files of DnCNN's authors' kind that are wrong: one line each, with file and cure."""

import sys

import h5py
import numpy as np
import pytest

from benchmarks.dncnn_files import simplenn, write_matlab_5, write_matlab_73
from usaid.denoisers.dncnn.matconvnet import state_of_matconvnet
from usaid.denoisers.matlab import read_matlab
from usaid.errors import UsaidError


@pytest.fixture(params=[write_matlab_73, write_matlab_5], ids=["7.3", "5"])
def write(request):
    return request.param


def changed(layers, number, **keys):
    return [layer | keys if place == number else layer for place, layer in enumerate(layers)]


def test_filters_come_in_the_order_of_torch(small_dncnn, tmp_path, write):
    write(tmp_path / "net.mat", simplenn(small_dncnn))
    state = state_of_matconvnet(tmp_path / "net.mat")
    assert tuple(state["dncnn.0.weight"].shape) == (8, 3, 3, 3)
    assert np.array_equal(state["dncnn.0.weight"], small_dncnn.dncnn[0].weight.detach())


def test_biases_may_be_none(small_dncnn, tmp_path, write):
    layers = simplenn(small_dncnn)
    bare = changed(layers, 0, weights=[layers[0]["weights"][0], np.zeros((0, 0), np.float32)])
    write(tmp_path / "net.mat", bare)
    assert not state_of_matconvnet(tmp_path / "net.mat")["dncnn.0.bias"].any()


def test_what_is_no_dncnn_is_refused(small_dncnn, tmp_path, write):
    layers = simplenn(small_dncnn)
    filters, biases = layers[2]["weights"]
    for content, complaint in (
        ([], "layers|cell array"),
        (layers[:-1], "not conv, relu, conv"),
        ([{"type": "dropout"}, *layers], "its layers are 'dropout conv relu"),
        (changed(layers, 2, pad=2.0), r"net\.layers\{3\}\.pad is 2.0, not 1 as in a DnCNN"),
        (changed(layers, 2, dilate=np.array([[2.0, 2.0]])), r"net\.layers\{3\}\.dilate is 2.0, not 1"),
        (changed(layers, 1, leak=0.1), r"net\.layers\{2\}\.leak is 0.1, not 0"),
        (changed(layers, 2, weights=[filters]), r"net\.layers\{3\}\.weights is no cell array of 2 arrays"),
        (changed(layers, 2, weights=["a", "b"]), r"net\.layers\{3\}\.weights is no cell array of 2 arrays"),
        (changed(layers, 2, weights=[filters[:1], biases]), r"net\.layers\{3\} has filters of \(1, 3, 8, 8\) and 8"),
        (changed(layers, 2, weights=[filters, biases[:5]]), r"net\.layers\{3\} has filters of .* and 5 biases"),
        (changed(layers, 2, weights=[filters * np.nan, biases]), r"net\.layers\{3\}\.weights\{1\}' holds weights that"),
        ([{"type": "conv", "weights": [filters, biases]}, {"type": "bnorm", "weights": [biases] * 3}, *layers[1:]],
         r"net\.layers\{2\} is no BatchNorm of 8 features"),
    ):  # fmt: skip
        write(tmp_path / "net.mat", content)
        with pytest.raises(UsaidError, match=rf"net\.mat: .*({complaint})") as error:
            state_of_matconvnet(tmp_path / "net.mat")
        assert "\n" not in str(error.value)


def test_another_variable_is_named(tmp_path):
    with h5py.File(tmp_path / "w.mat", "w") as file:
        file["w_1"] = np.zeros((2, 2))
    with pytest.raises(UsaidError, match=r"w\.mat: is a MATLAB file without the variable 'net' \(it has w_1\)"):
        state_of_matconvnet(tmp_path / "w.mat")


def test_a_cell_that_holds_itself_or_claims_terabytes_is_refused(tmp_path):
    with h5py.File(tmp_path / "round.mat", "w") as file:
        cell = file.create_dataset("net", (1, 1), h5py.ref_dtype)
        cell.attrs["MATLAB_class"] = np.bytes_("cell")
        cell[0, 0] = cell.ref
        file.create_dataset("huge", (1 << 40,), "f8", chunks=(1024,))
    with pytest.raises(UsaidError, match="cells in cells without end"):
        read_matlab(tmp_path / "round.mat", "net", ())
    with pytest.raises(UsaidError, match="more values than can be"):
        read_matlab(tmp_path / "round.mat", "huge", ())


def test_without_h5py_the_cure_is_named(small_dncnn, tmp_path, monkeypatch):
    write_matlab_73(tmp_path / "net.mat", simplenn(small_dncnn))
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(UsaidError, match=r"net\.mat: .* needs the package h5py; pip install 'usaid\[matlab\]'"):
        state_of_matconvnet(tmp_path / "net.mat")
