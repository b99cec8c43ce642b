import dataclasses
import io
import os
import platform
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from jaxae.cli import command, messages
from jaxae.config import Config
from jaxae.errors import InputError
from jaxae.train.progress import Compiled, Epoch, Row
from tests import ROOT

PROGRAM = """
import jax
from jaxae.cli import command

def main() -> None:
    a = jax.random.normal(jax.random.key(0), (300, 300))
    step = lambda i, x: jax.nn.tanh(x @ a + jax.numpy.sin(x))
    print(jax.jit(lambda a: jax.lax.fori_loop(0, 9, step, a))(a).sum())

command.run(main)
"""


def call(main, *arguments: str) -> int | str | None:
    """The exit code of a script with these arguments."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["script.py", *arguments])
        patch.setattr("signal.signal", lambda number, handler: None)
        try:
            command.run(main)
        except SystemExit as stop:
            return stop.code
    return 0


def train(config: Config, run_dir: Path = Path("there")) -> None:
    """Stands in for a script.

    Args:
        config: The recipe.
        run_dir: A place.
    """
    print(config.epochs, run_dir)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_freed_blocks_go_back_to_the_system():
    """glibc keeps blocks of up to 32 MB once one of that size was freed."""

    def own_memory() -> int:
        status = Path("/proc/self/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+) kB", status)[1])  # type: ignore[index]

    def main() -> None:
        np.ones(30_000_000, np.uint8)
        blocks = [np.ones(8_000_000, np.uint8) for _ in range(20)]
        last = [bytes(2000) for _ in range(1000)]  # what is last is given back in any case
        before = own_memory()
        blocks.clear()
        freed.append(before - own_memory())
        last.clear()

    freed: list[int] = []
    assert call(main) == 0
    assert freed[0] > 150_000


def test_options_are_the_fields_of_the_config(capsys):
    assert call(train, "--epochs", "7", "--run-dir", "here", "--dropout", "0", "0.1", "0.2") == 0
    assert capsys.readouterr().out == "7 here\n"
    assert call(train, "--help") in (0, None)
    shown = capsys.readouterr().out
    for field in dataclasses.fields(Config):
        on = "no-" if field.default is True else ""
        assert f"--{on}{field.name.replace('_', '-')}" in shown
    assert "(default: 128)" in shown


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--epochs", "0"], "epochs is 0"),
        (["--epochs", "many"], "error: --epochs is many: give INT (see --help)"),
        (["--noise-range=1"], "error: --noise-range is 1: give LOW HIGH (see --help)"),
        (
            ["--image-size", "5", "x"],
            "error: --image-size is 5 x: give HEIGHT [WIDTH] (see --help)",
        ),
        (["--image-size", "5", "5", "3"], "--image-size is (5, 5, 3): give a height and a width"),
        (["--noise-factor", "-1"], "--noise-factor is -1.0"),
        (["--dropout", "0.1", "0.1", "1"], "dropout.2 is 1.0"),
        (["--plateau-patience", "0"], "--plateau-patience is 0"),
        (["--dataset", ""], "dataset"),
        (["--speed", "9"], "--speed"),
        (["--epochs"], "--epochs"),
        (["--epochs", "3", "--run-dir", "x", "--epochs=4"], "--epochs is given 2 times"),
    ],
)
def test_a_mistake_gets_one_line_and_exit_code_2(arguments, expected, capsys):
    assert call(train, *arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert expected in captured.err


def test_an_error_from_within_is_told_in_the_same_way(capsys):
    def main() -> None:
        """Fails."""
        raise InputError("the\nmoon is -3: take another")

    assert call(main) == 2
    assert capsys.readouterr().err == "error: the\\nmoon is -3: take another\n"


def refuse() -> None:
    """Raise what JAX raises where a program's own arrays find no room."""
    raise ValueError("RESOURCE_EXHAUSTED: Out of memory allocating 25165824 bytes.")


@pytest.mark.parametrize(
    "allocate",
    [
        lambda: np.zeros(2**60, np.uint8),
        lambda: jnp.zeros(2**45, jnp.uint8).block_until_ready(),
        refuse,
    ],
)
def test_too_little_memory_is_one_line_that_says_what_to_do(allocate, capsys):
    def main() -> None:
        """Ask for more than any machine has."""
        allocate()

    assert call(main) == 2
    said = capsys.readouterr().err
    assert re.fullmatch(r"error: The memory is not enough \(.*\): give a smaller --batch.*\n", said)


def test_a_bug_is_not_hidden():
    def main() -> None:
        """Fails."""
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        call(main)


def test_ctrl_c_has_the_conventional_exit_code_and_no_traceback():
    script = f"""
import os, time
from jaxae.cli import command
def main() -> None:
    os.kill(os.getpid(), {int(signal.SIGINT)})
    time.sleep(60)
command.run(main)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=50
    )
    assert (done.returncode, done.stderr) == (130, "Stopped.\n")


def test_an_ignored_ctrl_c_stays_ignored():
    """A job that a script has started with & must survive a Ctrl-C that is meant for another."""
    script = f"""
import os, signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
from jaxae.cli import command
def main() -> None:
    os.kill(os.getpid(), {int(signal.SIGINT)})
    os.kill(os.getpid(), {int(signal.SIGTERM)})
command.run(main)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=50
    )
    assert (done.returncode, done.stderr) == (143, "Stopped.\n")


@pytest.mark.parametrize(
    ("begin", "redirect", "codes"),
    [
        ("", "2>&1 | true", {141}),  # nobody reads what it says
        ("import sys; print('x' * 100_000)", "| head -c 1", {141}),
        (
            f"import os; os.kill(os.getpid(), {int(signal.SIGTERM)})",
            ">&-",
            {143},
        ),  # stopped, with stdout closed
        (f"import os; os.kill(os.getpid(), {int(signal.SIGTERM)})", "2>&1 | true", {141, 143}),
    ],
)
def test_a_closed_terminal_ends_it_quietly(begin, redirect, codes, tmp_path):
    script = f"""
import time
from jaxae.cli import command
from jaxae.cli.messages import say
def main() -> None:
    time.sleep(0.2)
    {begin}
    say("a line")
    raise SystemExit(9)  # not reached: somebody would be needed to read the line
command.run(main)
"""
    (tmp_path / "script.py").write_text(script)
    words = f"{sys.executable} {tmp_path / 'script.py'} {redirect}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", words], capture_output=True, text=True, timeout=50, cwd=ROOT
    )
    assert done.returncode in codes, done.stderr
    assert "Traceback" not in done.stderr + done.stdout


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_a_page_that_nobody_reads_ends_quietly(option):
    words = f"{sys.executable} -m jaxae {option} | (exec <&-; sleep 2); exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", words], capture_output=True, text=True, timeout=50, cwd=ROOT
    )
    assert (done.returncode, done.stderr) == (141, "")


def test_a_signal_that_a_callback_swallows_stops_all_the_same():
    """JAX has a callback of the garbage collector; what is raised in such a one is lost."""
    script = f"""
import gc, os, time
from jaxae.cli import command
def callback(phase, info):
    gc.callbacks.clear()
    os.kill(os.getpid(), {int(signal.SIGTERM)})
    time.sleep(0.1)
def main() -> None:
    gc.callbacks.append(callback)
    gc.collect()
    time.sleep(60)
command.run(main)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 128 + signal.SIGTERM
    assert done.stderr == "Stopped.\n"


@pytest.mark.parametrize(
    ("main", "code"),
    [
        (
            "atexit.register(os.kill, os.getpid(), signal.SIGTERM)",
            -signal.SIGTERM,
        ),  # when the work is done
        (
            "gc.callbacks.append(callback); gc.collect(0)",
            0,
        ),  # swallowed, and then the work is done within the second
    ],
)
def test_a_signal_in_the_last_moment_has_no_third_exit_code(main, code):
    """Python gives signals back to the system before it deletes the modules, which takes JAX a
    second on a busy machine.
    """
    script = f"""
import atexit, gc, os, signal, time
from jaxae.cli import command
class Slow:
    def __del__(self, sleep=time.sleep):
        sleep(2)
slow = Slow()
def callback(phase, info):
    gc.callbacks.clear()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.1)
def main() -> None:
    {main}
command.run(main)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=50
    )
    assert (done.returncode, done.stderr) == (code, "")


def test_a_second_signal_stops_at_once():
    script = f"""
import os, time
from jaxae.cli import command
def main() -> None:
    try:
        os.kill(os.getpid(), {int(signal.SIGTERM)})
        time.sleep(60)
    finally:
        os.kill(os.getpid(), {int(signal.SIGTERM)})
        time.sleep(60)
command.run(main)
"""
    assert subprocess.run([sys.executable, "-c", script], timeout=50).returncode == -signal.SIGTERM


def test_synthetic_data_is_announced_before_and_after_even_when_interrupted(capsys):
    def work() -> None:
        with messages.synthetic_banner(Config(dataset="synthetic")):
            messages.say("work")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    before, after = capsys.readouterr().err.split("work")
    assert "SYNTHETIC" in before
    assert "SYNTHETIC" in after
    with messages.synthetic_banner(Config(dataset="fashion_mnist")):
        pass
    assert capsys.readouterr().err == ""


def test_the_compilation_cache_is_off_unless_asked_for_and_keyed_by_jaxlib_python_and_processor(
    tmp_path, monkeypatch, capsys
):
    settings: list[tuple[str, str]] = []
    monkeypatch.setattr("jax.config.update", lambda name, value: settings.append((name, value)))
    monkeypatch.delenv("JAXAE_COMPILATION_CACHE", raising=False)
    assert call(train) == 0
    assert settings == []

    def folder() -> str:
        settings.clear()
        assert call(train) == 0
        assert dict(settings)["jax_compilation_cache_dir"].startswith(
            str(tmp_path / "programs" / "jaxlib-")
        )
        return dict(settings)["jax_compilation_cache_dir"]

    monkeypatch.setenv("JAXAE_COMPILATION_CACHE", str(tmp_path / "programs"))
    here = folder()
    assert here == folder()
    monkeypatch.setattr("jaxae.cli.command.cpu", lambda: {"model": "another", "features": "fpu"})
    another = folder()
    assert another != here
    monkeypatch.setattr("platform.python_version", lambda: "3.99.0")
    assert folder() not in (here, another)
    (tmp_path / "file").touch()
    monkeypatch.setenv("JAXAE_COMPILATION_CACHE", str(tmp_path / "file"))
    assert call(train) == 2
    assert str(tmp_path / "file") in capsys.readouterr().err


@pytest.mark.slow
def test_the_compilation_cache_starts_the_same_run(tmp_path):
    """A program from the cache, and a damaged entry, which JAX passes over, give the bits of a run
    without it.
    """
    command = [sys.executable, "-c", PROGRAM]
    own = ("JAX_COMPILATION_CACHE_DIR", "XLA_FLAGS")  # of the tests: programs compile too soon
    environment = {k: v for k, v in os.environ.items() if k not in own}
    bits = [
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    ]
    environment["JAXAE_COMPILATION_CACHE"] = str(tmp_path)
    for damage in (False, False, True):
        entries = list(tmp_path.glob("*/*-cache"))
        assert bool(entries) == (len(bits) > 1)
        for entry in entries if damage else []:
            entry.write_bytes(entry.read_bytes()[:-20])
        bits.append(
            subprocess.run(
                command, env=environment, capture_output=True, text=True, check=True
            ).stdout
        )
    assert len(set(bits)) == 1


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("JAX_PLATFORMS", "nonsense", "JAX_PLATFORMS is nonsense"),
        ("JAX_PLATFORM_NAME", "nonsense", "JAX_PLATFORM_NAME is nonsense"),
    ],
)
def test_a_device_that_is_not_here_is_one_clear_line(name, value, words):
    script = "from jaxae.cli import command\ndef main() -> None:\n    print('results')\n"
    script += "command.run(main)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=50,
        env=os.environ | {name: value},
        cwd=ROOT,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {words}")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_how_far_the_running_epoch_is_and_a_file_does_not(monkeypatch):
    epoch = Epoch((Row(0, 1, 8, 0.2, 0.2, 0.1, 0.1, 1e-3, True, 1000, 4),), 3, 1)
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr("sys.stderr", stream)
        with messages.live_line(messages.say) as report:
            for told in (Compiled(8, 1, "cpu"), epoch):
                time.sleep(0.4)
                report(told)
            time.sleep(0.4)
        shown = stream.getvalue()
        if isinstance(stream, Terminal):
            assert "\r\x1b[K… working, 0 s\r\x1b[KCompiled for cpu: 8 steps" in shown
            shares = [
                int(share) for share in re.findall(r"epoch running, about (\d+) %\r\x1b\[K", shown)
            ]
            assert 0 < shares[-1] < 99  # of 0.4 s, looked at every 0.25 s
        else:
            assert shown == f"{Compiled(8, 1, 'cpu')}\n{epoch}\n"
