"""A ratio that a benchmark measured, as a line of the table in benchmarks/README.md."""

import json
import os

FILE = "USAID_RATIOS"
"""Environment variable that names the file which collects the ratios of a run; without it nothing is collected."""


def note(what: str, ratio: str, of: str, limit: str = "") -> None:
    """Collect a measured ratio.

    Args:
        what: was measured, and on what: ``"DnCNN, 768x512, 2 threads"``.
        ratio: as it is to be shown, with what it is of: ``"1.52 x"``, ``"93 %"``, ``"31 images/s"``.
        of: what it is compared with: ``"direct convolution"``; several words, no sentence.
        limit: the bound that it stands against, and where that comes from; empty: there is none.
    """
    path = os.environ.get(FILE)
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"what": what, "ratio": ratio, "of": of, "limit": limit}) + "\n")
