"""How a script ends on bad input: by one line, as the commands of the suite do."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from usaid.errors import UsaidError


@contextmanager
def one_line_errors() -> Iterator[None]:
    """A block whose :class:`UsaidError` ends the script with one line on stderr, exit status 1."""
    try:
        yield
    except UsaidError as error:
        sys.exit(f"error: {error}")
