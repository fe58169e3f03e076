"""What the benchmarks of conventions share: outputs of the released checkpoints, a CSV file that is its own journal.

Denoising takes most of the time, so outputs are kept: in a folder below the system's temporary one, 4.7 MB for each
image of Kodak, noise level and denoiser. It may be deleted at any time.
"""

import argparse
import csv
import re
import subprocess
import tempfile
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from usaid.denoisers.base import Denoiser
from usaid.denoisers.build import build_denoiser
from usaid.denoisers.contract import denoised
from usaid.errors import UsaidError
from usaid.files import sha256_of_file, written_atomically
from usaid.memory import keep_freed_memory
from usaid.noise import gaussian_noise
from usaid.paper.published import published
from usaid.report.statistics.estimates import Estimate
from usaid.report.statistics.inference import paired, score

RELEASED = {"cdncnn_b": "DnCNN.pth", "s_said": "SSAID.pth", "u_said": "USAID.pth"}
"""The denoisers of Tables I and VI and their checkpoints in ``released/``."""

TITLES = {"cdncnn_b": "CDnCNN-B", "s_said": "S-SAID", "u_said": "U-SAID", "noisy": "noisy", "clean": "clean"}
RESULTS = Path(__file__).resolve().parents[1] / "results/reference/conventions"
CACHE = Path(tempfile.gettempdir(), "usaid_released_outputs")


def parser_of(description: str | None, name: str) -> argparse.ArgumentParser:
    """The options that all have; ``name`` is that of the files they write, without suffix."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, default=Path("data"), help="folder with kodak/, released/ ...")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder that keeps denoised images")
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--csv", type=Path, default=RESULTS / f"{name}.csv", help="what is measured; goes on there")
    parser.add_argument("--page", action="store_true", help="make the page from the CSV file, measure nothing")
    return parser


class Outputs:
    """Noisy and denoised images, noise draw 0; each is denoised once."""

    def __init__(self, data_root: Path, cache: Path) -> None:
        """Build the three denoisers from ``released/`` below ``data_root``; outputs are kept in ``cache``."""
        keep_freed_memory()
        self.cache = cache
        self._denoisers: dict[str, tuple[Denoiser, str]] = {}
        for name, file in RELEASED.items():
            path = data_root / "released" / file
            self._denoisers[name] = build_denoiser(name, path), sha256_of_file(path)[:12]

    def of(self, clean: Tensor, dataset: str, image_id: str, sigma: float) -> dict[str, Tensor]:
        """Float32 (1, 3, H, W) of each denoiser and of the noisy image, not clipped; ``clean`` is in [0, 1]."""
        noisy = clean + gaussian_noise(dataset, image_id, sigma, 0, *clean.shape[2:])
        outputs = {"noisy": noisy}
        for name, (denoiser, sha256) in self._denoisers.items():
            path = self.cache / f"{dataset}_{image_id}_{sigma:g}_{name}_{sha256}.npy"
            if not path.is_file():
                output = denoised(name, denoiser, noisy)
                with written_atomically(path) as temporary, open(temporary, "wb") as file:
                    np.save(file, output.numpy())
            outputs[name] = torch.from_numpy(np.load(path))
        return outputs


class Journal:
    """Rows of a CSV file, each of which is measured once.

    The file is written anew, sorted, whenever a row is added. A file with other columns is started again.
    """

    def __init__(self, path: Path, keys: Sequence[str], values: Sequence[str]) -> None:
        """Read what the file holds: ``keys`` name a row, ``values`` are what was measured of it."""
        self.path, self.keys, self.columns = path, len(keys), [*keys, *values]
        self.rows: dict[tuple[str, ...], list[str]] = {}
        if path.is_file():
            with open(path, newline="", encoding="utf-8") as file:
                header, *rows = [*csv.reader(file)] or [[]]
            if header == self.columns:
                self.rows = {tuple(row[: self.keys]): row[self.keys :] for row in rows}

    def lacks(self, *key: str) -> bool:
        """Whether a row is still to be measured."""
        return key not in self.rows

    def add(self, rows: Mapping[tuple[str, ...], Sequence[float]], digits: int = 6) -> None:
        """Write rows down, with so many digits after the point."""
        self.rows |= {key: [f"{value:.{digits}f}" for value in values] for key, values in rows.items()}
        with written_atomically(self.path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([self.columns, *([*key, *self.rows[key]] for key in sorted(self.rows))])


def read_columns(path: Path, of: Sequence[str], columns: Sequence[str]) -> dict[tuple[str, ...], dict[str, np.ndarray]]:
    """What a journal holds: values of its columns ``of`` -> column -> its value of each image, in one order."""
    held: dict[tuple[str, ...], dict[str, list[float]]] = {}
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            own = held.setdefault(tuple(row[key] for key in of), {name: [] for name in columns})
            for name in columns:
                own[name].append(float(row[name]))
    return {key: {name: np.array(values) for name, values in own.items()} for key, own in held.items()}


def check_whole(path: Path, images: Mapping[Hashable, int], wanted: Iterable[Hashable]) -> None:
    """See that a journal has all rows of a page: the same number of images, more than none, for all that is wanted.

    Args:
        path: of the journal.
        images: what was measured -> of how many images.
        wanted: what the page shows of one data set.

    Raises:
        UsaidError: a run was stopped before its end.
    """
    counts = [images.get(key, 0) for key in wanted]
    if min(counts) < max(max(counts), 1):
        raise UsaidError(f"{path}: holds a part of the rows of its page; run without --page, which goes on there")


def differences(values: np.ndarray, others: np.ndarray, digits: int = 3) -> str:
    """The mean of values minus others, image by image, with its 95 % interval over images: ``"+0.1 [0.0, +0.2]"``.

    Images of which one is NaN are left out; then it says of how many it is.
    """
    apart = np.subtract(values, others)
    there = apart[~np.isnan(apart)]
    n = f" (n = {len(there)})" if len(there) < len(apart) else ""
    return _shown(paired(there, "images"), f"+.{digits}f") + n


def interval(values: np.ndarray, digits: int) -> str:
    """The mean of values with its 95 % interval over images."""
    return _shown(score(values, "images"), f".{digits}f")


def _shown(estimate: Estimate, form: str) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:{form}}"
    return f"{estimate.value:{form}} [{estimate.low:{form}}, {estimate.high:{form}}]"


def order(means: Mapping[str, float], is_lower_better: bool) -> str:
    """The three denoisers, the best first: ``"U < S < C"`` for NIQE, ``"C > U > S"`` for PSNR."""
    sign = " < " if is_lower_better else " > "
    return sign.join(TITLES[name][0] for name in sorted(RELEASED, key=means.__getitem__, reverse=not is_lower_better))


def printed(table: int, sigma: float, metric: str) -> dict[str, float]:
    """What the paper prints of the three denoisers."""
    values = {name: published(table, f"{sigma:g}", metric, name) for name in RELEASED}
    return {name: value for name, value in values.items() if value is not None}


def table(header: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """A Markdown table whose first columns are words, the others numbers."""
    lines = [header, ["---" if place < words else "---:" for place in range(len(header))], *rows]
    return "".join(f"| {' | '.join(line)} |\n".replace("| --- ", "|---").replace("| ---: ", "|---:") for line in lines)


def commit_of(options: argparse.Namespace) -> str:
    """The commit that measures; where the page alone is made, the one that the page names."""
    path = options.csv.with_suffix(".md")
    if options.page and (missing := [str(file) for file in (options.csv, path) if not file.is_file()]):
        raise UsaidError(f"{missing[0]}: missing, of which --page makes the page; run without --page")
    if options.page and (named := re.search(r"Made by commit (\S+)", path.read_text(encoding="utf-8"))):
        return named[1]
    command = ["git", "-C", str(RESULTS.parents[2]), "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
