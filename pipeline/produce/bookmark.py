"""How far a file has been sent: kept in the home, so that an interrupted run is gone on with where it was.

A file is known again by its content and not by its name or dates: the bookmark has a digest of all bytes up to it. So a
file that has grown is gone on with, and one that was changed before the bookmark is sent anew."""

import errno
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, Self

from pydantic import BaseModel, NonNegativeInt, PositiveInt, ValidationError

_PIECE: Final = 1 << 20


class Place(NamedTuple):
    """A place in a file, at the end of a line, up to which everything is on Kafka."""

    position: int = 0
    """Bytes before it."""
    line: int = 0
    events: int = 0
    """Events before it, those of earlier runs too."""


class Written(NamedTuple):
    """What an earlier run left behind."""

    place: Place
    digest: Any
    """The running SHA-256 of everything before it."""


class _Kept(BaseModel):
    file: str
    cluster: str
    topic: str | None
    position: PositiveInt
    line: PositiveInt
    events: NonNegativeInt
    sha256: str


class ChangedError(ValueError):
    """The file is not any more what an earlier run has sent; the text is one sentence."""


@dataclass(frozen=True, slots=True)
class Bookmark:
    """The bookmark of one file on its way to one Kafka."""

    path: Path
    file: str
    """Absolute."""
    cluster: str
    """Kafka's own id: after its data were deleted it is another one, and everything has to be sent again."""
    topic: str | None
    """Where lines go that do not say where they belong."""

    @classmethod
    def of(cls, home: Path, file: Path, cluster: str, topic: str | None) -> Self:
        """The bookmark of a file, whether there is one yet or not."""
        name = str(file.resolve())
        short = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
        return cls(home / "produce" / f"{short}.json", os.fsencode(name).decode(errors="replace"), cluster, topic)

    def prepare(self) -> None:
        """Makes the folder. Raises OSError where it cannot be written to."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(self.path.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self.path.parent))

    def read(self, file: IO[bytes]) -> Written | None:
        """What an earlier run left behind, if anything; `file` then stands at its place, else at its beginning.

        Raises ChangedError where the file is another one by now."""
        try:
            kept = _Kept.model_validate_json(self.path.read_bytes())
        except (FileNotFoundError, ValidationError):  # a damaged one costs no more than sending twice
            return None
        if (kept.cluster, kept.topic) != (self.cluster, self.topic):
            return None
        digest = hashlib.sha256()
        left = kept.position
        while left and (piece := file.read(min(left, _PIECE))):
            digest.update(piece)
            left -= len(piece)
        if left or digest.hexdigest() != kept.sha256:
            file.seek(0)
            raise ChangedError(f"its first {kept.line} lines are not those that an earlier run sent")
        return Written(Place(kept.position, kept.line, kept.events), digest)

    def write(self, place: Place, sha256: str) -> None:
        """Keeps a place. It is written whole or not at all. Raises OSError."""
        kept = _Kept(file=self.file, cluster=self.cluster, topic=self.topic, sha256=sha256, **place._asdict())
        beside = self.path.with_suffix(".new")
        beside.write_text(kept.model_dump_json(indent=2))
        beside.replace(self.path)

    def remove(self) -> None:
        """All has been sent."""
        self.path.unlink(missing_ok=True)
