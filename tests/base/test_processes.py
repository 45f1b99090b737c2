"""Who may fill a folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from helpers.base.files import ROOT
from helpers.base.processes import hold, let_go

ASK = (
    "import sys; from pathlib import Path; from helpers.base.processes import hold;"
    "print(hold(Path(sys.argv[1])))"
)


def test_a_folder_is_held_by_one_process_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "course" / "01_a"

    def another_may() -> bool:
        line = [sys.executable, "-c", ASK, str(folder)]
        done = subprocess.run(
            line, check=False, cwd=ROOT, capture_output=True, text=True
        )
        return done.stdout == "True\n"

    let_go(folder)  # nobody holds it
    assert hold(folder)
    assert hold(folder)  # a notebook that is run again in its kernel
    assert not another_may()
    let_go(folder)
    assert another_may()  # and has ended, holding it
    assert hold(folder)
    let_go(folder)
    assert not list(tmp_path.rglob("*.lock"))


def test_what_another_process_holds_is_free_when_that_is_killed(
    tmp_path: Path, run_elsewhere: Callable[[str, Path], subprocess.Popen[str]]
) -> None:
    folder = tmp_path / "01_a"
    other = run_elsewhere("course/01_a", folder / "metrics.json")
    assert not hold(folder)
    other.kill()
    other.wait()
    assert hold(folder)
    let_go(folder)
