"""What the pages of ``docs/data/`` say of a source: written from its YAML and its card, so that they cannot drift."""

from usaid.datasets.items import FIRST_USE, Item, items_of, said, shown_size, total
from usaid.datasets.sources import source_names, source_of
from usaid.registries import DATASETS

_MOST_FILES = 4
"""Files that a table names; of more it names the first and the last."""


def facts(name: str) -> str:
    """A table in Markdown of what is known of a data set or of weights.

    Args:
        name: one of :func:`usaid.datasets.sources.source_names`.
    """
    items, source = items_of(name), source_of(name)
    rows = [("name", f"`{name}`")]
    if name in DATASETS:
        splits = (f"{split}: {count:,} images" for split, count in DATASETS[name].splits.items())
        rows.append(("splits", "; ".join(splits)))
    rows += [("licence", said(name, "licence")), ("cite", said(name, "citation"))]
    if items:
        sizes = [item.size or item.entry.get("about") for item in items]
        is_exact = all(item.size is not None for item in items)
        rows.append(("download", f"{'' if is_exact else 'about '}{shown_size(total(sizes))}"))
        rows += [("file" if number == 0 else "", line) for number, line in enumerate(_files(items))]
    rows += [
        (key, source[entry])
        for key, entry in (("by hand", "by_hand"), ("other splits", "other_splits"))
        if entry in source
    ]
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows)])


def overview() -> str:
    """A table in Markdown of all sources: size, licence, and whether an account is needed."""
    lines = ["| name | download | account | licence |", "|---|---|---|---|"]
    for name in source_names():
        items = items_of(name)
        sizes = [item.size or item.entry.get("about") for item in items]
        size, account = (shown_size(total(sizes)), "no") if items else ("by hand", "yes")
        lines.append(f"| [`{name}`]({page_of(name)}) | {size} | {account} | {said(name, 'licence')} |")
    return "\n".join(lines)


def page_of(name: str) -> str:
    """The page of a source."""
    return f"{name}.md" if name in DATASETS else "weights.md"


def _files(items: tuple[Item, ...]) -> list[str]:
    if len(items) > _MOST_FILES:
        first, last = items[0], items[-1]
        return [f"`{first.place}` to `{last.place}`, {len(items)} files; {_checked(first)}; <{first.urls[0]}> ..."]
    return [_file(item) for item in items]


def _file(item: Item) -> str:
    size = shown_size(item.size) if item.size is not None else f"about {shown_size(item.entry.get('about'))}"
    exact = f" ({item.size:,} bytes)" if item.size is not None else ""
    to = f", unpacked at `{_below(item.entry['unpack_to'])}`" if item.is_archive else ""
    only = f" (`{item.entry['only']}` alone)" if "only" in item.entry else ""
    return f"`{item.place}`, {size}{exact}{to}{only}; {_checked(item)}; {' or '.join(f'<{url}>' for url in item.urls)}"


def _below(folder: str) -> str:
    return "DATA_ROOT" if folder == "." else f"DATA_ROOT/{folder}"


def _checked(item: Item) -> str:
    return (
        FIRST_USE if item.sha256 is None else f"SHA-256 `{item.sha256[:12]}`" + ("..." if len(item.sha256) > 12 else "")
    )
