// A client of the chat rooms of ws-mio-server, for browsers and Node, without dependencies.
//
//   import { Chat } from "./client.js";
//   const chat = new Chat({ url: "https://chat.example", room: "general", username: "지수" });
//   chat.on("message", ({ username, content }) => console.log(`${username}: ${content}`));
//   chat.send("안녕하세요").delivered.then(id => console.log("stored as", id));
//
// It connects, and connects again when it is cut off; names the last message that it has seen, so that those it
// missed follow; keeps what is sent until the server has acknowledged it; and tells of no message twice. Where
// WebSockets are blocked it listens to server-sent events and posts. What it tells is described in client.d.ts.

const DEFAULTS = {
  room: "general",
  transports: ["websocket", "sse"],
  minDelay: 1_000,
  maxDelay: 30_000,
  connectTimeout: 10_000,
  ackTimeout: 15_000,
  silenceTimeout: 45_000,
  maxQueue: 1_000,
  maxInFlight: 32,
  maxBuffered: 256 * 1024,
  typingPause: 3_000,
};

/** Who was heard typing and then nothing more is taken to have stopped after so long. */
const TYPING_EXPIRES = 6_000;
/** How long a connection must last for the next cut to be the first again. */
const STABLE = 5_000;
/** For how long WebSockets count as blocked when events worked where they did not. */
const BLOCKED = 5 * 60_000;
/** A server may ask to be left alone for so long at most. */
const MAX_HINT = 10 * 60_000;
/** How often a message is sent that is answered by nothing at all. */
const MAX_TRIES = 5;
/** How many acknowledged ids are kept for the messages themselves to come. */
const REMEMBERED = 256;

/** Why a message was not, or not certainly, delivered. */
export class SendError extends Error {
  /** @param {string} code @param {string} message */
  constructor(code, message) {
    super(message);
    this.name = "SendError";
    this.code = code;
  }
}

/** `epoch:offset`, or null if it is not that. */
function parseId(id) {
  const [, epoch, offset] = /^(.+):(\d+)$/.exec(id ?? "") ?? [];
  return epoch === undefined ? null : { id, epoch, offset: Number(offset) };
}

/** Milliseconds that a `Retry-After` or the reason of a Close asks for, or null. */
function parseHint(text, now) {
  const seconds = /^\s*(\d+(?:\.\d+)?)\s*$/.exec(text ?? "") ?? /retry-after=(\d+(?:\.\d+)?)/i.exec(text ?? "");
  const wait = seconds ? Number(seconds[1]) * 1_000 : Date.parse(text ?? "") - now;
  return Number.isFinite(wait) && wait >= 0 ? Math.min(wait, MAX_HINT) : null;
}

/** No other try can end better: what the server said was about us, not about the moment. */
function isFinal({ code, status }) {
  if (status !== undefined) return status === 400 || status === 401 || status === 403;
  return code >= 4400 && code <= 4499 && code !== 4408 && code !== 4429;
}

/** A transport by WebSocket. `on.text` gets each message, `on.end` why it is over, once. */
function webSocket(WebSocket, url, on) {
  let socket;
  const end = how => {
    if (socket) socket.onmessage = socket.onclose = null;
    on.end(how);
  };
  try {
    socket = new WebSocket(url);
  } catch (error) {
    // Where a page may not open one at all, that is an exception: tell it as what comes later is told.
    Promise.resolve().then(() => end({ code: 1006, reason: String(error.message) }));
    return { send() {}, buffered: () => 0, close() {} };
  }
  socket.onmessage = ({ data }) => on.text(String(data));
  socket.onclose = ({ code, reason }) => end({ code, reason: String(reason) });
  socket.onerror = () => {}; // `close` follows.
  return {
    send: text => socket.send(text),
    buffered: () => socket.bufferedAmount,
    close() {
      socket.onmessage = socket.onclose = null;
      socket.close(1000);
    },
  };
}

/** A transport by server-sent events and POST, with the same interface. */
function serverSentEvents(fetch, url, token, on, now) {
  const abort = new AbortController();
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const post = { method: "POST", headers: { ...headers, "Content-Type": "application/json" }, signal: abort.signal };
  let [over, waiting, posts, hint] = [false, 0, Promise.resolve(), null];
  const end = how => {
    if (over) return;
    over = true;
    abort.abort();
    on.end({ code: 1006, reason: "", hint, ...how });
  };
  const refused = async response => end({
    status: response.status,
    reason: (await response.text()).trim().slice(0, 200),
    hint: parseHint(response.headers.get("retry-after"), now()),
  });

  const listen = async () => {
    const accept = { ...headers, Accept: "text/event-stream" };
    const response = await fetch(url, { headers: accept, cache: "no-store", signal: abort.signal });
    if (!response.ok) return refused(response);
    const [reader, decoder] = [response.body.getReader(), new TextDecoder()];
    let [rest, event, data] = ["", "", []];
    const dispatch = text => {
      // What a Close frame would have said.
      if (event === "close") end(JSON.parse(text));
      else if (text !== "") on.text(text);
      event = "";
    };
    for (;;) {
      const { done, value } = await reader.read();
      if (done || over) return end({ reason: "the stream of events ended" });
      on.alive();
      const lines = (rest + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) {
        const [, field, text] = /^([^:]*):? ?(.*)$/.exec(line);
        if (line === "") dispatch(data.splice(0).join("\n"));
        else if (field === "data") data.push(text);
        else if (field === "event") event = text;
        else if (field === "retry") hint = parseHint(text, 0) === null ? hint : Math.min(Number(text), MAX_HINT);
        if (over) return;
      }
    }
  };
  // One after the other: messages keep their order. Each is answered by what a WebSocket would get.
  const send = async text => {
    if (over) return;
    const response = await fetch(url, { ...post, body: text });
    const answer = await response.text();
    let told;
    try { told = JSON.parse(answer); } catch { /* A proxy's own words. */ }
    if (told?.type === "error" && (response.status === 503 || response.status === 429)) {
      const wait = parseHint(response.headers.get("retry-after"), now()) ?? 1_000;
      told = { code: "busy", retryAfter: wait / 1_000, ...told };
    }
    if (told?.type && !over) on.text(JSON.stringify(told));
    else if (!response.ok) end({ status: response.status, reason: answer.trim().slice(0, 200) });
  };
  const failed = error => end({ reason: String(error.message) });
  listen().catch(failed);
  return {
    send(text) {
      waiting += text.length;
      posts = posts.then(() => send(text)).catch(failed).then(() => { waiting -= text.length; });
    },
    buffered: () => waiting,
    close() {
      over = true;
      abort.abort();
    },
  };
}

/** One person in one room. */
export class Chat {
  #options; #clock; #random; #base; #newId;
  #listeners = new Map();
  #timers = new Map();
  #state = { state: "connecting", transport: null, attempt: 0 };
  #transport = null;
  #serial = 0; // Of the connection: what a former one still tells is not heard.
  #attempts = 0; #denied = 0; #socketFailures = 0; #socketWorked = false; #fellBack = false; #blockedUntil = 0;
  #last = null; // The last message that was told of.
  #position = null; // Where a joiner stands who was told of none yet: see #joined.
  #queue = []; // What is not acknowledged, in order.
  #pausedUntil = 0;
  #acknowledged = new Map(); // Of own messages: id to clientId.
  #users = null; #userCount = 0; #typists = new Map(); #typingSent = null;
  #online = () => { if (this.#state.state === "waiting") this.retryNow(); };

  /** @param {import("./client.js").Options} [options] */
  constructor(options = {}) {
    const given = Object.entries(options).filter(([, value]) => value !== undefined);
    this.#options = { WebSocket: globalThis.WebSocket, fetch: globalThis.fetch?.bind(globalThis), ...DEFAULTS, ...Object.fromEntries(given) };
    this.#clock = this.#options.clock ?? {
      now: () => Date.now(),
      setTimeout: (call, ms) => globalThis.setTimeout(call, ms),
      clearTimeout: timer => globalThis.clearTimeout(timer),
    };
    this.#random = this.#options.random ?? Math.random;
    const { room, url, since } = this.#options;
    this.username = this.#options.username || null;
    this.room = room;
    if (typeof room !== "string" || room === "" || room === "." || room === "..") {
      throw new TypeError(`a room can't be called ${JSON.stringify(room)}: URLs have no such path`);
    }
    try {
      encodeURIComponent(room + (this.username ?? ""));
    } catch {
      throw new TypeError("names of rooms and users must be well-formed: half of a surrogate pair is not");
    }
    this.#base = new URL(url ?? ".", globalThis.location?.href);
    this.#last = parseId(since);
    // Node 18 has no `crypto` of its own. Nobody else's ids count: chance need not be secret.
    const part = () => globalThis.crypto?.getRandomValues(new Uint32Array(1))[0] ?? Math.floor(Math.random() * 2 ** 32);
    const prefix = [part(), part(), part()].map(n => n.toString(36)).join("");
    let number = 0;
    this.#newId = () => `${prefix}-${++number}`;
    globalThis.addEventListener?.("online", this.#online);
    // Whoever made it can listen first.
    this.#after("retry", 0, () => this.#connect());
  }

  /** What the connection is doing. */
  get state() { return this.#state; }
  /** The id of the last message that was told of: where another `Chat` can go on, by `since`. */
  get lastId() { return this.#last?.id ?? null; }
  /** Who is in the room; null where the server does not tell. */
  get users() { return this.#users && [...this.#users]; }
  get userCount() { return this.#userCount; }
  /** How many messages wait for the server's word. */
  get pending() { return this.#queue.length; }

  /** Calls `listener` with each event of that name. Returns a function that ends it. */
  on(name, listener) {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /** Sends a message, now or when there is a connection, until the server has acknowledged it. */
  send(content) {
    const clientId = this.#newId();
    if (typeof content !== "string") throw new TypeError("a message is a string");
    const entry = { clientId, content, connection: 0, at: 0, tries: 0, settle: null, fail: null };
    const delivered = new Promise((settle, fail) => Object.assign(entry, { settle, fail }));
    delivered.catch(() => {}); // Nobody has to look at it.
    if (this.#state.state === "closed") entry.fail(new SendError("closed", this.#state.reason || "the chat is closed"));
    else if (this.#queue.length >= this.#options.maxQueue) entry.fail(new SendError("queue-full", `${this.#queue.length} messages wait already`));
    else this.#queue.push(entry);
    this.typing(false);
    this.#flush();
    return { clientId, delivered };
  }

  /** To be called at every key: tells the others that one types, and, after a pause, that one has stopped. */
  typing(isTyping = true) {
    const { typingPause } = this.#options;
    const now = this.#clock.now();
    if (isTyping) {
      this.#after("typing", typingPause, () => this.typing(false));
      // Told again while it goes on: see TYPING_EXPIRES.
      if (this.#typingSent !== null && now - this.#typingSent < typingPause) return;
    } else {
      this.#cancel("typing");
      if (this.#typingSent === null) return;
    }
    if (this.#state.state !== "open" || this.#transport.buffered() > this.#options.maxBuffered) return;
    this.#typingSent = isTyping ? now : null;
    this.#transport.send(JSON.stringify({ type: "typing", isTyping }));
  }

  /** Does not wait for the next attempt. Also begins anew where the server had refused. */
  retryNow() {
    if (this.#state.state !== "waiting" && this.#state.state !== "closed") return;
    if (this.#state.state === "closed") globalThis.addEventListener?.("online", this.#online);
    this.#connect();
  }

  /** Leaves. What was not acknowledged fails. */
  close() {
    this.#stop({ state: "closed", transport: null, attempt: 0, reason: "" });
  }

  #emit(name, event) {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        listener(event);
      } catch (error) {
        // Theirs, not ours: it is told where exceptions of event listeners are.
        queueMicrotask(() => { throw error; });
      }
    }
  }

  #after(name, ms, call) {
    this.#cancel(name);
    this.#timers.set(name, this.#clock.setTimeout(() => {
      this.#timers.delete(name);
      call();
    }, ms));
  }

  #cancel(name) {
    if (this.#timers.has(name)) this.#clock.clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  #show(state) {
    this.#state = Object.freeze(state);
    this.#emit("state", this.#state);
  }

  #stop(state) {
    this.#hangUp();
    for (const name of [...this.#timers.keys()]) this.#cancel(name);
    globalThis.removeEventListener?.("online", this.#online);
    this.#show(state);
    for (const entry of [...this.#queue]) this.#refuse(entry, "closed", state.reason || "the chat was closed");
  }

  #hangUp() {
    this.#serial += 1;
    this.#transport?.close();
    this.#transport = null;
    this.#position = null;
    this.#typingSent = null;
    for (const name of ["opening", "stable", "silence", "ack", "flush", "position"]) this.#cancel(name);
    for (const username of [...this.#typists.keys()]) this.#heardTyping({ username, isTyping: false });
  }

  /** Which transports an attempt may use, one after the other. */
  #choice() {
    const { transports, WebSocket, fetch } = this.#options;
    const has = { websocket: Boolean(WebSocket), sse: Boolean(fetch) };
    const there = transports.filter(name => has[name]);
    if (!there.includes("websocket") || !there.includes("sse")) return there;
    if (this.#clock.now() < this.#blockedUntil) return ["sse"];
    // Where they worked before, it is rather the server that is away.
    return this.#socketWorked && this.#socketFailures < 2 ? ["websocket"] : there;
  }

  async #connect() {
    this.#hangUp();
    this.#cancel("retry");
    const [serial, choice] = [this.#serial, this.#choice()];
    this.#show({ state: "connecting", transport: null, attempt: this.#attempts });
    let token;
    try {
      token = typeof this.#options.token === "function" ? await this.#options.token() : this.#options.token;
    } catch (error) {
      if (serial === this.#serial) this.#ended({ code: 1006, reason: `no token: ${error.message}` });
      return;
    }
    if (serial !== this.#serial) return;
    if (choice.length === 0) this.#stop({ state: "closed", transport: null, attempt: 0, reason: "neither WebSocket nor fetch is there" });
    else this.#open(choice, token);
  }

  #url(path, token) {
    const url = new URL(`${path}/${encodeURIComponent(this.room)}`, this.#base);
    url.protocol = url.protocol.replace(/^ws/, "http");
    if (path === "chat") url.protocol = url.protocol.replace(/^http/, "ws");
    const { username } = this.#options;
    for (const [name, value] of Object.entries({ username, since: this.#last?.id, token })) {
      if (value) url.searchParams.set(name, value);
    }
    return url.href;
  }

  #open([name, ...others], token) {
    this.#hangUp();
    this.#fellBack = false;
    const [serial, { WebSocket, fetch, connectTimeout, silenceTimeout }] = [this.#serial, this.#options];
    const now = () => this.#clock.now();
    const end = how => {
      if (serial !== this.#serial) return;
      const wasOpen = this.#state.state === "open";
      if (name === "websocket" && !wasOpen) this.#socketFailures += 1;
      // A Close with a code of the server's shows that the way is free.
      const blocked = !wasOpen && (how.code === 1006 || how.code === 1002 || how.code === 1015);
      if (!blocked || others.length === 0) return this.#ended(how);
      this.#open(others, token);
      this.#fellBack = true;
    };
    const on = {
      text: text => { if (serial === this.#serial) this.#received(text, name); },
      end,
      alive: () => { if (serial === this.#serial) this.#after("silence", silenceTimeout, () => end({ code: 1006, reason: "the stream of events is silent" })); },
    };
    this.#after("opening", connectTimeout, () => end({ code: 1006, reason: `no answer for ${connectTimeout} ms` }));
    this.#transport = name === "websocket"
      ? webSocket(WebSocket, this.#url("chat", token), on)
      : serverSentEvents(fetch, this.#url("sse", null), token, on, now);
  }

  /** A connection is over, or did not come about. */
  #ended(how) {
    const { code, status, reason } = how;
    const denied = status === 401 || code === 4401;
    this.#denied = denied ? this.#denied + 1 : 0;
    // The next token may be a better one.
    const renewable = denied && typeof this.#options.token === "function" && this.#denied < 3;
    if (isFinal(how) && !renewable) return this.#stop({ state: "closed", transport: null, attempt: 0, code, status, reason });
    this.#hangUp();
    // Larger than what the server takes at all: it would never come through.
    if (code === 1009) this.#refuse(this.#largest(), "too-long", reason || "the message is too large");
    const { minDelay, maxDelay } = this.#options;
    const hint = parseHint(/retry-after=/i.test(reason) ? reason : null, this.#clock.now()) ?? how.hint;
    const delay = (hint ?? 0) + this.#random() * Math.min(maxDelay, minDelay * 2 ** this.#attempts);
    this.#attempts += 1;
    this.#after("retry", delay, () => this.#connect());
    const retryAt = this.#clock.now() + delay;
    this.#show({ state: "waiting", transport: null, attempt: this.#attempts, retryAt, code, status, reason });
  }

  #largest() {
    const sent = this.#queue.filter(entry => entry.connection !== 0);
    return sent.sort((a, b) => b.content.length - a.content.length)[0];
  }

  #received(text, transport) {
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return this.#emit("error", { message: "the server sent what is not JSON" });
    }
    if (frame?.type !== "joined" && frame?.type !== "history") this.#settlePosition();
    switch (frame?.type) {
      case "joined": return this.#joined(frame, transport);
      case "history": return this.#history(frame);
      case "message": return this.#message(frame);
      case "ack": return this.#ack(frame.clientId, frame.id);
      case "error": return this.#error(frame);
      case "typing": return this.#heardTyping(frame);
      case "system": return this.#system(frame);
      case "direct": return this.#emit("direct", frame);
      default: return this.#emit("other", frame);
    }
  }

  #joined(frame, transport) {
    this.#cancel("opening");
    this.#denied = 0;
    if (transport === "websocket") {
      [this.#socketWorked, this.#socketFailures, this.#blockedUntil] = [true, 0, 0];
    } else if (this.#fellBack) {
      this.#blockedUntil = this.#clock.now() + BLOCKED;
    }
    this.#after("stable", STABLE, () => { this.#attempts = 0; });
    this.username = frame.username ?? this.username;
    [this.#users, this.#userCount] = [Array.isArray(frame.users) ? frame.users : null, frame.userCount];
    // The missed ones follow, all or the newest of them, and move us on one by one. Where all begins, we stand at the
    // room's position once we know of the history: a cut before that would lose it.
    if (frame.recovered !== true && !(frame.missed > 0)) {
      this.#position = parseId(frame.id);
      if (this.#position?.offset === 0) this.#settlePosition(); // Of an empty room there is no history.
      else this.#after("position", 1_000, () => this.#settlePosition());
    }
    this.#show({ state: "open", transport, attempt: 0 });
    this.#emit("joined", frame);
    this.#emitPresence();
    this.#flush();
  }

  #settlePosition() {
    if (this.#position) this.#last = this.#position;
    this.#position = null;
    this.#cancel("position");
  }

  #isNew({ id }) {
    const at = parseId(id);
    return !(at && this.#last && at.epoch === this.#last.epoch && at.offset <= this.#last.offset);
  }

  #history(frame) {
    const messages = (frame.messages ?? []).filter(message => this.#isNew(message));
    this.#settlePosition();
    this.#emit("history", messages);
  }

  #message(frame) {
    const mine = frame.username === this.username && this.#queue.some(({ clientId }) => clientId === frame.clientId);
    // Stored, though the acknowledgement was lost.
    if (mine) this.#ack(frame.clientId, frame.id);
    // Where a room begins anew, no history may come before it.
    this.#settlePosition();
    if (!this.#isNew(frame)) return;
    this.#last = parseId(frame.id) ?? this.#last;
    this.#heardTyping({ username: frame.username, isTyping: false });
    const clientId = frame.clientId ?? this.#acknowledged.get(frame.id);
    this.#emit("message", clientId === undefined ? frame : { ...frame, clientId });
  }

  #take(clientId) {
    const index = this.#queue.findIndex(entry => entry.clientId === clientId);
    return index < 0 ? undefined : this.#queue.splice(index, 1)[0];
  }

  #ack(clientId, id) {
    const entry = this.#take(clientId);
    if (!entry) return;
    // What is kept nowhere has none, and does not come twice.
    if (id !== undefined) this.#acknowledged.set(id, clientId);
    if (this.#acknowledged.size > REMEMBERED) this.#acknowledged.delete(this.#acknowledged.keys().next().value);
    entry.settle(id);
    this.#emit("ack", { clientId, id });
    this.#flush();
  }

  #refuse(entry, code, message) {
    if (!entry || !this.#take(entry.clientId)) return;
    entry.fail(new SendError(code, message));
    this.#emit("refused", { clientId: entry.clientId, content: entry.content, code, message });
  }

  #error(frame) {
    const sent = this.#queue.filter(entry => entry.connection !== 0);
    const entry = frame.clientId === undefined && sent.length === 1 ? sent[0] : sent.find(({ clientId }) => clientId === frame.clientId);
    if (entry && frame.code === "busy") {
      this.#pausedUntil = this.#clock.now() + (parseHint(String(frame.retryAfter), 0) ?? 1_000);
      [entry.connection, entry.tries] = [0, entry.tries - 1];
    } else if (entry) {
      this.#refuse(entry, frame.code ?? "refused", frame.message);
    }
    this.#emit("error", frame);
    this.#flush();
  }

  #heardTyping({ username, isTyping }) {
    if (username === this.username || (!isTyping && !this.#typists.has(username))) return;
    const timer = `typist ${username}`;
    if (isTyping) this.#after(timer, TYPING_EXPIRES, () => this.#heardTyping({ username, isTyping: false }));
    else this.#cancel(timer);
    if (isTyping) this.#typists.set(username, true);
    else this.#typists.delete(username);
    this.#emit("typing", { username, isTyping, typing: [...this.#typists.keys()] });
  }

  #system(frame) {
    // Those of notifications are of no room.
    if (frame.event !== "notification") this.#userCount = frame.userCount ?? this.#userCount;
    if (this.#users && frame.event === "join" && !this.#users.includes(frame.username)) this.#users.push(frame.username);
    if (frame.event === "leave") {
      this.#users = this.#users && this.#users.filter(name => name !== frame.username);
      this.#heardTyping({ username: frame.username, isTyping: false });
    }
    this.#emit("system", frame);
    this.#emitPresence();
  }

  #emitPresence() {
    this.#emit("presence", { users: this.users, userCount: this.#userCount });
  }

  /** Sends what was not sent by this connection, as far as it goes. */
  #flush() {
    if (this.#state.state !== "open") return;
    const { maxInFlight, maxBuffered, ackTimeout } = this.#options;
    const now = this.#clock.now();
    for (const entry of this.#queue.slice(0, maxInFlight)) {
      if (entry.connection === this.#serial) continue;
      if (now < this.#pausedUntil) {
        this.#after("flush", this.#pausedUntil - now, () => this.#flush());
        break;
      }
      if (this.#transport.buffered() > maxBuffered) {
        this.#after("flush", 50, () => this.#flush());
        break;
      }
      entry.tries += 1;
      if (entry.tries > MAX_TRIES) {
        this.#refuse(entry, "unanswered", `the server did not answer ${MAX_TRIES} times`);
        continue;
      }
      [entry.connection, entry.at] = [this.#serial, now];
      const { clientId, content } = entry;
      this.#transport.send(JSON.stringify({ type: "message", content, clientId }));
    }
    const oldest = Math.min(...this.#queue.filter(entry => entry.connection === this.#serial).map(entry => entry.at));
    if (!Number.isFinite(oldest)) return this.#cancel("ack");
    const silent = () => this.#ended({ code: 1006, reason: "messages were not acknowledged in time" });
    this.#after("ack", oldest + ackTimeout - now, silent);
  }
}
