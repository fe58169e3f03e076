"""Which jobs a target has, and what each waits for: as Snakemake finds them, without it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from evaluators.dag.code import Job
from evaluators.dag.dag import Dag
from evaluators.dag.scores import MERGES
from usaid.errors import UsaidError
from usaid.segmentation.supervisions import SUPERVISIONS


@dataclass(frozen=True)
class Planned:
    """A job of a target.

    Attributes:
        rule: its rule.
        wildcards: by name, in the order of its outputs' names.
        outputs: its files.
        inputs: files that it waits for.
    """

    rule: str
    wildcards: Mapping[str, str]
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """Rule and wildcards."""
        return self.rule, *self.wildcards.values()


def jobs_of(dag: Dag, targets: Iterable[str] = ("all",)) -> list[Planned]:
    """The jobs of some targets, each behind those that it waits for.

    Args:
        dag: of the experiment.
        targets: names of rules (``all``, ``all_tables``, ``table_6``) or files.

    Raises:
        UsaidError: no such target.
    """
    makers = {output: job for job in all_jobs(dag) for output in job.outputs}
    ordered: dict[tuple[str, ...], Planned] = {}
    waiting = [(makers[file], False) for target in targets for file in files_of(dag, makers, target)][::-1]
    seen: set[tuple[str, ...]] = set()
    while waiting:
        job, is_behind = waiting.pop()
        if is_behind:
            ordered.setdefault(job.key, job)
        elif job.key not in seen:
            seen.add(job.key)
            waiting.append((job, True))
            waiting += [(makers[path], False) for path in job.inputs if path in makers]
    return [*ordered.values()]


def files_of(dag: Dag, makers: Mapping[str, Planned], target: str) -> list[str]:
    """The files that a target asks for."""
    results = dag.results
    named = {
        "all_tables": [f"{results}/tables/index.md"],
        "figures": dag.figures,
        "images": dag.kept_images,
        "report": [f"{results}/report/index.html"],
        "statistics": dag.statistics,
        **{f"table_{name}": [f"{results}/tables/table_{name}.csv"] for name in dag.tables},
        **{f"figure_{name}": [f"{results}/figures/figure_{name}.csv"] for name in dag.drawn},
        **({"figure_2": [f"{results}/figures/figure_2.csv"]} if dag.experiment.convergence is not None else {}),
        **{job.rule: [job.outputs[0]] for job in makers.values() if not job.wildcards},
    }
    named["all"] = [*named["all_tables"], *named["figures"], *named["images"], *named["report"]]
    if target in makers:
        return [target]
    if target not in named:
        known = ", ".join(sorted(named))
        raise UsaidError(f"target {target!r}: experiment {dag.experiment.experiment!r} has none; one of {known}")
    return named[target]


def all_jobs(dag: Dag) -> Iterator[Planned]:
    """All jobs that the experiment could have, whatever is asked for."""
    yield from _of_data(dag)
    yield from _of_trainings(dag)
    yield from _of_scores(dag)
    yield from _of_pages(dag)
    yield from _of_images(dag)


def _job(rule: str, job: Job, outputs: Iterable[str], **wildcards: str) -> Planned:
    inputs = dict.fromkeys(path for paths in job.files.values() for path in paths)
    return Planned(rule, wildcards, tuple(outputs), tuple(inputs))


def _of_data(dag: Dag) -> Iterator[Planned]:
    generated = (f"{dag.data_root}/miniature.json",) if dag.is_generated else ()
    if generated:
        yield Planned("miniature", {}, generated, ())
    for source in dag.sources:
        yield Planned("data", {"source": source}, (dag.record(source),), generated)


def _of_trainings(dag: Dag) -> Iterator[Planned]:
    weights = f"{dag.results}/weights"
    for name in dag.imported:
        yield _job("import_weights", dag.import_weights(name), [f"{weights}/{name}.safetensors"], denoiser=name)
    for name in dag.trained:
        outputs = [f"{weights}/{name}{suffix}" for suffix in (".safetensors", ".csv", ".json")]
        yield _job("train_denoiser", dag.train_denoiser(name), outputs, denoiser=name)
    yield _job("fit_niqe", dag.fit_niqe(), [f"{weights}/niqe_fitted.npz"])
    for name, settings in dag.experiment.benchmarks.items():
        if settings.is_trained:
            outputs = [f"{weights}/{name}{suffix}" for suffix in (".safetensors", ".csv", ".json")]
            yield _job("train_judge", dag.train_judge(name), outputs, benchmark=name)
    if dag.experiment.convergence is not None:
        for name in SUPERVISIONS:
            outputs = [f"{dag.results}/figures/convergence_{name}{suffix}" for suffix in (".csv", ".json")]
            yield _job("train_convergence", dag.train_convergence(name), outputs, supervision=name)
        stem = f"{dag.results}/figures/figure_2"
        yield _job("figure_2_files", dag.figure_2_files(), [f"{stem}.{kind}" for kind in ("csv", "png", "pdf", "json")])


def _of_scores(dag: Dag) -> Iterator[Planned]:
    scores = f"{dag.results}/scores"
    for benchmark in dag.experiment.benchmarks:
        for name in dag.experiment.denoisers_of(benchmark):
            if name in dag.borrowed:
                names = {"benchmark": benchmark, "denoiser": name}
                yield _job(
                    "borrow_scores", dag.borrow_scores(**names), [f"{scores}/{benchmark}/{name}.parquet"], **names
                )
    for batch in dag.batches:
        yield _job(batch, dag.batch(batch), dag.outputs_of(batch))
    if not dag.batches:
        for rule, benchmark, name in dag.scored_files:
            yield from _of_score_file(dag, rule, benchmark, name)


def _of_score_file(dag: Dag, rule: str, benchmark: str, denoiser: str) -> Iterator[Planned]:
    """One job, or one for each shard and one that merges them."""
    names = {"benchmark": benchmark, "denoiser": denoiser}
    folder = f"{dag.results}/scores/{benchmark}" + ("/draws" if rule == "score_draws" else "")
    shards, makes = dag.shards_of(benchmark), rule
    for shard in shards:
        part: Job = getattr(dag, f"{rule}_shard")(benchmark, denoiser, shard)
        yield _job(f"{rule}_shard", part, [f"{folder}/shards/{denoiser}/{shard}.parquet"], **names, shard=shard)
    if shards:
        makes = MERGES[rule]
    job: Job = getattr(dag, makes)(benchmark, denoiser)
    yield _job(makes, job, [f"{folder}/{denoiser}.parquet"], **names)


def _of_pages(dag: Dag) -> Iterator[Planned]:
    results = dag.results
    for name in dag.experiment.benchmarks:
        outputs = [f"{results}/statistics/{name}.{kind}" for kind in ("csv", "md", "html")]
        yield _job("statistics_page", dag.statistics_page(name), outputs, benchmark=name)
    yield _job("claims", dag.claims(), [f"{results}/claims.{kind}" for kind in ("csv", "md", "tex", "html")])
    for name in dag.tables:
        outputs = [f"{results}/tables/table_{name}.{kind}" for kind in ("csv", "tex", "md", "json", "html")]
        yield _job("table", dag.table(name), outputs, table=name)
    yield _job("classes", dag.classes(), [f"{results}/tables/classes.{kind}" for kind in ("csv", "md")])
    index = ("index.md", "verdicts.csv", "provenance.json")
    yield _job("index", dag.index(), [f"{results}/tables/{name}" for name in index])
    for name in dag.drawn:
        outputs = [f"{results}/figures/figure_{name}.{kind}" for kind in ("csv", "png", "pdf")]
        yield _job("figure", dag.figure(name), outputs, figure=name)
    yield _job("report_page", dag.report(), [f"{results}/report/index.html"])


def _of_images(dag: Dag) -> Iterator[Planned]:
    if not dag.kept_images:
        return
    yield _job("choose_images", dag.choose_images(), [dag.choice])
    if dag.archives_in_one_job:
        yield Planned("keep_all_images", {}, tuple(dag.kept_images), tuple(dag.inputs_of_images()))
    else:
        for name in dag.denoisers_with_images:
            yield _job("keep_images", dag.keep_images(name), dag.archives_of(name), denoiser=name)
