// `client.js` against a server in memory that fails in every way, on a virtual clock: node --test tests/client/
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Chat, SendError } from "../../src/app/web/client.js";
import { Clock, seeded } from "./clock.mjs";
import { Server } from "./server.mjs";

/** A server and what makes clients of it that write down what they are told. */
function world(options = {}) {
  const clock = new Clock();
  const server = new Server(clock, options);
  const join = (username, more = {}) => {
    const chat = new Chat({
      url: "http://a.example/x/", username, clock, random: () => 0.5, WebSocket: server.WebSocket, fetch: server.fetch, ...more,
    });
    const heard = { chat, messages: [], states: [], joined: [], history: [], typing: [], presence: [], refused: [], errors: [] };
    chat.on("message", message => heard.messages.push(message));
    chat.on("history", messages => heard.history.push(...messages));
    chat.on("state", state => heard.states.push(state));
    chat.on("joined", joined => heard.joined.push(joined));
    chat.on("typing", ({ typing }) => heard.typing.push(typing.join()));
    chat.on("presence", presence => heard.presence.push(presence));
    chat.on("refused", refused => heard.refused.push(refused));
    chat.on("error", error => heard.errors.push(error));
    return heard;
  };
  return { clock, server, join };
}

const contents = messages => messages.map(({ content }) => content);
const attempts = server => server.opened.map(({ at }) => at);

test("two people hear each other, themselves, and who is there", async () => {
  const { clock, server, join } = world();
  const [a, b] = [join("지수"), join("bob")];
  await clock.pass(100);
  assert.equal(a.chat.state.state, "open");
  assert.equal(a.chat.state.transport, "websocket");
  assert.equal(server.opened[0].url, "ws://a.example/x/chat/general?username=%EC%A7%80%EC%88%98");
  const { clientId, delivered } = a.chat.send("안녕 👋");
  await clock.pass(100);
  assert.equal(await delivered, "e1:1");
  assert.deepEqual([contents(a.messages), contents(b.messages)], [["안녕 👋"], ["안녕 👋"]]);
  assert.equal(a.messages[0].clientId, clientId);
  assert.equal(a.chat.lastId, "e1:1");
  assert.deepEqual(a.chat.users.sort(), ["bob", "지수"]);
  assert.equal(a.chat.userCount, 2);
  b.chat.close();
  await clock.pass(100);
  assert.deepEqual([a.chat.users, a.chat.userCount], [["지수"], 1]);
  assert.deepEqual(a.presence.at(-1), { users: ["지수"], userCount: 1 });
});

test("a joiner gets the history, and nothing of it twice", async () => {
  const { clock, join } = world();
  const a = join("a");
  for (let n = 1; n <= 30; n += 1) a.chat.send(`${n}`);
  await clock.pass(1000);
  const b = join("b");
  await clock.pass(100);
  assert.deepEqual(contents(b.history), contents(a.messages).slice(10));
  assert.equal(b.chat.lastId, "e1:30");
  assert.equal(b.joined[0].recovered, undefined);
});

test("pauses grow from 1 s to 30 s, a random part of each, and begin anew after a stable connection", async () => {
  const { clock, server, join } = world({ latency: () => 0 });
  server.down = true;
  const a = join("a", { transports: ["websocket"] });
  await clock.pass(100_000);
  const gaps = attempts(server).map((at, index, all) => at - (all[index - 1] ?? 0)).slice(1);
  assert.deepEqual(gaps.slice(0, 8), [500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
  const waiting = a.states.filter(({ state }) => state === "waiting");
  assert.deepEqual(waiting.slice(0, 3).map(({ attempt, retryAt }) => [attempt, retryAt]), [[1, 500], [2, 1500], [3, 3500]]);
  server.down = false;
  await clock.pass(a.chat.state.retryAt - clock.now());
  assert.equal(a.chat.state.state, "open");
  // It did not last: the pauses go on where they were.
  server.cut();
  await clock.pass(0);
  assert.equal(a.chat.state.state, "waiting");
  assert.equal(a.chat.state.retryAt - clock.now(), 15_000);
  await clock.pass(15_000 + 5_000);
  server.cut();
  await clock.pass(0);
  assert.equal(a.chat.state.retryAt - clock.now(), 500);
});

test("jitter spans all of the pause", async () => {
  for (const [chance, pause] of [[0.001, 1], [0.25, 250], [0.999, 999]]) {
    const { clock, server, join } = world({ latency: () => 0 });
    server.down = true;
    const a = join("a", { transports: ["websocket"], random: () => chance });
    await clock.pass(0);
    assert.equal(a.chat.state.retryAt, pause);
    a.chat.close();
  }
});

test("one can be told when to come back, by the reason of a Close and by Retry-After", async () => {
  const { clock, server, join } = world({ latency: () => 0 });
  const a = join("a");
  await clock.pass(6_000);
  server.cut(1012, "the server restarts; retry-after=7");
  await clock.pass(0);
  assert.equal(a.chat.state.retryAt - clock.now(), 7_500);
  assert.deepEqual([a.chat.state.code, a.chat.state.reason], [1012, "the server restarts; retry-after=7"]);
  // WebSockets can't see a status; the request that the fallback makes can.
  server.refuse = { status: 503, headers: { "Retry-After": "20" } };
  const b = join("b");
  await clock.pass(0);
  assert.equal(b.chat.state.status, 503);
  assert.equal(b.chat.state.retryAt - clock.now(), 20_500);
  server.refuse = null;
  await clock.pass(20_500);
  assert.deepEqual([a.chat.state.state, b.chat.state.state], ["open", "open"]);
});

test("who is refused for good does not come back, until told to", async () => {
  for (const refuse of [server => server.cut(4403, "removed by an operator"), server => { server.refuse = { status: 403 }; server.cut(); }]) {
    const { clock, server, join } = world({ latency: () => 0 });
    const a = join("a");
    await clock.pass(10_000);
    refuse(server);
    const waiting = a.chat.send("nobody will take this");
    // After two WebSockets that did not open it asks by a request.
    await clock.pass(60_000);
    assert.equal(a.chat.state.state, "closed");
    assert.ok(a.chat.state.code === 4403 || a.chat.state.status === 403);
    await assert.rejects(waiting.delivered, { code: "closed" });
    assert.equal(a.refused[0].clientId, waiting.clientId);
    const before = attempts(server).length;
    const { delivered } = a.chat.send("x");
    await assert.rejects(delivered, SendError);
    await clock.pass(600_000);
    assert.equal(attempts(server).length, before);
    server.refuse = null;
    a.chat.retryNow();
    await clock.pass(10);
    assert.equal(a.chat.state.state, "open");
  }
});

test("a new token is asked for at every attempt", async () => {
  const { clock, server, join } = world({ latency: () => 0 });
  let number = 0;
  const a = join("a", { token: async () => `t${++number}` });
  await clock.pass(100);
  server.cut(4401, "the token has expired");
  await clock.pass(1_000);
  assert.equal(a.chat.state.state, "open");
  assert.deepEqual(server.opened.map(({ url }) => new URL(url).searchParams.get("token")), ["t1", "t2"]);
  const b = join("b", { token: "t" });
  await clock.pass(100);
  server.cut(4401, "");
  await clock.pass(100);
  assert.equal(b.chat.state.state, "closed");
});

test("what was missed is recovered in order, and a cut in the middle of it loses nothing", async () => {
  const { clock, server, join } = world();
  const [a, b] = [join("a"), join("b")];
  await clock.pass(100);
  [...server.members].find(({ username }) => username === "b").cut(1006, "");
  for (const text of ["1", "2", "3"]) a.chat.send(text);
  await clock.pass(2_000);
  assert.deepEqual(contents(b.messages), ["1", "2", "3"]);
  assert.deepEqual([b.joined[1].recovered, b.joined[1].missed], [true, 3]);
  assert.match(server.opened.at(-1).url, /since=e1%3A0/);
});

test("a gap is told of, and what is left of it", async () => {
  const { clock, server, join } = world();
  const [a, b] = [join("a"), join("b")];
  a.chat.send("seen");
  await clock.pass(100);
  server.keep = 2;
  [...server.members].find(({ username }) => username === "b").cut(1006, "");
  for (const text of ["1", "2", "3", "4", "5"]) a.chat.send(text);
  await clock.pass(2_000);
  assert.deepEqual([b.joined[1].recovered, b.joined[1].gap], [false, 3]);
  assert.deepEqual(contents(b.messages), ["seen", "4", "5"]);
  assert.equal(b.chat.lastId, "e1:6");
  // Another epoch: all of it is new, though the numbers are smaller.
  Object.assign(server, { epoch: "e2", log: [], keep: Infinity });
  server.cut();
  await clock.pass(2_000);
  a.chat.send("new");
  await clock.pass(100);
  assert.deepEqual([contents(b.messages).at(-1), b.chat.lastId], ["new", "e2:1"]);
});

test("of a history behind a gap only what is new is told", async () => {
  const { clock, server, join } = world();
  const a = join("a");
  for (const text of ["1", "2", "3"]) a.chat.send(text);
  await clock.pass(100);
  const [member] = server.members;
  member.tell({ type: "joined", id: "e1:5", userCount: 1, recovered: false, missed: 0, gap: null });
  member.tell({ type: "history", messages: [3, 4, 5].map(n => ({ type: "message", id: `e1:${n}`, username: "b", content: `${n}` })) });
  await clock.pass(100);
  assert.deepEqual(contents(a.history), ["4", "5"]);
  assert.equal(a.chat.lastId, "e1:5");
});

test("what is not of the room does not change how many are there", async () => {
  const { clock, server, join } = world();
  const a = join("a");
  const [direct, system] = [[], []];
  a.chat.on("direct", message => direct.push(message.content));
  a.chat.on("system", ({ event }) => system.push(event));
  await clock.pass(100);
  const [member] = server.members;
  member.tell({ type: "system", event: "notification", message: "soon", userCount: 0 });
  member.tell({ type: "direct", username: "api", content: "for you" });
  await clock.pass(100);
  assert.deepEqual([a.chat.userCount, direct, system], [1, ["for you"], ["notification"]]);
});

test("what is kept nowhere has no id, and is nobody else's", async () => {
  const { clock, server, join } = world();
  const a = join("a");
  await clock.pass(100);
  a.chat.send("before");
  await clock.pass(100);
  const [member] = server.members;
  const transient = { type: "message", username: "b", timestamp: server.timestamp(), transient: true };
  server.receive = (from, text) => {
    const { content, clientId } = JSON.parse(text);
    from.tell({ ...transient, username: from.username, content, clientId });
    return { type: "ack", clientId, transient: true };
  };
  const { delivered, clientId } = a.chat.send("mine");
  await clock.pass(100);
  assert.equal(await delivered, undefined);
  member.tell({ ...transient, content: "theirs" });
  await clock.pass(100);
  assert.deepEqual(contents(a.messages), ["before", "mine", "theirs"]);
  assert.deepEqual(a.messages.map(message => message.clientId).slice(1), [clientId, undefined]);
  assert.equal(a.chat.lastId, "e1:1", "it comes back to what is kept");
});

test("a lost acknowledgement leads to a resend, which is stored once", async () => {
  for (const echoClientId of [true, false]) {
    const { clock, server, join } = world();
    Object.assign(server, { echoClientId, loseAcks: true });
    const [a, b] = [join("a"), join("b")];
    await clock.pass(100);
    const { delivered, clientId } = a.chat.send("once");
    await clock.pass(100);
    server.loseAcks = false;
    assert.equal(a.chat.pending, echoClientId ? 0 : 1, "its own message shows that it is stored");
    await clock.pass(20_000);
    assert.equal(await delivered, "e1:1");
    assert.equal(server.log.length, 1);
    assert.deepEqual([contents(a.messages), contents(b.messages)], [["once"], ["once"]]);
    assert.equal(server.got.filter(frame => frame.clientId === clientId).length, echoClientId ? 1 : 2);
    assert.equal(a.messages[0].clientId, echoClientId ? clientId : undefined);
  }
});

test("who is told everything twice tells of it once", async () => {
  const { clock, server, join } = world();
  server.twice = true;
  const a = join("a");
  for (const text of ["1", "2", "3"]) a.chat.send(text);
  await clock.pass(1_000);
  assert.deepEqual(contents(a.messages), ["1", "2", "3"]);
});

test("messages wait while there is no connection, up to a limit, and go out in order", async () => {
  const { clock, server, join } = world();
  server.down = true;
  const a = join("a", { maxQueue: 3, maxInFlight: 2 });
  const sent = ["1", "2", "3", "4"].map(text => a.chat.send(text).delivered);
  await assert.rejects(sent[3], { code: "queue-full" });
  await clock.pass(3_000);
  server.down = false;
  await clock.pass(10_000);
  assert.deepEqual(await Promise.all(sent.slice(0, 3)), ["e1:1", "e1:2", "e1:3"]);
  assert.deepEqual(contents(a.messages), ["1", "2", "3"]);
});

test("at most so many messages are under way", async () => {
  const { clock, server, join } = world();
  server.loseAcks = true;
  server.echoClientId = false;
  const a = join("a", { maxInFlight: 4 });
  for (let n = 0; n < 10; n += 1) a.chat.send(`${n}`);
  await clock.pass(1_000);
  assert.equal(server.got.length, 4);
});

test("nothing is sent while the socket's buffer is full", async () => {
  const { clock, server, join } = world();
  let socket;
  const Full = class extends server.WebSocket {
    constructor(url) {
      super(url);
      socket = this;
    }
  };
  const a = join("a", { WebSocket: Full, maxBuffered: 1000 });
  await clock.pass(100);
  socket.bufferedAmount = 1001;
  a.chat.send("1");
  a.chat.typing();
  await clock.pass(1_000);
  assert.deepEqual(server.got, []);
  socket.bufferedAmount = 1000;
  await clock.pass(100);
  assert.deepEqual(contents(server.got), ["1"]);
});

test("a busy server is asked again when it says, a refusal is final", async () => {
  const { clock, server, join } = world();
  server.busy = 3;
  const a = join("a");
  await clock.pass(100);
  const { delivered } = a.chat.send("later");
  await clock.pass(7_000);
  assert.equal(a.chat.state.state, "open");
  assert.equal(server.got.length, 3);
  server.busy = null;
  await clock.pass(3_000);
  assert.equal(await delivered, "e1:1");
  const long = a.chat.send("x".repeat(1001));
  const short = a.chat.send("short");
  await clock.pass(100);
  await assert.rejects(long.delivered, { code: "too-long" });
  assert.equal(await short.delivered, "e1:2");
  assert.equal(a.refused[0].clientId, long.clientId);
});

test("a message that breaks the connection is given up", async () => {
  const { clock, server, join } = world();
  const a = join("a");
  await clock.pass(100);
  server.receive = function receive(member, text) {
    if (text.length > 5_000) member.cut(1009, "larger than 5000 bytes");
    return Server.prototype.receive.call(this, member, text);
  };
  const [large, small] = [a.chat.send("x".repeat(5_000)), a.chat.send("small")];
  await clock.pass(10_000);
  await assert.rejects(large.delivered, { code: "too-long" });
  await small.delivered;
  assert.deepEqual(contents(a.messages).at(-1), "small");
});

test("a server that answers nothing is given up, message by message", async () => {
  const { clock, server, join } = world();
  server.receive = () => ({});
  const a = join("a", { ackTimeout: 1_000 });
  const { delivered } = a.chat.send("x");
  await clock.pass(120_000);
  await assert.rejects(delivered, { code: "unanswered" });
});

test("where WebSockets are blocked, events and requests do the same", async () => {
  const { clock, server, join } = world();
  server.blocked = true;
  const a = join("지수", { token: "secret" });
  await clock.pass(100);
  assert.equal(a.chat.state.transport, "sse");
  assert.equal(server.opened[1].url, "http://a.example/x/sse/general?username=%EC%A7%80%EC%88%98");
  assert.equal(server.opened[1].headers.Authorization, "Bearer secret");
  server.blocked = false;
  const b = join("b");
  await clock.pass(100);
  assert.equal(b.chat.state.transport, "websocket");
  const sent = ["안녕", "👋"].map(text => a.chat.send(text).delivered);
  a.chat.typing();
  await clock.pass(1_000);
  assert.deepEqual(await Promise.all(sent), ["e1:1", "e1:2"]);
  assert.deepEqual([contents(a.messages), contents(b.messages)], [["안녕", "👋"], ["안녕", "👋"]]);
  assert.deepEqual(b.typing, ["지수"]);
  // Lost answers are asked for anew, by a new connection, without trying what was blocked again.
  server.loseAcks = true;
  server.echoClientId = false;
  const { delivered } = a.chat.send("3");
  await clock.pass(100);
  server.loseAcks = false;
  await clock.pass(5_000);
  assert.equal(await delivered, "e1:3");
  assert.deepEqual(contents(a.messages), ["안녕", "👋", "3"]);
  assert.ok(server.opened.slice(3).every(({ url }) => url.includes("/sse/")), JSON.stringify(server.opened));
  server.busy = 2;
  const busy = a.chat.send("4");
  await clock.pass(1_000);
  server.busy = null;
  await clock.pass(2_000);
  assert.equal(await busy.delivered, "e1:4");
  const long = a.chat.send("x".repeat(1001));
  await clock.pass(100);
  await assert.rejects(long.delivered, { code: "too-long" });
  // After a while they are tried again.
  await clock.pass(5 * 60_000);
  assert.equal(a.chat.state.transport, "sse", "a stream without comments is silent, but comes back");
  server.cut();
  await clock.pass(60_000);
  assert.equal(a.chat.state.transport, "websocket");
});

test("requests keep the order of messages, however long each takes", async () => {
  const random = seeded(7);
  const { clock, server, join } = world({ latency: () => Math.floor(random() * 100) });
  const a = join("a", { transports: ["sse"] });
  const texts = Array.from({ length: 20 }, (_, n) => `${n}`);
  for (const text of texts) a.chat.send(text);
  await clock.pass(10_000);
  assert.deepEqual([contents(server.log), contents(a.messages)], [texts, texts]);
});

test("a stream of events says why it ends, and when to come back", async () => {
  const { clock, server, join } = world({ latency: () => 0 });
  const a = join("a", { transports: ["sse"] });
  await clock.pass(100);
  server.cut(1012, "the server restarts; retry-after=7");
  await clock.pass(0);
  assert.deepEqual([a.chat.state.code, a.chat.state.retryAt - clock.now()], [1012, 7_500]);
  server.retry = 3_000;
  await clock.pass(15_000);
  server.cut();
  await clock.pass(0);
  assert.equal(a.chat.state.retryAt - clock.now(), 3_500);
  await clock.pass(10_000);
  server.cut(1012, "retry-after=1");
  await clock.pass(0);
  assert.equal(a.chat.state.retryAt - clock.now(), 1_500, "the last word goes first");
  await clock.pass(8_000);
  [...server.members][0].cut(4403, "removed");
  await clock.pass(100_000);
  assert.deepEqual([a.chat.state.state, a.chat.state.reason], ["closed", "removed"]);
});

test("a stream that falls silent is left", async () => {
  const { clock, server, join } = world();
  const a = join("a", { transports: ["sse"] });
  await clock.pass(100);
  await clock.pass(46_000);
  assert.equal(server.opened.length, 2);
  assert.equal(a.chat.state.state, "open");
});

test("a transport that never answers is left for the other", async () => {
  const { clock, server, join } = world();
  const a = join("a", { WebSocket: class { close() {} } });
  await clock.pass(10_100);
  assert.equal(a.chat.state.transport, "sse");
});

test("typing is told of once, again while it goes on, and ends by itself", async () => {
  const { clock, server, join } = world();
  const [a, b] = [join("a"), join("b")];
  await clock.pass(100);
  for (let key = 0; key < 8; key += 1) {
    a.chat.typing();
    await clock.pass(500);
  }
  assert.deepEqual(server.got.map(({ isTyping }) => isTyping), [true, true]);
  await clock.pass(3_000);
  assert.deepEqual(server.got.map(({ isTyping }) => isTyping), [true, true, false]);
  assert.deepEqual(b.typing, ["a", "a", ""]);
  a.chat.typing();
  a.chat.send("x");
  await clock.pass(100);
  assert.deepEqual(server.got.slice(3).map(({ type }) => type), ["typing", "typing", "message"]);
  // Whoever is cut off while typing is not typing for ever.
  a.chat.typing();
  await clock.pass(100);
  assert.equal(b.typing.at(-1), "a");
  [...server.members].find(({ username }) => username === "a").tell = () => {};
  b.chat.on("typing", () => {});
  a.chat.typing = () => {};
  await clock.pass(7_000);
  assert.equal(b.typing.at(-1), "");
});

test("a listener that throws holds up nothing", async () => {
  const { clock, join } = world();
  const thrown = [];
  const before = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", error => thrown.push(error.message));
  const a = join("a");
  a.chat.on("state", () => { throw new Error("mine"); });
  a.chat.send("x");
  await clock.pass(100);
  process.removeAllListeners("uncaughtException");
  for (const listener of before) process.on("uncaughtException", listener);
  assert.deepEqual(contents(a.messages), ["x"]);
  assert.ok(thrown.length > 0 && thrown.every(message => message === "mine"));
});

test("names that no URL can have are refused", () => {
  for (const room of ["", ".", "..", 7, "\ud800"]) {
    assert.throws(() => new Chat({ url: "http://a.example/", room }), TypeError, JSON.stringify(room));
  }
});

test("after leaving nothing happens any more", async () => {
  const { clock, server, join } = world();
  const a = join("a");
  const { delivered } = a.chat.send("x");
  a.chat.close();
  await assert.rejects(delivered, { code: "closed" });
  await clock.pass(100_000);
  assert.deepEqual([server.opened.length, a.chat.state.state], [0, "closed"]);
});

test("what is declared is there, and the other way round", () => {
  const read = name => readFileSync(new URL(`../../src/app/web/${name}`, import.meta.url), "utf8");
  const [declared, code] = [read("client.d.ts"), read("client.js")];
  const body = head => new RegExp(`${head} \\{\\n([\\s\\S]*?)\\n\\}`).exec(declared)[1].replace(/\/\*\*[\s\S]*?\*\//g, "");
  const names = (text, pattern) => [...new Set([...text.matchAll(pattern)].map(([, name]) => name))].sort();
  const members = names(body("export class Chat"), /^ {2}(?:readonly )?(\w+)[(<:]/gm).filter(name => name !== "constructor");
  const own = Object.keys(new Chat({ url: "http://a.example/", clock: new Clock() }));
  const methods = Object.getOwnPropertyNames(Chat.prototype).filter(name => name !== "constructor");
  assert.deepEqual([...methods, ...own].sort(), members);
  assert.deepEqual(names(code, /#emit\("(\w+)"/g), names(body("export interface Events"), /^ {2}(\w+):/gm));
  const options = names(body("export interface Options"), /^ {2}(\w+)\?:/gm);
  const used = names(code, /(?:#options\.|options\.)(\w+)/g).concat(names(/DEFAULTS = \{([\s\S]*?)\}/.exec(code)[1], /^ {2}(\w+):/gm));
  assert.deepEqual([...new Set([...used, "WebSocket", "fetch", "url", "since"])].sort(), options);
});

// Whatever goes wrong and when: each message that was acknowledged is in the room once, and everyone was told of each
// message once and in order.
test("random cuts, lost acknowledgements, blocked WebSockets and restarts lose and double nothing", async () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const random = seeded(seed);
    const { clock, server, join } = world({ latency: () => Math.floor(random() * 40) });
    server.echoClientId = seed % 2 === 0;
    const people = ["a", "b", "c"].map(name => join(name, { random, ackTimeout: 2_000, maxInFlight: 4 }));
    // From an empty room on they hear everything; later they would get the last messages only.
    await clock.pass(200);
    const sent = [];
    for (let step = 0; step < 120; step += 1) {
      const person = people[Math.floor(random() * people.length)];
      const what = random();
      if (what < 0.5) {
        const text = `${step}`;
        sent.push({ text, from: person.chat.username ?? "?", delivered: person.chat.send(text).delivered });
      } else if (what < 0.6) [...server.members][Math.floor(random() * server.members.size)]?.cut(1006, "");
      else if (what < 0.65) server.loseAcks = !server.loseAcks;
      else if (what < 0.7) server.blocked = !server.blocked;
      else if (what < 0.74) server.cut(1012, random() < 0.5 ? "retry-after=1" : "");
      else if (what < 0.78) server.down = !server.down;
      else if (what < 0.81) server.twice = !server.twice;
      else if (what < 0.84) server.busy = server.busy === null ? 1 : null;
      await clock.pass(Math.floor(random() * 300));
    }
    Object.assign(server, { loseAcks: false, blocked: false, down: false, busy: null });
    await clock.pass(180_000);
    const ids = [];
    for (const { text, delivered } of sent) {
      // A message may be given up after so many tries without an answer; none may be acknowledged falsely.
      const id = await delivered.catch(error => assert.equal(error.code, "unanswered"));
      if (id === undefined) continue;
      ids.push(id);
      assert.equal(server.log.find(message => message.id === id)?.content, text, `seed ${seed}`);
    }
    assert.equal(new Set(ids).size, ids.length, `seed ${seed}`);
    assert.ok(ids.length > sent.length * 0.8, `seed ${seed}: ${ids.length} of ${sent.length}`);
    assert.equal(new Set(contents(server.log)).size, server.log.length, `seed ${seed}: stored twice`);
    for (const { chat, messages, history } of people) {
      assert.deepEqual(contents([...history, ...messages].sort((a, b) => a.id.split(":")[1] - b.id.split(":")[1])), contents(server.log), `seed ${seed}`);
      const offsets = messages.map(({ id }) => Number(id.split(":")[1]));
      assert.ok(offsets.every((offset, index) => index === 0 || offset === offsets[index - 1] + 1), `seed ${seed}: ${offsets}`);
      chat.close();
    }
  }
});
