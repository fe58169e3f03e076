"""What a file of a network is, by its content, and what FILE_OR_NAME means."""

import io
import zipfile
from pathlib import Path

import pytest
import torch

from benchmarks.dncnn_files import as_deepinv, as_kair, simplenn, write_matlab_5, write_matlab_73
from usaid.denoisers.build import build_denoiser
from usaid.denoisers.dncnn.importing import import_dncnn
from usaid.denoisers.drunet.network import DRUNet
from usaid.denoisers.ffdnet.network import FFDNet
from usaid.denoisers.recognise import Recognised, method_and_weights, recognised
from usaid.errors import UsaidError


def saved(path: Path, state) -> Path:
    torch.save(state, path)
    return path


def test_states_are_known_by_their_keys_whatever_their_files_are_called(small_dncnn, tmp_path):
    for number, (state, expected) in enumerate(
        (
            (small_dncnn.state_dict(), ("dncnn", "released")),
            (as_kair(small_dncnn), ("dncnn", "kair")),
            ({"params": as_kair(small_dncnn)}, ("dncnn", "kair")),
            (as_deepinv(small_dncnn), ("dncnn", "deepinv")),
            (FFDNet(5, 8).state_dict(), ("ffdnet", "kair")),
            (DRUNet((4, 4, 4, 4), 1).state_dict(), ("drunet", "kair")),
            ({f"module.{key}": own for key, own in DRUNet((2, 3, 4, 5), 2).state_dict().items()}, ("drunet", "kair")),
        )
    ):
        assert recognised(saved(tmp_path / f"{number}.onnx", state)) == Recognised(*expected)


def test_matlab_files_of_both_kinds_are_known(small_dncnn, tmp_path):
    write_matlab_73(tmp_path / "new.mat", simplenn(small_dncnn))
    write_matlab_5(tmp_path / "old.mat", simplenn(small_dncnn))
    for name in ("new.mat", "old.mat"):
        assert recognised(tmp_path / name) == ("dncnn", "matconvnet")


def test_an_imported_file_tells_the_layout_that_it_had(small_dncnn, tmp_path):
    import_dncnn({"": saved(tmp_path / "kair.pth", as_kair(small_dncnn))}, tmp_path / "ours.safetensors", None)
    assert recognised(tmp_path / "ours.safetensors") == ("dncnn", "kair")


def test_networks_saved_with_their_code_are_known_by_what_is_in_them(small_dncnn, tmp_path):
    noisy = torch.rand(1, 3, 8, 8)
    torch.jit.save(torch.jit.trace(small_dncnn, noisy), tmp_path / "script.pth")
    torch.export.save(torch.export.export(small_dncnn, (noisy,)), tmp_path / "exported.pt2")
    pytest.importorskip("onnx")
    torch.onnx.export(small_dncnn, (noisy,), tmp_path / "net.onnx", dynamo=False)
    (tmp_path / "exported.pt2").rename(tmp_path / "exported.zip")
    assert recognised(tmp_path / "script.pth") == ("torchscript", "torchscript")
    assert recognised(tmp_path / "exported.zip") == ("torch_export", "torch_export")
    assert recognised(tmp_path / "net.onnx") == ("onnx", "onnx")


def test_safetensors_whose_header_is_as_long_as_onnx_begins_are_no_onnx(small_dncnn, tmp_path):
    import_dncnn({"": saved(tmp_path / "net.pth", small_dncnn.state_dict())}, tmp_path / "own.safetensors", None)
    content = (tmp_path / "own.safetensors").read_bytes()
    size = int.from_bytes(content[:8], "little")
    longer = 0x120008  # bytes 08 00 12
    header = content[8 : 8 + size].ljust(longer)
    (tmp_path / "long").write_bytes(longer.to_bytes(8, "little") + header + content[8 + size :])
    assert recognised(tmp_path / "long") == ("dncnn", "released")


def test_an_unknown_network_is_answered_with_the_nearest_and_the_first_key_that_differs(small_dncnn, tmp_path):
    kair, unet = as_kair(small_dncnn), DRUNet((4, 4, 4, 4), 1).state_dict()
    for state, complaint in (
        (kair | {"model.3.weight": torch.zeros(8)}, "nearest: KAIR's DnCNN.*'model.3.weight' does not belong"),
        (FFDNet(4, 8).state_dict() | {"model.6.bias": torch.zeros(4)}, "FFDNet.*'model.6.bias' has shape"),
        (unet | {"m_tail.weight": torch.zeros(1, 4, 3, 3)}, "DRUNet.*'m_tail.weight' has shape"),
        ({"conv1.weight": torch.zeros(8, 3, 7, 7)}, "released checkpoints' DnCNN.*'dncnn.0.weight' is missing"),
    ):
        with pytest.raises(UsaidError, match=rf"x\.pth: not the weights of a network that is known .*{complaint}"):
            recognised(saved(tmp_path / "x.pth", state))


def zip_of(*names):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "it is empty"),
        (b"PK\x03\x04 cut off", "damaged"),
        (zip_of("a/b.txt"), "is a zip archive"),
        (b"\x08\x09", "not a readable weights file"),
        (b"MATLAB 5.0 MAT-file, cut off", "not a readable MATLAB file"),
        (b"MATLAB 7.3 MAT-file, cut off", "not a readable MATLAB file"),
        (b"\x89HDF\r\n\x1a\n cut off", "not a readable MATLAB file"),
        (b"some text", "it is text"),
    ],
)
def test_what_is_no_file_of_a_network_is_refused_in_one_line(tmp_path, content, complaint):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(UsaidError, match=rf"x: .*{complaint}") as error:
        recognised(tmp_path / "x")
    assert "\n" not in str(error.value)


def test_whole_models_are_refused_with_the_cure(small_dncnn, tmp_path):
    with pytest.raises(UsaidError, match=r"a whole model.*save the state_dict alone"):
        recognised(saved(tmp_path / "x.pth", small_dncnn))


def test_a_notebook_is_answered_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.ipynb").write_text("{}")
    with pytest.raises(UsaidError, match=r"^mine.ipynb: notebooks are not imported; write the denoiser to a file.py"):
        method_and_weights("mine.ipynb")
    method, weights = method_and_weights("mine.ipynb:Net")
    expected = r"^method 'mine.ipynb:Net': cannot be imported \(notebooks are not imported; write .*\)$"
    with pytest.raises(UsaidError, match=expected):
        build_denoiser(method, weights)


def test_file_or_name(small_dncnn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kair = saved(tmp_path / "kair.pth", as_kair(small_dncnn))
    assert method_and_weights("cbm3d") == ("cbm3d", None)
    assert method_and_weights("u_said", "w.pth") == ("u_said", Path("w.pth"))
    assert method_and_weights("mine.py:Denoiser") == ("mine.py:Denoiser", None)
    assert method_and_weights("/a b/mine.py:denoise", "w") == ("/a b/mine.py:denoise", Path("w"))
    assert method_and_weights("package.module:Name.of") == ("package.module:Name.of", None)
    assert method_and_weights("kair.pth") == ("dncnn", Path("kair.pth"))
    kair.rename("odd:name")
    assert method_and_weights("odd:name") == ("dncnn", Path("odd:name"))


@pytest.mark.parametrize(
    ("text", "weights", "complaint"),
    [
        (
            "u_saidd",
            None,
            r"'u_saidd': is no method \(noisy, .*drunet.*\) and no file that is there; give a name, file",
        ),
        ("none.pth", None, "'none.pth': is no method"),
        ("mine.py", None, "mine.py: say what in this file denoises, as mine.py:Name"),
        ("kair.pth", "w.pth", "kair.pth: is the file of a network itself; drop the weights w.pth"),
        (".", None, "is a folder, not a file of weights"),
    ],
)
def test_what_is_neither_file_nor_name_is_refused(small_dncnn, tmp_path, monkeypatch, text, weights, complaint):
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "kair.pth", as_kair(small_dncnn))
    with pytest.raises(UsaidError, match=complaint):
        method_and_weights(text, weights)
