"""The jobs of a run, as Snakemake plans them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from evaluators.dag.dag import Dag
from evaluators.dag.scores import MERGED
from usaid.failures import name_of


@dataclass(frozen=True)
class RunJob:
    """One job of a run: what it was asked for, or is needed for.

    Attributes:
        rule: its rule.
        wildcards: their values by name, in the order of its outputs' names.
        outputs: its files; a target of names only has none.
        log: its log file, if it has one.
    """

    rule: str
    wildcards: Mapping[str, str]
    outputs: tuple[str, ...]
    log: str = ""

    @property
    def name(self) -> str:
        """What messages call it."""
        return name_of(self.rule, self.wildcards.values())


def parts_of(dag: Dag, job: RunJob) -> list[RunJob]:
    """A job, or the results that it makes, each as if it had a job of its own: score files, archives of images.

    What merges a score file's shards has the name of the job that makes it of all images: its failures are the same.
    """
    if job.rule in MERGED:
        return [replace(job, rule=MERGED[job.rule])]
    if job.rule == "keep_all_images":
        names = dag.denoisers_with_images
        return [RunJob("keep_images", {"denoiser": name}, tuple(dag.archives_of(name))) for name in names]
    if job.rule not in dag.batches:
        return [job]
    files = dag.batches[job.rule].files
    named = [(rule, {"benchmark": benchmark, "denoiser": denoiser}) for rule, benchmark, denoiser in files]
    return [RunJob(*name, (output,)) for name, output in zip(named, job.outputs, strict=True)]
