"""Imported first by the scripts: Ctrl-C during the slow imports ends the process, and shows no traceback."""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)
