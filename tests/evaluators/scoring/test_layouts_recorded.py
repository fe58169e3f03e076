"""The layout of the checkpoint that a denoiser came from is in its score file, imported or given as it is."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.dncnn_files import as_kair, simplenn, write_matlab_73
from evaluators.scoring.job import score_to_file
from usaid.denoisers.drunet.network import DRUNet
from usaid.denoisers.ffdnet.network import FFDNet
from usaid.denoisers.weights import import_weights
from usaid.experiment.reading import as_config, checked_experiment
from usaid.scores.files import read_scores

WRITERS = {
    "dncnn": (lambda path, network: write_matlab_73(path, simplenn(network)), "matconvnet"),
    "cdncnn_b": (lambda path, network: torch.save(as_kair(network), path), "kair"),
    "u_said": (lambda path, network: torch.save(network.state_dict(), path), "released"),
    "ffdnet": (lambda path, network: torch.save(FFDNet(3, 4).state_dict(), path), "kair"),
    "drunet": (lambda path, network: torch.save(DRUNet((2, 2, 2, 2), 1).state_dict(), path), "kair"),
}


@pytest.mark.parametrize("imported", [True, False])
@pytest.mark.parametrize("method", WRITERS)
def test_a_score_file_tells_the_layout(job, small_dncnn, tmp_path, method, imported):
    write, layout = WRITERS[method]
    write(tmp_path / "data/theirs", small_dncnn)
    denoisers = {"mine": {"method": method, "weights": "theirs"}}
    experiment = checked_experiment(as_config(job.experiment) | {"denoisers": denoisers})
    weights = Path("data/theirs")
    if imported:
        import_weights(experiment.entries["mine"], {"": weights}, Path("mine.safetensors"))
        weights = Path("mine.safetensors")
    score_to_file(replace(job, experiment=experiment, denoiser="mine", weights=weights))
    recorded = read_scores(job.output).provenance
    assert recorded["failure"] is None
    assert recorded["inference"]["layout"] == layout
