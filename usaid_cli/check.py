"""``usaid check``: what an author has to know of a denoiser, before it is scored."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from usaid_cli.arguments import NETWORK, Commands, adapt_of, add_adapt, add_device, add_options, keys_and_values

if TYPE_CHECKING:
    from usaid.denoisers.check.finding import Finding


def add_check(commands: Commands) -> None:
    """``check``."""
    parser = commands.add_parser(
        "check",
        help="what is wrong with a denoiser of your own, and the cure: within a minute, without data sets",
        description="Makes the denoiser in a process of its own and looks at what it does with pictures made by code: "
        "shapes, range, noise or image, odd sizes, batches, determinism, time, memory, and the hours that every "
        "benchmark would take. Each finding is one line with its cure. Exit status 1 if one failed.",
    )
    parser.add_argument("network", metavar="FILE_OR_NAME", help=NETWORK)
    parser.add_argument("--weights", type=Path, help="the network's weights")
    add_options(parser)
    add_adapt(parser)
    add_device(parser)
    parser.add_argument("--precision", default="float32", choices=["float32", "tf32", "bfloat16", "auto"])
    parser.add_argument("--strict", action="store_true", help="exit status 1 for warnings, too")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON, with what was measured")
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="longest time of one check (default: 20); all take at most a minute"
    )
    parser.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> None:
    from functools import partial

    from usaid.denoisers.build import build_denoiser
    from usaid.denoisers.check.run import findings, is_fit
    from usaid.denoisers.recognise import method_and_weights
    from usaid.devices import pick_device

    method, weights = method_and_weights(options.network, options.weights)
    device, own = str(pick_device(options.device)), keys_and_values(options.options, "--option")
    make = partial(build_denoiser, method, weights, device, options.precision, own, adapt_of(options))
    found = []
    for finding in findings(make, device, seconds=options.seconds):
        found.append(finding)
        if not options.json:
            print(_line(finding), flush=True)
    counts = {status: sum(finding.status == status for finding in found) for status in ("failed", "warning")}
    if options.json:
        print(json.dumps({"denoiser": options.network, **counts, "findings": [each.as_dict() for each in found]}))
    else:
        print(f"{options.network}: {len(found)} findings, {counts['failed']} failed, {counts['warning']} warnings")
    if not is_fit(found, options.strict):
        sys.exit(1)


def _line(finding: "Finding") -> str:
    cure = f"; cure: {finding.cure}" if finding.cure else ""
    status = finding.status.upper() if finding.status == "failed" else finding.status
    return f"{status:<8}{finding.name:<10}{finding.what}{cure}"
