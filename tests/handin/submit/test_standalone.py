"""An archive, unpacked somewhere else, runs in an environment that has never heard of
this repository.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

from helpers.handin.submit import submit


def test_the_code_of_an_archive_runs_by_itself(
    drawn_data: Path, tmp_path: Path
) -> None:
    [archive] = submit("caltech101", draft=True).files
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path / "unpacked")
    code, environment = tmp_path / "unpacked/code", tmp_path / "environment"
    venv.create(environment, symlinks=True)
    python = environment / "bin/python"
    # What pip would install, without waiting for it: the same packages, and the
    # archive's code in place of ours.
    site = next(environment.glob("lib/python*/site-packages"))
    (site / "packages.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n{code}\n")
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CNN_", "PYTHON"))
    }
    clean |= {
        "CNN_DATA": str(drawn_data),
        "JUPYTER_PATH": f"{sys.prefix}/share/jupyter",
    }  # nbconvert's own templates

    where = [python, "-c", "import helpers; print(helpers.__file__)"]
    found = subprocess.run(
        where, cwd=tmp_path, env=clean, capture_output=True, text=True, check=True
    )
    assert Path(found.stdout.strip()).is_relative_to(code)

    command = [python, "-m", "helpers", "run", "--quick", "caltech101/01_lenet5"]
    done = subprocess.run(
        command, cwd=code, env=clean, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    folder = code / "exports/quick/caltech101/01_lenet5"
    assert json.loads((folder / "metrics.json").read_text())["status"] == "complete"
    assert {"model.pt", "notebook.html", "notebook.pdf"} <= {
        path.name for path in folder.iterdir()
    }
    assert sys.prefix not in done.stdout
