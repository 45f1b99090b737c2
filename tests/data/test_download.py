from __future__ import annotations

import errno
import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from official import official_archive, write_cifar10, write_mnist

from helpers.base.errors import DataError, WriteError
from helpers.base.files import data_dir
from helpers.data import download
from helpers.data.catalogue import CATALOGUE, load_data
from helpers.data.download import fetch
from helpers.data.sets import caltech101, cifar10


@dataclass
class Server:
    """Serves one archive on this machine, as the catalogue's entry of Caltech-101 then
    expects it, and other files.
    """

    content: bytes = b""
    files: dict[str, bytes] = field(
        default_factory=dict
    )  # by their path, in place of the archive
    address: str = ""
    status: int = 200
    cut_connections: int = 0  # how many answers break off in mid-file
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    state = Server(content=official_archive(tmp_path / "official.zip").read_bytes())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.requests.append(self.path)
            content = state.files.get(self.path, state.content)
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            cut = len(state.requests) <= state.cut_connections
            self.wfile.write(content[: len(content) // 2] if cut else content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(
            target=http.serve_forever, kwargs={"poll_interval": 0.01}
        )
        thread.start()
        monkeypatch.setattr(
            "pooch.core.time.sleep", lambda _: None
        )  # no pause before another attempt
        state.address = f"http://127.0.0.1:{http.server_port}"
        expect(monkeypatch, f"{state.address}/caltech-101.zip", state.content)
        yield state
        http.shutdown()
        thread.join()


def expect(monkeypatch: pytest.MonkeyPatch, url: str, content: bytes) -> None:
    """Has the catalogue expect ``content`` at ``url``."""
    entry = CATALOGUE["caltech101"]
    archives = {url: hashlib.sha256(content).hexdigest()}
    monkeypatch.setitem(CATALOGUE, "caltech101", replace(entry, archives=archives))


def serve(server: Server, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """Has the server give, and the catalogue expect, another archive."""
    server.content = content
    expect(monkeypatch, f"{server.address}/caltech-101.zip", content)


def left_behind() -> list[str]:
    """Everything in the data folder but verified downloads."""
    return sorted(
        path.name for path in data_dir().iterdir() if path.name != ".downloads"
    )


def test_fetches_verifies_and_lays_out(server: Server) -> None:
    folder = fetch("caltech101")
    assert folder == data_dir() / "caltech101"
    assert left_behind() == ["caltech101"]
    assert list((data_dir() / ".downloads").iterdir()) == []
    splits = load_data("caltech101")
    assert splits.source == "real"
    assert splits.counts() == {"train": 21 + 11 + 99, "valid": 2 + 1 + 99}


def test_what_is_there_is_not_fetched_again(server: Server) -> None:
    fetch("caltech101")
    fetch("caltech101")
    assert server.requests == ["/caltech-101.zip"]


def test_what_is_there_must_be_the_data_set(server: Server) -> None:
    (data_dir() / "caltech101/holiday").mkdir(parents=True)
    with pytest.raises(DataError, match="caltech101"):
        fetch("caltech101")
    assert server.requests == []


def test_a_cut_connection_is_tried_again(server: Server) -> None:
    server.cut_connections = 2
    fetch("caltech101")
    assert len(server.requests) == 3


def test_a_connection_that_is_always_cut_leaves_nothing(server: Server) -> None:
    server.cut_connections = 99
    with pytest.raises(DataError, match=r"caltech-101\.zip could not be downloaded"):
        fetch("caltech101")
    assert len(server.requests) == 1 + download.RETRIES
    assert left_behind() == []
    assert list((data_dir() / ".downloads").iterdir()) == []


def test_a_wrong_hash_leaves_nothing(server: Server) -> None:
    server.content = server.content[:-1] + b"!"
    with pytest.raises(
        DataError,
        match=r"(?s)could not be downloaded .*hash.*Expected a file with SHA-256",
    ):
        fetch("caltech101")
    assert left_behind() == []
    assert list((data_dir() / ".downloads").iterdir()) == []


def test_an_archive_that_is_gone(server: Server) -> None:
    server.status = 404
    with pytest.raises(DataError, match=r"could not be downloaded \(404"):
        fetch("caltech101")
    assert left_behind() == []


def test_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pooch.core.time.sleep", lambda _: None)
    expect(monkeypatch, "http://127.0.0.1:9/caltech-101.zip", b"")
    with pytest.raises(
        DataError,
        match=r"put it there by other means: .*\.downloads/caltech-101\.zip",
    ):
        fetch("caltech101")


def test_a_file_put_there_by_other_means_is_taken(server: Server) -> None:
    downloads = data_dir() / ".downloads"
    downloads.mkdir(parents=True)
    (downloads / "caltech-101.zip").write_bytes(server.content)
    fetch("caltech101")
    assert server.requests == []


def test_an_evil_archive_leaves_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = io.BytesIO()
    with tarfile.open(fileobj=evil, mode="w") as file:
        link = tarfile.TarInfo("caltech-101")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        file.addfile(link)
    serve(server, monkeypatch, evil.getvalue())
    with pytest.raises(
        DataError, match=r"can be unpacked here .*'caltech-101' is a link"
    ):
        fetch("caltech101")
    assert left_behind() == []


def test_a_full_disk_leaves_nothing_but_the_download(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_shrink = caltech101._shrink

    def shrink(original: Path, target: Path) -> None:
        if original.parent.name == "crab":
            raise OSError(errno.ENOSPC, "No space left on device")
        real_shrink(original, target)

    with monkeypatch.context() as patch:
        patch.setattr(caltech101, "_shrink", shrink)
        with pytest.raises(WriteError, match=r"cannot be written .*No space left"):
            fetch("caltech101")
    assert left_behind() == []
    fetch("caltech101")
    assert len(server.requests) == 1  # the second attempt took up the verified download


def test_a_file_of_lines_that_is_there_must_be_one() -> None:
    path = data_dir() / "lines" / "lines.npz"
    path.parent.mkdir(parents=True)
    path.write_text("x")
    with pytest.raises(DataError, match=str(path)):
        fetch("lines")


def test_a_disk_that_takes_no_download_is_told(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system", str(data_dir() / ".downloads/x"))

    monkeypatch.setattr("pooch.HTTPDownloader.__call__", full)
    with pytest.raises(WriteError, match=r"cannot be written .*Allow yourself"):
        fetch("caltech101")


def test_a_set_without_an_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        CATALOGUE,
        "caltech101",
        replace(CATALOGUE["caltech101"], archives={}, how_to_get="see data/README.md"),
    )
    with pytest.raises(DataError, match=r"no official archive .* data/README\.md"):
        fetch("caltech101")


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(DataError, match="known are caltech101"):
        fetch("imagenet")


@pytest.fixture
def small_mnist(server: Server, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The server has four files of MNIST's form; returns their names."""
    raw = write_mnist(data_dir().parent / "official", train=300, t10k=50)
    archives = {}
    for url in CATALOGUE["mnist"].archives:
        name = url.rpartition("/")[2]
        content = (raw / name).read_bytes()
        server.files[f"/{name}"] = content
        archives[f"{server.address}/{name}"] = hashlib.sha256(content).hexdigest()
    entry = replace(CATALOGUE["mnist"], archives=archives)
    monkeypatch.setitem(CATALOGUE, "mnist", entry)
    return [path.removeprefix("/") for path in server.files]


def test_several_files_are_fetched(small_mnist: list[str]) -> None:
    raw = fetch("mnist") / "raw"
    assert sorted(file.name for file in raw.iterdir()) == sorted(small_mnist)
    assert list((data_dir() / ".downloads").iterdir()) == []
    assert load_data("mnist").counts() == {"train": 162, "valid": 18, "test": 120}


@pytest.mark.usefixtures("small_mnist")
def test_one_of_several_files_that_cannot_be_had_leaves_no_folder(
    server: Server,
) -> None:
    server.files["/t10k-labels-idx1-ubyte.gz"] = b"another"
    with pytest.raises(DataError, match=r"t10k-labels.* could not be"):
        fetch("mnist")
    assert left_behind() == []
    kept = list((data_dir() / ".downloads").iterdir())
    assert len(kept) == 3  # for the next attempt


@pytest.fixture
def small_cifar10(server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The server has an archive of CIFAR-10's form, and its files are the official
    ones; returns their folder.
    """
    batches = write_cifar10(data_dir().parent / cifar10.FOLDER, monkeypatch)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as tar:
        tar.add(batches, cifar10.FOLDER)
    server.content = packed.getvalue()
    digest = hashlib.sha256(server.content).hexdigest()
    archives = {f"{server.address}/cifar-10-python.tar.gz": digest}
    entry = replace(CATALOGUE["cifar10"], archives=archives)
    monkeypatch.setitem(CATALOGUE, "cifar10", entry)
    return batches


def test_cifar10_is_fetched_and_laid_out_as_torchvision_does(
    server: Server, small_cifar10: Path
) -> None:
    folder = fetch("cifar10")
    assert folder == data_dir() / "cifar-10-batches-py"
    assert {file.name for file in folder.iterdir()} == {
        file.name for file in small_cifar10.iterdir()
    }
    assert left_behind() == ["cifar-10-batches-py"]
    assert list((data_dir() / ".downloads").iterdir()) == []
    splits = load_data("cifar10")
    assert (splits.source, splits.counts()) == (
        "real",
        {"train": 450, "valid": 50, "test": 100},
    )
