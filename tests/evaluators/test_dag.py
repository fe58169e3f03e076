"""What each job of an experiment reads: files, settings and code; and how often it has failed."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from evaluators.dag.code import any_of, code_of_training, list_of_ids
from evaluators.dag.dag import Dag
from usaid import code_hash
from usaid.cards import Convention
from usaid.errors import UsaidError
from usaid.experiment.reading import checked_experiment, read_experiment
from usaid.failures import Failure, Ledger, write_marker
from usaid.paper.layouts import TABLES
from usaid.registries import BENCHMARKS, METRICS

CONFIG = Path(__file__).parents[2] / "config"


def dag(**changes: Any) -> Dag:
    """The jobs of a small experiment, some of whose keys are changed."""
    experiment = {
        "experiment": "small",
        "data_root": "data",
        "denoisers": {"noisy": {"method": "noisy"}, "mlp": {"method": "mlp", "train": {"sigmas": [25]}}},
        "benchmarks": {"kodak_quality": {"sigmas": [25]}},
    }
    return Dag(checked_experiment(experiment | changes))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(
    params=["paper", "released", "released_code", "smoke", "subset", "reference_table_4", "reference_metrics"]
)
def shipped(request) -> Dag:
    return Dag(read_experiment(CONFIG / f"{request.param}.yaml"))


def all_jobs(jobs: Dag) -> dict[str, Any]:
    """Every job of an experiment by rule and wildcards."""
    entries, benchmarks = jobs.entries, jobs.experiment.benchmarks
    pairs = [(b, d) for b in benchmarks for d in jobs.experiment.denoisers_of(b)]
    trained = [b for b, settings in benchmarks.items() if settings.is_trained]
    return {
        **{f"import_weights {name}": jobs.import_weights(name) for name in jobs.imported},
        **{f"train_denoiser {name}": jobs.train_denoiser(name) for name in entries if name in jobs.trained},
        **{f"train_judge {name}": jobs.train_judge(name) for name in trained},
        **{f"score {b}/{d}": jobs.score(b, d) for b, d in pairs},
        **{
            f"score_draws {b}/{d}": jobs.score_draws(b, d)
            for b in benchmarks
            for d in jobs.experiment.draw_denoisers_of(b)
        },
        **({"choose_images": jobs.choose_images()} if jobs.kept_images else {}),
        **{f"keep_images {name}": jobs.keep_images(name) for name in jobs.denoisers_with_images},
        **{f"table {name}": jobs.table(name) for name in jobs.tables},
        **{f"statistics_page {benchmark}": jobs.statistics_page(benchmark) for benchmark in benchmarks},
        **{"fit_niqe": jobs.fit_niqe(), "index": jobs.index(), "classes": jobs.classes(), "claims": jobs.claims()},
        **({"train_convergence pixels": jobs.train_convergence("pixels")} if jobs.experiment.convergence else {}),
        **{f"figure {name}": jobs.figure(name) for name in jobs.drawn},
        "report": jobs.report(),
    }


def test_needs_nothing_heavy():
    """A workflow is parsed for every dry run: what takes a second to import has no place in it."""
    code = "import sys, evaluators.dag.dag; print(*(name for name in sys.modules if '.' not in name))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CONFIG.parent)
    heavy = {"torch", "pandas", "pyarrow", "matplotlib", "scipy", "requests", "PIL", "snakemake"}
    assert set(done.stdout.split()) & heavy == set()


def test_settings_are_plain_json_and_codes_are_hashes(shipped):
    for name, job in all_jobs(shipped).items():
        assert json.loads(json.dumps(job.settings)) == job.settings, name
        assert re.fullmatch("[0-9a-f]{16}", job.code), name


class TestFiles:
    """What a job waits for."""

    def test_fetched_weights_are_waited_for_by_their_record(self):
        jobs = Dag(read_experiment(CONFIG / "released.yaml"))
        assert jobs.import_weights("u_said").files == {"checkpoints": ["results/released/data/released.json"]}
        assert jobs.import_weights("u_said").settings["checkpoints"] == {"": "data/released/USAID.pth"}
        detection = jobs.score("coco_detection", "u_said")
        assert detection.files == {
            "data": ["results/released/data/coco.json"],
            "judge": ["results/released/data/yolov3.json"],
            "weights": ["results/released/weights/u_said.safetensors"],
        }
        assert detection.settings["judge_file"] == "data/weights/yolov3.weights"
        assert jobs.score("kodak_quality", "noisy").files["judge"] == ["results/released/data/niqe_live.json"]
        assert jobs.train_judge("voc_segmentation").files == {
            "data": ["results/released/data/voc2012.json", "results/released/data/resnet101.json"]
        }

    def test_own_files_are_waited_for_themselves_and_only_if_they_are_there(self, folder):
        classifier = {"network": "resnet8", "checkpoint": "mine.pth", "mean": [0.5] * 3, "std": [0.5] * 3}
        jobs = dag(
            denoisers={
                "mine": {"method": "mine:Mine", "weights": "mine.bin"},
                "again": {"method": "cdncnn_b", "weights": "again.pth"},
                "many": {"method": "mlp", "weights": {"15": "a.mat", "25": "b.mat"}},
            },
            benchmarks={"cifar100_classification": {"sigmas": [25], "classifier": classifier}},
        )
        assert jobs.imported == ["again", "many"]
        assert jobs.import_weights("again").files == jobs.import_weights("many").files == {"checkpoints": []}
        assert jobs.import_weights("many").settings["checkpoints"] == {"15": "data/a.mat", "25": "data/b.mat"}
        mine = jobs.score("cifar100_classification", "mine")
        assert (mine.files["judge"], mine.files["weights"]) == ([], [])
        assert (mine.settings["judge_file"], mine.settings["weights"]) == ("data/mine.pth", "data/mine.bin")
        (folder / "data").mkdir()
        for name in ("mine.pth", "mine.bin", "again.pth", "a.mat", "b.mat"):
            (folder / "data" / name).touch()
        assert jobs.import_weights("again").files == {"checkpoints": ["data/again.pth"]}
        assert jobs.import_weights("many").files == {"checkpoints": ["data/a.mat", "data/b.mat"]}
        mine = jobs.score("cifar100_classification", "mine")
        assert (mine.files["judge"], mine.files["weights"]) == (["data/mine.pth"], ["data/mine.bin"])

    def test_only_trainings_with_a_segmenter_wait_for_an_encoder(self):
        jobs = Dag(read_experiment(CONFIG / "paper.yaml"))
        data = {name: jobs.train_denoiser(name).files["data"] for name in ("cdncnn_b", "s_said", "u_said", "mlp")}
        voc, encoder = "results/paper/data/voc2012.json", "results/paper/data/resnet101.json"
        assert data == {"cdncnn_b": [voc], "s_said": [voc, encoder], "u_said": [voc, encoder], "mlp": [voc]}
        assert jobs.train_convergence("pixels").files["data"] == [voc, encoder]
        assert Dag(read_experiment(CONFIG / "smoke.yaml")).train_denoiser("u_said").files["data"] == [
            "results/smoke/data/voc2012.json"
        ]

    def test_an_encoder_of_the_users(self, folder):
        jobs = dag(denoisers={"u_said": {"method": "u_said", "train": {"encoder_weights": "mine.pth"}}})
        assert jobs.train_denoiser("u_said").files["data"] == ["results/small/data/voc2012.json"]
        (folder / "data").mkdir()
        (folder / "data/mine.pth").touch()
        assert jobs.train_denoiser("u_said").files["data"] == ["results/small/data/voc2012.json", "data/mine.pth"]

    def test_a_data_root_is_normalised(self):
        jobs = dag(data_root="./data//", denoisers={"u_said": {"method": "u_said", "weights": "released/USAID.pth"}})
        assert jobs.import_weights("u_said").files == {"checkpoints": ["results/small/data/released.json"]}
        assert jobs.score("kodak_quality", "u_said").files["judge"] == ["results/small/data/niqe_live.json"]


class TestSettings:
    """What of an experiment reruns a job."""

    def test_a_title_or_a_sigma_trains_nothing(self):
        mlp = {"method": "mlp", "train": {"sigmas": [25]}}
        changed = dag(
            denoisers={"mlp": mlp | {"title": "Mine", "sigmas": [25], "options": {"stride": 5}}},
            benchmarks={"kodak_quality": {"sigmas": [15, 25]}, "voc_quality": {"sigmas": [25]}},
            notes=["a note"],
        )
        assert changed.train_denoiser("mlp") == dag().train_denoiser("mlp")
        assert changed.score("kodak_quality", "mlp").settings != dag().score("kodak_quality", "mlp").settings

    def test_a_key_of_the_recipe_trains_its_own_denoiser(self):
        changed = dag(denoisers={"mlp": {"method": "mlp", "train": {"sigmas": [25], "steps": 7}}})
        assert changed.train_denoiser("mlp").settings != dag().train_denoiser("mlp").settings

    def test_a_network_of_ones_own_is_trained_anew_by_what_makes_it_and_by_nothing_else(self):
        def job(loss: str = "unsupervised", **keys: Any) -> Any:
            train = {"recipe": "paper", "loss": loss}
            return dag(denoisers={"mine": {"method": "nets.py:Net", "train": train} | keys}).train_denoiser("mine")

        same = [{"title": "Mine"}, {"sigmas": [25]}, {"adapt": {"tile": 256}}, {"adapt": {"predicts": "image"}}]
        assert all(job(**keys) == job() for keys in same)
        other = [{"options": {"width": 3}}, {"adapt": {"predicts": "noise"}}, {"loss": "supervised"}]
        assert all(job(**keys).settings != job().settings for keys in other)

    def test_how_a_benchmark_is_scored_does_not_train_its_judge(self):
        def job(**changes: Any) -> Any:
            segmenter = {"network": "fpn", "train": {}}
            return dag(
                benchmarks={"voc_segmentation": {"sigmas": [25], "segmenter": segmenter, **changes}}
            ).train_judge("voc_segmentation")

        assert job(sigmas=[15], draws=2, notes=["a note"], subset="few.txt", told_sigmas=[25]) == job()
        assert job(longest_side=64).settings != job().settings

    def test_a_list_of_ids_reruns_what_reads_its_split(self):
        def jobs(**subsets: str) -> Dag:
            segmenter = {"network": "fpn", "train": {}}
            return dag(
                subsets={name.replace("_", "/"): file for name, file in subsets.items()},
                benchmarks={"voc_segmentation": {"sigmas": [25], "segmenter": segmenter}},
            )

        without, changed = jobs(), jobs(voc2012_val="few.txt")
        assert changed.score("voc_segmentation", "mlp") != without.score("voc_segmentation", "mlp")
        assert changed.train_judge("voc_segmentation") == without.train_judge("voc_segmentation")
        assert changed.train_denoiser("mlp") == without.train_denoiser("mlp")
        changed = jobs(voc2012_train="few.txt")
        assert changed.score("voc_segmentation", "noisy") == without.score("voc_segmentation", "noisy")
        assert changed.train_judge("voc_segmentation") != without.train_judge("voc_segmentation")
        assert changed.train_denoiser("mlp") != without.train_denoiser("mlp")

    def test_variants_of_the_ablation_are_scored_at_one_sigma(self):
        jobs = Dag(read_experiment(CONFIG / "paper.yaml"))
        assert jobs.score("voc_quality", "u_said_k10").settings["benchmark"]["sigmas"] == [25]
        assert jobs.score("voc_quality", "u_said").settings["benchmark"]["sigmas"] == [15, 25, 35]
        assert jobs.train_denoiser("u_said_k10").settings["train"]["classes"] == 10


class TestDraws:
    """The further noise draws of Table X: jobs beside those of the main score files."""

    @staticmethod
    def jobs(draws: Any = 10, **own: Any) -> Dag:
        kodak = {"sigmas": [15, 25], "told_sigmas": ["oracle", 25], **own}
        return dag(benchmarks={"kodak_quality": kodak}, draws={"draws": draws, "denoisers": ["mlp"]})

    def test_read_what_the_main_job_reads(self):
        jobs = self.jobs()
        main, further = jobs.score("kodak_quality", "mlp"), jobs.score_draws("kodak_quality", "mlp")
        assert (further.files, further.code) == (main.files, main.code)
        differing = {key for key in further.settings if further.settings[key] != main.settings.get(key)}
        assert differing == {"benchmark", "draws"}
        assert further.settings["draws"] == [1, 10]
        assert further.settings["benchmark"]["sigmas"] == [25]
        assert further.settings["benchmark"]["told_sigmas"] == ["oracle"]

    def test_more_of_them_are_no_other_main_job(self):
        few, many = self.jobs(3), self.jobs(4)
        assert few.score("kodak_quality", "mlp") == many.score("kodak_quality", "mlp")
        assert few.score_draws("kodak_quality", "mlp") != many.score_draws("kodak_quality", "mlp")
        without = dag(benchmarks={"kodak_quality": {"sigmas": [15, 25], "told_sigmas": ["oracle", 25]}})
        assert few.score("kodak_quality", "mlp") == without.score("kodak_quality", "mlp")

    def test_other_sigmas_and_told_levels_of_the_benchmark_do_not_rerun_them_and_more_draws_of_its_own_do(self):
        whole, fewer = self.jobs(), self.jobs(sigmas=[25], told_sigmas=["oracle"])
        assert whole.score_draws("kodak_quality", "mlp") == fewer.score_draws("kodak_quality", "mlp")
        assert self.jobs(draws=10, notes=["a note"]).score_draws("kodak_quality", "mlp") != whole.score_draws(
            "kodak_quality", "mlp"
        )

    def test_start_after_the_benchmarks_own(self):
        own = {"kodak_quality": {"sigmas": [25], "draws": 3}}
        jobs = dag(benchmarks=own, draws={"draws": 4, "denoisers": ["mlp"]})
        assert jobs.score_draws("kodak_quality", "mlp").settings["draws"] == [3, 4]

    @pytest.mark.parametrize("denoiser", ["noisy", "mlp"])
    def test_that_there_are_not_are_one_line(self, denoiser):
        jobs = self.jobs() if denoiser == "noisy" else dag()
        message = rf"^experiment 'small': no further draws of {denoiser} on kodak_quality; its key 'draws' says"
        with pytest.raises(UsaidError, match=message):
            jobs.score_draws("kodak_quality", denoiser)


class TestCode:
    """What of the user's own counts as code; ``tests/workflow/test_only_what_changed.py`` edits the suite's."""

    def test_content_of_lists(self, folder):
        jobs = dag(subsets={"kodak/all": "some.txt"})
        missing = jobs.score("kodak_quality", "noisy").code
        (folder / "some.txt").write_text("kodim01\n")
        beside = jobs.score("kodak_quality", "noisy").code
        (folder / "data").mkdir()
        (folder / "data/some.txt").write_text("kodim02\n")
        below_data = jobs.score("kodak_quality", "noisy").code
        assert len({missing, beside, below_data}) == 3

    def test_lists_that_the_workflow_generates_do_not_change_from_missing_to_there(self, folder):
        changes = {"data_root": "results/data", "data_source": "miniature", "subsets": {"kodak/all": "some.txt"}}
        before = dag(**changes).score("kodak_quality", "noisy").code
        (folder / "results/data").mkdir(parents=True)
        (folder / "results/data/some.txt").write_text("kodim01\n")
        assert dag(**changes).score("kodak_quality", "noisy").code == before

    def test_files_that_options_name(self, folder):
        options = {"tables": [{"first": "table.json"}, 3], "flag": True, "name": "", "text": "no file"}
        jobs = dag(denoisers={"mine": {"method": "mine:Mine", "options": options}, "noisy": {"method": "noisy"}})
        codes, others = set(), set()
        for content in (None, "1", "2"):
            if content is not None:
                (folder / "table.json").write_text(content)
            codes.add(jobs.score("kodak_quality", "mine").code)
            others.add(jobs.score("kodak_quality", "noisy").code)
        assert (len(codes), len(others)) == (3, 1)

    def test_what_a_file_of_ones_own_imports(self, folder):
        (folder / "mine").mkdir()
        (folder / "mine/net.py").write_text("from layers import block\n\ndef denoise(x):\n    return block(x)\n")
        jobs = dag(denoisers={"mine": {"method": "mine/net.py:denoise"}, "noisy": {"method": "noisy"}})
        codes, others = set(), set()
        for content in ("", "def block(x):\n    return x\n", "def block(x):\n    return x / 2\n"):
            (folder / "mine/layers.py").write_text(content)
            for cached in (code_hash._closure, code_hash._read, code_hash._path, code_hash._spec):
                cached.cache_clear()
            codes.add(jobs.score("kodak_quality", "mine").code)
            others.add(jobs.score("kodak_quality", "noisy").code)
        assert (len(codes), len(others)) == (3, 1)

    def test_a_networks_file_and_the_weights_that_onnx_keeps_beside_it(self, folder):
        (folder / "data").mkdir()
        jobs = dag(denoisers={"mine": {"method": "onnx", "weights": "net.onnx"}})
        codes = {jobs.score("kodak_quality", "mine").code}
        for file, content in (("net.onnx", "1"), ("net.onnx", "2"), ("net.onnx.data", "1"), ("net.onnx.data", "2")):
            (folder / "data" / file).write_text(content)
            codes.add(jobs.score("kodak_quality", "mine").code)
        assert len(codes) == 5
        assert jobs.score("kodak_quality", "mine").settings["weights"] == "data/net.onnx"
        (folder / "data/net.onnx").write_bytes(b"\x6a\x13\x0a\x08location\x12\x07net.bin\x70")
        for content in ("1", "2"):
            (folder / "data/net.bin").write_text(content)
            codes.add(jobs.score("kodak_quality", "mine").code)
        assert len(codes) == 7

    def test_how_a_network_is_called_is_a_setting(self, folder):
        def settings(**keys):
            return dag(denoisers={"mine": {"method": "mine.py:Net", **keys}}).score("kodak_quality", "mine").settings

        assert settings()["denoiser"] == {"method": "mine.py:Net"}
        assert settings(adapt={"predicts": "noise"})["denoiser"]["adapt"] == {"predicts": "noise"}
        assert settings(adapt={"predicts": "image"})["denoiser"]["adapt"] == {}

    def test_a_network_of_ones_own_and_what_the_suite_trains_it_with(self, folder):
        train = {"recipe": "paper", "loss": "mse"}
        entry = {"method": "nets.py:Net", "train": train, "options": {"table": "table.json"}}
        codes = {dag(denoisers={"mine": entry}).train_denoiser("mine").code}
        (folder / "table.json").write_text("1")
        codes.add(dag(denoisers={"mine": entry}).train_denoiser("mine").code)
        by_itself = {"method": "nets.py:Net", "train": {"width": 3}}
        codes.add(dag(denoisers={"mine": by_itself}).train_denoiser("mine").code)
        assert len(codes) == 3

    def test_the_command_line_trains_by_the_same_code(self, folder):
        jobs = dag(subsets={"voc2012/train": "some.txt"})
        (folder / "some.txt").write_text("2012_000001\n")
        lists = list_of_ids("data", "some.txt")
        assert lists == [Path("some.txt")]
        assert jobs.train_denoiser("mlp").code == code_of_training(jobs.entries["mlp"], lists)
        assert list_of_ids("data", None) == []

    def test_judges_of_one_room_differ_in_their_network_alone(self):
        jobs = Dag(read_experiment(CONFIG / "paper.yaml"))
        trained = ("voc_segmentation", "isic_segmentation", "deepglobe_segmentation", "cifar100_classification")
        assert len({jobs.train_judge(name).code for name in trained}) == 4


class TestTables:
    """Which tables an experiment can make, and from what."""

    def test_shipped_experiments(self):
        tables = {
            name: [*Dag(read_experiment(CONFIG / f"{name}.yaml")).tables] for name in ("paper", "released", "subset")
        }
        assert tables == {
            "paper": [*"123456789", "10", "10_print", "5_released_code", "9_stored"],
            "released": [*"13456789", "10", "10_print", "5_released_code", "9_stored"],
            "subset": [*"1346", "10_print"],
        }
        committed = read_experiment(CONFIG / "released.yaml", CONFIG / "reference_released.yaml")
        assert [*Dag(committed).tables] == [*"13456789", "10", "10_print", "5_released_code", "9_stored"]

    def test_table_vi_leaves_out_methods_that_table_iv_shows(self):
        jobs = Dag(read_experiment(CONFIG / "paper.yaml"))
        shown = {name: [Path(file).stem for file in jobs.scores_of_table(name)] for name in "2346"}
        of_the_paper = ["noisy", "clean", "cdncnn_b", "s_said", "u_said"]
        assert shown == {
            "2": [
                *(f"u_said_k{classes}" for classes in (10, 15, 20)),
                "u_said",
                *(f"u_said_k{k}" for k in (22, 25, 40)),
            ],
            "3": [],
            "4": [*of_the_paper, "mlp", "mc_wnnm", "cbm3d"],
            "6": of_the_paper,
        }

    def test_weights_that_are_not_there_are_no_input_also_among_generated_data(self, folder):
        data = {"data_root": "results/small/miniature", "data_source": "miniature"}
        jobs = dag(**data, denoisers={"mine": {"method": "nets.py:Net", "weights": "net.pth"}})
        assert jobs.score("kodak_quality", "mine").files["weights"] == []
        (folder / "results/small/miniature").mkdir(parents=True)
        (folder / "results/small/miniature/net.pth").touch()
        assert jobs.score("kodak_quality", "mine").files["weights"] == ["results/small/miniature/net.pth"]

    def test_table_x_is_made_from_main_files_and_those_of_further_draws(self):
        jobs = Dag(read_experiment(CONFIG / "paper.yaml"))
        benchmarks = ("voc_segmentation", "kodak_quality", "cifar100_classification")
        assert jobs.scores_of_table("10") == [
            f"results/paper/scores/{folder}/{denoiser}.parquet"
            for benchmark in benchmarks
            for folder in (benchmark, f"{benchmark}/draws")
            for denoiser in ("cdncnn_b", "s_said", "u_said")
        ]
        for table in "568":
            assert not [path for path in jobs.scores_of_table(table) if "/draws/" in path], "they do not wait for it"

    def test_table_x_shows_others_where_they_are_named_and_needs_no_further_draws_where_there_are_enough(self):
        kodak = {"kodak_quality": {"sigmas": [25], "draws": 4}}
        jobs = dag(benchmarks=kodak, draws={"draws": 4, "denoisers": ["noisy"]})
        assert jobs.scores_of_table("10") == ["results/small/scores/kodak_quality/noisy.parquet"]

    def test_what_follows_from_print_reads_nothing_and_is_made_again_when_a_title_changes(self, monkeypatch):
        job = dag().table("10_print")
        assert (job.files, job.settings) == ({}, {})
        assert dag(benchmarks={"kodak_quality": {"sigmas": [15]}}).table("10_print") == job
        monkeypatch.setitem(METRICS.all, "niqe", replace(METRICS["niqe"], title="Naturalness"))
        assert dag().table("10_print").code != job.code

    def test_a_table_of_several_benchmarks_takes_those_that_there_are(self):
        segmenter = {"network": "pspnet", "train": {}}
        jobs = dag(benchmarks={"isic_segmentation": {"sigmas": [25], "segmenter": segmenter}})
        assert jobs.tables == {"3": [], "7": ["isic_segmentation"], "10_print": []}
        assert jobs.scores_of_table("7") == jobs.scores(["isic_segmentation"])
        pages = ["claims.csv", "tables/classes.csv", "statistics/isic_segmentation.csv"]
        assert jobs.pages == [f"results/small/{page}" for page in pages]

    @pytest.mark.parametrize(
        ("number", "lacks"),
        [(2, "voc_quality and an ablation"), (7, "isic_segmentation or"), (10, "voc_segmentation or .* and 'draws'")],
    )
    def test_a_table_that_cannot_be_made_is_one_line(self, number, lacks):
        with pytest.raises(UsaidError, match=rf"^Table {TABLES[number].title.split()[1]}: needs {lacks}.* lacks$"):
            dag().table(str(number))

    def test_table_iii_has_the_users_classes_as_rows(self):
        assert dag().table("3").settings == {"own_methods": {}}
        jobs = dag(denoisers={"noisy": {"method": "noisy"}, "mine": {"method": "mine:Mine"}})
        assert jobs.table("3").settings == {"own_methods": {"mine": "mine:Mine"}}
        jobs = dag(denoisers={"mine": {"method": "mine.py:Mine", "title": "Mine"}})
        assert jobs.table("3").settings == {"own_methods": {"mine": "mine.py:Mine"}, "titles": {"mine": "Mine"}}

    def test_table_iii_knows_the_losses_that_the_suite_trains_by(self):
        train = {"recipe": "paper", "loss": "supervised"}
        entries = {"mine": {"method": "mine.py:Mine", "train": train}, "own": {"method": "a:B", "train": {"loss": "x"}}}
        assert dag(denoisers=entries).table("3").settings["losses"] == {"mine": "supervised"}

    def test_statistics_are_of_all_score_files_of_the_tables_of_a_benchmark(self):
        jobs = Dag(read_experiment(CONFIG / "paper.yaml"))
        for benchmark, tables in {"kodak_quality": ("4", "6", "10"), "isic_segmentation": ("7",)}.items():
            files = jobs.statistics_page(benchmark).files
            assert {*files["scores"]} == {path for table in tables for path in jobs.scores_of_table(table)}
            assert len({*files["scores"]}) == len(files["scores"])
            assert files["ablation"] == []

    def test_statistics_tell_the_ablations_files_from_the_others(self):
        jobs = Dag(read_experiment(CONFIG / "paper.yaml"))
        files = jobs.statistics_page("voc_quality").files
        assert files == {"scores": jobs.scores_of_table("1"), "ablation": jobs.scores_of_table("2")}

    def test_claims_are_judged_by_all_scores_of_the_papers_tables(self):
        jobs = Dag(read_experiment(CONFIG / "paper.yaml"))
        files = jobs.claims().files
        of_tables = {path for table in "1456789" for path in jobs.scores_of_table(table)}
        assert {*files["scores"]} == of_tables | {*jobs.scores_of_table("10")}
        assert len({*files["scores"]}) == len(files["scores"])
        assert files["ablation"] == jobs.scores_of_table("2")

    def test_claims_need_no_scores(self):
        assert dag().claims().files["ablation"] == []

    def test_all_benchmarks_of_the_suite_are_in_a_table_of_the_paper(self, shipped):
        assert all(spec.number is not None for spec in shipped.specs.values())

    def test_the_index_waits_for_tables_pages_and_scores(self, shipped):
        files = shipped.index().files
        assert files["tables"] == [f"{shipped.results}/tables/table_{name}.csv" for name in shipped.tables]
        assert len(set(files["scores"])) == len(files["scores"])


class TestVariants:
    """A benchmark a second time under other settings: jobs of its own, and no part of the paper's tables."""

    STORED = "coco_detection_stored"
    GIVEN: ClassVar[dict[str, Any]] = {"sigmas": [25], "detector": {"network": "darknet:yolov3.cfg,yolov3.weights"}}

    @pytest.fixture
    def jobs(self) -> Dag:
        trained = {"network": "darknet:miniature", "train": {"batch": 8}}
        return dag(benchmarks={"coco_detection": self.GIVEN, self.STORED: {"sigmas": [25], "detector": trained}})

    def test_has_a_table_a_page_and_targets_of_its_own(self, jobs):
        assert [*jobs.tables] == ["3", "9", "10_print", "9_stored"]
        assert jobs.tables["9_stored"] == [self.STORED]
        scores = [f"results/small/scores/{self.STORED}/{name}.parquet" for name in ("noisy", "mlp")]
        assert jobs.scores_of_table("9_stored") == scores
        assert not {*scores} & {*jobs.scores_of_table("9")}
        index = jobs.index().files
        assert "results/small/tables/table_9_stored.csv" in index["tables"]
        assert {*scores} <= {*index["scores"]}
        assert f"results/small/statistics/{self.STORED}.csv" in jobs.statistics
        assert jobs.statistics_page(self.STORED).files["scores"] == scores
        assert {*jobs.statistics_page("coco_detection").files["scores"]} == {*jobs.scores_of_table("9")}

    def test_no_sentence_is_judged_by_it(self, jobs):
        assert not any(self.STORED in path for path in jobs.claims().files["scores"])

    def test_its_judge_is_trained_by_its_own_settings(self, jobs):
        assert jobs.experiment.benchmarks[self.STORED].is_trained
        assert not jobs.experiment.benchmarks["coco_detection"].is_trained
        read = jobs.score(self.STORED, "noisy").files["judge"]
        assert read == [f"results/small/weights/{self.STORED}.safetensors"]

    def test_it_sees_the_images_that_the_benchmark_sees(self, jobs):
        assert jobs.siblings("score", self.STORED, "noisy") == ["coco_detection"]

    def test_one_that_the_experiment_lacks_is_no_table(self):
        jobs = dag(benchmarks={"coco_detection": self.GIVEN})
        assert "9_stored" not in jobs.specs

    def test_alone_it_makes_its_table_and_not_the_papers(self):
        jobs = dag(benchmarks={self.STORED: self.GIVEN})
        assert [*jobs.tables] == ["3", "10_print", "9_stored"]
        assert jobs.claims().files["scores"] == []


class TestOtherConventions:
    """A further convention of a printed metric: its tables depend on it, its score files do not."""

    @staticmethod
    def codes(monkeypatch, **changes: Any) -> list[str]:
        again = replace(METRICS["miou"], name="miou_again", printed_as="miou", **changes)
        card = replace(BENCHMARKS["voc_segmentation"], metrics=("miou", again.name))
        monkeypatch.setitem(METRICS.all, again.name, again)
        monkeypatch.setitem(BENCHMARKS.all, card.name, card)
        return TestOtherConventions.codes_of()

    @staticmethod
    def codes_of() -> list[str]:
        jobs = dag(benchmarks={"voc_segmentation": {"sigmas": [25], "segmenter": {"network": "fpn", "train": {}}}})
        page = jobs.statistics_page("voc_segmentation")
        return [job.code for job in (jobs.score("voc_segmentation", "noisy"), jobs.table("5"), page)]

    def test_of_a_whole_data_set_changes_tables_and_statistics_and_no_score(self, monkeypatch):
        before = self.codes_of()
        one, other = (self.codes(monkeypatch, title=title) for title in ("mIoU again", "mIoU otherwise"))
        assert before[0] == one[0] == other[0]
        assert all(len({*codes}) == 3 for codes in zip(before[1:], one[1:], other[1:], strict=True))

    def test_of_images_is_scored(self, monkeypatch):
        before = self.codes(monkeypatch)
        convention = Convention("miou_of_images", "added:miou")
        assert self.codes(monkeypatch, conventions=(convention,))[0] != before[0]


class TestSharedWork:
    """Score files that one job makes, and those that gain from the job of another."""

    def test_a_part_is_what_its_own_job_would_be_told(self, shipped):
        for benchmark in shipped.experiment.benchmarks:
            part, job = shipped.part("score", benchmark, "u_said"), shipped.score(benchmark, "u_said")
            assert json.loads(json.dumps(part)) == part
            assert (part["settings"], part["code"]) == (job.settings, job.code)
            assert set(part["inputs"]) == {path for paths in job.files.values() for path in paths}
            assert part["output"] in shipped.scores([benchmark])

    def test_there_are_batches_only_where_asked_for_and_they_have_every_score_file_once(self, shipped):
        assert (shipped.batches == {}) == (shipped.experiment.score_jobs == "file")
        jobs = Dag(shipped.experiment.model_copy(update={"score_jobs": "data_set"}))
        outputs = [path for batch in jobs.batches for path in jobs.outputs_of(batch)]
        assert len(outputs) == len(set(outputs))
        assert set(outputs) == {*jobs.scores(jobs.experiment.benchmarks), *jobs.index().files["scores"]}

    def test_a_batch_is_all_of_a_data_sets_split(self):
        jobs = Dag(read_experiment(CONFIG / "smoke.yaml"))
        batch = jobs.batches["score_voc2012_val"]
        scored = {"voc_quality", "voc_segmentation", "voc_segmentation_released_code"}
        assert {benchmark for _, benchmark, _ in batch.files} == scored
        assert ("score", "voc_quality", "u_said_k10") in batch.files
        assert ("score_draws", "voc_segmentation", "u_said") in batch.files
        assert batch.denoisers == len({denoiser for *_, denoiser in batch.files}) == 10
        inputs = jobs.batch("score_voc2012_val").files["all"]
        assert inputs.count("results/smoke/weights/u_said.safetensors") == 1

    def test_siblings_see_the_same_images_through_the_same_denoiser(self):
        jobs = Dag(read_experiment(CONFIG / "smoke.yaml"))
        assert jobs.siblings("score", "voc_quality", "u_said") == ["voc_segmentation"]
        assert jobs.siblings("score", "voc_segmentation", "u_said") == ["voc_quality"]
        assert jobs.siblings("score", "voc_quality", "u_said_k10") == []
        assert jobs.siblings("score_draws", "voc_segmentation", "u_said") == [], "Table X is not of VOC's quality"
        assert jobs.siblings("score", "kodak_quality", "u_said") == []

    @pytest.mark.parametrize("change", [{"subset": "few.txt"}, {"longest_side": 64}])
    def test_benchmarks_on_other_lists_or_sizes_are_no_siblings(self, change):
        segmenter = {"network": "fpn", "encoder": "efficientnet_lite0", "train": {}}
        benchmarks = {"voc_quality": {"sigmas": [25]}, "voc_segmentation": {"sigmas": [25], "segmenter": segmenter}}
        assert dag(benchmarks=benchmarks).siblings("score", "voc_quality", "noisy") == ["voc_segmentation"]
        changed = benchmarks | {"voc_quality": benchmarks["voc_quality"] | change}
        assert dag(benchmarks=changed).siblings("score", "voc_quality", "noisy") == []

    def test_siblings_have_as_many_shards(self):
        segmenter = {"network": "fpn", "encoder": "efficientnet_lite0", "train": {}}
        benchmarks = {"voc_quality": {"sigmas": [25]}, "voc_segmentation": {"sigmas": [25], "segmenter": segmenter}}
        benchmarks["voc_quality"]["shards"] = 2
        assert dag(benchmarks=benchmarks).siblings("score_shard", "voc_quality", "noisy") == []
        benchmarks["voc_segmentation"]["shards"] = 2
        assert dag(benchmarks=benchmarks).siblings("score_shard", "voc_quality", "noisy") == ["voc_segmentation"]


class TestShards:
    """Score files that several jobs make, each of a part of the images."""

    SCORES = "results/small/scores/kodak_quality"

    def split(self, shards: int) -> Dag:
        benchmarks = {"kodak_quality": {"sigmas": [25], "shards": shards}}
        return dag(benchmarks=benchmarks, draws={"draws": 3, "denoisers": ["noisy"]})

    def test_a_shard_is_told_what_the_whole_is_told_and_writes_beside_it(self):
        jobs, whole = self.split(12), self.split(1)
        assert (jobs.sharded, jobs.whole) == (["kodak_quality"], [])
        assert (whole.sharded, whole.whole) == ([], ["kodak_quality"])
        assert jobs.shards_of("kodak_quality") == [f"{number}-of-12" for number in range(1, 13)]
        assert whole.shards_of("kodak_quality") == []
        for rule, folder in (("score", self.SCORES), ("score_draws", f"{self.SCORES}/draws")):
            of_whole = whole.part(rule, "kodak_quality", "noisy")
            assert jobs.part(rule, "kodak_quality", "noisy") == of_whole
            part = jobs.part(f"{rule}_shard", "kodak_quality", "noisy", "2-of-12")
            assert part == of_whole | {
                "rule": f"{rule}_shard",
                "wildcards": ["kodak_quality", "noisy", "2-of-12"],
                "output": f"{folder}/shards/noisy/2-of-12.parquet",
            }

    def test_what_merges_waits_for_all_shards_and_for_what_they_are_made_from(self):
        job = self.split(2).merge_draws_shards("kodak_quality", "noisy")
        shards = [f"{self.SCORES}/draws/shards/noisy/{shard}.parquet" for shard in ("1-of-2", "2-of-2")]
        assert job.files == self.split(1).score_draws("kodak_quality", "noisy").files | {"shards": shards}
        assert job.code

    def test_their_number_changes_nothing_else(self):
        jobs, whole = self.split(5), self.split(1)
        assert jobs.experiment.sha256 == whole.experiment.sha256
        for of in (jobs, whole):
            assert of.scores(["kodak_quality"])[0] == f"{self.SCORES}/noisy.parquet"
        assert jobs.train_denoiser("mlp") == whole.train_denoiser("mlp")
        assert jobs.table("6") == whole.table("6")

    def test_a_shard_that_the_benchmark_does_not_have_is_refused(self):
        with pytest.raises(
            UsaidError, match=r"kodak_quality: no shard '3-of-3'; they are 1-of-2 to 2-of-2, as its key"
        ):
            self.split(2).score_shard("kodak_quality", "noisy", "3-of-3")
        with pytest.raises(UsaidError, match=r"no shard '1-of-2'; one job has all images"):
            self.split(1).score_draws_shard("kodak_quality", "noisy", "1-of-2")


class TestCompanions:
    """Score files that could be made now, beside another of the same images and denoiser."""

    NEEDED = ("data/voc2012.json", "weights/learnt.safetensors", "weights/voc_segmentation.safetensors")

    @pytest.fixture
    def trained(self) -> Dag:
        """Of an experiment all of whose trainings have been done."""
        segmenter = {"network": "fpn", "encoder": "efficientnet_lite0", "train": {}}
        jobs = dag(
            denoisers={"learnt": {"method": "cdncnn_b", "train": {}}},
            benchmarks={"voc_quality": {"sigmas": [15]}, "voc_segmentation": {"sigmas": [25], "segmenter": segmenter}},
        )
        for name in self.NEEDED:
            path = Path(jobs.results, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"there")
        return jobs

    @staticmethod
    def companions(jobs: Dag) -> list[list[str]]:
        return [part["wildcards"] for part in jobs.companions("score", "voc_quality", "learnt")]

    def test_a_benchmark_of_the_same_images_whose_judge_is_there_is_one(self, trained):
        assert self.companions(trained) == [["voc_segmentation", "learnt"]]

    @pytest.mark.parametrize("name", NEEDED)
    @pytest.mark.parametrize("how", ["missing", "failed"])
    def test_one_that_would_fail_or_has_to_wait_is_none(self, trained, name, how):
        path = Path(trained.results, name)
        if how == "missing":
            path.unlink()
        else:
            write_marker(path, Failure("train_judge voc_segmentation", "diverged"))
        assert self.companions(trained) == []

    @pytest.mark.parametrize(
        ("state", "comes"),
        [("running", False), ("failed", False), ("shared", False), ("stopped", True), ("made", True)],
    )
    def test_one_that_may_have_killed_its_process_is_none(self, trained, state, comes):
        ledger = Ledger.at(trained.results, "score", ["voc_segmentation", "learnt"])
        with ledger.held():
            ledger.note(state)
        assert self.companions(trained) == ([["voc_segmentation", "learnt"]] if comes else [])


class TestFailures:
    """How often a job has failed is a parameter of it: it is made again by that alone."""

    def test_are_read_from_the_ledger_once(self, folder):
        jobs = dag()
        assert jobs.failures_of("score", ["kodak_quality", "noisy"]) == 0
        assert not (folder / "results").exists(), "looking writes nothing"
        ledger = Ledger.at(jobs.results, "score", ["kodak_quality", "noisy"])
        with ledger.held():
            ledger.note("failed", Failure("score kodak_quality/noisy", "out of luck"))
        assert jobs.failures_of("score", ["kodak_quality", "noisy"]) == 0, "what is recorded is what was planned with"
        assert dag().failures_of("score", ["kodak_quality", "noisy"]) == 1
        assert dag().failures_of("score", ["kodak_quality", "mlp"]) == 0

    def test_on_another_machine_are_those_of_the_plan(self, folder):
        """A job of a cluster reads the workflow anew, maybe after failures in the same run."""
        places = [("score", ["kodak_quality", name]) for name in ("noisy", "mlp")]
        ledger = Ledger.at(dag().results, *places[0])
        with ledger.held():
            ledger.note("failed", Failure("score kodak_quality/noisy", "out of luck"))
            planning = dag()
            assert [planning.failures_of(*place) for place in places] == [1, 0]
            planning.keep_planned_failures()
            ledger.note("failed", Failure("score kodak_quality/noisy", "once more"))
        later = dag()
        later.take_planned_failures()
        assert [later.failures_of(*place) for place in places] == [1, 0]
        Path(later.results, ".failures.json").write_text("half of i")
        later = dag()
        later.take_planned_failures()
        assert [later.failures_of(*place) for place in places] == [2, 0], "what is damaged counts for nothing"


def test_any_of():
    assert re.fullmatch(any_of(["noisy", "a.b"]), "a.b")
    assert not re.fullmatch(any_of(["noisy", "a.b"]), "axb")
    assert not re.search(any_of([]), "")


KEPT = {
    "denoisers": {
        "noisy": {"method": "noisy"},
        "mlp": {"method": "mlp", "train": {"sigmas": [25]}, "benchmarks": ["kodak_quality"]},
        "u_said": {"method": "u_said", "weights": "USAID.pth", "benchmarks": ["voc_quality"]},
    },
    "benchmarks": {"kodak_quality": {"sigmas": [25]}, "voc_quality": {"sigmas": [25]}},
    "keep_images": {"benchmarks": ["kodak_quality"], "difference": ["mlp", "noisy"]},
}


class TestImages:
    def test_nothing_is_kept_unless_asked_for(self):
        assert dag().kept_images == []

    def test_two_archives_of_each_denoiser_on_a_kept_benchmark_and_of_the_clean_images(self):
        assert dag(**KEPT).kept_images == [
            f"results/small/{folder}/{name}.zip"
            for name in ("clean", "noisy", "mlp")
            for folder in ("images", "figures/images")
        ]

    def test_the_scores_of_the_two_decide(self):
        job = dag(**KEPT).choose_images()
        assert job.files["scores"] == [
            f"results/small/scores/kodak_quality/{name}.parquet" for name in ("mlp", "noisy")
        ]
        assert job.files["data"] == ["results/small/data/kodak.json"]
        without = KEPT | {"keep_images": {"benchmarks": ["kodak_quality"]}}
        assert dag(**without).choose_images().files["scores"] == []

    def test_figures_alone_need_no_scores(self):
        figures = {"figure_5": {"images": {"15": "kodim15"}}}
        jobs = dag(**KEPT | {"keep_images": None, "figures": figures})
        assert jobs.choose_images().files["scores"] == []
        assert jobs.denoisers_with_images == ["clean", "noisy", "mlp"]

    def test_a_denoiser_waits_for_what_it_needs_and_for_no_scores(self):
        job = dag(**KEPT).keep_images("mlp")
        assert job.files["choice"] == ["results/small/images/choice.json"]
        assert job.files["weights"] == ["results/small/weights/mlp.safetensors"]
        assert job.files["data"] == ["results/small/data/kodak.json"]
        assert job.settings["judges"].keys() == {"kodak_quality"}
        assert dag(**KEPT).keep_images("clean").files["weights"] == []

    def test_a_window_changes_pictures_and_no_choice_and_no_scores(self):
        narrow = KEPT | {"keep_images": KEPT["keep_images"] | {"window": 64}}
        one, other = all_jobs(dag(**KEPT)), all_jobs(dag(**narrow))
        assert {name for name in one if one[name] != other[name]} == {
            "keep_images clean",
            "keep_images noisy",
            "keep_images mlp",
        }

    def test_a_failed_judge_costs_its_benchmark_alone(self):
        """It is no input by which the job fails."""
        part = dag(**KEPT, niqe="niqe_fitted").part_of_images("noisy")
        assert part["inputs"] == ["results/small/images/choice.json"]
        assert part["settings"]["judges"] == {"kodak_quality": "results/small/weights/niqe_fitted.npz"}
        assert "results/small/weights/niqe_fitted.npz" in dag(**KEPT, niqe="niqe_fitted").inputs_of_images()


class TestFigures:
    IMAGES: ClassVar = {"figure_4": {"image": "kodim10", "zoom": [0, 0, 9, 9]}, "denoisers": ["mlp"]}

    def test_those_of_all_numbers_are_always_there(self):
        assert dag().drawn == ["reproduction", "differences", "sigma"]

    def test_of_images_reads_whole_ones_of_its_denoisers(self):
        job = dag(figures=self.IMAGES).figure("4")
        assert job.files == {"archives": [f"results/small/figures/images/{name}.zip" for name in ("clean", "mlp")]}
        assert job.settings == {**self.IMAGES["figure_4"], "sigma": 25.0, "denoisers": ["mlp"]}

    def test_others_read_tables_or_scores(self):
        assert set(dag().figure("sigma").files["tables"]) == set(dag().table_files)
        names = ("noisy", "mlp")
        assert dag().figure("differences").files["scores"] == [
            f"results/small/scores/kodak_quality/{name}.parquet" for name in names
        ]


class TestReport:
    def test_reads_windows_figures_and_tables(self):
        files = dag(figures=TestFigures.IMAGES).report().files
        assert files["images"] == [f"results/small/images/{name}.zip" for name in ("clean", "noisy", "mlp")]
        assert "results/small/figures/figure_4.png" in files["figures"]
        assert "results/small/tables/table_6.json" in files["tables"]

    def test_of_others_beside_it_reads_what_is_there(self, folder):
        jobs = dag(report_beside=["results/other", "results/lost"])
        (folder / "results/other").mkdir(parents=True)
        (folder / "results/other/claims.csv").write_text("claim\n")
        assert jobs.report().files["beside"] == ["results/other/claims.csv"]
        assert jobs.report().settings == {"beside": ["results/other", "results/lost"]}
