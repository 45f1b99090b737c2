"""What a trained point is known by, beside its settings: its code and first weights."""

import ast
import hashlib
import inspect
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path

import torch
from torch import nn

MODELS = "helpers.models"
# As imported: code edited under a living kernel is not what runs there.
_SOURCES = {
    path: path.read_text("utf-8") for path in Path(__file__).parents[1].rglob("*.py")
}
# What every training goes through: normalisation, order, augmentation, loss, optimizer,
# loop, and how the best epoch is found.
TRAINING = (
    "helpers.data.augment",
    "helpers.data.batches",
    "helpers.data.splits",
    "helpers.training.device",
    "helpers.training.evaluate",
    "helpers.training.history",
    "helpers.training.launch",
    "helpers.training.loop",
    "helpers.training.objective",
    "helpers.training.optimizers",
)


def code_digest(model: nn.Module) -> str:
    """A hash of the layers of ``model``, its code and what trains it.

    Comments, docstrings and formatting do not count; a class of a notebook does, but no
    function that it calls. Of a layer's own attributes, numbers, texts and tuples do.
    """
    names = (*network_modules(model), *TRAINING)
    own = (_methods(kind) for kind in _classes(model))
    plain = int, float, str, tuple, type(None)
    settings = [
        {k: v for k, v in vars(one).items() if isinstance(v, plain) and k != "training"}
        for one in model.modules()
    ]
    return hashed("".join([f"{model}{settings}", *map(_source_digest, names), *own]))


def network_modules(model: nn.Module) -> list[str]:
    """The modules of ``helpers.models`` that the network is built from, by name."""
    found: set[str] = set()
    waiting = {kind.__module__ for kind in _classes(model)}
    while waiting:
        name = waiting.pop()
        if name.startswith(MODELS) and name not in found:
            found.add(name)
            waiting |= _imports(name)
    return sorted(found)


def weights_digest(model: nn.Module) -> str:
    """A hash of all parameters and buffers, pretrained or drawn."""
    digest = hashlib.blake2b(digest_size=12)
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        values = tensor.detach().cpu().contiguous().flatten()
        digest.update(values.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def hashed(text: str) -> str:
    """A hash that fits into a file's name."""
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def essence(source: str) -> str:
    """What Python code does: its syntax tree without docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = node.body[ast.get_docstring(node) is not None :]
    return ast.dump(tree)


def _classes(model: nn.Module) -> list[type]:
    return [*dict.fromkeys(k for one in model.modules() for k in type(one).__mro__)]


def _methods(kind: type) -> str:
    """The code of a class that no module of ``network_modules`` or library holds."""
    if kind.__module__.startswith((MODELS, "torch", "builtins")):
        return ""
    found = ""
    for name, value in vars(kind).items():
        # Of any method, or of a property, cached or not, its function.
        part = getattr(value, "__func__", getattr(value, "fget", value))
        part = getattr(value, "func", part)
        if inspect.isfunction(part):
            with suppress(OSError):  # what `dataclass` has written has no source
                source = inspect.getsource(part)
                try:  # Not dedented: a string may hold lines at the margin.
                    found += essence("if 1:\n" * source[0].isspace() + source)
                except SyntaxError:  # a lambda in the midst of a statement
                    found += source
        elif name[:2] != "__" and isinstance(
            part, float | int | str | tuple | list | dict
        ):
            found += f"{name}={part!r}"
    return found


@cache
def _source_digest(name: str) -> str:
    return hashed(essence(_source(name)))


def _source(name: str) -> str:
    return _SOURCES[Path(inspect.getfile(import_module(name)))]


@cache
def _imports(name: str) -> frozenset[str]:
    nodes = ast.walk(ast.parse(_source(name)))
    return frozenset(n.module or "" for n in nodes if isinstance(n, ast.ImportFrom))
