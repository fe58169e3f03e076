"""A plan as a person reads it, and as JSON."""

from typing import Any

from evaluators.plan.plan import Plan


def hours(seconds: float) -> str:
    """A time in words: ``"45 s"``, ``"12 min"``, ``"5.2 h"``, ``"95 days"``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 72 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:,.0f} days"


def gigabytes(size: float) -> str:
    """``"3.5 GB"``, ``"12 MB"``; ``"0 GB"`` for nothing."""
    if size < 1e8:
        return f"{max(1, size / 1e6):.0f} MB" if size else "0 GB"
    return f"{size / 1e9:.1f} GB"


def summary_of(plan: Plan) -> str:
    """One line."""
    of = {0: f"on {plan.cores} cores"} | {
        number: f"on {number} GPU{'s' * (number > 1)}" for number in plan.walls if number
    }
    number, wall = next(iter(plan.walls.items()))
    done = sum(job.is_done for job in plan.jobs)
    return (
        f"{plan.experiment}: {len(plan.to_do)} jobs{f' ({done} more are done)' if done else ''}, about {hours(wall)} "
        f"{of[number]} ({plan.rates.summary}), {gigabytes(plan.download)} to download, {gigabytes(plan.disk)} on disk"
    )


def page_of(plan: Plan) -> str:
    """The whole plan as text."""
    lines = [summary_of(plan), "", f"{'rule':<18}{'jobs':>5}{'done':>6}{'time':>10}{'memory':>10}{'disk':>10}  GPU"]
    for row in plan.rows():
        gpu = "" if not row.on_gpu else "yes" if row.on_gpu == row.jobs else f"{row.on_gpu} of {row.jobs}"
        sizes = f"{gigabytes(row.memory):>10}{gigabytes(row.disk):>10}"
        lines.append(f"{row.rule:<18}{row.jobs:>5}{row.done:>6}{hours(row.seconds):>10}{sizes}  {gpu}".rstrip())
    done = sum(job.is_done for job in plan.jobs)
    total = f"{hours(plan.seconds):>10}{gigabytes(plan.memory):>10}{gigabytes(plan.disk):>10}"
    lines.append(f"{'all':<18}{len(plan.to_do):>5}{done:>6}{total}")
    lines += ["", "Time: of the rule's jobs one after another. Side by side, from start to end:"]
    for number, wall in plan.walls.items():
        where = f"{number} GPU{'s' * (number > 1)}" if number else f"{plan.cores} cores"
        lines.append(f"  {where:<10} {hours(wall)}")
    lines += ["", f"Rates: {plan.rates.title}"]
    lines += [f"Note: {note}" for note in notes_of(plan)]
    return "\n".join([*lines, "", *_missing(plan)])


def notes_of(plan: Plan) -> list[str]:
    """What a reader must know of the numbers."""
    notes = [plan.load, plan.rates.note]
    if plan.guessed:
        notes.append(
            f"nobody knows the cost of {', '.join(plan.guessed)}: counted like the paper's DnCNN, or 512x512 pixels"
        )
    unknown = plan.rates.unknown(job.work.work for job in plan.jobs)
    if unknown:
        notes.append(f"no rate of {', '.join(unknown)}: not counted")
    return [note for note in notes if note]


def _missing(plan: Plan) -> list[str]:
    if not plan.missing:
        return ["All that it reads is there."]
    lines = [
        f"Missing ({len(plan.missing)}); what can be fetched comes by itself in a run, or by the command beside it:"
    ]
    for need in plan.missing:
        size = "size unknown" if need.size is None else gigabytes(need.size)
        found = "" if need.found is None else f"{need.found} of {need.official} images, "
        licence = f" ({need.licence})" if need.licence else ""
        lines.append(f"  {need.name}: {found}{size}{licence}\n    -> {need.cure}")
    return lines


def record_of(plan: Plan) -> dict[str, Any]:
    """The plan as JSON-able values: seconds and bytes."""
    return {
        "experiment": plan.experiment,
        "targets": list(plan.targets),
        "summary": summary_of(plan),
        "rates": {"device": plan.rates.device, "machine": plan.rates.machine, "estimated": plan.rates.is_estimate},
        "notes": notes_of(plan),
        "cores": plan.cores,
        "rules": [vars(row) for row in plan.rows()],
        "jobs": len(plan.to_do),
        "done": sum(job.is_done for job in plan.jobs),
        "seconds": plan.seconds,
        "download": plan.download,
        "disk": plan.disk,
        "memory": plan.memory,
        "wall_seconds": {str(number): wall for number, wall in plan.walls.items()},
        "missing": [vars(need) for need in plan.missing],
    }
