"""The data sets: what each is, where it lies, and ``load_data``, which loads any.

A new data set is one entry here and one module in ``sets/`` with the functions that the
entry names.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from helpers.base.errors import ConfigError, DataError, require_known
from helpers.base.files import data_dir
from helpers.data.sets import (
    artists,
    caltech101,
    cifar10,
    clipart,
    facescrub,
    facescrub_fetch,
    lines,
    mnist,
)
from helpers.data.splits import Splits
from helpers.data.staging import is_clutter
from helpers.data.synthetic import draw_stand_in

SOURCES = ("auto", "real", "synthetic")


@dataclass(frozen=True)
class DataSet:
    """One data set.

    Attributes:
        name: the name ``load_data`` knows it by.
        folder: its own folder below the data folder.
        load: reads the folder, and names what is missing or broken; takes a ``size``
            in pixels where ``any_size``.
        draw: draws the stand-in, likewise.
        archives: the official download: URLs to their SHA-256.
        convert: lays a download (first argument) out in the new folder (second).
        collect: makes or gathers the images; takes up what it began.
        how_to_get: what to do where ``fetch`` does not: half a sentence.
        generated: whether ``load`` makes what is missing.
        any_size: whether the images can be had at any size.
    """

    name: str
    folder: str
    load: Callable[..., Splits]
    draw: Callable[..., Splits]
    archives: Mapping[str, str] = field(default_factory=dict)
    convert: Callable[[Path, Path], None] | None = None
    collect: Callable[[Path], None] | None = None
    how_to_get: str = ""
    generated: bool = False
    any_size: bool = False

    @property
    def path(self) -> Path:
        """Where the real images lie, if they are there."""
        return data_dir() / self.folder

    @property
    def present(self) -> bool:
        """Whether the real images are there."""
        names = (path.name for path in self.path.glob("*"))
        return self.path.is_file() or not all(map(is_clutter, names))

    @property
    def advice(self) -> str:
        """What to do to have the real images, as the second half of a sentence."""
        fetch = f"get it with `python -m helpers data fetch {self.name}`"
        return self.how_to_get or fetch


_DIGITS = partial(draw_stand_in, classes=mnist.CLASSES, size=28, channels=1)
_MNIST_FILES = """
    train-images-idx3 440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609
    train-labels-idx1 3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c
    t10k-images-idx3 8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6
    t10k-labels-idx1 f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6
"""
_MNIST = DataSet(
    "mnist",
    "MNIST",
    load=mnist.load_60_40,
    draw=partial(_DIGITS, "mnist", counts=(162, 18, 120)),
    convert=mnist.convert,
    archives={
        f"https://ossci-datasets.s3.amazonaws.com/mnist/{name}-ubyte.gz": sha256
        for name, sha256 in map(str.split, _MNIST_FILES.strip().splitlines())
    },
)

_ALL = (
    DataSet(
        "caltech101",
        "caltech101",
        load=caltech101.load,
        draw=partial(
            draw_stand_in, "caltech101", caltech101.CLASSES, size=64, counts=(20, 3, 0)
        ),
        convert=caltech101.convert,
        archives={
            "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip": (
                "331234750fc7f77520e50d9565e8b6907b03565e30320da1401130db08c61f91"
            )
        },
    ),
    DataSet(
        "cifar10",
        cifar10.FOLDER,
        load=cifar10.load,
        draw=partial(
            draw_stand_in, "cifar10", cifar10.CLASSES, size=32, counts=(270, 30, 60)
        ),
        convert=cifar10.convert,
        archives={
            "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz": (
                "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
            )
        },
    ),
    DataSet(
        "lines",
        "lines",
        load=lines.load,
        draw=lines.draw,
        collect=lines.make,
        generated=True,
    ),
    _MNIST,
    replace(
        _MNIST,
        name="mnist_60k",
        load=mnist.load_60k_10k,
        draw=partial(_DIGITS, "mnist_60k", counts=(270, 30, 50)),
    ),
    DataSet(
        "artists",
        "artists",
        load=artists.load,
        draw=partial(
            draw_stand_in, "artists", artists.CLASSES, size=50, counts=(16, 4, 0)
        ),
        how_to_get="lay it out there as data/README.md says (see "
        "https://web.mit.edu/zoya/www/)",
        any_size=True,
    ),
    DataSet(
        "facescrub",
        "facescrub/faces",
        load=facescrub.load,
        draw=partial(
            draw_stand_in, "facescrub", facescrub.CLASSES, size=112, counts=(70, 5, 5)
        ),
        collect=facescrub_fetch.collect_faces,
        any_size=True,
    ),
    DataSet(
        "clipart",
        "clipart",
        load=clipart.load,
        draw=clipart.draw,
        convert=clipart.convert,
        how_to_get="download it from https://www.hemanthdv.org/officeHomeDataset.html "
        "and lay it out with `python -m helpers data convert clipart ARCHIVE`",
        any_size=True,
    ),
)
CATALOGUE = {data_set.name: data_set for data_set in _ALL}


def find_data_set(name: str) -> DataSet:
    """The entry called ``name``; a DataError lists those there are."""
    require_known(DataError, "There is no data set", name, CATALOGUE)
    return CATALOGUE[name]


def load_data(name: str, source: str = "auto", *, size: int | None = None) -> Splits:
    """Loads the splits of a data set: real or a stand-in, as their ``source`` says.

    Args:
        name: a name in the catalogue.
        source: ``real`` reads the data folder, or makes a set that is generated;
            ``synthetic`` draws a stand-in with the same classes and format; ``auto``
            takes the real images if they are there.
        size: side in pixels to decode photographs and paintings at; None is the set's
            own. It never changes which image is in which split.

    Raises:
        DataError: the name or source is unknown, or the real images are missing or
            broken; they are never replaced by the stand-in then.
        ConfigError: the size is not positive, or the set comes in one only.
    """
    data_set = find_data_set(name)
    require_known(DataError, "There is no data source", source, SOURCES)
    if size is not None and not (data_set.any_size and size > 0):
        raise ConfigError(
            f"{name} cannot be had at {size} pixels: expected a positive "
            "size, and none for a set that comes in one."
        )
    there = data_set.generated or data_set.present
    if source == "auto":
        source = "real" if there else "synthetic"
    sized = {} if size is None else {"size": size}
    if source == "synthetic":
        return data_set.draw(**sized)
    if not there:
        raise DataError(
            f"{name} is not there: looked for {data_set.path}. Either "
            f"{data_set.advice}, or take the drawn stand-in with "
            'source="synthetic".'
        )
    return data_set.load(data_set.path, **sized)


def data_status(name: str) -> tuple[str, str]:
    """Whether the real images are ``present``, ``absent`` or ``broken``, for which all
    are read; and how many there are, or what to do.
    """
    data_set = find_data_set(name)
    if not data_set.present:
        missing = f"{data_set.path} is not there: {data_set.advice}."
        return "absent", missing
    try:
        splits = load_data(name, source="real")
    except (DataError, OSError) as error:
        return "broken", str(error)
    counts = ", ".join(f"{count:,} {split}" for split, count in splits.counts().items())
    known = f"{counts} images in {len(splits.classes)} classes"
    return "present", f"{data_set.path}: {known}."
