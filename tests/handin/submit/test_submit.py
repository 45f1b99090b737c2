"""What is handed in: complete, checked and always the same; or else nothing, and a list
of what is missing.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
import typst
from pypdf import PdfReader

from helpers.base.declared import find_notebooks, with_needs
from helpers.base.environment import commit
from helpers.base.errors import ExportError
from helpers.base.files import ROOT, hand_in_file, notebooks_dir
from helpers.handin.courses import COURSES
from helpers.handin.gather import code_files
from helpers.handin.submit import MANIFEST, submit

AllRuns = Callable[[str], None]
MakeRun = Callable[..., Path]


def opened(content: bytes) -> dict[str, bytes]:
    """The files of an archive by path, once each is found to be as its manifest lists
    it.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert all(
            not name.startswith("/") and ".." not in name for name in archive.namelist()
        )
        files = {name: archive.read(name) for name in archive.namelist()}
    listed = {
        entry["path"]: (entry["bytes"], entry["sha256"])
        for entry in json.loads(files[MANIFEST])["files"]
    }
    assert listed == {
        name: (len(data), hashlib.sha256(data).hexdigest())
        for name, data in files.items()
        if name != MANIFEST
    }
    return files


def outside_code(files: dict[str, bytes]) -> set[str]:
    return {name for name in files if not name.startswith("code/")}


def test_caltech101_holds_each_notebook_and_its_pages(all_runs: AllRuns) -> None:
    all_runs("caltech101")
    [file] = submit("caltech101").files
    files = opened(file.read_bytes())
    short = ("01_lenet5", "02_improved_cnn", "03_activations", "04_resnet18")
    pages = {
        f"{name}.{suffix}" for name in short for suffix in ("ipynb", "pdf", "html")
    }
    assert file.name == "caltech101.zip"
    assert outside_code(files) == pages | {"README.md", MANIFEST}
    papermill = json.loads(files["01_lenet5.ipynb"])["metadata"]["papermill"]
    assert papermill == {"duration": 1.5}


def test_cifar10_has_code_and_a_report_and_no_images_or_data(all_runs: AllRuns) -> None:
    all_runs("cifar10")
    [file] = submit("cifar10").files
    files = opened(file.read_bytes())
    assert outside_code(files) == {"README.md", MANIFEST, "report.pdf"}
    assert not [
        name
        for name in files
        if name.endswith((".png", ".jpg", ".jpeg", ".pt", ".npy", ".bin"))
    ]
    assert [name for name in files if name.startswith("code/data/")] == [
        "code/data/README.md"
    ]
    assert file.stat().st_size < 10_000_000


def test_lines_has_one_archive_for_each_question_in_one_for_the_group(
    all_runs: AllRuns, in_group: Callable[[str], None]
) -> None:
    all_runs("lines")
    in_group("13")
    [file] = submit("lines").files
    outer = opened(file.read_bytes())
    assert file.name == "13.zip"
    assert set(outer) == {"1.zip", "2.zip", "3.zip", "README.md", MANIFEST}
    models = {
        f"models/{name}.pt"
        for name in ("listed_lines", "listed_mnist", "own_lines", "own_mnist")
    }
    wanted = {"1": models, "2": {"models/multi_head.pt"}, "3": set[str]()}
    for question, extra in wanted.items():
        files = opened(outer[f"{question}.zip"])
        assert outside_code(files) == extra | {"README.md", MANIFEST, "report.pdf"}
        assert 3 <= len(PdfReader(io.BytesIO(files["report.pdf"])).pages) <= 4
        readme = files["README.md"].decode()
        assert "python -m helpers run" in readme
        assert "Group 13." in readme
    # The third question's notebook loads what the others train: it could not run
    # without them.
    code = {
        name
        for name in opened(outer["3.zip"])
        if name.startswith("code/notebooks/lines/")
    }
    assert code == {
        f"code/notebooks/{name}.ipynb"
        for name in with_needs(["lines/04_visualization"], find_notebooks())
    }
    assert len(code) == 4


def test_artists_faces_hands_in_the_paper_beside_the_code(all_runs: AllRuns) -> None:
    all_runs("artists_faces")
    archive, report = submit("artists_faces").files
    assert (archive.name, report.name) == ("artists_faces.zip", "artists_faces.pdf")
    files = opened(archive.read_bytes())
    assert files["report.pdf"] == report.read_bytes()
    assert "code/notebooks/artists_faces/references.bib" in files


def test_clipart_has_three_models_the_document_and_the_predictions(
    all_runs: AllRuns, in_group: Callable[[str], None]
) -> None:
    all_runs("clipart")
    in_group("7")
    [file] = submit("clipart").files
    files = opened(file.read_bytes())
    models = {f"models/{name}.pt" for name in "ABC"}
    assert file.name == "clipart-7.zip"
    assert outside_code(files) == models | {
        "README.md",
        MANIFEST,
        "document.pdf",
        "test_predictions.txt",
    }
    assert files["test_predictions.txt"].startswith(b"id,label\n0001, 2\n")


@pytest.mark.parametrize("assignment", COURSES)
def test_the_same_runs_make_the_same_bytes(
    assignment: str, all_runs: AllRuns, in_group: Callable[[str], None]
) -> None:
    all_runs(assignment)
    in_group("13")
    first, second = (
        {file: file.read_bytes() for file in submit(assignment).files} for _ in range(2)
    )
    assert first == second


def test_another_process_elsewhere_makes_the_same_bytes(
    all_runs: AllRuns, tmp_path: Path
) -> None:
    all_runs("cifar10")
    [file] = submit("cifar10").files
    content = file.read_bytes()
    file.unlink()
    command = [
        sys.executable,
        "-m",
        "helpers",
        "submit",
        "cifar10",
    ]
    subprocess.run(
        command,
        check=True,
        # This checkout, wherever the environment was installed from.
        env=os.environ
        | {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
    )
    assert file.read_bytes() == content


def test_the_manifest_says_what_everything_is(
    all_runs: AllRuns, make_run: MakeRun, exports: Path
) -> None:
    all_runs("cifar10")
    values = json.loads((exports / "cifar10/04_dropout/metrics.json").read_text())[
        "parameters"
    ]
    make_run(
        "cifar10/04_dropout",
        parameters=values | {"epochs": 2, "lr": 0.1},
        reduced=["epochs"],
    )
    submission = submit("cifar10")
    files = opened(submission.files[0].read_bytes())
    manifest = json.loads(files[MANIFEST])
    assert manifest["assignment"] == "cifar10"
    assert manifest["draft"] is False
    assert manifest["missing"] == []
    assert manifest["commit"] == commit()
    kept = json.loads((exports / "cifar10/04_dropout/metrics.json").read_text())
    assert manifest["runs"]["cifar10/04_dropout"] == kept
    assert submission.notes == (
        "cifar10/04_dropout: Reduced run: epochs 2",
        "cifar10/04_dropout: not the notebook's own values of lr",
    )


def test_the_readme_says_what_a_run_of_another_part_was(
    all_runs: AllRuns, make_run: MakeRun, in_group: Callable[[str], None]
) -> None:
    all_runs("lines")
    in_group("13")
    make_run("lines/02_own_network", reduced=["epochs"], parameters={"epochs": 2})
    submission = submit("lines", draft=True)
    note = "lines/04_visualization: Based on reduced runs: lines/02_own_network"
    assert note in submission.notes
    outer = opened(submission.files[0].read_bytes())
    assert f"\n- {note}\n" in opened(outer["3.zip"])["README.md"].decode()


def test_all_that_is_missing_is_listed_and_nothing_is_written(
    all_runs: AllRuns, make_run: MakeRun, exports: Path
) -> None:
    all_runs("lines")
    (exports / "lines/01_foundations/metrics.json").unlink()
    (exports / "lines/01_foundations/model_mnist.pt").unlink()
    make_run("lines/02_own_network", data={"name": "lines", "source": "synthetic"})
    make_run("lines/03_multi_head", status="failed")
    make_run(
        "lines/04_visualization",
        data={"name": "lines", "source": "real", "weights": "random"},
    )
    submission = submit("lines")
    assert submission.files == ()
    missing = "\n".join(submission.missing)
    for fault in (
        f"the group, which names the archive: write it in {hand_in_file()}",
        (
            "lines/01_foundations has not been run: python -m helpers run "
            "lines/01_foundations"
        ),
        (
            "1.zip: models/listed_mnist.pt is not there: python -m helpers run "
            "lines/01_foundations"
        ),
        (
            "1.zip: lines/02_own_network: Synthetic data: drawn images among "
            "lines. Not a result."
        ),
        "2.zip: lines/03_multi_head has not been run: ",
        "3.zip: lines/04_visualization: Random weights in place of pretrained ones. ",
        (
            "3.zip: lines/04_visualization: Based on stand-ins: lines/02_own_network. "
            "With the real thing (data/README.md): python -m helpers run "
            "lines/02_own_network lines/04_visualization"
        ),
        "2.zip: report.pdf has no run to report on",
    ):
        assert fault in missing
    assert not (exports / "submit").exists()


def test_a_draft_is_built_with_what_there_is_and_says_so(make_run: MakeRun) -> None:
    make_run("lines/01_foundations", data={"name": "lines", "source": "synthetic"})
    submission = submit("lines", draft=True)
    [file] = submission.files
    assert file.name == "group-draft.zip"
    outer = opened(file.read_bytes())
    assert "DRAFT, not to be handed in" in outer["README.md"].decode()
    one = opened(outer["1.zip"])
    assert json.loads(one[MANIFEST])["missing"] == list(submission.missing)
    assert "- 1.zip: lines/01_foundations: Synthetic data" in one["README.md"].decode()
    assert "report.pdf" not in opened(outer["3.zip"])  # there is no run to report on


def test_of_a_draft_every_file_says_so(all_runs: AllRuns, exports: Path) -> None:
    all_runs("artists_faces")
    (exports / "artists_faces/01_simple_cnn/metrics.json").unlink()
    names = [file.name for file in submit("artists_faces", draft=True).files]
    assert names == ["artists_faces-draft.zip", "artists_faces-draft.pdf"]


def test_models_and_predictions_are_looked_at(
    all_runs: AllRuns, exports: Path, saved_model: Callable[[str], bytes]
) -> None:
    all_runs("clipart")
    (exports / "clipart/01_resnet50/model_a.pt").write_bytes(b"")
    (exports / "clipart/01_resnet50/model_b.pt").write_bytes(saved_model("synthetic"))
    (exports / "clipart/02_own_network/test_predictions.txt").unlink()
    a, b, predictions = submit("clipart").missing
    assert a.startswith("models/A.pt: ")
    assert "models/B.pt: " in b
    assert "was trained on synthetic data" in b
    assert predictions.startswith(
        "test_predictions.txt is not there: python -m helpers predict "
        "clipart/02_own_network TEST_FOLDER -o "
    )


def test_only_code_is_in_the_code(
    all_runs: AllRuns, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    for name in (
        "LICENSE",
        "pyproject.toml",
        "requirements.txt",
        "constraints.txt",
        "data/README.md",
        "notebooks/quick.yaml",
    ):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_bytes((ROOT / name).read_bytes())
    for name in (
        "helpers/a.py",
        "helpers/.DS_Store",
        "helpers/.ipynb_checkpoints/a.py",
        "helpers/a.py~",
    ):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("x = 1")
    used = nbformat.read(notebooks_dir() / "cifar10/01_convnet.ipynb", as_version=4)
    used.cells[2] |= {
        "outputs": [nbformat.v4.new_output("stream", text="seen")],
        "execution_count": 3,
    }
    sources = project / "notebooks/cifar10"
    sources.mkdir()
    nbformat.write(used, sources / "01_convnet.ipynb")
    monkeypatch.setattr("helpers.handin.gather.ROOT", project)
    monkeypatch.setattr(
        "helpers.handin.gather.notebooks_dir", lambda: project / "notebooks"
    )
    files = code_files(["cifar10/01_convnet"])
    assert [name for name in files if name.startswith("code/helpers/")] == [
        "code/helpers/a.py"
    ]
    cleared = nbformat.reads(
        files["code/notebooks/cifar10/01_convnet.ipynb"].decode(), as_version=4
    )
    assert (cleared.cells[2].outputs, cleared.cells[2].execution_count) == ([], None)
    with pytest.raises(
        ExportError,
        match=r"There is no notebook .*notebooks/cifar10/02_batch_norm.ipynb",
    ):
        code_files(["cifar10/02_batch_norm"])


def test_an_earlier_draft_is_gone_once_all_is_there(
    all_runs: AllRuns, make_run: MakeRun, exports: Path
) -> None:
    make_run("cifar10/01_convnet")
    [draft] = submit("cifar10", draft=True).files
    all_runs("cifar10")
    (draft.parent / "thesis-draft.docx").touch()  # the user's own
    [file] = submit("cifar10").files
    (draft.parent / "thesis-draft.docx").unlink()
    assert (draft.name, file.name) == ("cifar10-draft.zip", "cifar10.zip")
    assert [path.name for path in (exports / "submit/cifar10").iterdir()] == [
        "cifar10.zip"
    ]
    make_run("cifar10/01_convnet", status="failed")
    submit("cifar10", draft=True)  # what was handed in once is not lost
    assert {path.name for path in (exports / "submit/cifar10").iterdir()} == {
        "cifar10.zip",
        "cifar10-draft.zip",
    }


def test_a_file_that_cannot_take_its_place_is_named(
    all_runs: AllRuns, exports: Path
) -> None:
    all_runs("cifar10")
    (exports / "submit/cifar10/cifar10.zip").mkdir(parents=True)
    with pytest.raises(ExportError, match=r"cifar10.zip cannot be written"):
        submit("cifar10")


def test_quick_runs_make_a_draft_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNN_QUICK", "1")
    submission = submit("caltech101")
    assert submission.files == ()
    assert submission.missing[0] == "the real runs: these are quick ones"


def test_too_large_is_missing_too(
    all_runs: AllRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_runs("cifar10")
    course = COURSES["cifar10"]
    small = replace(course, most_bytes=100_000)
    monkeypatch.setitem(COURSES, "cifar10", small)
    submission = submit("cifar10")
    assert submission.files == ()
    [fault] = submission.missing
    assert re.match(
        r"cifar10.zip has 0\.\d MB, at most 0\.1 MB are asked for: cells tagged", fault
    )
    [file] = submit("cifar10", draft=True).files
    assert "at most 0.1 MB" in opened(file.read_bytes())["README.md"].decode()


def test_a_page_count_that_is_off_is_named(all_runs: AllRuns, exports: Path) -> None:
    all_runs("artists_faces")
    (exports / "artists_faces/08_report/paper.pdf").write_bytes(
        typst.compile('#set document(author: "Ada Müller")\none page'.encode())
    )
    [fault] = submit("artists_faces").missing
    assert fault.startswith("report.pdf has 1 pages, asked for are 6 to 8")
    (exports / "artists_faces/08_report/paper.pdf").write_bytes(b"%PDF-1.5 cut")
    [fault] = submit("artists_faces").missing
    assert re.search("^report.pdf: The PDF is damaged .*helpers paper art", fault)
    (exports / "artists_faces/08_report/paper.pdf").unlink()
    [fault] = submit("artists_faces").missing
    assert fault.endswith(
        "has not been made: python -m helpers paper artists_faces/08_report"
    )


def test_who_hands_in_is_in_everything(
    all_runs: AllRuns, hand_in: Path, exports: Path
) -> None:
    all_runs("caltech101")
    [file] = submit("caltech101").files
    files = opened(file.read_bytes())
    pdf = PdfReader(io.BytesIO(files["01_lenet5.pdf"])).pages[0].extract_text()
    for text in (files["README.md"].decode(), files["01_lenet5.html"].decode(), pdf):
        assert "Ada Müller, 0123" in text
    [author] = json.loads(files[MANIFEST])["authors"]
    assert author == {"name": "Ada Müller", "number": "0123"}
    all_runs("cifar10")
    files = opened(submit("cifar10").files[0].read_bytes())
    report = PdfReader(io.BytesIO(files["report.pdf"])).pages[0].extract_text()
    assert "Ada Müller, 0123" in report
    hand_in.unlink()
    assert submit("cifar10").missing == (
        f"who hands it in: write {hand_in}, as README shows",
    )


def test_a_draft_holds_the_draft_of_the_paper(all_runs: AllRuns, exports: Path) -> None:
    all_runs("artists_faces")
    folder = exports / "artists_faces/08_report"
    (folder / "paper").mkdir()
    (folder / "paper.pdf").rename(folder / "paper/draft.pdf")
    [fault] = submit("artists_faces").missing
    command = "python -m helpers paper artists_faces/08_report"
    assert fault == f"report.pdf is a draft with faults: {command}"
    _, report = submit("artists_faces", draft=True).files
    assert report.read_bytes() == (folder / "paper/draft.pdf").read_bytes()


def test_a_paper_from_before_authors_or_runs_changed_is_made_again(
    all_runs: AllRuns, hand_in: Path, exports: Path
) -> None:
    all_runs("artists_faces")
    hand_in.write_text(f'{hand_in.read_text("utf-8")}affiliation = "B"\n', "utf-8")
    later = time.time() + 60
    os.utime(hand_in, (later, later))
    [fault] = submit("artists_faces").missing
    again = "report.pdf is older than hand-in.toml or a run: python -m helpers paper"
    assert fault.startswith(again)
    os.utime(hand_in, (0, 0))
    assert submit("artists_faces").missing == ()
    os.utime(exports / "artists_faces/05_face_mlp/metrics.json", (later, later))
    notebook, fault = submit("artists_faces").missing
    assert notebook == (
        "artists_faces/08_report is older than artists_faces/05_face_mlp: "
        "python -m helpers run artists_faces/08_report"
    )
    assert fault.startswith(again)


def test_a_run_from_before_the_model_that_it_shows_is_made_again(
    all_runs: AllRuns, exports: Path
) -> None:
    all_runs("caltech101")
    later = time.time() + 60
    os.utime(exports / "caltech101/01_lenet5/metrics.json", (later, later))
    [fault] = submit("caltech101").missing
    assert fault == (
        "caltech101/03_activations is older than caltech101/01_lenet5: "
        "python -m helpers run caltech101/03_activations"
    )


def test_a_notebook_that_cannot_be_read_is_one_of_the_faults(
    all_runs: AllRuns, exports: Path
) -> None:
    for assignment, name, found in (
        ("caltech101", "01_lenet5", "caltech101/01_lenet5: There is no notebook"),
        ("cifar10", "01_convnet", "report.pdf cannot be made: There is no notebook"),
    ):
        all_runs(assignment)
        (exports / assignment / name / "notebook.ipynb").unlink()
        [fault] = submit(assignment).missing
        assert fault.startswith(found)
        assert submit(assignment, draft=True).files


def test_a_paper_by_others_is_made_again(all_runs: AllRuns, hand_in: Path) -> None:
    all_runs("artists_faces")
    hand_in.write_text('[[authors]]\nname = "Bo"\n[[authors]]\nname = "Cy"', "utf-8")
    [fault] = submit("artists_faces").missing
    assert fault == (
        "report.pdf names Ada Müller, hand-in.toml Bo, Cy: python -m helpers paper "
        "artists_faces/08_report"
    )


def test_the_paper_of_quick_runs_is_made_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CNN_QUICK", "1")
    missing = submit("artists_faces").missing
    assert missing[0] == "the real runs: these are quick ones"
    assert missing[-1] == (
        "report.pdf has not been made: python -m helpers paper artists_faces/08_report "
        "--quick"
    )
    assert "run artists_faces/01_simple_cnn --quick" in "".join(missing)


def test_pages_side_by_side_lead_to_each_other(
    all_runs: AllRuns, make_run: MakeRun
) -> None:
    all_runs("caltech101")
    make_run("caltech101/02_improved_cnn", text="[the last](01_lenet5.ipynb#End)")
    [file] = submit("caltech101").files
    page = opened(file.read_bytes())["02_improved_cnn.html"].decode()
    assert '<a href="01_lenet5.html#End">the last</a>' in page


def test_an_unknown_assignment_lists_the_known_ones() -> None:
    with pytest.raises(
        ExportError, match="known are caltech101, cifar10, lines, artists_faces, clip"
    ):
        submit("mnist")


def test_a_truncated_record_is_named(make_run: MakeRun, exports: Path) -> None:
    path = make_run("caltech101/01_lenet5") / "metrics.json"
    path.write_text(path.read_text()[:40])
    with pytest.raises(
        ExportError, match=r"01_lenet5/metrics.json is damaged or cut short"
    ):
        submit("caltech101", draft=True)
    assert not (exports / "submit").exists()
