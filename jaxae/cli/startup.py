"""Imported first by the scripts: Ctrl-C during the slow imports ends the process, and shows no traceback. XLA is quiet."""

import os
import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors alone: its warnings are for those who work on XLA
