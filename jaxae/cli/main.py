"""The jaxae command, and python -m jaxae: finds the command and leaves the rest to its module in jaxae/cli."""

import importlib
import os
import signal
import sys

COMMANDS = {
    "train": "train a model, or several at once; resumes what the run directory holds",
    "evaluate": "MSE, PSNR and SSIM on the test images, over all and by class",
    "score": "how much the latent space keeps of the data, beside PCA and published results",
    "plot": "draw a figure of a run: jaxae plot --help lists them",
    "explore": "write a page in which the map is explored and the network runs",
    "report": "write a page about a run, or two side by side, with what was checked",
    "export": "write the network as files that run without jaxae: StableHLO, ONNX, safetensors",
    "import-torch": "make a run of weights that PyTorch has trained",
    "release": "copy what others need of a run to evaluate it and draw from it",
}
USAGE = f"""usage: jaxae COMMAND [OPTIONS]

{__import__("jaxae").__doc__}

{chr(10).join(f"  {name:12} {text}" for name, text in COMMANDS.items())}

jaxae COMMAND --help explains the options of a command. Example:

  jaxae train --epochs 30 --run-dir checkpoints/thirty
  jaxae evaluate checkpoints/thirty
  jaxae plot latent-space checkpoints/thirty"""


def main(*words: str) -> None:
    """Runs the command line. words: arguments that come before it, as scripts give them: main("plot", "latent-space")."""
    name, *rest = [*words, *sys.argv[1:]] or ["--help"]
    if name in ("-h", "--help", "--version"):
        try:
            print(__import__("jaxae").__version__ if name == "--version" else USAGE, flush=True)
        except BrokenPipeError:  # the reader, such as head, has gone
            os._exit(141)
    elif name not in COMMANDS:
        print(
            f"error: unknown command {name}: give one of {', '.join(COMMANDS)} (see jaxae --help)",
            file=sys.stderr,
        )
        sys.exit(2)
    else:
        if (
            signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
        ):  # as of a script's background job: it stays ignored
            signal.signal(
                signal.SIGINT, signal.SIG_DFL
            )  # Ctrl-C during the slow imports shows no traceback
        os.environ.setdefault(
            "TF_CPP_MIN_LOG_LEVEL", "2"
        )  # XLA's errors alone: its warnings are for those who work on it
        sys.argv = [f"jaxae {name}", *rest]
        command = importlib.import_module("jaxae.cli.command")
        command.run(importlib.import_module(f"jaxae.cli.{name.replace('-', '_')}").main)


if __name__ == "__main__":
    main()
