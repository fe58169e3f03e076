"""The pages that people read, as tests see them: their blocks, headings and links."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
STANDS_FOR = re.compile(r"<!-- page: (\S+) -->")
_FENCE = re.compile(r"^(?P<indent> *)(?P<mark>```+)(?P<language>\w*)")
_LINK = re.compile(r"`[^`]*`|\]\(([^)\s]+)[^)]*\)")


def pages() -> list[Path]:
    """README, CONTRIBUTING and the like, and all of docs/, from the repository's root."""
    own = [path for path in ROOT.glob("*.md") if path.is_file()]
    return sorted(path.relative_to(ROOT) for path in (*own, ROOT / "config/README.md", *ROOT.glob("docs/**/*.md")))


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    page: str
    line: int
    language: str
    text: str
    not_run: str | None
    """Why its commands are not run, from the remark directly before it."""


@cache
def _parts(page: Path) -> tuple[str, tuple[Block, ...]]:
    """A page's text without its fenced blocks, and these."""
    prose: list[str] = []
    blocks, lines = [], (ROOT / page).read_text(encoding="utf-8").splitlines()
    at = 0
    while at < len(lines):
        fence = _FENCE.match(lines[at])
        if fence is None:
            prose.append(lines[at])
            at += 1
            continue
        end = next((i for i in range(at + 1, len(lines)) if lines[i].strip() == fence["mark"]), None)
        assert end is not None, f"{page}:{at + 1}: a block without an end"
        indent = len(fence["indent"])
        text = "".join(f"{line[indent:]}\n" for line in lines[at + 1 : end])
        remark = re.fullmatch(r" *<!-- not run here: *(.*?) *-->", lines[at - 1]) if at else None
        blocks.append(Block(str(page), at + 1, fence["language"], text, remark[1] if remark else None))
        at = end + 1
    return "\n".join(prose), tuple(blocks)


def prose_of(page: Path) -> str:
    """A page's text without its fenced blocks."""
    return _parts(page)[0]


def blocks_of(page: Path, language: str | None = None) -> list[Block]:
    """A page's fenced blocks, of one language or of all."""
    return [block for block in _parts(page)[1] if language in (None, block.language)]


def links_of(page: Path) -> list[str]:
    """Where a page links to, pictures included."""
    return [link for link in _LINK.findall(prose_of(page)) if link]


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as code forges and the site make them."""
    text = (ROOT / page).read_text(encoding="utf-8")
    if match := STANDS_FOR.match(text):
        return anchors_of((ROOT / page).parent.joinpath(match[1]).resolve().relative_to(ROOT))
    names: list[str] = []
    for heading in re.findall(r"^#+ +(.*?) *$", prose_of(page), flags=re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        names.append(re.sub(r"[^\w\- ]", "", words.lower()).strip().replace(" ", "-"))
    repeated = {f"{name}_{number}" for name in names for number in range(1, names.count(name))}
    return {*names, *repeated}
