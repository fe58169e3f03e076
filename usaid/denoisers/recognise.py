"""What a network's name on the command line stands for."""

from pathlib import Path


def method_and_weights(text: str, weights: str | Path | None = None) -> tuple[str, Path | None]:
    """Method and file of weights."""
    return text, None if weights is None else Path(weights)
