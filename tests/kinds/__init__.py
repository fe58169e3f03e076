"""One base class of tests for each kind of card; the test class of every card inherits it."""

import pytest

pytest.register_assert_rewrite(*(f"{__name__}.{kind}" for kind in ("denoisers", "judges", "metrics", "readers")))
