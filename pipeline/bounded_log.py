"""A log file that never fills the disk."""

from pathlib import Path


class BoundedLog:
    """Bytes appended to `path`; at `max_bytes` it becomes `path`.1, that one .2 and so on; `kept` old files are kept.

    The disk holds at most about max_bytes * (kept + 1). Raises OSError when the file cannot be written."""

    def __init__(self, path: Path, max_bytes: int = 10 * 1024 * 1024, kept: int = 3) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self.kept = kept
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        self._size = self._file.tell()

    def write(self, data: bytes) -> None:
        """Append; files change at the end of a line, unless a single line is longer than a file may be."""
        while self._size + len(data) > self.max_bytes:
            room = self.max_bytes - self._size
            cut = data.rfind(b"\n", 0, max(room, 0)) + 1
            if cut == 0 and self._size == 0:
                cut = self.max_bytes
            self._file.write(data[:cut])
            data = data[cut:]
            self._rotate()
        self._file.write(data)
        self._size += len(data)

    def last_line(self) -> str:
        """The last line that is not blank: what a process that died had to say. Empty if there is none."""
        with self.path.open("rb") as file:
            file.seek(max(0, self._size - 4096))
            lines = [line for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
        return lines[-1].strip() if lines else ""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _rotate(self) -> None:
        self._file.close()
        for number in range(self.kept, 0, -1):
            older = self.path if number == 1 else self._numbered(number - 1)
            if older.exists():
                older.replace(self._numbered(number))
        self._file = self.path.open("wb", buffering=0)
        self._size = 0

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")
