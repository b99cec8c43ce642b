"""How the time of a step grows with models, batch size, width, devices and processes."""
