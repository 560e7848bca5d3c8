"""Python's `aiohttp`: exchanges messages of the kinds with the server at the URL, all arguments."""

import asyncio
import sys

import aiohttp
from messages import Tally, messages

tally = Tally()
_, base, *kinds = sys.argv


async def exchange(sender, receiver, message):
    send = sender[1].send_str if isinstance(message, str) else sender[1].send_bytes
    await send(message)
    frame = await receiver[1].receive(timeout=60)
    if frame.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
        raise SystemExit(f"{receiver[0]}: {frame} came")
    data = bytes(frame.data) if isinstance(frame.data, bytearray) else frame.data
    tally.add(receiver[0], message, data)


async def main():
    async with aiohttp.ClientSession(base) as session:

        async def opened(target):
            return target, await session.ws_connect(target, compress=15)

        for kind in kinds:
            echo = await opened(f"/echo?{kind}")
            a, b = await opened(f"/relay/{kind}?a"), await opened(f"/relay/{kind}?b")
            for message in messages(kind):
                await exchange(echo, echo, message)
                await exchange(a, b, message)
                await exchange(b, a, message)
            for target, connection in (echo, a, b):
                await connection.close()
                if connection.close_code != 1000:
                    raise SystemExit(f"{target} closed with {connection.close_code}")


asyncio.run(main())
print(tally)
