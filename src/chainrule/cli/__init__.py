"""The command ``chainrule``: a thin shell over the library. typer and rich are imported here only."""
