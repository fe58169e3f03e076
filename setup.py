"""Puts into the package what lies beside it in a checkout: workflow, experiments, profiles, examples, scores."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

BESIDE = (
    "Snakefile",
    "config/**/*",
    "envs/*",
    "examples/**/*",
    "profiles/**/*",
    "results/reference/*/scores/**/*.parquet",
    "workflow/**/*",
)
"""Files that :mod:`usaid.suite_files` finds in ``usaid/suite/``, at the same places below it."""


class BuildWithSuite(build_py):
    """Builds the packages, and copies the suite's other files beside them."""

    def run(self) -> None:
        """Also of an sdist, which has them by MANIFEST.in; an editable install finds them where they are."""
        super().run()
        if self.editable_mode:
            return
        suite = Path(self.build_lib, "usaid/suite")
        shutil.rmtree(suite, ignore_errors=True)
        for path in sorted(path for pattern in BESIDE for path in Path().glob(pattern)):
            if path.is_file() and "__pycache__" not in path.parts:
                (suite / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, suite / path)


setup(cmdclass={"build_py": BuildWithSuite})
