"""Why a mapping made no event of a message."""


class MappingError(Exception):
    """A mapping failed on a message.

    `detail` names the place and the reason, never a value of the message: it is stored, and the producer reads it.
    `full` may repeat values; it is for those who write the mapping and have the message before them."""

    def __init__(self, detail: str, full: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.full = full or detail
