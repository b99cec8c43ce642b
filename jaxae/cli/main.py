"""The jaxae command: finds the subcommand and leaves the rest to its module in jaxae/cli."""

import importlib
import importlib.metadata
import os
import signal
import sys

COMMANDS = {
    "train": "train a model, or several at once; resumes what the run directory holds",
    "evaluate": "MSE, PSNR and SSIM on the test images, over all and by class",
    "score": "how much the latent space keeps of the data, next to PCA and published results",
    "map": "write a table of all images: their files, places on the map and errors",
    "encode": "write the latents of any pictures as CSV",
    "denoise": "write any pictures as the model reconstructs them",
    "plot": "draw a figure of a run: jaxae plot --help lists them",
    "explore": "write a page in which the map is explored and the network runs",
    "report": "write a page about a run, or two side by side, with what was checked",
    "export": "write the network as files that run without jaxae: StableHLO, ONNX, safetensors",
    "import-torch": "make a run of weights that PyTorch has trained",
    "release": "copy what others need of a run to evaluate it and draw from it",
}

LIST = "\n".join(f"  {name:12} {text}" for name, text in COMMANDS.items())

USAGE = f"""usage: jaxae COMMAND [OPTIONS]

A denoising autoencoder with a 2-D latent space, as pure functions on JAX.

{LIST}

jaxae COMMAND --help explains the options of a command. Example:

  jaxae train --epochs 30 --run-dir checkpoints/thirty
  jaxae evaluate checkpoints/thirty
  jaxae plot latent-space checkpoints/thirty"""

PIPE_CLOSED = 141


def main(*words: str) -> None:
    """Run the command line. words: put before its arguments, such as "plot", "latent-space"."""
    name, *rest = [*words, *sys.argv[1:]] or ["--help"]

    if name in ("-h", "--help", "--version"):
        text = importlib.metadata.version("jaxae") if name == "--version" else USAGE
        try:
            print(text, flush=True)
        except BrokenPipeError:  # the reader, such as head, has gone
            os._exit(PIPE_CLOSED)
        return

    if name not in COMMANDS:
        known = ", ".join(COMMANDS)
        print(
            f"error: unknown command {name}: give one of {known} (see jaxae --help)",
            file=sys.stderr,
        )
        sys.exit(2)

    # Ctrl-C during the slow imports shows no traceback. A script's background job ignores it.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # XLA's errors, without its warnings
    os.environ["MPLBACKEND"] = "agg"  # a notebook names its own, which may not be installed here

    sys.argv = [f"jaxae {name}", *rest]
    command = importlib.import_module("jaxae.cli.command")
    module = importlib.import_module(f"jaxae.cli.{name.replace('-', '_')}")
    command.run(module.main)
