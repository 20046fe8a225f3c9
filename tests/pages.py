"""The pages that people read, as tests take them apart."""

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PAGES: Final = sorted(
    [*ROOT.glob("*.md"), *(one for folder in ("docs", "deploy", "examples") for one in ROOT.glob(f"{folder}/*.md"))],
    key=lambda path: path.as_posix(),
)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(name: str) -> list[str]:
    return [line.partition("#")[0].strip() for block in blocks(text_of(name), "sh") for line in block.splitlines()]
