"""``python -m helpers``."""

from helpers.cli import main

main(prog_name="python -m helpers")
