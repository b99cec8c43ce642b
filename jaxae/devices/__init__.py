"""Which devices and which processes compute what."""
