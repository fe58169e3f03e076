"""Text files that belong together: all of them are written, or none."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from usaid.files import written_atomically


def write_texts(texts: Mapping[Path, str]) -> None:
    """Write text files, none of them before all fit on the disk.

    Args:
        texts: path -> content, whose lines end as they are to end there.

    Raises:
        UsaidError: one cannot be written; the files stay as they were.
    """
    with ExitStack() as stack:
        for path, text in texts.items():
            temporary = stack.enter_context(written_atomically(path))
            temporary.write_text(text, encoding="utf-8", newline="")
