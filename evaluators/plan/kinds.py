"""The kinds of work that a machine has rates for: their units, and whether more threads or a GPU make them faster."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of work.

    Attributes:
        unit: of its amounts.
        scales: threads share it, so that twice as many take half of the time.
        on_device: a GPU does it, where the experiment has one; else the CPU.
    """

    unit: str
    scales: bool = True
    on_device: bool = True


def _serial(unit: str) -> Kind:
    return Kind(unit, scales=False, on_device=False)


KINDS: dict[str, Kind] = {
    # Of every job: what its process costs.
    "process": _serial("process that imports neither pandas nor torch"),
    "process with pandas": _serial("process"),
    "process with matplotlib": _serial("process"),
    "process with torch": _serial("process"),
    "workflow": _serial("start of the workflow, with its plan"),
    # Of images.
    "image read": _serial("image of 0.2 megapixels"),
    "megapixel": Kind("megapixel that is made noisy", scales=False, on_device=False),
    "row": _serial("row that is journalled"),
    "call": _serial("batch that a network is called with"),
    # Denoisers.
    "convolutions": Kind("TFLOP of a denoiser's forward pass"),
    "dense": Kind("TFLOP of a multilayer perceptron"),
    "decompositions": Kind("thousand decompositions of MC-WNNM"),
    "blocks": Kind("thousand reference blocks of CBM3D", on_device=False),
    # Judges.
    "psnr and ssim": Kind("megapixel"),
    "niqe": Kind("megapixel"),
    "classifier": Kind("TFLOP of a CIFAR ResNet's forward pass"),
    "segmenter": Kind("TFLOP of a segmenter's forward pass"),
    "call of a segmenter": _serial("batch that a segmenter is called with"),
    "detector": Kind("TFLOP of a detector's forward pass"),
    "boxes": _serial("image whose boxes are matched"),
    # Trainings, in forward and backward passes.
    "training": Kind("TFLOP of a denoiser, forward and backward"),
    "step": _serial("step of the optimiser"),
    "training of a segmenter": Kind("TFLOP of the USA module, forward and backward"),
    "step of a segmenter": _serial("step of the USA module"),
    "step of a judge": _serial("step of a segmenter all of which learns"),
    "step of a detector": _serial("step of a detector"),
    "dense training": Kind("TFLOP of a multilayer perceptron, forward and backward"),
    "dense step": _serial("step of its optimiser"),
    # What is made of scores.
    "page": _serial("table"),
    "statistics": _serial("page of statistics"),
    "report": _serial("table of the report"),
    "figure": _serial("figure"),
    "thousand rows": _serial("thousand rows of score files that a page is made from"),
    "generated": _serial("generated data, all six sets"),
    "kept image": _serial("image that is put into an archive for the report"),
    "picture shown": _serial("image of an archive that the report shows"),
}
