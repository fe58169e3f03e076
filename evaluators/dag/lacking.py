"""What an experiment lacks, as text: size, licence, what vouches for it, and the cure."""

from collections.abc import Iterable, Sequence

from evaluators.dag.needs import Need, lacking, to_fetch
from usaid.datasets.items import shown_size, total


def format_lacking(needs: Sequence[Need], fetch: str) -> str:
    """What is missing, one paragraph each, and what it takes to get it.

    Args:
        needs: all that an experiment has.
        fetch: the command that fetches what can be fetched.
    """
    missing = lacking(needs)
    if not missing:
        return f"all {len(needs)} that it reads are there"
    lines = [line for need in missing for line in _paragraph(need)]
    fetched = [need for need in missing if need.can_be_fetched]
    by_hand = list(dict.fromkeys(need.name.partition("/")[0] for need in missing if not need.can_be_fetched))
    lines += ["", f"{len(needs) - len(missing)} of the {len(needs)} that it reads are there"]
    if fetched:
        lines.append(f"{_all_sizes(fetched)} to download ({', '.join(to_fetch(fetched))}): {fetch}")
    if by_hand:
        lines.append(f"by hand: {', '.join(by_hand)} (see above)")
    return "\n".join(lines)


def _all_sizes(needs: Iterable[Need]) -> str:
    sizes = [need.size for need in needs]
    known = shown_size(total([size for size in sizes if size is not None]))
    return f"{known} and what is of unknown size" if None in sizes else known


def _paragraph(need: Need) -> list[str]:
    counted = "" if need.found is None else f", {need.found} of {need.official} images"
    size = f", {shown_size(need.size)} to download" if need.can_be_fetched and need.size != 0 else ""
    lines = [f"{need.name}: {_STATES[need.state]}{counted}{size}", f"    {need.what}"]
    if need.licence != need.trust:  # else it is the user's own
        lines += [f"    licence: {need.licence}", f"    checked by: {need.trust}"]
    return [*lines, f"    -> {need.cure}"]


_STATES = {"missing": "missing", "part": "there in part"}
