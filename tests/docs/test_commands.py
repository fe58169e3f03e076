"""Every command on README and the pages works: a shell block is run here, or says above it why it is not.

``usaid`` and ``python`` run in this process, page by page in a folder with small data. ``snakemake`` is a dry run, and
``make`` is asked whether it knows the target. The arguments of what is not run exist, too.
"""

import io
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from functools import partial
from itertools import islice
from pathlib import Path

import pytest
import torch
import yaml
from doc_pages import ROOT, Block, blocks_of, pages, prose_of
from dry_runs import dry_run
from PIL import Image
from printed_commands import run_printed
from snakemake.cli import get_argument_parser
from snakemake_runs import made_once

import usaid_cli
from usaid.datasets.miniature import kodak, voc2012
from usaid.datasets.miniature.writer import write
from usaid.experiment.reading import read_experiment

LINKED = ("Snakefile", "benchmarks", "config", "examples", "profiles", "results/reference", "usaid", "workflow")
"""What a working tree has, of which commands read."""

ENTERED = (". .venv/bin/activate", "source .venv/bin/activate")

SMALLER = {
    "usaid train --denoiser mlp": ("--subset", "two.txt", "--set", "steps=2", "batch=2", "hidden=[8]"),
    "usaid train ": ("--subset", "two.txt", "--set", "encoder=efficientnet_lite0", "batch=2", "patch=16", "steps=2"),
}
"""Arguments that make a command last seconds."""

BY_OTHER_TESTS = re.compile(
    "usaid check mine.py:denoise|usaid evaluate mine.py:denoise .* --data-root data |usaid data (fetch|miniature) "
)
"""Commands whose words alone are tried here: test_readme.py and the tests of data sets run them."""

Command = tuple[Block, str]


def commands_in(block: Block) -> Iterator[str]:
    """The commands of a shell block, without remarks; a backslash joins lines."""
    for line in block.text.replace("\\\n", " ").splitlines():
        command = re.sub(r"(^|\s+)#.*", "", line).strip()
        if command:
            yield command


BLOCKS = [block for page in pages() for block in blocks_of(page, "sh")]
COMMANDS = [(block, command) for block in BLOCKS for command in commands_in(block)]
RUN = [(block, command) for block, command in COMMANDS if block.not_run is None]


def of(*programs: str, commands: list[Command] = RUN) -> list[Command]:
    """The commands that begin with these words."""
    return [pair for pair in commands if any(pair[1].startswith(f"{program} ") for program in programs)]


def place(block: Block) -> str:
    return f"{block.page}:{block.line}"


def joins(line: str) -> bool:
    """Whether a line is several commands."""
    return not {"|", "||", "&", "&&", ";", "(", "`"}.isdisjoint(shlex.shlex(line, punctuation_chars=True))


def test_what_is_not_run_says_why():
    assert [place(block) for block in BLOCKS if block.not_run == ""] == []


def test_every_command_is_of_a_kind_that_can_be_tried():
    tried = of("make", "python", "snakemake", "usaid")
    others = [f"{place(block)}: {line}" for block, line in RUN if (block, line) not in tried and line not in ENTERED]
    assert others == [], "put <!-- not run here: REASON --> before the block"
    joined = [f"{place(block)}: {line}" for block, line in tried if joins(line)]
    assert joined == [], "a line is one command"


@pytest.mark.parametrize(("block", "command"), of("make", commands=COMMANDS), ids=lambda part: str(part)[:60])
def test_make_knows_the_target(block, command):
    done = subprocess.run(["make", "-n", *shlex.split(command)[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{place(block)}: {done.stderr}"


def test_snakemake_takes_no_target_for_a_file_or_a_value():
    parser = get_argument_parser()
    in_lines = [code for page in pages() for code in re.findall("`(snakemake [^`]*)`", prose_of(page))]
    for command in (*in_lines, *(command for _, command in COMMANDS)):
        _, program, arguments = f" {command}".partition(" snakemake ")
        if not program:
            continue
        words = shlex.split(arguments.replace("--executor cluster-generic", ""))  # is not installed here
        given, _ = parser.parse_known_args(words)
        assert [path for path in given.configfile or () if path.suffix != ".yaml"] == [], command
        assert [entry for entry in given.config or () if "=" not in entry] == [], command


def words_of(command: str) -> list[str]:
    """The arguments of a command, without where its output goes."""
    words = shlex.split(command)[1:]
    return words[: words.index(">")] if ">" in words else words


@pytest.mark.parametrize(("block", "command"), of("usaid", commands=COMMANDS), ids=lambda part: str(part)[:60])
def test_usaid_knows_the_arguments(block, command, capsys):
    status = status_of(lambda: usaid_cli.build_parser().parse_args(words_of(command)))
    assert not status, f"{place(block)}: {command}: {capsys.readouterr().err}"


def status_of(call: Callable[[], object]) -> int | str | None:
    """How a call ended that may exit: its status, or what it said last."""
    try:
        call()
    except SystemExit as end:
        return end.code
    return 0


@pytest.fixture
def folder(tmp_path, tmp_path_factory, small_dncnn, monkeypatch) -> Path:
    """A working tree: the suite's own folders, small data, stand-ins for checkpoints, files that pages show."""
    for name in LINKED:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(ROOT / name)
    data = tmp_path / "data"
    shutil.copytree(made_once(tmp_path_factory, "data_of_pages", _write_data), data)
    for name in ("DnCNN", "SSAID", "USAID"):
        torch.save(small_dncnn.state_dict(), data / f"released/{name}.pth")
    shutil.copy(data / "kodak/kodim01.png", tmp_path / "photo.png")
    (tmp_path / "two.txt").write_text("2012_000001\n2012_000002\n", encoding="utf-8")
    for page in pages():
        for block in (*blocks_of(page, "python"), *blocks_of(page, "yaml")):
            if name := re.match(r"# ([\w-]+\.(?:py|yaml))\b", block.text):
                (tmp_path / name[1]).write_text(block.text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def _write_data(folder: Path) -> None:
    for name, content in islice(kodak.draw(seed=0), 3):
        (folder / name).parent.mkdir(exist_ok=True)
        Image.open(io.BytesIO(content)).crop((0, 0, 96, 64)).save(folder / name)
    for name, content in voc2012.draw(seed=0):
        write(folder / name, content)
    (folder / "released").mkdir()


def put_results(folder: Path, commands: list[str]) -> None:
    """The committed run in place of results that commands name."""
    for name in {*re.findall(r"results/(?!reference)(\w+)", " ".join(commands))}:
        ignored = shutil.ignore_patterns("*.zip", "*.pdf")
        shutil.copytree(ROOT / "results/reference/released", folder / "results" / name, ignore=ignored)
        (folder / "results" / name / "miniature").symlink_to(folder / "data")  # the demo's data


def run_here(command: str) -> None:
    """Run a command as it is printed, or with the arguments that make it smaller."""
    words = shlex.split(command)
    *_, more = next((found for found in SMALLER.items() if command.startswith(found[0])), ("", ()))
    if ">" not in words:
        run_printed(command, *more)
        return
    with open(words[words.index(">") + 1], "w", encoding="utf-8") as file, redirect_stdout(file):
        run_printed(shlex.join(words[: words.index(">")]), *more)


def own_commands(page: str) -> list[Command]:
    """What is run in this process, of a page."""
    found = [(block, line) for block, line in of("python", "usaid") if block.page == page]
    return [
        (block, line) for block, line in found if not BY_OTHER_TESTS.match(line) and not line.startswith("usaid run ")
    ]


@pytest.mark.parametrize("page", [str(page) for page in pages() if own_commands(str(page))])
def test_the_commands_of_a_page_run(page, folder):
    commands = own_commands(page)
    put_results(folder, [command for _, command in commands])
    for block, command in commands:
        status = status_of(partial(run_here, command))
        assert not status, f"{place(block)}: {command}: {status}"


@pytest.mark.slow
def test_the_workflow_knows_what_is_asked(folder):
    asked = together([command for _, command in of("snakemake", "usaid run")])
    *runs, (of_nonsense, _) = dry_run([shlex.split(command) for command in [*asked, "snakemake -n table_99"]])
    assert of_nonsense == 1
    for command, (status, output) in zip(asked, runs, strict=True):
        assert status == 0, f"{command}\n{output}"


def together(commands: list[str]) -> list[str]:
    """Commands of Snakemake that differ in targets and cores only are one command, which is read once."""
    targets: dict[str, set[str]] = {}
    others: dict[str, None] = {}
    for command in commands:
        if match := re.fullmatch(r"snakemake (?:--cores \w+|-n)((?: \w+)*)( --configfile .*)?", command):
            targets.setdefault(match[2] or "", set()).update(match[1].split())
        else:
            others[command] = None
    return [f"snakemake -n {' '.join(sorted(names))}{rest}" for rest, names in targets.items()] + [*others]


def test_commands_of_one_experiment_are_one_dry_run():
    asked = ["snakemake --cores 8 all", "snakemake -n table_6 --configfile a.yaml", "snakemake --report r.html"]
    asked += ["snakemake --cores all claims --configfile a.yaml"]
    assert together(asked) == ["snakemake -n all", "snakemake -n claims table_6 --configfile a.yaml", asked[2]]


EXPERIMENTS = [
    block
    for page in pages()
    for block in blocks_of(page, "yaml")
    if re.search(r"^(experiment|denoisers|benchmarks|draws|keep_images|figures):", block.text, re.MULTILINE)
]


@pytest.mark.parametrize("block", EXPERIMENTS, ids=place)
def test_an_experiment_that_is_shown_can_be_read(block, folder):
    Path("shown.yaml").write_text(block.text, encoding="utf-8")
    shown = yaml.safe_load(block.text)
    whole = {"experiment", "data_root", "benchmarks"} <= {*shown}
    read = read_experiment(*([] if whole else [ROOT / "config/released.yaml"]), "shown.yaml").denoisers
    named = shown.get("denoisers", {})
    assert {name: name in read for name in named} == {name: entry is not None for name, entry in named.items()}


@pytest.mark.parametrize("block", [block for page in pages() for block in blocks_of(page, "python")], ids=place)
def test_python_that_is_shown_is_python(block):
    compile(block.text, place(block), "exec")
