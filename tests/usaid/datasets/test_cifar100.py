"""CIFAR-100: rows of a pickle that is read without running anything in it."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kinds.readers import ReaderTests, refusal, save_text

from usaid.datasets.base import Sample
from usaid.datasets.cifar100 import CARD, CIFAR100, read_pickle
from usaid.errors import UsaidError


def cifar_rows(n: int = 3, **changes: Any) -> dict[str, Any]:
    data = np.random.default_rng(n).integers(0, 256, (n, 3072), dtype=np.uint8)
    return {"data": data, "fine_labels": [99, 0, 42][:n], "filenames": ["a.png"] * n} | changes


def write_pickle(path: Path, content: Any, protocol: int = 2) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=protocol))


class Malicious:
    """Runs a command when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.witness}",)


def array(kind: bytes = b"u1", state: bytes = b"(I3\nU\x01|NNNI-1\nI-1\nI0\nt", shape: bytes = b"(I1\nI4\nt",
          values: bytes = b"U\x04abcd") -> bytes:  # fmt: skip
    """A pickle of an array, as Python 2 wrote it, with parts that can be other ones."""
    kind = b"U" + bytes([len(kind)]) + kind
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntU\x01btR(I1\n" + shape
        + b"cnumpy\ndtype\n(" + kind + b"I0\nI1\ntR" + state + b"b" + b"I00\n" + values + b"tb"
    )  # fmt: skip


def held(value: bytes) -> bytes:
    return b"\x80\x02}U\x04data" + value + b"s."


NESTED = 200_000

CRAFTED = {
    "a dtype with fields": (held(array(state=b"(I3\nU\x01|N(U\x01xtU\x01yI8\nI1\nI0\nt")), "fields or metadata"),
    "a dtype with metadata": (held(array(state=b"(I4\nU\x01|NNNI-1\nI-1\nI0\n}t")), "fields or metadata"),
    "a dtype with a subarray": (
        held(array(state=b"(I3\nU\x01|(U\x02u1(I9\nttNNI-1\nI-1\nI0\nt")),
        "fields or metadata",
    ),
    "a dtype of another size": (held(array(state=b"(I3\nU\x01|NNNI1000000\nI1\nI0\nt")), "fields or metadata"),
    "a dtype that becomes objects": (held(array(state=b"(I3\nU\x01|NNNI-1\nI-1\nI63\nt")), "fields or metadata"),
    "a dtype whose state is no tuple": (held(array(state=b"I7\n")), "fields or metadata"),
    "a dtype of an unknown byte order": (held(array(state=b"(I3\nU\x01!NNNI-1\nI-1\nI0\nt")), "fields or metadata"),
    "objects": (held(array(b"O8")), "array of type 'O8'"),
    "floats": (held(array(b"f4")), "array of type 'f4'"),
    "records": (held(array(b"u1,O8")), "array of type 'u1,O8'"),
    "void": (held(array(b"V4")), "array of type 'V4'"),
    "times": (held(array(b"M8")), "array of type 'M8'"),
    "a dtype of a dtype": (b"cnumpy\ndtype\n(cnumpy\ndtype\ntR.", "array of type"),
    "a huge shape": (held(array(shape=b"(L1000000000000000000L\nI4\nt")), "impossible shape"),
    "a negative shape": (held(array(shape=b"(I-1\nI-4\nt")), "impossible shape"),
    "a shape of nothing by much": (
        held(array(shape=b"(I0\nL1000000000000000000L\nt", values=b"U\0")),
        "impossible shape",
    ),
    "more values than bytes": (held(array(shape=b"(I4\nI4\nt")), "shape (4, 4) of 4 bytes"),
    "a shape of text": (held(array(shape=b"U\x044444")), "impossible shape"),
    "values that are a list": (held(array(values=b"]")), "impossible shape"),
    "an array without values": (held(b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\ntR"), "without type"),
    "numpy's own class, called": (held(b"cnumpy\nndarray\n((I1000000\nI1000000\nttR"), "does not unpickle"),
    "a type made anew": (held(b"cnumpy\nndarray\n(I9\nt\x81"), "does not unpickle"),
    "an instance": (b"(inumpy\ndtype\n.", "does not unpickle"),
    "a state for a function": (b"c_codecs\nencode\n}b.", "gives a state to"),
    "a state for a dictionary": (b"}(N}S'a'\nI1\nstb.", "gives a state to a dict"),
    "another encoding": (b"c_codecs\nencode\n(Vabc\nVzip\ntR.", "asks for an encoding"),
    "a number for the codec": (b"c_codecs\nencode\n(I7\nVlatin1\ntR.", "asks for an encoding"),
    "room for two thousand million memories": (b"\x80\x02}r\xff\xff\xff\x7f]r\xfe\xff\xff\x7f.", "holds a list"),
    "bytes that are not there": (b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f", "does not unpickle"),
    "tuples in tuples as a key": (b"\x80\x02})" + b"\x85" * NESTED + b"I1\ns.", "keys are no text"),
    "tuples in tuples in a built key": (b"\x80\x02()" + b"\x85" * NESTED + b"I1\nd.", "keys are no text"),
    "lists in lists": (b"\x80\x02" + b"]" * NESTED + b"a" * (NESTED - 1) + b".", "holds a list"),
    "marks without end": (b"(" * NESTED + b".", "does not unpickle"),
    "a list that holds itself": (b"\x80\x02]q\0h\0a.", "holds a list"),
    "a set": (b"\x80\x04\x8f.", "does not unpickle"),
    "a registered extension": (b"\x80\x02\x82\x01.", "does not unpickle"),
    "a persistent object": (b"P1\n.", "does not unpickle"),
    "an unknown protocol": (b"\x80\x63}.", "does not unpickle"),
    "a number of many digits": (b"L" + b"9" * 10_000 + b"L\n.", "does not unpickle"),
    "a name with dots": (b"\x80\x04\x8c\x05numpy\x8c\x0bdtype.names\x93.", "asks for numpy.dtype.names"),
    "a name with line breaks": (b"\x80\x04\x8c\x03a\nb\x8c\x03c\nd\x93.", "asks for a b.c d"),
}
"""Programs that are no CIFAR-100 file, and what is said of each. numpy's own dtype ends the process at some."""


class TestCIFAR100(ReaderTests):
    card = CARD
    split = "test"
    ids = ("test_00000", "test_00001", "test_00002")
    shape = (32, 32, 3)

    def write(self, root: Path) -> None:
        write_pickle(root / "cifar-100-python/test", cifar_rows())
        write_pickle(root / "cifar-100-python/meta", {"fine_label_names": [f"thing {n}" for n in range(100)]})

    def check_target(self, sample: Sample) -> None:
        assert type(sample.target) is int
        assert 0 <= sample.target < 100

    def test_its_card_is_of_the_official_release(self) -> None:
        assert CARD.splits == {"train": 50_000, "test": 10_000}

    @pytest.mark.parametrize("protocol", [0, 2, 4, 5])
    def test_pixels_and_labels(self, root: Path, protocol: int) -> None:
        rows = cifar_rows()
        write_pickle(root / "cifar-100-python/test", rows, protocol)
        dataset = CIFAR100(root, "test")
        sample = dataset["test_00002"]
        assert (sample.target, type(sample.target)) == (42, int)
        assert sample.image[5, 7].tolist() == [rows["data"][2][channel * 1024 + 5 * 32 + 7] for channel in range(3)]
        assert (dataset.images.shape, dataset.images.dtype) == ((3, 32, 32, 3), np.uint8)
        assert (dataset.labels.tolist(), dataset.labels.dtype) == ([99, 0, 42], np.int64)
        assert dataset.class_names[99] == "thing 99"

    def test_a_file_as_python_2_wrote_it(self, tmp_path: Path) -> None:
        """The official files hold byte strings and name numpy's modules of 2009."""
        data = bytes(range(256)) * 12
        array = (
            b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntU\x01bt\x52"
            b"(I1\n(I1\nI3072\ntcnumpy\ndtype\n(U\x02u1I0\nI1\nt\x52(I3\nU\x01|NNNI-1\nI-1\nI0\ntb"
            b"I00\nT" + len(data).to_bytes(4, "little") + data + b"tb"
        )
        (tmp_path / "cifar-100-python").mkdir()
        (tmp_path / "cifar-100-python/test").write_bytes(b"\x80\x02}(U\x04data" + array + b"U\x0bfine_labels](I42\neu.")
        dataset = CIFAR100(tmp_path, "test")
        assert dataset.labels.tolist() == [42]
        assert dataset.images[0, 0, :3].tolist() == [[0, 0, 0], [1, 1, 1], [2, 2, 2]]
        assert int(dataset.images[0, 31, 31, 2]) == 255

    def test_arrays_follow_a_subset(self, root: Path) -> None:
        save_text(root / "one.txt", "test_00002\n")
        whole, part = CIFAR100(root, "test"), CIFAR100(root, "test", "one.txt")
        assert part.labels.tolist() == [42]
        assert np.array_equal(part.images[0], whole.images[2])
        assert np.array_equal(part["test_00002"].image, whole["test_00002"].image)
        with pytest.raises(UsaidError, match="test_00000"):
            part["test_00000"]

    @pytest.mark.parametrize("protocol", [0, 2, 4])
    def test_a_malicious_pickle_is_refused_and_not_run(self, root: Path, protocol: int) -> None:
        witness = root / "witness"
        write_pickle(root / "cifar-100-python/test", cifar_rows() | {"batch_label": Malicious(witness)}, protocol)
        with pytest.raises(UsaidError, match=r"test: pickle asks for \w+\.system"):
            self.open(root)
        assert not witness.exists()

    @pytest.mark.parametrize("name", ["getattr", "eval", "__import__"])
    def test_builtins_are_not_importable_by_a_pickle(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / "test"
        path.write_bytes(f"cbuiltins\n{name}\n.".encode())
        with pytest.raises(UsaidError, match=f"builtins.{name}"):
            read_pickle(path)

    @pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps(cifar_rows())[:2000], pickle.dumps([1])])
    def test_a_damaged_pickle_is_named(self, root: Path, content: bytes) -> None:
        (root / "cifar-100-python/test").write_bytes(content)
        with pytest.raises(UsaidError, match=r"cifar-100-python/test: .*fetch cifar100 again"):
            self.open(root)

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (cifar_rows(fine_labels=[0, 100, 1]), "label 100 of row 1"),
            (cifar_rows(fine_labels=[0, 1, -1]), "label -1 of row 2"),
            (cifar_rows(fine_labels=[0, 1]), "3 images with labels of shape"),
            (cifar_rows(fine_labels=[0.5, 1, 2]), "'fine_labels' is no list of integers"),
            (cifar_rows(data=np.zeros((3, 3000), np.uint8)), "3072"),
            (cifar_rows(data=np.zeros((3, 3072))), "array of type 'f8'"),
            (cifar_rows(data=np.zeros((3, 3072), np.int64)), "uint8"),
            (cifar_rows(fine_labels=[[0], [1, 2], 3]), "'fine_labels' is no list of integers"),
            (cifar_rows(fine_labels=[True, 1, 2]), "'fine_labels' is no list of integers"),
            (cifar_rows(fine_labels=[0, 1, 1 << 80]), "'fine_labels' is no list of integers"),
            ({"data": np.zeros((1, 3072), np.uint8)}, "fine_labels"),
            (cifar_rows(data=np.zeros((10_001, 3072), np.uint8), fine_labels=[0] * 10_001), "at most 10000"),
        ],
    )
    def test_wrong_rows_are_named(self, root: Path, content: dict[str, Any], reason: str) -> None:
        write_pickle(root / "cifar-100-python/test", content)
        with pytest.raises(UsaidError, match=reason):
            self.open(root)

    @pytest.mark.parametrize(("program", "reason"), CRAFTED.values(), ids=CRAFTED)
    def test_a_crafted_pickle_is_refused_in_one_line(self, tmp_path: Path, program: bytes, reason: str) -> None:
        path = tmp_path / "test"
        path.write_bytes(program)
        message = refusal(lambda: read_pickle(path))
        assert message.startswith(f"{path}: ")
        assert "fetch cifar100 again" in message
        assert reason in message

    def test_a_crafted_pickle_changes_nothing_that_the_next_one_uses(self, root: Path) -> None:
        for name in (b"numpy.core.multiarray\n_reconstruct", b"numpy\ndtype", b"_codecs\nencode", b"numpy\nndarray"):
            (root / "bad").write_bytes(b"c" + name + b"\n(N}S'__defaults__'\n(I1\ntstb.")
            refusal(lambda: read_pickle(root / "bad"))
        assert CIFAR100(root, "test").labels.tolist() == [99, 0, 42]

    @pytest.mark.parametrize("kind", ["<i4", ">i2", "u1", "<u8"])
    def test_labels_may_be_an_array_of_integers(self, root: Path, kind: str) -> None:
        write_pickle(root / "cifar-100-python/test", cifar_rows(fine_labels=np.array([99, 0, 42], kind)))
        assert CIFAR100(root, "test").labels.tolist() == [99, 0, 42]
        data = np.asfortranarray(cifar_rows()["data"])
        write_pickle(root / "cifar-100-python/test", cifar_rows(data=data))
        assert np.array_equal(CIFAR100(root, "test").images[1, 0, 0], data[1, ::1024])

    def test_meta_of_another_data_set(self, root: Path) -> None:
        write_pickle(root / "cifar-100-python/meta", {"fine_label_names": ["cat"]})
        with pytest.raises(UsaidError, match="meta: does not list 100"):
            _ = CIFAR100(root, "test").class_names
