"""Arrays → matplotlib Figures. Nothing here imports the rest of jaxae."""
