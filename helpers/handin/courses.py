"""The courses, and what each asks to be handed in, as its text says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from helpers.base.errors import ExportError


@dataclass(frozen=True)
class Part:
    """One archive, ``name.zip``.

    Attributes:
        notebooks: whose code is in it, besides the library.
        report: the PDF in it, the notebooks' no-code view; empty where the executed
            notebooks are handed in instead, with their pages.
        paper: the notebook whose paper is the report.
        pages: the least and the most that the report may have.
        results: files of runs, by their path in the archive.
        commands: of ``python -m helpers``, for its README, run in ``code/``.
    """

    name: str
    title: str
    notebooks: tuple[str, ...]
    report: str = ""
    paper: str = ""
    pages: tuple[int, int] | None = None
    results: Mapping[str, str] = field(default_factory=dict)
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Course:
    """The course that sets an assignment, and what is handed in for it.

    Attributes:
        subject: of the assignment, in a word or two.
        source: which course, when and where.
        asked: the course's own rule, in our words.
        bundled: whether the parts go into one archive, which is named after the group.
        loose_report: whether the report is handed in beside the archive as well.
        most_bytes: how large a file may be.
    """

    subject: str
    source: str
    asked: str
    parts: tuple[Part, ...]
    bundled: bool = False
    loose_report: bool = False
    most_bytes: int | None = None


def _named(assignment: str, names: str) -> tuple[str, ...]:
    return tuple(f"{assignment}/{name}" for name in names.split())


CALTECH101_PART = Part(
    "caltech101",
    "LeNet-5, an improved CNN, its activations, ResNet-18",
    _named("caltech101", "01_lenet5 02_improved_cnn 03_activations 04_resnet18"),
)
CIFAR10_PART = Part(
    "cifar10",
    "Convolutional networks on CIFAR-10",
    _named(
        "cifar10",
        "01_convnet 02_batch_norm 03_augmentation 04_dropout 05_pretrained_vgg",
    ),
    "report.pdf",
)
LINES_PARTS = (
    Part(
        "1",
        "Foundations of convolutional networks",
        _named("lines", "01_foundations 02_own_network"),
        "report.pdf",
        pages=(3, 4),
        results={
            "models/listed_lines.pt": "lines/01_foundations/model.pt",
            "models/listed_mnist.pt": "lines/01_foundations/model_mnist.pt",
            "models/own_lines.pt": "lines/02_own_network/model.pt",
            "models/own_mnist.pt": "lines/02_own_network/model_mnist.pt",
        },
        commands=("predict ../models/own_mnist.pt IMAGES --names -o labels.txt",),
    ),
    Part(
        "2",
        "One network with four heads",
        _named("lines", "03_multi_head"),
        "report.pdf",
        pages=(3, 4),
        results={"models/multi_head.pt": "lines/03_multi_head/model.pt"},
        commands=("predict ../models/multi_head.pt IMAGES --names -o labels.txt",),
    ),
    Part(
        "3",
        "What these networks see",
        _named("lines", "04_visualization"),
        "report.pdf",
        pages=(3, 4),
        commands=(
            "visualize lines/02_own_network --kind activations --image IMAGE -o a.png",
            "visualize lines/03_multi_head --kind filters -o filters.png",
            "visualize MODEL.pt --kind heatmap --image IMAGE --layer LAYER -o h.png",
        ),
    ),
)
ARTISTS_FACES_PART = Part(
    "artists_faces",
    "Artists from scratch, faces by transfer",
    _named(
        "artists_faces",
        "01_simple_cnn 02_regularization 03_architecture 04_transformed_data "
        "05_face_mlp 06_alexnet_features 07_alexnet_finetuning 08_report",
    ),
    "report.pdf",
    paper="artists_faces/08_report",
    pages=(6, 8),
)
CLIPART_PART = Part(
    "clipart",
    "A ResNet-50 transferred and from scratch, and a network of our own",
    _named("clipart", "01_resnet50 02_own_network 03_ablation 04_inspection 05_report"),
    "document.pdf",
    paper="clipart/05_report",
    results={
        "models/A.pt": "clipart/01_resnet50/model_a.pt",
        "models/B.pt": "clipart/01_resnet50/model_b.pt",
        "models/C.pt": "clipart/02_own_network/model.pt",
        "test_predictions.txt": "clipart/02_own_network/test_predictions.txt",
    },
    commands=("predict ../models/C.pt TEST_FOLDER -o test_predictions.txt",),
)

COURSES = {
    "caltech101": Course(
        "Caltech-101",
        "Deep Learning Course, Assignment 2, 2024",
        "the notebook as .ipynb and as .pdf or .html",
        (CALTECH101_PART,),
    ),
    "cifar10": Course(
        "CIFAR-10",
        "Exercise 3: Convolutional Networks",
        "code and report, without images and data, at most 10 MB",
        (CIFAR10_PART,),
        most_bytes=10_000_000,
    ),
    "lines": Course(
        "Lines and digits",
        "CS671 Deep Learning and its Applications, Programming Assignment 2, IIT "
        "Mandi, 2019",
        "1.zip, 2.zip and 3.zip in GROUP.zip: code, README and a report of 3 to 4 "
        "pages each, models in 1 and 2",
        LINES_PARTS,
        bundled=True,
    ),
    "artists_faces": Course(
        "Artists and faces",
        "COMP541 Deep Learning, Assignment 2, Koç University, 2022",
        "one PDF of 6 to 8 pages without code, and the code",
        (ARTISTS_FACES_PART,),
        loose_report=True,
    ),
    "clipart": Course(
        "Clip art",
        "Deep Learning, Homework 2, Tsinghua University, 2019",
        "one archive with code, document, the models A, B and C, and C's predictions "
        "for the test set",
        (CLIPART_PART,),
    ),
}


def find_course(assignment: str) -> Course:
    """What is handed in for ``assignment``.

    Raises:
        ExportError: there is no such assignment.
    """
    if assignment not in COURSES:
        raise ExportError(
            f"There is no assignment {assignment!r} to hand in. Known: "
            f"{', '.join(COURSES)}."
        )
    return COURSES[assignment]


def subject_of(assignment: str) -> str:
    """An assignment in a word or two; its name where no course sets it."""
    return COURSES[assignment].subject if assignment in COURSES else assignment
