from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from helpers.base.errors import ModelError
from helpers.models import LeNet5, load_model, save_model
from helpers.models.saved import find_model


@pytest.fixture
def saved_path(tmp_path: Path) -> Path:
    path = tmp_path / "model.pt"
    save_model(
        path,
        LeNet5(3, in_channels=1, image_size=16),
        architecture="lenet5",
        arguments={"num_classes": 3, "in_channels": 1, "image_size": 16},
        classes=("a", "b", "c"),
        image_size=16,
        channels=1,
        mean=(0.4,),
        std=(0.2,),
        trained_on="synthetic",
    )
    return path


def test_a_saved_model_holds_all_that_prediction_needs(saved_path: Path) -> None:
    saved = load_model(saved_path)
    assert (saved.classes, saved.image_size, saved.channels) == (("a", "b", "c"), 16, 1)
    assert not saved.model.training
    assert load_model(saved_path, trained_on="synthetic").trained_on == "synthetic"
    with pytest.raises(ModelError, match="was trained on synthetic data"):
        load_model(saved_path, trained_on="real")
    images = torch.randint(0, 256, (257, 1, 16, 16), dtype=torch.uint8)
    probabilities = saved.predict(images)
    assert probabilities.shape == (257, 3)
    assert torch.allclose(probabilities.sum(1), torch.ones(257), atol=1e-6)
    by_hand = saved.model((images.float() / 255 - 0.4) / 0.2).softmax(1)
    assert torch.allclose(probabilities, by_hand, atol=1e-6)


def test_a_missing_model_names_the_command_that_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        ModelError, match=r"python -m helpers run caltech101/01_lenet5$"
    ):
        load_model("caltech101/01_lenet5")
    monkeypatch.setenv("CNN_QUICK", "1")
    with pytest.raises(
        ModelError, match=r"python -m helpers run caltech101/01_lenet5 --quick$"
    ):
        load_model("caltech101/01_lenet5")
    with pytest.raises(ModelError, match="no model file"):
        load_model(tmp_path / "absent.pt")


def test_a_file_that_is_no_model_is_refused(tmp_path: Path, saved_path: Path) -> None:
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"text")
    with pytest.raises(ModelError, match=r"broken\.pt cannot be read \("):
        load_model(broken)
    torch.save([1, 2], broken)
    with pytest.raises(ModelError, match="holds no model of format 1"):
        load_model(broken)
    content = torch.load(saved_path, weights_only=True)
    content["arguments"]["num_classes"] = 4
    torch.save(content, broken)
    with pytest.raises(ModelError, match=r"cannot be used \(.*LeNet5"):
        load_model(broken)
    saved_path.write_bytes(saved_path.read_bytes()[:5000])
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(saved_path)


Content = dict[str, Any]


def put(**changes: Any) -> Callable[[Content], Content]:
    return lambda content: content | changes


def drop(name: str) -> Callable[[Content], Content]:
    return lambda content: {k: v for k, v in content.items() if k != name}


def argued(**changes: Any) -> Callable[[Content], Content]:
    return lambda content: content | {"arguments": content["arguments"] | changes}


def weighed(change: Callable[[Content], Any]) -> Callable[[Content], Content]:
    return lambda content: content | {"state_dict": change(content["state_dict"])}


def deep(content: Content) -> Content:
    nest: list[Any] = []
    for _ in range(100):
        nest = [nest]
    return content | {"arguments": {"num_classes": nest}}


MALFORMED: dict[str, Callable[[Content], Any]] = {
    "its weights alone": lambda content: content["state_dict"],
    "wrapped": lambda content: {"model": content},
    "another format": put(format=2),
    "no format": drop("format"),
    "no classes": drop("classes"),
    "no weights": drop("state_dict"),
    "more": put(optimizer={}),
    "a number as a name": lambda content: content | {1: 2},
    "unknown network": put(architecture="lenet6"),
    "a list as network": put(architecture=["lenet5"]),
    "arguments a list": put(arguments=[3]),
    "arguments without names": put(arguments={1: 3}),
    "unknown argument": argued(depth=3),
    "the registry's argument": argued(name="lenet5"),
    "argument of another type": argued(num_classes="three"),
    "negative argument": argued(num_classes=-3),
    "far too large": argued(num_classes=10**14),
    "nested": deep,
    "empty classes": put(classes=[]),
    "classes a text": put(classes="abc"),
    "classes of numbers": put(classes=[1, 2, 3]),
    "too few classes": put(classes=["a", "b"]),
    "another size": put(image_size=15),
    "no size": put(image_size=0),
    "huge size": put(image_size=10**9),
    "size a float": put(image_size=16.5),
    "channels of another network": put(channels=3),
    "channels true": put(channels=True),
    "three means for one channel": put(mean=(0.1, 0.2, 0.3)),
    "no std": put(std=()),
    "std of zero": put(std=(0.0,)),
    "std a text": put(std=("a",)),
    "mean is no number": put(mean=(float("nan"),)),
    "trained on what": put(trained_on="imagenet"),
    "weights a list": weighed(lambda state: list(state.values())),
    "prefix": weighed(lambda state: {f"module.{k}": v for k, v in state.items()}),
    "a weight too many": weighed(lambda state: state | {"fc9.bias": torch.zeros(3)}),
    "a weight too few": weighed(lambda state: dict(list(state.items())[1:])),
    "weights as numbers": weighed(lambda state: dict.fromkeys(state, 1.0)),
    "weights named by numbers": put(state_dict={1: torch.zeros(3)}),
    "weights of other shapes": weighed(lambda s: {k: v[None] for k, v in s.items()}),
    "weights are no numbers": weighed(
        lambda s: {k: v * torch.nan for k, v in s.items()}
    ),
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED)
def test_a_model_of_other_content_is_refused_in_one_sentence(
    change: Callable[[Content], Any], saved_path: Path
) -> None:
    torch.save(change(torch.load(saved_path, weights_only=True)), saved_path)
    with pytest.raises(
        ModelError, match=r"Expected a model\.pt as the notebooks"
    ) as error:
        load_model(saved_path)
    assert str(saved_path) in str(error.value)
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize("source", ["lines/03_multi_head", "notebooks/{}.ipynb"])
def test_a_notebook_is_named_by_its_path_too(source: str) -> None:
    with pytest.raises(ModelError, match=r"^lines/03_multi_head has left no model"):
        find_model(source.format("lines/03_multi_head"))


def test_a_file_of_a_model_keeps_its_folders() -> None:
    assert find_model("notebooks/mine/model.pt") == Path("notebooks/mine/model.pt")
