"use strict";
// `client.js` with Node's `ws` against the real server, which is killed again and again while three people talk:
// node crashes.cjs PROGRAM DATA ROUNDS [sse]
const { spawn } = require("node:child_process");
const { createInterface } = require("node:readline");
const WebSocket = require("ws"); // CommonJS, because imports of modules disregard NODE_PATH.

const [, , program, data, rounds, transport] = process.argv;
let server;
let port = 0;

/** Comes to when it listens, where it did before. */
function start() {
  server = spawn(program, ["--listen", `127.0.0.1:${port}`, "--data", data], { stdio: ["ignore", "pipe", "inherit"] });
  return new Promise((done, fail) => {
    server.on("exit", (code, signal) => fail(new Error(`the server ended with ${code ?? signal}`)));
    createInterface({ input: server.stdout }).on("line", line => {
      const found = /page +http:\/\/127.0.0.1:(\d+)\//.exec(line);
      if (found) port = Number(found[1]);
      if (line.includes("Ctrl-C")) done();
    });
  });
}

function kill() {
  const ended = new Promise(done => server.once("exit", done));
  server.kill("SIGKILL");
  return ended;
}

async function run() {
  const { Chat } = await import("../../src/app/web/client.js");
  await start();
  const transports = transport === "sse" ? ["sse"] : ["websocket"];
  const people = ["지수", "Ada", "민준"].map(username => {
    // Pauses as short as a test wants them.
    const chat = new Chat({ url: `http://127.0.0.1:${port}/`, room: "방", username, WebSocket, transports, minDelay: 20, maxDelay: 200 });
    const person = { chat, username, messages: [], cuts: 0, recovered: 0 };
    chat.on("message", message => person.messages.push(message));
    chat.on("state", ({ state }) => { if (state === "waiting") person.cuts += 1; });
    chat.on("joined", ({ recovered }) => {
      if (recovered) person.recovered += 1;
      if (recovered === false) throw new Error(`${username} was not recovered`);
    });
    return person;
  });
  const open = () => Promise.all(people.map(({ chat }) => new Promise(done => {
    if (chat.state.state === "open") return done();
    const stop = chat.on("joined", () => { stop(); done(); });
  })));
  await open();
  const sent = [];
  let number = 0;
  for (let round = 0; round < Number(rounds); round += 1) {
    // The server dies when so many of the round were acknowledged: somewhere within what is under way.
    const acknowledged = [];
    let enough;
    const dies = new Promise(done => { enough = done; });
    for (let each = 0; each < 60; each += 1) {
      const person = people[number % people.length];
      const content = `${++number} 안녕 from ${person.username}`;
      const { delivered } = person.chat.send(content);
      sent.push({ content, delivered });
      delivered.then(() => {
        acknowledged.push(content);
        if (acknowledged.length > round * 7 % 50) enough();
      });
    }
    await dies;
    await kill();
    await start();
    await open();
  }
  const ids = await Promise.all(sent.map(({ delivered }) => delivered));
  // The last message says that all before it have come.
  const { delivered } = people[0].chat.send("last");
  const last = await delivered;
  await Promise.all(people.map(({ chat, messages }) => new Promise(done => {
    if (messages.some(({ id }) => id === last)) return done();
    chat.on("message", ({ id }) => { if (id === last) done(); });
  })));
  const [epoch] = last.split(":");
  const fail = what => { throw new Error(what); };
  if (last !== `${epoch}:${sent.length + 1}`) fail(`${sent.length + 1} messages were sent, the last is ${last}`);
  const byId = new Map(people[0].messages.map(({ id, content }) => [id, content]));
  sent.forEach(({ content }, index) => { if (byId.get(ids[index]) !== content) fail(`${content} was acknowledged as ${ids[index]}, which is ${byId.get(ids[index])}`); });
  for (const { chat, username, messages, cuts } of people) {
    messages.forEach(({ id }, index) => { if (id !== `${epoch}:${index + 1}`) fail(`${username}: message ${index + 1} has the id ${id}`); });
    if (messages.length !== sent.length + 1) fail(`${username}: ${messages.length} messages of ${sent.length + 1}`);
    if (cuts < Number(rounds)) fail(`${username} was cut off ${cuts} times only`);
    const order = messages.filter(message => message.username === username).map(({ content }) => parseInt(content, 10));
    if (order.some((n, index) => index > 0 && n < order[index - 1])) fail(`${username}: the order is ${order}`);
    chat.close();
  }
  await kill();
  return `${sent.length} messages, ${rounds} crashes, none lost, none doubled`;
}

run().then(console.log, error => {
  console.error(error);
  server.kill("SIGKILL");
  process.exit(1);
});
