"""Notebooks as a reader has them: in JupyterLab, driven by a browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import nbformat
import pytest

from helpers.base.files import ROOT

api = pytest.importorskip(
    "playwright.sync_api", reason="needs Playwright, which drives the browser"
)
CHROMIUM = (
    shutil.which("chromium")
    or shutil.which("chromium-browser")
    or shutil.which("google-chrome")
)
if CHROMIUM is None:
    pytest.skip("needs Chromium, which shows JupyterLab", allow_module_level=True)

PATIENCE = 120_000  # milliseconds: waits end when something is seen, long before
START = """\
from helpers.data import load_data
from helpers.notebook import start_run
from helpers.training import Experiment, TrainConfig
run = start_run("caltech101/NOTEBOOK")
splits = load_data("caltech101", "synthetic").limit(train=64, valid=16)
run.use_data(splits)"""
TRAIN = """\
long = Experiment("lenet5", TrainConfig(epochs=2000, batch_size=32))
study = run.train("lenet5", long, splits, seeds=1)"""
FINISH = """\
short = Experiment("lenet5", TrainConfig(epochs=2, batch_size=32))
study = run.train("short", short, splits, seeds=2)
run.save(study.first)
run.finish()"""
BROWSE = """\
from helpers.viewer import NetworkBrowser
run = start_run("caltech101/03_activations")
NetworkBrowser(run.load_model("caltech101/04_resnet18"), splits.valid, layer="relu1")"""

OpenNotebook = Callable[..., "api.Page"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What JupyterLab shows, with the exports of its kernels."""
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def runtime() -> Iterator[Path]:
    """Where its kernels have their sockets: a path of at most 107 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def lab(folder: Path, runtime: Path, drawn_data: Path) -> Iterator[str]:
    """The address of a JupyterLab of its own."""
    own = {
        "CNN_DATA": str(drawn_data),
        "CNN_EXPORTS": str(folder / "exports"),
        "PYTHONPATH": str(ROOT),
        "JUPYTER_CONFIG_DIR": str(folder / ".config"),
        "JUPYTER_DATA_DIR": str(folder / ".data"),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / ".settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / ".workspaces"),
    }
    options = {
        "ServerApp.root_dir": folder,
        "IdentityProvider.token": "",
        "ServerApp.port": 0,
        "ServerApp.allow_root": True,
        "LabApp.news_url": "",
        # A free port may be taken before a kernel binds it.
        "KernelManager.transport": "ipc",
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser"]
    command += [f"--{name}={value}" for name, value in options.items()]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, env=os.environ | own, stdout=log, stderr=log)
    try:
        yield address_of(server, folder, runtime)
    finally:
        server.kill()  # its kernels end with it
        server.wait()


def address_of(server: subprocess.Popen[bytes], folder: Path, runtime: Path) -> str:
    """Where it answers, as soon as it does."""
    while server.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            try:
                url = json.loads(file.read_text())["url"]
                with urlopen(f"{url}api", timeout=10) as answer:  # noqa: S310
                    assert answer.status == 200
            except (ValueError, OSError):
                continue
            return str(url)
        time.sleep(0.1)
    raise RuntimeError((folder / "server.log").read_text())


@pytest.fixture(scope="module")
def browser() -> Iterator[api.Browser]:
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield started
        started.close()


@pytest.fixture
def open_notebook(
    browser: api.Browser, lab: str, folder: Path
) -> Iterator[OpenNotebook]:
    """Opens a notebook of these cells whose kernel is ready."""
    contexts = []

    def open_(name: str, *cells: str) -> api.Page:
        new = nbformat.v4
        notebook = new.new_notebook(cells=[new.new_code_cell(cell) for cell in cells])
        spec = {"name": "python3", "language": "python", "display_name": "Python 3"}
        notebook.metadata.kernelspec = spec
        nbformat.write(notebook, folder / name)
        context = browser.new_context(viewport={"width": 1200, "height": 1600})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(f"{lab}doc/tree/{name}?reset")
        page.get_by_text("| Idle").wait_for()
        return page

    yield open_
    for context in contexts:
        context.close()


def run_cell(page: api.Page, number: int) -> api.Locator:
    """Runs a cell, and returns it."""
    cell = page.locator(".jp-CodeCell").nth(number)
    cell.locator(".cm-content").click()
    api.expect(cell).to_have_class(re.compile("jp-mod-active"))
    page.keyboard.press("Control+Enter")
    return cell


def stop(page: api.Page, cell: api.Locator) -> str:
    """Presses Stop, and returns what the cell then says."""
    page.locator('[data-command="notebook:interrupt-kernel"]').click()
    said = cell.get_by_text(re.compile(r"stopped after epoch \d+ of 2000; run this"))
    return said.inner_text()


def saved_notebook(page: api.Page, path: Path, text: str) -> str:
    """What JupyterLab writes, once ``text`` is in it."""
    for _ in range(PATIENCE // 100):
        if text in (content := path.read_text()):
            return content
        page.keyboard.press("Control+s")
        page.wait_for_timeout(100)
    raise AssertionError(content)


def test_training_is_watched_stopped_and_taken_up(open_notebook: OpenNotebook) -> None:
    start = START.replace("NOTEBOOK", "01_lenet5")
    page = open_notebook("train.ipynb", start, TRAIN)
    run_cell(page, 0).get_by_text("[1]:").wait_for()  # its output moves the others
    cell = run_cell(page, 1)
    cell.get_by_role("progressbar").wait_for()
    cell.get_by_text(re.compile(r"epoch +\d+/2000 .* left")).wait_for()
    curves = cell.get_by_alt_text("curves")
    first = curves.get_attribute("src")
    api.expect(curves).not_to_have_attribute("src", first or "", timeout=PATIENCE)

    said = stop(page, cell)
    api.expect(cell.get_by_role("progressbar")).to_have_count(0)
    api.expect(cell.get_by_text("Traceback")).to_have_count(0)

    run_cell(page, 1)
    line = cell.get_by_text(re.compile(r"epoch +\d+/2000 .* left")).inner_text()
    stop(page, cell)
    epochs = [int(re.findall(r"epoch +(\d+)", text)[0]) for text in (said, line)]
    assert epochs[0] < epochs[1]

    second = open_notebook("second.ipynb", start)  # beside a kernel that is not done
    run_cell(second, 0).get_by_text("another kernel or command is at it").wait_for()


def test_a_finished_run_leaves_one_line_and_a_network_to_browse(
    open_notebook: OpenNotebook, folder: Path
) -> None:
    start = START.replace("NOTEBOOK", "04_resnet18")
    page = open_notebook("finish.ipynb", start, FINISH, BROWSE)
    run_cell(page, 0).get_by_text("[1]:").wait_for()  # its output moves the others
    cell = run_cell(page, 1)
    cell.get_by_text(re.compile("2 of 2 trained, .* of training")).wait_for()
    cell.get_by_text("complete after").wait_for()
    content = saved_notebook(page, folder / "finish.ipynb", "complete after")
    assert "of training" in content
    assert "<progress" not in content
    assert "epoch" not in "".join(
        str(output) for output in json.loads(content)["cells"][1]["outputs"]
    )

    cell = run_cell(page, 2)
    menus, picture = cell.get_by_role("combobox"), cell.get_by_role("img").last
    api.expect(picture).to_have_attribute("src", re.compile("."), timeout=PATIENCE)
    before = picture.get_attribute("src") or ""
    menus.first.select_option(index=1)
    api.expect(picture).not_to_have_attribute("src", before, timeout=PATIENCE)
