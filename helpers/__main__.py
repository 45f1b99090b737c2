"""``python -m helpers``."""

from helpers.base.processes import print_anything
from helpers.cli import main

print_anything()
main(prog_name="python -m helpers")
