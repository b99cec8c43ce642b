"""The commands: options in, files and tables out; all that prints."""
