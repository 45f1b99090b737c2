"""What a user can do something about.

Every message says what is wrong, what was expected and what to do; the command line
prints it without a traceback. Anything else that is raised is a fault of ours and keeps
its traceback.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from textwrap import shorten


class HelpersError(Exception):
    """A failure that its message explains to the user."""


class ConfigError(HelpersError, ValueError):
    """A setting, option or parameter that is unknown or out of range."""


class DataError(HelpersError):
    """A data set, archive or image that is missing, broken or not what it should be."""


class ModelError(HelpersError):
    """A model, layer or weights file that is unknown, missing or does not fit."""


class TrainingError(HelpersError):
    """Training that cannot go on, such as from a checkpoint that does not fit."""


class DivergedError(TrainingError):
    """A loss that is not a number, in training the experiment ``row``."""

    row = ""


class NotebookError(HelpersError):
    """A notebook that is unknown, badly formed, or that failed while it ran."""


class ExportError(HelpersError):
    """An HTML page, PDF or result file that could not be made or read."""


class WriteError(ExportError, OSError):
    """A full disk, or a place that may not be written to."""


def require_known(
    kind: type[HelpersError], no: str, name: object, known: Iterable[str]
) -> None:
    """Raises ``There is no model 'lenet6': known are …`` where ``known`` are others."""
    if name not in (names := list(known)):
        raise kind(f"{no} {name!r}: known are {', '.join(names) or 'none'}.")


@contextmanager
def explained(kind: type[HelpersError], what: str, advice: str) -> Iterator[None]:
    """Whatever goes wrong in the block is an error of this kind, which also says why; a
    WriteError stays one.
    """
    try:
        yield
    except WriteError:
        raise
    except Exception as error:
        why = shorten(str(error) or repr(error), 400, placeholder=" …")
        raise kind(f"{what} ({why}). {advice}") from error
