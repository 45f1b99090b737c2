"""Artists: 451 paintings of eleven painters, as the course hands them out.

Collected by Z. Bylinskii for MIT 6.867 and padded with black to 256×256.
"""

from pathlib import Path

from helpers.data.images import load_folder_split
from helpers.data.splits import Splits

IMAGE_SIZE = 50
VALID_SHARE = 0.2

_NAMES = """
    canaletto claude_monet george_romney jmw_turner john_robert_cozens paul_cezanne
    paul_gauguin paul_sandby peter_paul_rubens rembrandt richard_wilson
"""
CLASSES = tuple(_NAMES.split())


def load(folder: Path, size: int = IMAGE_SIZE) -> Splits:
    """Reads ``<artist>/*.png``; a fifth of each artist is for validation: 91 of 451.

    The course's values in [-0.5, 0.5] are what networks see of
    ``load_data("artists").normalised_with((0.5,) * 3, (1.0,) * 3)``.
    """
    whole = load_folder_split(folder, classes=CLASSES, size=size)
    valid, train = whole.share_out(lambda total: [round(VALID_SHARE * total)])
    return Splits("artists", "real", CLASSES, train, valid)
