"use strict";
// A client that knows nothing but the table of messages, as existing pages have it: the API of browsers, JSON, no
// ids, no acknowledgements, no reconnecting. Run by Node with `ws`, and by Chromium.
async function plain(WebSocket, base) {
  const open = path => new Promise((done, fail) => {
    const socket = new WebSocket(base + path);
    const [arrived, waiting] = [[], []];
    socket.onmessage = event => {
      const message = JSON.parse(event.data);
      if (waiting.length > 0) waiting.shift()(message);
      else arrived.push(message);
    };
    socket.onerror = () => fail(new Error(`${path}: no connection`));
    socket.onopen = () => done({
      next: () => new Promise(come => (arrived.length > 0 ? come(arrived.shift()) : waiting.push(come))),
      say: message => socket.send(typeof message === "string" ? message : JSON.stringify(message)),
      close: () => socket.close(),
    });
  });
  let checks = 0;
  const due = (message, expected) => {
    checks += 1;
    for (const [name, value] of Object.entries(expected)) {
      const is = value instanceof RegExp ? value.test(message[name]) : typeof value === "function" ? typeof message[name] === value.name.toLowerCase() : message[name] === value;
      if (!is) throw new Error(`${name} of ${JSON.stringify(message)} is not ${value}`);
    }
    return message;
  };
  const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
  const ID = /^.+:\d+$/;

  const room = `/chat/${encodeURIComponent("방 🙂")}`;
  const jisu = await open(`${room}?username=${encodeURIComponent("지수")}`);
  due(await jisu.next(), { type: "joined", userCount: 1, id: ID });
  const ada = await open(`${room}?username=Ada`);
  due(await ada.next(), { type: "joined", userCount: 2, id: ID });
  due(await jisu.next(), { type: "system", message: String, userCount: 2, timestamp: ISO });

  ada.say({ type: "typing", isTyping: true });
  due(await jisu.next(), { type: "typing", username: "Ada", isTyping: true });
  ada.say({ type: "message", content: "안녕 <b>👋</b>" });
  for (const one of [jisu, ada]) due(await one.next(), { type: "message", id: ID, username: "Ada", content: "안녕 <b>👋</b>", timestamp: ISO });
  ada.say({ type: "typing", isTyping: false });
  due(await jisu.next(), { type: "typing", username: "Ada", isTyping: false });

  for (const wrong of ["not JSON", "[]", "7", '{"type":"dance"}', '{"type":"message"}', '{"type":"message","content":7}', '{"type":"typing","isTyping":"yes"}']) {
    ada.say(wrong);
    due(await ada.next(), { type: "error", message: String });
  }
  ada.say({ type: "message", content: "still here" });
  for (const one of [jisu, ada]) due(await one.next(), { type: "message", content: "still here" });

  // Who comes later gets what was said; who gives no name is 익명; who names no room is in `general`.
  const late = await open(room);
  due(await late.next(), { type: "joined", userCount: 3 });
  const history = due(await late.next(), { type: "history" });
  history.messages.forEach((message, index) => due(message, { type: "message", id: ID, username: "Ada", content: ["안녕 <b>👋</b>", "still here"][index], timestamp: ISO }));
  if (history.messages.length !== 2) throw new Error(JSON.stringify(history));
  for (const one of [jisu, ada]) due(await one.next(), { type: "system", userCount: 3, message: /익명/ });
  late.close();
  for (const one of [jisu, ada]) due(await one.next(), { type: "system", userCount: 2, message: /익명/ });
  for (const path of ["/chat", "/chat/"]) {
    const [a, b] = [await open(path), await open("/chat/general?username=b")];
    due(await a.next(), { type: "joined" });
    due(await b.next(), { type: "joined" });
    due(await a.next(), { type: "system", userCount: 2 });
    b.close();
    due(await a.next(), { type: "system", userCount: 1 });
    a.close();
    const c = await open("/relay/none");
    c.close();
  }
  jisu.close();
  due(await ada.next(), { type: "system", userCount: 1, message: /지수/ });
  ada.close();
  return `${checks} messages as the table has them`;
}

if (typeof module !== "undefined") {
  plain(require("ws"), process.argv[2]).then(console.log, error => {
    console.error(error);
    process.exit(1);
  });
}
