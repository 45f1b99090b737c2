from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from helpers.plots import use_style


@pytest.fixture(autouse=True)
def style() -> Iterator[None]:
    with mpl.rc_context():
        use_style()
        yield
    plt.close("all")
