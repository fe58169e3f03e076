"""Reading scores and making tables and figures needs no torch: a page is made in seconds, on any machine."""

import subprocess
import sys
import textwrap


def test_no_torch_is_imported():
    code = """
        import importlib, pkgutil, sys
        import usaid.paper, usaid.report, usaid.scores
        for package in (usaid.paper, usaid.scores, usaid.report):
            for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
                importlib.import_module(module.name)
        from usaid.report.tables.files import make_table
        heavy = {"torch", "torchvision", "snakemake"}
        print(len(make_table(3, []).cells), sorted(heavy & set(sys.modules)))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert done.stdout.split() == ["18", "[]"], done.stderr
