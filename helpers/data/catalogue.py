"""The data sets: what each is, where it lies, and ``load_data``, which loads any.

A new data set is one entry here and one module in ``sets/`` with the functions that the
entry names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from helpers.base.errors import ConfigError, DataError
from helpers.base.files import data_dir
from helpers.data import synthetic
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
from helpers.data.splits import Loaded, Splits

SOURCES = ("auto", "real", "synthetic")


@dataclass(frozen=True)
class Archive:
    """One file of an official download.

    Attributes:
        url: where it is.
        sha256: hash of the file, in hexadecimal digits.
        size: its length in bytes.
        convert: lays the file (first argument) out in the set's new folder (second).
        mirrors: where else the same file is.
    """

    url: str
    sha256: str
    size: int
    convert: Callable[[Path, Path], None]
    mirrors: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataSet:
    """One data set.

    Attributes:
        name: the name ``load_data`` knows it by.
        title: its name in prose.
        folder: its own folder below the data folder, and below ``synthetic/`` there.
        image_size: side of the square images in pixels.
        load: reads classes and splits from the folder, and raises a DataError that
            names what is missing or broken; takes a side in pixels where ``any_size``.
        draw: draws the stand-in into an empty folder, in the layout of the real set.
        homepage: where it is described; empty for a set that is generated.
        archives: the official download, where there is one.
        lay_out: makes the set's folder (second argument) of the user's download
            (first).
        make: generates the images unless they are there, and says whether it did.
        collect: gathers the images file by file; takes up what it began.
        seal: a file that is written last: without it the set is not there.
        any_size: whether the images can be had at other sides than ``image_size``.
        factors: what the classes combine, where they do; see ``Splits.factors``.
    """

    name: str
    title: str
    folder: str
    image_size: int
    load: Callable[..., Loaded]
    draw: Callable[[Path], None]
    homepage: str = ""
    archives: tuple[Archive, ...] = ()
    lay_out: Callable[[Path, Path], None] | None = None
    make: Callable[[Path], bool] | None = None
    collect: Callable[[Path], None] | None = None
    seal: str = ""
    any_size: bool = False
    factors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Where the real images lie, if they are there."""
        return data_dir() / self.folder

    @property
    def present(self) -> bool:
        """Whether the real images are there."""
        return (self.path / self.seal).exists()

    @property
    def how_to_get(self) -> str:
        """What to do to have the real images, as the second half of a sentence."""
        if self.make is not None:
            return f"make it with `python -m helpers data make {self.name}`"
        if self.archives or self.collect:
            return f"get it with `python -m helpers data fetch {self.name}`"
        if self.lay_out is not None:
            return (
                f"download it from {self.homepage} and lay it out with "
                f"`python -m helpers data convert {self.name} ARCHIVE`"
            )
        return f"lay it out there as data/README.md says (see {self.homepage})"


def _mnist_file(name: str, size: int, sha256: str) -> Archive:
    return Archive(
        url=f"https://ossci-datasets.s3.amazonaws.com/mnist/{name}.gz",
        sha256=sha256,
        size=size,
        convert=mnist.convert,
        mirrors=(f"http://yann.lecun.com/exdb/mnist/{name}.gz",),
    )


_MNIST = DataSet(
    name="mnist",
    title="MNIST (training set, 60 : 40)",
    folder="MNIST",
    image_size=mnist.IMAGE_SIZE,
    homepage="https://yann.lecun.com/exdb/mnist/",
    load=mnist.load_60_40,
    draw=mnist.draw,
    archives=(
        _mnist_file(
            "train-images-idx3-ubyte",
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        _mnist_file(
            "train-labels-idx1-ubyte",
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        _mnist_file(
            "t10k-images-idx3-ubyte",
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        _mnist_file(
            "t10k-labels-idx1-ubyte",
            4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
)

_ALL = (
    DataSet(
        name="caltech101",
        title="Caltech-101",
        folder="caltech101",
        image_size=caltech101.IMAGE_SIZE,
        homepage="https://data.caltech.edu/records/mzrjq-6wc02",
        load=caltech101.load,
        draw=caltech101.draw,
        archives=(
            Archive(
                url="https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip",
                sha256="331234750fc7f77520e50d9565e8b6907b03565e30320da1401130db08c61f91",
                size=137_414_764,
                convert=caltech101.convert,
            ),
        ),
    ),
    DataSet(
        name="cifar10",
        title="CIFAR-10",
        folder=cifar10.FOLDER,
        image_size=cifar10.IMAGE_SIZE,
        homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
        load=cifar10.load,
        draw=cifar10.draw,
        archives=(
            Archive(
                url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
                size=170_498_071,
                convert=cifar10.convert,
            ),
        ),
    ),
    DataSet(
        name="lines",
        title="the line dataset",
        folder="lines",
        image_size=lines.IMAGE_SIZE,
        load=lines.load,
        draw=lines.draw,
        make=lines.make,
        factors=lines.FACTORS,
    ),
    _MNIST,
    replace(
        _MNIST,
        name="mnist_60k",
        title="MNIST (60,000 + 10,000)",
        load=mnist.load_60k_10k,
    ),
    DataSet(
        name="artists",
        title="the artists' paintings",
        folder="artists",
        image_size=artists.IMAGE_SIZE,
        homepage="https://web.mit.edu/zoya/www/",
        load=artists.load,
        draw=artists.draw,
        any_size=True,
    ),
    DataSet(
        name="facescrub",
        title="FaceScrub",
        folder="facescrub",
        image_size=facescrub.IMAGE_SIZE,
        homepage="https://vintage.winklerbros.net/facescrub.html",
        load=facescrub.load,
        draw=facescrub.draw,
        collect=facescrub_fetch.collect_faces,
        seal=facescrub.MANIFEST,
        any_size=True,
    ),
    DataSet(
        name="clipart",
        title="clip art",
        folder="clipart",
        image_size=clipart.IMAGE_SIZE,
        homepage="https://www.hemanthdv.org/officeHomeDataset.html",
        load=clipart.load,
        draw=clipart.draw,
        lay_out=clipart.lay_out,
        any_size=True,
    ),
)
CATALOGUE = {data_set.name: data_set for data_set in _ALL}


def find_data_set(name: str) -> DataSet:
    """The entry called ``name``; a DataError lists those there are."""
    if name not in CATALOGUE:
        raise DataError(
            f"There is no data set {name!r}: known are {', '.join(CATALOGUE)}."
        )
    return CATALOGUE[name]


def load_data(name: str, source: str = "auto", *, size: int | None = None) -> Splits:
    """Loads a data set.

    Args:
        name: a name in the catalogue.
        source: ``real`` reads the data folder, or makes a set that is generated;
            ``synthetic`` draws a stand-in with the same classes and format; ``auto``
            takes the real images if they are there.
        size: side in pixels to decode photographs and paintings at; None is the set's
            own. It never changes which image is in which split.

    Returns:
        Its splits; ``splits.source`` is ``real`` or ``synthetic``, never ``auto``.

    Raises:
        DataError: the name or source is unknown, or the real images are missing or
            broken; they are never replaced by the stand-in then.
        ConfigError: the size is not positive, or the set comes in one size only.
    """
    data_set = find_data_set(name)
    if source not in SOURCES:
        raise DataError(
            f"There is no data source {source!r}: known are {', '.join(SOURCES)}."
        )
    if source == "auto":
        source = "real" if data_set.make or data_set.present else "synthetic"
    size = _checked_size(data_set, size)
    folder = _real(data_set) if source == "real" else _synthetic(data_set)
    loaded = data_set.load(folder, size) if data_set.any_size else data_set.load(folder)
    return Splits(name, source, *loaded, data_set.factors)


def source_folder(splits: Splits) -> Path:
    """Where the files of a loaded data set lie: its own folder, or the stand-in's."""
    data_set = find_data_set(splits.name)
    return data_set.path if splits.source == "real" else _synthetic(data_set)


def make_data(name: str) -> bool:
    """Generates a data set, unless it is already there, and says whether it did.

    Raises:
        DataError: the set is not one that is generated, its folder holds something
            else, or the disk is full.
    """
    data_set = find_data_set(name)
    if data_set.make is None:
        generated = ", ".join(other.name for other in CATALOGUE.values() if other.make)
        raise DataError(
            f"{data_set.title} is not generated: {data_set.how_to_get}. What can be "
            f"made: {generated}."
        )
    return data_set.make(data_set.path)


@dataclass(frozen=True)
class DataStatus:
    """Whether the real images can be used, and how many there are or what to do."""

    state: Literal["present", "absent", "broken"]
    detail: str


def data_status(name: str) -> DataStatus:
    """Reads every image of the real data set, later from the cache."""
    data_set = find_data_set(name)
    if not data_set.present:
        missing = data_set.path / data_set.seal
        return DataStatus("absent", f"{missing} is not there: {data_set.how_to_get}.")
    try:
        splits = load_data(name, source="real")
    except DataError as error:
        return DataStatus("broken", str(error))
    counts = ", ".join(f"{count:,} {split}" for split, count in splits.counts().items())
    return DataStatus(
        "present", f"{data_set.path}: {counts} images in {len(splits.classes)} classes."
    )


def _checked_size(data_set: DataSet, size: int | None) -> int:
    if size is None or size == data_set.image_size:
        return data_set.image_size
    if not data_set.any_size:
        raise ConfigError(
            f"{data_set.title} comes at {data_set.image_size} pixels only, not at "
            f"{size}: leave the size out."
        )
    if size < 1:
        raise ConfigError(
            f"Images cannot have a side of {size} pixels: choose a size of at least 1."
        )
    return size


def _real(data_set: DataSet) -> Path:
    if data_set.make is not None:
        data_set.make(data_set.path)
    if not data_set.present:
        raise DataError(
            f"{data_set.title} is not there: looked for "
            f"{data_set.path / data_set.seal}. Either {data_set.how_to_get}, "
            'or take the drawn stand-in with source="synthetic".'
        )
    return data_set.path


def _synthetic(data_set: DataSet) -> Path:
    folder = data_dir() / "synthetic" / data_set.folder
    synthetic.draw_once(folder, data_set.draw)
    return folder
