"""What a GPU makes of the suite, in one JSON file, on a machine that has little more than torch and this working tree.

    PYTHONPATH=. python benchmarks/on_gpu.py --output on_gpu.json [--data-root data] [--weights released/USAID.pth]

It takes under eight minutes, five of which are a training (`--train-seconds`). Each section stands by itself: one
that fails, lacks a package or is out of time says so in the file, and the others go on. Sections that are in the file
are not run again, so that the same command goes on after a kill; those that failed are tried anew. Without
`--data-root` images are generated. `--small` runs everything in a small setting on the CPU within two minutes. What is
measured stands in `on_gpu_sections.py`.
"""

import argparse
import importlib.util
import json
import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = (
    *("numpy", "scipy", "pandas", "pyarrow", "PIL", "pydantic", "jsonschema", "yaml", "safetensors", "tqdm"),
    *("torchvision", "segmentation_models_pytorch", "timm", "triton"),
)
"""What sections may need beside torch."""

BUDGETS = {
    "rates": 10,
    "equality": 20,
    "noise": 15,
    "denoiser": 25,
    "mc_wnnm": 25,
    "training_steps": 25,
    "score_jobs": 40,
    "training": 20,
}
"""Section -> the most seconds that it may take; that of the training comes on top of `--train-seconds`."""


class OutOfTime(BaseException):
    """A section's time is over; no ``Exception``, so that no section takes it for an error of its own."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise :class:`OutOfTime` in a block that takes longer."""

    def end(*_: Any) -> None:
        raise OutOfTime(f"took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def machine(device: torch.device) -> dict[str, Any]:
    """What it runs on, and which packages it lacks."""
    record: dict[str, Any] = {
        "device": "cpu",
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "lacks": [name for name in PACKAGES if importlib.util.find_spec(name) is None],
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        record |= {"device": properties.name, "gib": round(properties.total_memory / 2**30, 1)}
        record |= {"multiprocessors": properties.multi_processor_count, "cuda": torch.version.cuda}
        record |= {"cudnn": torch.backends.cudnn.version()}
    return record


def failure_of(error: BaseException) -> dict[str, Any]:
    """What is kept of an error: one line, and where in this tree it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(REPOSITORY)] or frames
    text = str(error).strip().partition("\n")[0]
    where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno} {ours[-1].line}"
    return {"error": f"{type(error).__name__}: {text}", "where": where}


def write(path: Path, content: dict[str, Any]) -> None:
    """Replace the file, whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


def run_sections(options: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """Run what is not in the file yet, writing it after each section."""
    content: dict[str, Any] = json.loads(options.output.read_text()) if options.output.exists() else {}
    content |= {"machine": machine(device), "small": options.small}
    for name in options.sections:
        if "error" not in content.get(name, {"error": "not run yet"}):
            continue
        start = time.perf_counter()
        budget = BUDGETS[name] + (options.train_seconds if name == "training" else 0)
        try:
            with at_most(options.patience * budget):
                import on_gpu_sections  # here, so that a package that it lacks is a line in the file too

                content[name] = getattr(on_gpu_sections, name)(options, device)
        except (Exception, OutOfTime) as error:
            content[name] = failure_of(error)
        content[name]["seconds"] = round(time.perf_counter() - start, 1)
        print(f"{name}: {json.dumps(content[name])}", flush=True)
        write(options.output, content)
    return content


def main() -> None:
    """Run the sections; exits with 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("on_gpu.json"))
    parser.add_argument("--device", help="default: cuda, or cpu with --small")
    parser.add_argument("--data-root", type=Path, help="default: generated images")
    parser.add_argument("--weights", type=Path, help="of a DnCNN; default: the CDnCNN-B of results/reference/subset")
    parser.add_argument("--train-seconds", type=float, help="default: 300, or 8 with --small")
    parser.add_argument("--sections", nargs="+", default=[*BUDGETS], choices=[*BUDGETS])
    parser.add_argument("--small", action="store_true", help="a small setting, for a CPU")
    parser.add_argument("--patience", type=float, default=1, help="factor of all time limits")
    options = parser.parse_args()
    options.train_seconds = options.train_seconds or (8 if options.small else 300)
    device = torch.device(options.device or ("cpu" if options.small else "cuda"))
    content = run_sections(options, device)
    failed = [name for name in options.sections if "error" in content[name]]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
