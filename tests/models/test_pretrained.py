from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torchvision
from torch import nn

from helpers.base.errors import ModelError
from helpers.base.files import data_dir
from helpers.models import load_model
from helpers.models.pretrained import BACKBONES, IMAGENET, features, load_backbone

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def squeezenet_state() -> State:
    torch.manual_seed(1)
    return torchvision.models.squeezenet1_1().state_dict()


def saved(state: object, name: str = "some.pth") -> Path:
    """A file in the folder of weights."""
    path = data_dir() / "weights" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)
    return path


def test_weights_from_a_file_by_path_and_by_name(squeezenet_state: State) -> None:
    path = saved(squeezenet_state)
    for weights in (str(path), "some.pth"):
        network, label = load_backbone("squeezenet1_1", weights)
        own = network.state_dict()
        assert all(
            torch.equal(own[name], value) for name, value in squeezenet_state.items()
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert label == f"some.pth, SHA-256 {digest[:8]}"
    assert not network.training
    assert not any(getattr(module, "inplace", False) for module in network.modules())


def test_random_weights_are_named_so() -> None:
    for weights in ("random", None):
        assert load_backbone("squeezenet1_1", weights)[1] == "random"


def test_weights_in_half_precision_become_single() -> None:
    network = torchvision.models.mobilenet_v2().eval()
    halved = {
        name: value.half() if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    loaded, _ = load_backbone("mobilenet_v2", str(saved(halved)))
    assert all(parameter.dtype == torch.float32 for parameter in loaded.parameters())
    for name, value in loaded.state_dict().items():
        torch.testing.assert_close(value, halved[name], check_dtype=False)


def test_files_that_are_not_there_or_hold_no_weights(squeezenet_state: State) -> None:
    missing = r"no model file .*weights/absent\.pth\. Expected .*squeezenet1_1"
    with pytest.raises(ModelError, match=missing + ".*'imagenet'"):
        load_backbone("squeezenet1_1", "absent.pth")
    message = (
        r"some\.pth do not fit SqueezeNet \(.+\)\. "
        r"Expected a state dict of .*squeezenet1_1,"
    )
    for content in ([1, 2], {}, {"state_dict": {}}, {"epoch": 3}):
        with pytest.raises(ModelError, match=message):
            load_backbone("squeezenet1_1", str(saved(content)))
    path = saved(squeezenet_state)
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(ModelError, match=r"some\.pth cannot be read \("):
        load_backbone("squeezenet1_1", str(path))
    with pytest.raises(
        ModelError, match="no backbone 'vgg19': known are alexnet, mobilenet_v2"
    ):
        load_backbone("vgg19", "random")


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict"])
def test_weights_are_taken_out_of_checkpoints(
    squeezenet_state: State, key: str
) -> None:
    content: Any = {"epoch": 3, key: squeezenet_state}
    network, _ = load_backbone("squeezenet1_1", str(saved(content)))
    for name, weights in network.state_dict().items():
        assert torch.equal(weights, squeezenet_state[name])


def test_weights_of_another_network_are_named_key_by_key(
    squeezenet_state: State,
) -> None:
    message = r"Missing key.* …\)\. Expected .* of torchvision's mobilenet_v2, "
    with pytest.raises(ModelError, match=message):
        load_backbone("mobilenet_v2", str(saved(squeezenet_state)))
    other = squeezenet_state | {"classifier.1.bias": torch.zeros(12)}
    with pytest.raises(
        ModelError,
        match=r"size mismatch for classifier\.1\.bias: .*\[12\].*\[1000\]",
    ):
        load_backbone("squeezenet1_1", str(saved(other)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("version https://git-lfs.github.com/spec/v1", "it is a Git LFS pointer: get"),
        ("\n<!DOCTYPE html><p>Not found", "it is a web page: download"),
    ],
)
def test_what_is_downloaded_in_place_of_weights(content: str, message: str) -> None:
    path = saved({})
    path.write_text(content)
    with pytest.raises(ModelError, match=message):
        load_backbone("squeezenet1_1", str(path))
    with pytest.raises(ModelError, match=message):
        load_model(path)


@dataclass
class Server:
    """Stands in for torchvision's server of weights."""

    content: bytes = b""
    status: int = 200
    requests: list[str] = field(default_factory=list)


def use_url(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Takes ImageNet weights from ``url``."""
    entry = SimpleNamespace(DEFAULT=SimpleNamespace(url=url))
    monkeypatch.setattr(torchvision.models, "get_model_weights", lambda _name: entry)


@pytest.fixture
def server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, squeezenet_state: State
) -> Iterator[Server]:
    file = io.BytesIO()
    torch.save(squeezenet_state, file)
    state = Server(file.getvalue())
    digest = hashlib.sha256(state.content).hexdigest()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.requests.append(self.path)
            body = state.content if state.status == 200 else b""
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(
            target=http.serve_forever, kwargs={"poll_interval": 0.01}
        )
        thread.start()
        monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
        url = f"http://127.0.0.1:{http.server_port}/squeezenet1_1-{digest[:8]}.pth"
        use_url(monkeypatch, url)
        yield state
        http.shutdown()
        thread.join()


def downloaded(tmp_path: Path) -> list[str]:
    return [
        path.name for path in (tmp_path / "torch" / "hub" / "checkpoints").iterdir()
    ]


def test_imagenet_weights_are_downloaded_once(server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        _, label = load_backbone("squeezenet1_1", "imagenet")
    assert label.startswith("squeezenet1_1-")
    assert len(server.requests) == len(downloaded(tmp_path)) == 1


@pytest.mark.parametrize("failure", ["gone", "cut", "other"])
def test_a_failed_download_leaves_nothing_and_says_what_to_do(
    server: Server, tmp_path: Path, failure: str
) -> None:
    if failure == "gone":
        server.status = 404
    elif failure == "cut":
        server.content = server.content[: len(server.content) // 2]
    else:
        server.content = server.content[:-1] + b"!"
    message = "squeezenet1_1 could not be downloaded .*there: .*torch/hub/checkpoints"
    with pytest.raises(ModelError, match=message):
        load_backbone("squeezenet1_1", "imagenet")
    assert downloaded(tmp_path) == []


def test_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    use_url(monkeypatch, "http://127.0.0.1:9/alexnet-12345678.pth")
    with pytest.raises(
        ModelError,
        match=r"download http://127\.0\.0\.1:9/alexnet-12345678\.pth elsewhere",
    ):
        load_backbone("alexnet", "imagenet")


def test_torchvision_knows_every_backbone_and_normalises_alike() -> None:
    for name in BACKBONES:
        weights = torchvision.models.get_model_weights(name).DEFAULT
        assert (
            tuple(weights.transforms().mean),
            tuple(weights.transforms().std),
        ) == IMAGENET


@pytest.mark.parametrize(
    ("name", "layer", "shape", "steps"),
    [
        ("alexnet", "conv4", (256, 13, 13), 10),
        ("alexnet", "features", (256, 6, 6), 13),
        ("vgg11_bn", "conv1", (64, 224, 224), 3),
        ("vgg11_bn", "avgpool", (512, 7, 7), 30),
        ("squeezenet1_1", "features.7", (256, 27, 27), 8),
        ("mobilenet_v2", "features.13", (96, 14, 14), 14),
        ("resnet50", "layer3", (1024, 14, 14), 7),
        ("resnet50", "avgpool", (2048, 1, 1), 9),
    ],
)
def test_a_network_up_to_a_layer(
    name: str, layer: str, shape: tuple[int, ...], steps: int
) -> None:
    with torch.device("meta"):
        part = features(torchvision.models.get_model(name).eval(), layer)
        assert part(torch.empty(2, 3, 224, 224)).shape == (2, *shape)
    assert len(part) == steps


def test_conv4_of_alexnet_is_what_follows_its_relu() -> None:
    with torch.device("meta"):
        network = torchvision.models.alexnet()
    part = features(network, "conv4")
    assert isinstance(part[-1], nn.ReLU)
    assert part[-2] is network.features[8]
    assert [type(module) for module in part].count(nn.Conv2d) == 4
    known = r"known are features\.0, features, conv1, .*, avgpool\."
    with pytest.raises(ModelError, match=f"cannot end at layer 'conv6': {known}"):
        features(network, "conv6")


def test_all_convolutions_of_vgg_leave_one_place_of_a_small_image() -> None:
    with torch.device("meta"):
        part = features(torchvision.models.vgg11_bn().eval(), "features")
        assert part(torch.empty(2, 3, 32, 32)).shape == (2, 512, 1, 1)
        assert part(torch.empty(2, 3, 64, 64)).shape == (2, 512, 2, 2)
    assert [type(module) for module in part].count(nn.Conv2d) == 8
    assert isinstance(part[-1], nn.MaxPool2d)
