# What the rules share: the checked experiment, its folders, and the functions that find their inputs.

import sys
from pathlib import Path

from evaluators.benchmarks import BENCHMARKS, judge_path
from evaluators.scoring import score_source_hash
from evaluators.judge_training import TRAINING_MODULES
from usaid.datasets import DATASETS
from usaid.errors import UsaidError
from usaid.experiment.experiment import (
    checked_experiment,
    columns_of_ablation,
    denoisers_of,
    has_several_seeds,
    settings_of,
    variants,
)
from usaid.paper.published import hash_of_published
from usaid.scores.files import read_provenance
from usaid.code_hash import hash_of_sources
from usaid.report.tables import NOT_BUILT, built_tables
from usaid.report.tables.classes import METRICS as METRICS_OF_CLASSES
from usaid.paper.layouts import SCORE_TABLES

try:
    config.update(checked_experiment(config))
except UsaidError as error:
    sys.exit(f"error: {error}")

DATA = config["data_root"].rstrip("/")
RESULTS = f"results/{config['experiment']}"
ENTRIES = config["denoisers"] | variants(config)
SMALL = config["data_source"] == "miniature"  # too small for threads to share: one each, and jobs side by side
FETCHED = {f"{DATA}/weights/yolov3.weights": "yolov3", f"{DATA}/weights/yolov3u.pt": "yolov3u"}
BENCHMARKS_OF_TABLES = {
    table: benchmarks
    for table, spec in SCORE_TABLES.items()
    if (benchmarks := [name for name in spec.benchmarks if name in config["benchmarks"]])
    and (table != 2 or "ablation" in config)
}


wildcard_constraints:
    source="|".join([*DATASETS, "released", "resnet101", *FETCHED.values(), "niqe_live", "niqe_matlab"]),
    benchmark="|".join(config["benchmarks"]),
    denoiser="|".join(ENTRIES),
    table="|".join(str(number) for number in built_tables()),


def get_names(key):
    """A regular expression for the denoisers whose entry has a key; one that matches nothing if there are none."""
    return "|".join(name for name, entry in ENTRIES.items() if key in entry) or "(?!)"


def get_subset(dataset):
    """The lists of ids that the experiment names for a data set."""
    return {key: value for key, value in config["subsets"].items() if key.split("/")[0] == dataset}


def get_weights(wildcards):
    """The weights a denoiser needs, if any."""
    entry = ENTRIES[wildcards.denoiser]
    return [f"{RESULTS}/weights/{wildcards.denoiser}.safetensors"] if {"weights", "train"} & entry.keys() else []


def get_training_data(wildcards):
    """The records that a training's images are there, and its encoder's weights if they have to be fetched."""
    recipe = ENTRIES[wildcards.denoiser]["train"]
    images = [f"{RESULTS}/data/{recipe['images'].split('/')[0]}.json"]
    with_encoder = ENTRIES[wildcards.denoiser]["method"] in ("s_said", "u_said")
    return images + (get_encoder(recipe) if with_encoder else [])


def get_training_subset(wildcards):
    """The list of ids that names a training's images, if the experiment has one."""
    images = ENTRIES[wildcards.denoiser]["train"]["images"]
    return {images: config["subsets"][images]} if images in config["subsets"] else {}


def get_encoder(settings):
    """The record that an encoder's ImageNet weights are there, or the user's own file; none if a package has them."""
    if settings["encoder_weights"] is not None:
        return [f"{DATA}/{settings['encoder_weights']}"]
    return [f"{RESULTS}/data/resnet101.json"] if settings["encoder"] == "resnet101" else []


def get_data(wildcards):
    """The record that a benchmark's data set is there."""
    return f"{RESULTS}/data/{BENCHMARKS[wildcards.benchmark].dataset}.json"


def get_checkpoints(denoiser):
    """Where the checkpoints lie that a denoiser's weights are imported from: by sigma, or all in one ("")."""
    weights = config["denoisers"][denoiser]["weights"]
    files = weights if isinstance(weights, dict) else {"": weights}
    return {sigma: f"{DATA}/{file}" for sigma, file in files.items()}


def get_checkpoint_source(wildcards):
    """What the import waits for: the record that the released checkpoints are there, or the user's own files."""
    paths = get_checkpoints(wildcards.denoiser).values()
    return [f"{RESULTS}/data/released.json" if path.startswith(f"{DATA}/released/") else path for path in paths]


def get_training_code(wildcards):
    """Hash of the code that trains a denoiser."""
    mlp = ENTRIES[wildcards.denoiser]["method"] == "mlp"
    return hash_of_sources("usaid.denoisers.mlp.training" if mlp else "usaid.denoisers.dncnn.training")


def get_network(benchmark):
    """The entry of the network that judges a benchmark; none where NIQE's model does."""
    key = BENCHMARKS[benchmark].network
    return config["benchmarks"][benchmark][key] if key else {}


def get_judge_path(wildcards):
    """Where a benchmark's judge finds what it needs from disk: its network's weights or NIQE's pristine model."""
    return judge_path(wildcards.benchmark, config, RESULTS, DATA)


def get_judge_source(wildcards):
    """What the scores wait for: the judge's file, or the record that it is there.

    A user's own file that is not there is no input: it fails its own scores only, not the whole workflow.
    """
    path = get_judge_path(wildcards)
    if path.startswith(f"{RESULTS}/"):
        return path
    if BENCHMARKS[wildcards.benchmark].network is None:
        return f"{RESULTS}/data/{config['niqe']}.json"
    if path in FETCHED:
        return f"{RESULTS}/data/{FETCHED[path]}.json"
    return [path] if Path(path).exists() else []


def get_judge_training_data(wildcards):
    """The records that a judge's training images are there, and its encoder's weights if they have to be fetched."""
    network = get_network(wildcards.benchmark)
    encoder = get_encoder(network) if "encoder" in network else []
    return [f"{RESULTS}/data/{BENCHMARKS[wildcards.benchmark].dataset}.json", *encoder]


def get_judge_training_code(wildcards):
    """Hash of the code that trains the network that judges a benchmark."""
    return hash_of_sources("evaluators.judge_training", TRAINING_MODULES[BENCHMARKS[wildcards.benchmark].network])


def get_score_settings(wildcards):
    """All of the experiment that one score file depends on: a change of anything else does not rerun it."""
    shared = {key: config[key] for key in ("data_root", "data_source", "niqe", "device", "precision", "notes")}
    return shared | {
        "benchmark": settings_of(config, wildcards.benchmark, wildcards.denoiser),
        "denoiser": ENTRIES[wildcards.denoiser],
        "subset": get_subset(BENCHMARKS[wildcards.benchmark].dataset),
    }


def get_score_code(wildcards):
    """Hash of the code that one score file depends on."""
    return score_source_hash(ENTRIES[wildcards.denoiser]["method"], wildcards.benchmark)


def get_scores(benchmarks):
    """The score files of all denoisers on some benchmarks."""
    names = [(benchmark, name) for benchmark in benchmarks for name in denoisers_of(config, benchmark)]
    return [f"{RESULTS}/scores/{benchmark}/{name}.parquet" for benchmark, name in names]


def get_scores_of(table):
    """The score files of a table, one for each of its benchmarks and columns; none for Table III."""
    if table == 3:
        return []
    if table == 2:
        return [f"{RESULTS}/scores/voc_quality/{name}.parquet" for name in columns_of_ablation(config).values()]
    return [file for file in get_scores(BENCHMARKS_OF_TABLES[table]) if is_shown(table, Path(file).stem)]


def is_shown(table, denoiser):
    """Whether a table shows a denoiser that was scored on its benchmark."""
    return ENTRIES.get(denoiser, {}).get("method") not in SCORE_TABLES[table].left_out


def get_scores_of_seeds():
    """The score files that the statistics over training seeds are made from."""
    return get_scores(config["benchmarks"])


def get_own_methods():
    """The experiment's denoisers that are classes of the user's own: rows of Table III."""
    entries = config["denoisers"].items()
    return {name: entry["method"] for name, entry in entries if ":" in entry["method"]}


def get_tables():
    """The tables that this experiment can make: those whose benchmark it has, and Table III, which needs none."""
    return [f"{RESULTS}/tables/table_{n}.csv" for n in built_tables() if n == 3 or n in BENCHMARKS_OF_TABLES]


def get_scores_of_classes():
    """The score files whose scores are means over classes."""
    return get_scores(name for name in config["benchmarks"] if name in METRICS_OF_CLASSES)


def get_further_pages():
    """Pages beside the tables: classes behind a mean, and statistics over training seeds."""
    pages = {"classes": get_scores_of_classes(), "seeds": has_several_seeds(config) and get_scores_of_seeds()}
    return [f"{RESULTS}/tables/{name}.csv" for name, wanted in pages.items() if wanted]


def get_figures():
    """The figures that this experiment can make."""
    return [f"{RESULTS}/figures/figure_2.csv"] if "convergence" in config else []


def get_failures():
    """Score files that say why they have no rows."""
    files = Path(RESULTS, "scores").glob("*/*.parquet")
    return {file: reason for file in sorted(files) if (reason := read_provenance(file)["failure"])}


def get_summary():
    """What to tell the user at the end."""
    lines = [f"Tables: {RESULTS}/tables/index.md"]
    lines += [f"Failed: {file.parent.name} x {file.stem}: {reason}" for file, reason in get_failures().items()]
    return "\n".join([*lines, *NOT_BUILT.values()])


# A failed score file is no result: it is forgotten when a run starts, so that the job is tried again. The targets made
# from it go too, since Snakemake makes a missing file again only if something that is asked for needs it.
if workflow.is_main_process:
    for failed in get_failures():
        failed.unlink()
        for number in (n for n in BENCHMARKS[failed.parent.name].tables if is_shown(n, failed.stem)):
            Path(RESULTS, f"tables/table_{number}.csv").unlink(missing_ok=True)
        for page in ("index.md", "classes.csv"):
            Path(RESULTS, "tables", page).unlink(missing_ok=True)
