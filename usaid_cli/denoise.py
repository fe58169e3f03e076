"""``usaid denoise``: images without noise, without scores."""

import argparse
from pathlib import Path

from usaid.errors import UsaidError
from usaid_cli.arguments import NETWORK, Commands, adapt_of, add_adapt, add_device, add_options, keys_and_values


def add_denoise(commands: Commands) -> None:
    """``denoise``."""
    parser = commands.add_parser(
        "denoise",
        help="denoise an image, or every image of a folder",
        description="Writes PNG: 8 or 16 bits a channel, grey or colour, alpha and colour profile as in the image, "
        "upright. What only describes an image (date, place) is not kept. Never replaces an input, nor another file "
        "that it did not write. An image of a folder that fails does not stop the others; the exit status is then 1.",
    )
    parser.add_argument("input", type=Path, metavar="IN", help="image file or folder of images")
    parser.add_argument("output", type=Path, metavar="OUT", help="PNG file, or folder that gets one PNG an image")
    parser.add_argument("--method", metavar="FILE_OR_NAME", default="u_said", help=f"{NETWORK}; default: u_said")
    parser.add_argument("--weights", type=Path, help="the network's weights (.safetensors or the released .pth)")
    add_options(parser)
    parser.add_argument("--told-sigma", type=float, help="noise level told to a non-blind method (0-255 scale)")
    parser.add_argument("--add-noise", type=float, metavar="SIGMA", help="first add Gaussian noise, as a demonstration")
    add_device(parser)
    add_adapt(parser)
    parser.add_argument("--precision", default="float32", choices=["float32", "tf32", "bfloat16", "auto"])
    parser.set_defaults(run=_denoise)


def _denoise(options: argparse.Namespace) -> None:
    from usaid.denoisers.build import build_denoiser
    from usaid.denoisers.denoise_files import denoise_files
    from usaid.denoisers.recognise import method_and_weights
    from usaid.devices import pick_device
    from usaid.memory import keep_freed_memory

    keep_freed_memory()
    method, weights = method_and_weights(options.method, options.weights)
    device, own = pick_device(options.device), keys_and_values(options.options, "--option")
    denoiser = build_denoiser(method, weights, device, options.precision, own, adapt_of(options))
    outcome = denoise_files(denoiser, options.input, options.output, options.told_sigma, options.add_noise)
    if outcome.failed:
        raise UsaidError(str(outcome))
    print(outcome)
