"use strict";
// What one client exchanges with the server at `base`, messages of these kinds, on the API that browsers and
// Node's `ws` share. Comes to a line that counts it. The queries of the targets tell the proxy of the test which
// connection is which.
async function exchange(WebSocket, base, kinds) {
  const SIZES = [65535, 0, 1, 63, 64, 125, 126, 65536, 1024 * 1024];
  const PHRASE = "grüße ☃ 🙂 ";
  const ALPHABET = "abcdefghijklmnopqrstuvwxyzäßж☃語🙂";
  const encoder = new TextEncoder();
  let state = 1;
  const random = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };

  // Of `size` bytes in UTF-8: characters that `pick` chooses, and then ASCII.
  const text = (size, characters, pick) => {
    const lengths = characters.map(character => encoder.encode(character).length);
    const parts = [];
    let left = size;
    while (left >= 4) {
      const index = pick() % characters.length;
      left -= lengths[index];
      parts.push(characters[index]);
    }
    return parts.join("") + "x".repeat(left);
  };
  const messages = kind => SIZES.flatMap(size => {
    if (kind === "random") {
      const bytes = Uint8Array.from({ length: size }, random);
      return [text(size, [...ALPHABET], random), bytes];
    }
    let at = 0;
    const bytes = Uint8Array.from({ length: size }, (_, index) => (index >> 8) & 0xff);
    return [text(size, [...PHRASE], () => at++), bytes];
  });

  const open = target => new Promise((resolve, reject) => {
    const socket = new WebSocket(base + target);
    const [arrived, waiting] = [[], []];
    let closed;
    const ended = new Promise(done => { closed = done; });
    const receive = () => new Promise((done, fail) => {
      if (arrived.length > 0) done(arrived.shift());
      else waiting.push({ done, fail });
    });
    const close = async () => {
      socket.close(1000);
      const { code, wasClean } = await ended;
      if (code !== 1000 || !wasClean) throw new Error(`${target} closed with ${code}, clean: ${wasClean}`);
    };
    socket.binaryType = "arraybuffer";
    socket.onopen = () => resolve({ target, send: data => socket.send(data), receive, close });
    socket.onmessage = ({ data }) => waiting.length > 0 ? waiting.shift().done(data) : arrived.push(data);
    socket.onerror = event => reject(new Error(`${target}: ${event.message ?? "no connection"}`));
    socket.onclose = event => {
      closed(event);
      for (const { fail } of waiting) fail(new Error(`${target} closed with ${event.code} ${event.reason}`));
    };
  });

  let [count, total] = [0, 0];
  const pass = async (from, to, message) => {
    from.send(message);
    const received = await to.receive();
    const isText = typeof message === "string";
    const sent = isText ? encoder.encode(message) : message;
    if (isText !== (typeof received === "string")) throw new Error(`${to.target}: another kind of message came`);
    const got = isText ? encoder.encode(received) : new Uint8Array(received);
    let same = 0;
    while (same < sent.length && got[same] === sent[same]) same += 1;
    if (got.length !== sent.length || same !== sent.length) {
      throw new Error(`${to.target}: ${got.length} bytes came that are not the ${sent.length} sent`);
    }
    count += 1;
    total += got.length;
  };

  for (const kind of kinds) {
    const echo = await open(`/echo?${kind}`);
    const a = await open(`/relay/${kind}?a`);
    const b = await open(`/relay/${kind}?b`);
    for (const message of messages(kind)) {
      await pass(echo, echo, message);
      await pass(a, b, message);
      await pass(b, a, message);
    }
    for (const connection of [echo, a, b]) await connection.close();
  }
  return `exchanged ${count} messages of ${total} bytes`;
}

if (typeof module !== "undefined") module.exports = exchange;
