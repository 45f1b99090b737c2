from __future__ import annotations

import pytest
from pretended import Shown


@pytest.fixture
def shown() -> Shown:
    """Keeps what a study shows."""
    return Shown()
