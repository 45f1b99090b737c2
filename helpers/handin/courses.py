"""The courses, and what each asks to be handed in, as its text says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from helpers.base.errors import ExportError


@dataclass(frozen=True)
class Part:
    """One archive.

    Attributes:
        name: of the file, without ``.zip``.
        title: of the archive and its report.
        notebooks: whose code is in it, besides the library.
        report: the PDF in it, the notebooks' no-code view; empty where the executed
            notebooks are handed in instead, with their pages.
        paper: the notebook whose paper is the report.
        pages: the least and the most that a report may have; None means any number.
        results: files of runs, by their path in the archive.
        commands: of ``python -m helpers``, for its README, run in ``code/``.
        most_bytes: how large it may be; None means any size.
    """

    name: str
    title: str
    notebooks: tuple[str, ...]
    report: str = ""
    paper: str = ""
    pages: tuple[int, int] | None = None
    results: Mapping[str, str] = field(default_factory=dict)
    commands: tuple[str, ...] = ()
    most_bytes: int | None = None


@dataclass(frozen=True)
class Course:
    """The course that sets an assignment, and what is handed in for it.

    Attributes:
        subject: of the assignment, in a word or two.
        title: of the assignment.
        source: which course, when and where.
        asked: the course's own rule, in our words.
        parts: the archives.
        bundled: whether they go into one archive, which is named after the group.
        loose_report: whether the report is handed in beside the archive as well.
    """

    subject: str
    title: str
    source: str
    asked: str
    parts: tuple[Part, ...]
    bundled: bool = False
    loose_report: bool = False


def _named(assignment: str, names: str) -> tuple[str, ...]:
    return tuple(f"{assignment}/{name}" for name in names.split())


CALTECH101 = _named(
    "caltech101", "01_lenet5 02_improved_cnn 03_activations 04_resnet18"
)
CIFAR10 = _named(
    "cifar10",
    "01_convnet 02_batch_norm 03_augmentation 04_dropout 05_pretrained_vgg",
)
LINES = _named("lines", "01_foundations 02_own_network 03_multi_head 04_visualization")
ARTISTS_FACES = _named(
    "artists_faces",
    "01_simple_cnn 02_regularization 03_architecture 04_transformed_data 05_face_mlp "
    "06_alexnet_features 07_alexnet_finetuning 08_report",
)
CLIPART = _named(
    "clipart", "01_resnet50 02_own_network 03_ablation 04_inspection 05_report"
)


LINES_PARTS = (
    Part(
        "1",
        "Foundations of convolutional networks",
        LINES[:2],
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
        LINES[2:3],
        "report.pdf",
        pages=(3, 4),
        results={"models/multi_head.pt": "lines/03_multi_head/model.pt"},
        commands=("predict ../models/multi_head.pt IMAGES --names -o labels.txt",),
    ),
    Part(
        "3",
        "What these networks see",
        LINES[3:],
        "report.pdf",
        pages=(3, 4),
        commands=(
            "visualize lines/02_own_network --kind activations --image IMAGE -o a.png",
            "visualize lines/03_multi_head --kind filters -o filters.png",
            "visualize MODEL.pt --kind heatmap --image IMAGE --layer LAYER -o h.png",
        ),
    ),
)
CLIPART_PART = Part(
    "clipart",
    "Clip art",
    CLIPART,
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
        "Caltech-101: LeNet-5, an improved CNN, its activations, ResNet-18",
        "Deep Learning Course, Assignment 2, 2024",
        "the notebook as .ipynb and as .pdf or .html",
        (Part("caltech101", "Caltech-101", CALTECH101),),
    ),
    "cifar10": Course(
        "CIFAR-10",
        "CIFAR-10: convolutional networks",
        "Exercise 3: Convolutional Networks",
        "code and report, without images and data, at most 10 MB",
        (
            Part(
                "cifar10",
                "Convolutional networks on CIFAR-10",
                CIFAR10,
                "report.pdf",
                most_bytes=10_000_000,
            ),
        ),
    ),
    "lines": Course(
        "Lines and digits",
        "Lines and digits: foundations, several heads, visualisation",
        "CS671 Deep Learning and its Applications, Programming Assignment 2, IIT "
        "Mandi, 2019",
        "1.zip, 2.zip and 3.zip in GROUP.zip: code, README and a report of 3 to 4 "
        "pages each, models in 1 and 2",
        LINES_PARTS,
        bundled=True,
    ),
    "artists_faces": Course(
        "Artists and faces",
        "Artists from scratch, faces by transfer",
        "COMP541 Deep Learning, Assignment 2, Koç University, 2022",
        "one PDF of 6 to 8 pages without code, and the code",
        (
            Part(
                "artists_faces",
                "Artists and faces",
                ARTISTS_FACES,
                "report.pdf",
                paper="artists_faces/08_report",
                pages=(6, 8),
            ),
        ),
        loose_report=True,
    ),
    "clipart": Course(
        "Clip art",
        "Clip art: a ResNet-50 transferred and from scratch, and a network of our own",
        "Deep Learning, Homework 2, Tsinghua University, 2019",
        "one archive with code, document, the models A, B and C, and C's predictions "
        "for the test set",
        (CLIPART_PART,),
    ),
}


def find_course(assignment: str) -> Course:
    """What is handed in for ``assignment``.

    Raises:
        ExportError: there is no such assignment; the message lists those there are.
    """
    if assignment not in COURSES:
        raise ExportError(
            f"There is no assignment {assignment!r} to hand in. Known: "
            f"{', '.join(COURSES)}."
        )
    return COURSES[assignment]
