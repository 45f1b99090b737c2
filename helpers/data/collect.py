"""FaceScrub's faces, gathered: pictures fetched side by side and verified, faces cut
out of them.

Most of the pictures were put on the web by people who have taken them down since, so a
loss is no error: each is written to ``lost.csv`` with its cause. A face that is there
and one that is finally lost are never asked for again; what may pass (time-outs,
connections, servers in trouble) is.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Event

from PIL import Image
from tqdm.std import tqdm

from helpers.base.errors import DataError
from helpers.base.files import write_atomic
from helpers.data.face_lists import (
    ACTORS,
    LOST,
    MANIFEST,
    Face,
    Loss,
    parse_box,
    read_lists,
    read_losses,
    write_losses,
    write_manifest,
)
from helpers.data.facescrub import LEAST_COUNT
from helpers.data.web import Cause, Limits, LostError, download

MAX_SIDE = 176  # of a face, in pixels; smaller ones stay as they are
SAVE_EVERY = 100  # pictures


def collect_faces(folder: Path, limits: Limits | None = None) -> None:
    """Gathers the faces of the course's twelve actors; takes up what an earlier call
    began.

    What was kept and what was lost, by cause, is printed at the end.

    Args:
        folder: holds FaceScrub's two lists; gets ``faces/<actor>/*.jpg``, ``lost.csv``
            and, once there are enough faces of every actor, ``manifest.csv``.
        limits: what the downloads may cost; None for the usual.

    Raises:
        DataError: a list is missing, an actor has fewer than 72 faces, or the disk is
            full. What is already there stays for the next call.
    """
    try:
        faces, malformed = read_lists(folder)
        wanted, lost_before = _recall(folder, faces)
        losses = _gather(folder, wanted, [*malformed, *lost_before], limits or Limits())
        kept = [face for face in faces if (folder / face.file).is_file()]
        tqdm.write(report(kept, losses))
        _check_enough(folder, losses)
        write_manifest(folder, kept)
    except OSError as error:
        raise DataError(
            f"{folder} could not be read or written ({error}). Free some space, or "
            "mend what is in the way, and "
            "fetch again: what is already there stays."
        ) from error


def cut_out(picture: Image.Image, bbox: str) -> Image.Image:
    """The face in a picture: cropped, and shrunk to 176 pixels if it is larger.

    Raises:
        LostError: the box is malformed or reaches out of the picture.
    """
    x1, y1, x2, y2 = parse_box(bbox)
    if x1 < 0 or y1 < 0 or x2 > picture.width or y2 > picture.height:
        raise LostError(
            Cause.BAD_BOX,
            f"the box {bbox} is outside the picture of "
            f"{picture.width}×{picture.height}",
        )
    face = picture.crop((x1, y1, x2, y2)).convert(
        "L" if picture.mode in {"1", "L"} else "RGB"
    )
    face.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return face


def report(kept: Iterable[Face], losses: Iterable[Loss]) -> str:
    """What was kept of each actor, and what was lost for which cause, most first."""
    counts = Counter(ACTORS[face.actor] for face in kept)
    causes = Counter(loss.cause for loss in losses)
    again = sum(count for cause, count in causes.items() if cause.may_pass)
    lines = [
        (
            f"FaceScrub: {counts.total():,} faces kept, {causes.total():,} lost ({LOST} "
            "lists them)"
        )
    ]
    lines += [f"  {cause:<15} {count:>6,}" for cause, count in causes.most_common()]
    lines += [
        "  kept: " + ", ".join(f"{name} {counts[name]}" for name in ACTORS.values())
    ]
    if again:
        lines += [
            (
                f"  {again:,} of the lost may come yet: remove {MANIFEST}, if it is there, "
                "and fetch again"
            )
        ]
    return "\n".join(lines)


def _recall(folder: Path, faces: Iterable[Face]) -> tuple[list[Face], list[Loss]]:
    """The faces still to be fetched, and those of the others that an earlier call found
    lost for good.
    """
    missing = {
        (str(face.face_id), face.url): face
        for face in faces
        if not (folder / face.file).is_file()
    }
    lost = {
        (loss.face_id, loss.url): loss
        for loss in read_losses(folder)
        if not loss.cause.may_pass
    }
    return [missing[key] for key in missing if key not in lost], [
        lost[key] for key in missing if key in lost
    ]


def _gather(
    folder: Path, wanted: Iterable[Face], losses: list[Loss], limits: Limits
) -> list[Loss]:
    """Fetches the faces ``wanted``; returns ``losses`` and those lost now, which are
    also kept on disk.
    """
    pictures: dict[tuple[str, str], list[Face]] = {}
    for face in wanted:
        pictures.setdefault((face.url, face.sha256), []).append(face)
    stop = Event()
    pool = ThreadPoolExecutor(limits.workers)
    try:
        futures = [
            pool.submit(_fetch, folder, faces, limits, stop)
            for faces in pictures.values()
        ]
        progress = tqdm(
            as_completed(futures), total=len(futures), desc="FaceScrub", unit="picture"
        )
        for number, future in enumerate(progress, start=1):
            losses += future.result()
            progress.set_postfix(lost=len(losses), refresh=False)
            if number % SAVE_EVERY == 0:
                write_losses(folder, losses)
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
        write_losses(folder, losses)
    return losses


def _fetch(
    folder: Path, faces: Sequence[Face], limits: Limits, stop: Event
) -> list[Loss]:
    """Fetches one picture and keeps the faces in it; returns those that are lost."""
    try:
        picture = _verified(download(faces[0].url, limits, stop), faces[0].sha256)
    except LostError as lost:
        return [_loss(face, lost) for face in faces]
    losses = []
    for face in faces:
        try:
            image = cut_out(picture, face.bbox)
        except LostError as lost:
            losses.append(_loss(face, lost))
            continue
        with write_atomic(folder / face.file) as temporary:
            image.save(temporary, "JPEG", quality=95)
    return losses


def _verified(content: bytes, sha256: str) -> Image.Image:
    """The picture in a file of the right hash, not turned upright: a box is one of the
    pixels as stored.
    """
    try:
        picture = Image.open(io.BytesIO(content))
        picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise LostError(
            Cause.NO_IMAGE, f"{len(content):,} bytes that are no whole image"
        ) from error
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise LostError(Cause.WRONG_HASH, f"another picture, with SHA-256 {found}")
    return picture


def _loss(face: Face, lost: LostError) -> Loss:
    return Loss(face.actor, str(face.face_id), lost.cause, lost.detail, face.url)


def _check_enough(folder: Path, losses: Iterable[Loss]) -> None:
    counts = {
        actor: len(list((folder / "faces" / name).glob("*.jpg")))
        for actor, name in ACTORS.items()
    }
    short = [
        f"{actor} ({count})" for actor, count in counts.items() if count < LEAST_COUNT
    ]
    if short:
        again = sum(loss.cause.may_pass for loss in losses)
        raise DataError(
            f"There are too few faces of {', '.join(short)}: expected at least "
            f"{LEAST_COUNT} of each actor. "
            + (
                f"{again:,} of those lost may come yet: fetch again, what is there "
                "stays."
                if again
                else "None of those lost can come any more: add faces to these actors' folders by other means, and "
                "fetch again."
            )
        )
