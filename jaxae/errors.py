"""How a run ends early through no fault of the code."""


class InputError(Exception):
    """What a user gave cannot be used. The message is one line: what was wrong, the value, what to do."""


class DataUnavailableError(InputError):
    """Fashion-MNIST is neither on this machine nor within reach of the network."""


class DamagedError(InputError):
    """A checkpoint is not what was saved."""
