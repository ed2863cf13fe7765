"""Text that came from elsewhere, made safe for a terminal."""


def printable(text: str, *, lines: bool = False) -> str:
    r"""Return the text with control characters written as \x1b: data must not steer a terminal."""
    kept = "\n" if lines else ""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in kept else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
