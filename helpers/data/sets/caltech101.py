"""Caltech-101: the official archive made into 64×64 class folders, and those read.

L. Fei-Fei, R. Fergus, P. Perona: Learning generative visual models from few training
examples (CVPR workshop on generative-model based vision, 2004).
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from helpers.data.images import image_files, load_folder_split, open_image, shuffled
from helpers.data.splits import Splits
from helpers.data.staging import unpacked

IMAGE_SIZE = 64
VALID_SHARE = 0.1

_NAMES = """
    Faces Faces_easy Leopards Motorbikes accordion airplanes anchor ant barrel bass
    beaver binocular bonsai brain brontosaurus buddha butterfly camera cannon car_side
    ceiling_fan cellphone chair chandelier cougar_body cougar_face crab crayfish
    crocodile crocodile_head cup dalmatian dollar_bill dolphin dragonfly electric_guitar
    elephant emu euphonium ewer ferry flamingo flamingo_head garfield gerenuk gramophone
    grand_piano hawksbill headphone hedgehog helicopter ibis inline_skate joshua_tree
    kangaroo ketch lamp laptop llama lobster lotus mandolin mayfly menorah metronome
    minaret nautilus octopus okapi pagoda panda pigeon pizza platypus pyramid revolver
    rhino rooster saxophone schooner scissors scorpion sea_horse snoopy soccer_ball
    stapler starfish stegosaurus stop_sign strawberry sunflower tick trilobite umbrella
    watch water_lilly wheelchair wild_cat windsor_chair wrench yin_yang
"""
CLASSES = tuple(_NAMES.split())


def load(folder: Path) -> Splits:
    """Reads ``train/<class>/*.jpg`` and ``valid/<class>/*.jpg``; no test split."""
    train, valid = (
        load_folder_split(folder / name, classes=CLASSES, size=IMAGE_SIZE)
        for name in ("train", "valid")
    )
    return Splits("caltech101", "real", CLASSES, train, valid)


def convert(archive: Path, folder: Path) -> None:
    """Lays out the official archive: 64×64 JPEG, a tenth of each class for validation.

    Images are squashed to squares, not cropped, as the course's were. Grayscale stays
    grayscale. ``BACKGROUND_Google`` is no class and left out. The course's two examples
    (accordion/image_0001 and camera/image_0001) are for training, as in its own split.
    """
    with unpacked(archive, beside=folder) as outer:
        inner = next(outer.rglob("101_ObjectCategories.tar.gz"))
        with unpacked(inner, beside=folder) as originals:
            _lay_out(originals / "101_ObjectCategories", folder)


def _lay_out(originals: Path, folder: Path) -> None:
    pairs = []
    for name in CLASSES:
        files = shuffled(image_files(originals / name))
        count = max(1, round(VALID_SHARE * len(files)))
        for split, part in (("train", files[count:]), ("valid", files[:count])):
            (folder / split / name).mkdir(parents=True)
            pairs += [(file, folder / split / name / file.name) for file in part]
    with ThreadPoolExecutor() as pool:  # Pillow releases the interpreter lock
        list(pool.map(_shrink, *zip(*pairs, strict=True)))


def _shrink(original: Path, target: Path) -> None:
    side = (IMAGE_SIZE, IMAGE_SIZE)
    image = open_image(original).resize(side, Image.Resampling.BICUBIC)
    image.save(target, "JPEG", quality=95, subsampling=0)
