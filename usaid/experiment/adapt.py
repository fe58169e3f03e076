"""How a network is called that does not follow the suite's conventions: the key ``adapt`` of a denoiser's entry."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from usaid.experiment.model import Settings, refuse


class Adapt(Settings):
    """What a network expects and returns, where that is not a batch of colour images in [0, 1] and nothing else.

    `usaid.denoisers.adapters` has a class for each of these, in the order in which they are put around the network.
    """

    predicts: Literal["image", "noise"] = "image"
    """What the network returns: the clean image, or the noise, which is then subtracted."""
    value_range: Literal[1, 255] = 1
    """White in what it is given and returns: 1 (floats from 0 to 1) or 255 (8-bit range; an output in bytes is taken,
    too)."""
    told_as: Literal["nothing", "argument", "tensor", "map"] | None = None
    """How it is told the noise level: not at all (`nothing`); as its second argument, a float (`argument`) or a
    tensor of shape (B, 1, 1, 1) (`tensor`), or as a further last channel of the image (`map`), all in units of
    `value_range`, so sigma / 255 if that is 1. Default: a parameter named `told_sigma` is told it on the 0-255 scale;
    without one, nothing is told."""
    divisible_by: Annotated[int, Field(ge=1, le=1024)] = 1
    """Its images need sides that this number divides: they are padded by reflection and cropped again."""
    channels: Literal["colour", "grey"] = "colour"
    """Channels of the images that it denoises; `grey`: each colour channel by itself, as an image of one channel."""
    tile: Annotated[int, Field(ge=16, le=65536)] | None = None
    """Denoise large images in tiles of so many pixels a side, so that memory is bounded; default: whole images."""
    tile_overlap: Annotated[int, Field(ge=0, le=4096)] = 32
    """Pixels that a tile sees beyond what it contributes, on each side; exact if the network looks no further."""

    @model_validator(mode="after")
    def _tiles_advance(self) -> "Adapt":
        if self.tile is not None and self.tile <= 2 * self.tile_overlap:
            least = 2 * self.tile_overlap
            raise refuse(f"'tile' = {self.tile} is all overlap: give more than {least}, or a smaller 'tile_overlap'")
        return self

    def as_record(self) -> dict[str, Any]:
        """The keys that differ from their defaults: JSON-able."""
        return self.model_dump(mode="json", exclude_defaults=True)
