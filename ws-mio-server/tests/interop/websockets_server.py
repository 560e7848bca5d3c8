"""Python's `websockets`: a server that sends back what it gets, and closes with 4000 when it gets `bye`."""

from websockets.sync.server import serve


def echo(connection):
    for message in connection:
        if message == "bye":
            connection.close(4000, "as you wish")
        else:
            connection.send(message)


with serve(echo, "127.0.0.1", 0, compression="deflate", max_size=4 * 1024 * 1024) as server:
    print("url ws://127.0.0.1:%d" % server.socket.getsockname()[1], flush=True)
    server.serve_forever()
