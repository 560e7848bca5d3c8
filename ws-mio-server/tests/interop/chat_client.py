"""A client of the chat that knows the table of messages, with a token in a field of the request.

Usage: chat_client.py URL TOKEN; says what it was told, in a line.
"""

import json
import sys
from urllib.parse import quote

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect


def main(url: str, token: str) -> None:
    room = f"{url}/chat/{quote('수다방')}"
    try:
        connect(room).close()
        raise SystemExit("a token should be asked for")
    except InvalidStatus as refused:
        assert refused.response.status_code == 401, refused
    fields = {"Authorization": f"Bearer {token}"}

    with connect(f"{room}?username=somebody-else", additional_headers=fields) as first:
        joined = json.loads(first.recv(10))
        assert joined["type"] == "joined" and joined["userCount"] == 1, joined
        first.send(json.dumps({"type": "message", "content": "안녕", "clientId": "p-1"}))
        got = [json.loads(first.recv(10)) for _ in range(2)]
        ack = next(message for message in got if message["type"] == "ack")
        said = next(message for message in got if message["type"] == "message")
        assert ack["clientId"] == "p-1" and ack["id"] == said["id"], got
        # Who it is says the token.
        assert said["username"] == "파이썬" and said["content"] == "안녕", said
        first.send("nonsense")
        assert json.loads(first.recv(10))["type"] == "error"

    with connect(f"{room}?since={joined['id']}", additional_headers=fields) as again:
        joined = json.loads(again.recv(10))
        assert joined["recovered"] is True and joined["missed"] == 1, joined
        missed = json.loads(again.recv(10))
        assert missed == said, missed
    print(f"{said['username']} said {said['content']}")


main(*sys.argv[1:])
