"""What the Python clients exchange with the server."""

import itertools
import random

SIZES = [65535, 0, 1, 63, 64, 125, 126, 65536, 1024 * 1024]


def text(size, characters):
    """Of `size` bytes in UTF-8: whole characters, then ASCII."""
    parts, left = [], size
    while left > 0:
        character = "x" if left < 4 else next(characters)
        left -= len(character.encode())
        parts.append(character)
    return "".join(parts)


def messages(kind):
    """Texts and binary messages of all sizes."""
    source = random.Random(1)
    for size in SIZES:
        if kind == "random":
            alphabet = "abcdefghijklmnopqrstuvwxyzäßж☃語🙂"
            yield text(size, (source.choice(alphabet) for _ in itertools.count()))
            yield source.randbytes(size)
        else:
            yield text(size, itertools.cycle("grüße ☃ 🙂 "))
            yield bytes((index >> 8) & 0xFF for index in range(size))


class Tally:
    """Counts what came and is what was sent."""

    def __init__(self):
        self.count = self.total = 0

    def add(self, target, sent, received):
        if type(received) is not type(sent):
            raise SystemExit(f"{target}: {type(received)} came instead of {type(sent)}")
        if received != sent:
            raise SystemExit(f"{target}: {len(received)} came that are not the {len(sent)} sent")
        self.count += 1
        self.total += len(sent.encode() if isinstance(sent, str) else sent)

    def __str__(self):
        return f"exchanged {self.count} messages of {self.total} bytes"
