"""Python's `websockets`: exchanges messages of the kinds with the server at the URL, all arguments."""

import contextlib
import sys

from messages import Tally, messages
from websockets.sync.client import connect

tally = Tally()
_, base, *kinds = sys.argv


def exchange(sender, receiver, message):
    sender[1].send(message)
    tally.add(receiver[0], message, receiver[1].recv(timeout=60))


for kind in kinds:
    with contextlib.ExitStack() as connections:

        def opened(target):
            connection = connect(base + target, compression="deflate", max_size=4 * 1024 * 1024)
            return target, connections.enter_context(connection)

        echo = opened(f"/echo?{kind}")
        a, b = opened(f"/relay/{kind}?a"), opened(f"/relay/{kind}?b")
        for message in messages(kind):
            exchange(echo, echo, message)
            exchange(a, b, message)
            exchange(b, a, message)
        for target, connection in (echo, a, b):
            connection.close()
            if connection.close_code != 1000:
                raise SystemExit(f"{target} closed with {connection.close_code}")
print(tally)
