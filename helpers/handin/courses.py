"""The courses, and what each asks to be handed in, as its text says it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from helpers.base.declared import find_notebooks, resolve, with_needs

PREDICTIONS = "test_predictions.txt"  # for a test set whose labels the course keeps


@dataclass(frozen=True)
class Part:
    """One archive, ``name.zip``.

    Attributes:
        names: of the notebooks that it is about; empty for all of ``name``.
        report: the PDF in it, the notebooks' no-code view; empty where the executed
            notebooks are handed in instead, with their pages.
        paper: the notebook whose paper is the report.
        pages: the least and the most that the report may have.
        results: files of runs, by their path in the archive.
        commands: of ``python -m helpers``, for its README.
    """

    name: str
    title: str
    names: tuple[str, ...] = ()
    report: str = "report.pdf"
    paper: str = ""
    pages: tuple[int, int] | None = None
    results: Mapping[str, str] = field(default_factory=dict)
    commands: tuple[str, ...] = ()

    @property
    def notebooks(self) -> list[str]:
        """The names of its notebooks, in reading order."""
        names = self.names or (self.name,)
        return [notebook.name for name in names for notebook in resolve(name)]

    @property
    def needed(self) -> list[str]:
        """Those, and all that they need."""
        return with_needs(self.notebooks, find_notebooks())


@dataclass(frozen=True)
class Course:
    """The course that sets an assignment, and what is handed in for it.

    Attributes:
        subject: of the assignment, in a word or two.
        source: which course, when and where.
        asked: the course's own rule, in our words.
        parts: the archives; several go into one that is named after the group.
        loose_report: whether the report is handed in beside the archive, too.
        most_bytes: how large a file may be.
    """

    subject: str
    source: str
    asked: str
    parts: tuple[Part, ...]
    loose_report: bool = False
    most_bytes: int | None = None

    @property
    def bundled(self) -> bool:
        """Whether the archives go into one."""
        return len(self.parts) > 1


LINES = (
    Part(
        "1",
        "Foundations of convolutional networks",
        ("lines/01_foundations", "lines/02_own_network"),
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
        ("lines/03_multi_head",),
        pages=(3, 4),
        results={"models/multi_head.pt": "lines/03_multi_head/model.pt"},
        commands=("predict ../models/multi_head.pt IMAGES --names -o labels.txt",),
    ),
    Part(
        "3",
        "What these networks see",
        ("lines/04_visualization",),
        pages=(3, 4),
        commands=(
            "visualize lines/02_own_network IMAGE --kind activations -o a.png",
            "visualize lines/03_multi_head --kind filters -o filters.png",
            "visualize MODEL.pt IMAGE --kind heatmap --layer LAYER -o h.png",
        ),
    ),
)

COURSES = {
    "caltech101": Course(
        "Caltech-101",
        "Deep Learning Course, Assignment 2, 2024",
        "the notebook as .ipynb and as .pdf or .html",
        (
            Part(
                "caltech101",
                "LeNet-5, an improved CNN, its activations, ResNet-18",
                report="",
            ),
        ),
    ),
    "cifar10": Course(
        "CIFAR-10",
        "Exercise 3: Convolutional Networks",
        "code and report, without images and data, at most 10 MB",
        (Part("cifar10", "Convolutional networks on CIFAR-10"),),
        most_bytes=10_000_000,
    ),
    "lines": Course(
        "Lines and digits",
        "CS671 Deep Learning and its Applications, Programming Assignment 2, IIT "
        "Mandi, 2019",
        "1.zip, 2.zip and 3.zip in GROUP.zip: code, README and a report of 3 to 4 "
        "pages each, models in 1 and 2",
        LINES,
    ),
    "artists_faces": Course(
        "Artists and faces",
        "COMP541 Deep Learning, Assignment 2, Koç University, 2022",
        "one PDF of 6 to 8 pages, without code",
        (
            Part(
                "artists_faces",
                "Artists from scratch, faces by transfer",
                paper="artists_faces/08_report",
                pages=(6, 8),
            ),
        ),
        loose_report=True,
    ),
    "clipart": Course(
        "Clip art",
        "Deep Learning, Homework 2, Tsinghua University, 2019",
        "one archive with code, document, the models A, B and C, and C's predictions "
        "for the test set",
        (
            Part(
                "clipart",
                "A ResNet-50 transferred and from scratch, and a network of our own",
                report="document.pdf",
                paper="clipart/05_report",
                results={
                    "models/A.pt": "clipart/01_resnet50/model_a.pt",
                    "models/B.pt": "clipart/01_resnet50/model_b.pt",
                    "models/C.pt": "clipart/02_own_network/model.pt",
                    PREDICTIONS: f"clipart/02_own_network/{PREDICTIONS}",
                },
                commands=(f"predict ../models/C.pt TEST_FOLDER -o {PREDICTIONS}",),
            ),
        ),
    ),
}


def subject_of(assignment: str) -> str:
    """An assignment in a word or two; its name where no course sets it."""
    return COURSES[assignment].subject if assignment in COURSES else assignment
