"""How MLPs are trained."""

from typing import Annotated

from pydantic import Field

from usaid.experiment.model import Count, Images, Milestones, Positive, Precision, Seed, ToldSigmas, TrainingRecipe


class MLPRecipe(TrainingRecipe):
    """How MLPs are trained (after Burger et al. 2012; where this differs, it is our choice).

    The authors took hundreds of millions of patches of grey-scale images and stochastic gradient descent, its learning
    rate in a layer being 0.1 divided by the number of the layer's inputs. Ours are patches of a single colour channel,
    since that is what the network is applied to, and the optimiser is Adam, because few machines have the time for
    as many steps.
    """

    images: Images = "voc2012/train"
    """`<data set>/<split>` to train on."""
    sigmas: ToldSigmas = (25.0,)
    """Noise levels, 0-255 scale; each gets a network of its own."""
    hidden: Annotated[tuple[Count, ...], Field(min_length=1)] = (3072, 3072, 2559, 2047)
    """Units of each hidden layer."""
    input_side: Count = 39
    """Side of the noisy patches in pixels."""
    output_side: Count = 17
    """Side of the clean patches in their middle in pixels."""
    batch: Count = 128
    """Patches in a step."""
    steps: Count = 1_000_000
    """For each network."""
    learning_rate: Positive = 3e-4
    """Adam's, at the start."""
    milestones: Milestones = (0.7, 0.9)
    """Where it falls to a tenth: fractions of the run (below 1), or steps."""
    precision: Precision = "float32"
    """`float32`, `tf32` (a GPU rounds factors to 10 bits), or `bfloat16`: autocast of the forward pass."""
    seed: Seed = 0
    """Of initialisation, patches and noise."""
