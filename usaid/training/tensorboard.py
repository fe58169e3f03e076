"""The learning curve as TensorBoard reads it; needs the package ``tensorboard``."""

from collections.abc import Callable, Mapping
from pathlib import Path

from usaid.errors import UsaidError


def tensorboard_watch(folder: str | Path) -> Callable[[Mapping[str, float]], None]:
    """What :class:`usaid.training.loop.Run` takes as ``watch``: writes each row's values to a folder of event files.

    Raises:
        UsaidError: ``tensorboard`` is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UsaidError("TensorBoard logs need the package tensorboard; pip install 'usaid[tensorboard]'") from None
    writer = SummaryWriter(str(folder))

    def write(row: Mapping[str, float]) -> None:
        for name, value in row.items():
            if name != "step":
                writer.add_scalar(name, value, int(row["step"]))
        writer.flush()

    return write
