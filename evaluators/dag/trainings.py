"""What has to be there before scores are made: data, weights of denoisers, judges; and Figure 2's trainings."""

from collections.abc import Mapping

from evaluators.dag.code import Job, code_of_training, code_on, distinct
from evaluators.dag.files import Files
from usaid.code_hash import hash_of_code
from usaid.errors import UsaidError
from usaid.experiment.benchmark import BenchmarkSettings
from usaid.experiment.experiment import CONVERGENCE_IMAGES, NIQE_IMAGES
from usaid.registries import BENCHMARKS


class Trainings(Files):
    """The jobs of one experiment that its scores wait for."""

    def miniature(self) -> Job:
        """The generated data sets."""
        return Job({}, {}, hash_of_code("usaid.datasets.miniature.writer"))

    # -------------------------------------------------------------------------------------------- denoisers

    @property
    def imported(self) -> list[str]:
        """Denoisers whose weights are checked and rewritten before they are used."""
        return [n for n, entry in self.entries.items() if entry.weights is not None and entry.card.importer is not None]

    @property
    def trained(self) -> list[str]:
        """Denoisers that are trained."""
        return [name for name, entry in self.entries.items() if entry.train is not None]

    def weights_of(self, denoiser: str) -> str | None:
        """The file of weights that a denoiser is scored with, imported, trained or as it is; None: it has none.

        Raises:
            UsaidError: its card takes a file for each sigma, but has nothing that makes one of them.
        """
        entry = self.entries[denoiser]
        if entry.train is not None or denoiser in self.imported:
            return f"{self.results}/weights/{denoiser}.safetensors"
        if isinstance(entry.weights, Mapping):
            raise UsaidError(f"method {entry.method!r}: its card says weights_by_sigma, which needs an importer")
        return None if entry.weights is None else self.below_data(entry.weights)

    def import_weights(self, denoiser: str) -> Job:
        """Checkpoints, by the sigma that they are for, or "" if one is for all; one that is not there fails the job."""
        entry, checkpoints = self.entries[denoiser], self.checkpoints_of(denoiser)
        settings = {"method": entry.method, "checkpoints": checkpoints, "sha256": entry.sha256}
        importer = str(entry.card.importer)
        code = hash_of_code(importer, cards=((entry.card.name, importer),))
        waits_for = [file for checkpoint in checkpoints.values() for file in self._if_there(checkpoint)]
        return Job({"checkpoints": distinct(waits_for)}, settings, code)

    def checkpoints_of(self, denoiser: str) -> dict[str, str]:
        """The files that a denoiser's ``weights`` name, by sigma, or "" if one is for all; empty: it names none."""
        weights = self.entries[denoiser].weights
        files = weights if isinstance(weights, Mapping) else {"": weights}
        return {sigma: self.below_data(file) for sigma, file in files.items() if file is not None}

    def train_denoiser(self, denoiser: str) -> Job:
        """Clean images, an encoder if the recipe has one, and the recipe. A title retrains nothing."""
        entry = self.entries[denoiser]
        recipe = entry.train
        assert recipe is not None
        files = {"data": [self._record_of(recipe.images), *self._encoder(recipe.encoder_for(entry.method))]}
        network = {} if recipe.training is None else entry.network
        named = self._files_named_in([recipe.model_extra or {}, network])  # an own class has keys of its own
        settings = {
            "method": entry.method,
            "train": recipe.model_dump(mode="json"),
            "subset": self._subset(recipe.images),
            **network,
        }
        return Job(files, settings, code_of_training(entry, [*self._lists(recipe.images), *named]))

    # -------------------------------------------------------------------------------------------- judges

    def fit_niqe(self) -> Job:
        """Clean images of which NIQE's pristine model is fitted."""
        settings = {"images": NIQE_IMAGES, "subset": self._subset(NIQE_IMAGES)}
        code = code_on(NIQE_IMAGES, "evaluators.metrics.niqe", files=self._lists(NIQE_IMAGES))
        return Job({"data": [self._record_of(NIQE_IMAGES)]}, settings, code)

    def train_judge(self, benchmark: str) -> Job:
        """Clean images, an encoder if the network has one, and how the network is trained: no sigma, no draw."""
        settings, card = self.experiment.benchmarks[benchmark], BENCHMARKS[benchmark]
        images = f"{card.dataset}/train"
        files = {"data": [self._record_of(images), *self._encoder(settings.encoder)]}
        of_scores = BenchmarkSettings.model_fields.keys() - {"longest_side"}
        depends_on = settings.model_dump(mode="json", exclude={*of_scores, *settings.of_scoring})
        code = code_on(
            images,
            *(str(card.training), "evaluators.judge_training"),
            cards=((card.name, card.dataset, card.training, card.network),),
            package_data=settings.package_data,
            files=[*self._lists(images, benchmark), *self._files_below_data(settings.user_files)],
        )
        return Job(files, depends_on | {"subset": self._subset(images, benchmark)}, code)

    def train_convergence(self, supervision: str) -> Job:
        """Images with label maps and an encoder: one curve of Figure 2, whichever supervision."""
        settings = self.experiment.convergence
        assert settings is not None
        files = {"data": [self._record_of(CONVERGENCE_IMAGES), *self._encoder(settings)]}
        depends_on = settings.model_dump(mode="json")
        depends_on |= {"images": CONVERGENCE_IMAGES, "subset": self._subset(CONVERGENCE_IMAGES)}
        lists = self._lists(CONVERGENCE_IMAGES)
        return Job(files, depends_on, code_on(CONVERGENCE_IMAGES, "usaid.segmentation.convergence", files=lists))
