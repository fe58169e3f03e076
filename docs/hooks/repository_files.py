"""Pages and pictures of the repository that lie outside of docs/ are on the site, as far as a page links to them.

Links in Markdown are relative to the file they stand in, so that they work where the repository is read. On the site

* a Markdown file is a page, at its path in the repository,
* a text file (code, YAML) is a page that shows it, below ``files/``,
* a folder is a page that lists it, below ``files/``,
* any other file is copied to its path,

and a page of docs/ whose first line is ``<!-- page: ../CONTRIBUTING.md -->`` shows that file in place of its own text.
"""

import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

SHOWN = {
    "": "text",
    ".cfg": "ini",
    ".cff": "yaml",
    ".py": "python",
    ".smk": "python",
    ".toml": "toml",
    ".txt": "text",
    ".yaml": "yaml",
}
"""Text files that get a page, and their language."""

INDEX = ("index", "README")
"""Names of pages that stand for their folder."""

FRONT = {"README.md": "index.md"}
"""Files that another page stands for."""

_PAGE = re.compile(r"<!-- page: (\S+) -->")
_FENCE = re.compile(r"^ *(```+|~~~+)")
_LINK = re.compile(r"`[^`]*`|(?<=\]\()(?P<link>[^)\s]+)(?=[^)]*\))|(?<=src=\")(?P<src>[^\"]+)(?=\")")

_PLACES: dict[str, str] = {}
"""Of the build: a file or folder of the repository -> its path among the files of the site."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """In the navigation a folder, as ``data/``, stands for its pages, its index first."""
    docs = Path(config.docs_dir)

    def pages_for(entry: Any) -> Any:
        if isinstance(entry, dict):
            return {title: pages_for(part) for title, part in entry.items()}
        if isinstance(entry, list):
            return [pages_for(part) for part in entry]
        if not entry.endswith("/"):
            return entry
        pages = sorted((docs / entry).glob("*.md"), key=lambda path: (path.stem not in INDEX, path.name))
        return [page.relative_to(docs).as_posix() for page in pages]

    config.nav = pages_for(config.nav)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what pages link to, and what these link to."""
    root, docs = Path(config.config_file_path).parent, Path(config.docs_dir)
    _PLACES.clear()
    _PLACES.update(FRONT)
    waiting = []
    for file in files.documentation_pages():
        path = docs / file.src_uri
        shown = _shown_in_place(path)
        _PLACES[shown.relative_to(root).as_posix()] = _PLACES[path.relative_to(root).as_posix()] = file.src_uri
        waiting.append(shown)
    for file in files.media_files():
        _PLACES[(docs / file.src_uri).relative_to(root).as_posix()] = file.src_uri
    waiting += [root / path for path in _paths_in(config.nav) if not (docs / path).exists() and (root / path).is_file()]
    for path in waiting[:]:
        _add(path, root, files, config)
    while waiting:
        path = waiting.pop()
        for target in _targets(path, root):
            if _add(target, root, files, config) and target.suffix == ".md":
                waiting.append(target)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Show the file that a page stands for, and turn links to the site's own."""
    root, source = Path(config.config_file_path).parent, page.file.abs_src_path
    if source is None:
        return markdown
    path = _shown_in_place(Path(source))
    if path != Path(source):
        markdown = path.read_text(encoding="utf-8")
    if not path.is_relative_to(config.docs_dir):
        page.meta.setdefault("search", {"boost": 0.3})
    here = posixpath.dirname(page.file.src_uri)

    def on_the_site(link: str) -> str:
        address, hash_mark, anchor = link.partition("#")
        place = _PLACES.get(_key(_resolved(path, address), root)) if address else None
        return f"{posixpath.relpath(place, here or '.')}{hash_mark}{anchor}" if place else link

    return with_links(markdown, on_the_site)


def with_links(markdown: str, change: Callable[[str], str]) -> str:
    """The text with each relative link changed; code is left alone."""

    def changed(match: re.Match[str]) -> str:
        link = match["link"] or match["src"]
        return change(link) if link and not re.match(r"[a-z]+:|/|#", link) else match[0]

    lines, fence = [], ""
    for line in markdown.splitlines():
        mark = _FENCE.match(line)
        if mark and (not fence or mark[1] == fence):
            fence = "" if fence else mark[1]
            lines.append(line)
        else:
            lines.append(line if fence else _LINK.sub(changed, _with_plain_bars(line)))
    return "\n".join(lines) + "\n"


def _with_plain_bars(line: str) -> str:
    """In a table, code whose bars are escaped: forges ask for the backslash, the site would show it."""
    return re.sub(r"`[^`]*`", lambda code: code[0].replace(r"\|", "|"), line) if line.startswith("|") else line


def links_in(markdown: str) -> list[str]:
    """All relative links of a text, in order."""
    links: list[str] = []

    def keep(link: str) -> str:
        links.append(link)
        return link

    with_links(markdown, keep)
    return links


def _targets(path: Path, root: Path) -> Iterator[Path]:
    """The files and folders of the repository that a page links to."""
    for link in links_in(path.read_text(encoding="utf-8")):
        target = _resolved(path, link.partition("#")[0])
        if target.exists() and target.is_relative_to(root):
            yield target


def _add(path: Path, root: Path, files: Files, config: MkDocsConfig) -> bool:
    """Put a file or folder on the site, if it is not there; whether it was put there."""
    key = _key(path, root)
    if key in _PLACES:
        return False
    seen = re.sub(r"(^|/)\.", r"\1", key)  # a site has no hidden files
    if path.is_dir():
        file = File.generated(config, f"files/{seen}/index.md", content=_listing(path, root))
    elif path.suffix in SHOWN:
        file = File.generated(config, f"files/{seen}.md", content=_as_page(path, key))
    else:
        file = File.generated(config, key, abs_src_path=str(path))
    _PLACES[key] = file.src_uri
    files.append(file)
    return True


def _as_page(path: Path, key: str) -> str:
    language = SHOWN.get(path.suffix, "text")
    text = path.read_text(encoding="utf-8").rstrip()
    return f"---\nsearch: {{exclude: true}}\n---\n# {key}\n\n`````{language}\n{text}\n`````\n"


def _listing(folder: Path, root: Path) -> str:
    names = sorted(f"{path.name}{'/' * path.is_dir()}" for path in folder.iterdir() if path.name != "__pycache__")
    lines = "".join(f"- `{name}`\n" for name in names)
    return f"---\nsearch: {{exclude: true}}\n---\n# {_key(folder, root)}/\n\nA folder of the repository:\n\n{lines}"


def _shown_in_place(path: Path) -> Path:
    """The file that a page of docs/ stands for; without one itself."""
    match = _PAGE.match(path.read_text(encoding="utf-8"))
    return _resolved(path, match[1]) if match else path


def _resolved(page: Path, address: str) -> Path:
    """Where a link leads: to a folder's index, where it has one."""
    path = Path(posixpath.normpath(page.parent / unquote(address)))
    return next((own for name in INDEX if (own := path / f"{name}.md").is_file()), path)


def _key(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _paths_in(nav: object) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, dict | list):
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from _paths_in(part)
