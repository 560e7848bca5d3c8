// A chat server in memory that speaks the message table of the real one, on a virtual clock, and fails as it is
// told to. It knows nothing of the client under test.

export class Server {
  constructor(clock, { latency = () => 5, epoch = "e1" } = {}) {
    Object.assign(this, { clock, latency, epoch, log: [], members: new Set(), keep: Infinity });
    /** What goes wrong: see the uses. */
    this.down = false; // Nobody answers.
    this.blocked = false; // WebSockets don't come through.
    this.loseAcks = false;
    this.twice = false; // Every message is delivered two times.
    this.busy = null; // Seconds to wait, or null.
    this.refuse = null; // A status for whoever connects.
    this.echoClientId = true;
    this.opened = []; // Every attempt: the time and the URL.
    this.got = []; // Every frame of a client.
  }

  id(offset) { return `${this.epoch}:${offset}`; }

  join(member, url) {
    const { searchParams } = new URL(url);
    member.username = searchParams.get("username") ?? "익명";
    this.members.add(member);
    const people = [...new Set([...this.members].map(({ username }) => username))];
    const joined = { type: "joined", id: this.id(this.log.length), userCount: people.length, username: member.username, users: people };
    const since = searchParams.get("since");
    const first = Math.max(0, this.log.length - this.keep);
    let follow = this.log.slice(Math.max(first, this.log.length - 20));
    if (since !== null) {
      const [, epoch, offset] = /^(.*):(\d+)$/.exec(since) ?? [];
      const known = epoch === this.epoch && Number(offset) <= this.log.length;
      // Of a gap the newest follow all the same.
      const gap = known ? Math.max(0, first - Number(offset)) : null;
      if (known) follow = this.log.slice(Number(offset) + gap);
      Object.assign(joined, { recovered: gap === 0, missed: known ? follow.length : 0, gap });
    }
    member.tell(joined);
    if (joined.gap !== undefined && joined.gap !== null) for (const message of follow) member.tell(message);
    else if (follow.length > 0) member.tell({ type: "history", messages: follow });
    this.system(member, "join", people.length);
  }

  leave(member) {
    if (!this.members.delete(member)) return;
    this.system(member, "leave", this.members.size);
  }

  system({ username }, event, userCount) {
    for (const other of this.members) {
      if (other.username !== username) other.tell({ type: "system", message: `${username} ${event}`, event, username, userCount, timestamp: this.timestamp() });
    }
  }

  timestamp() { return new Date(this.clock.now()).toISOString(); }

  receive(member, text) {
    const frame = JSON.parse(text);
    this.got.push({ at: this.clock.now(), ...frame });
    if (frame.type === "typing") {
      for (const other of this.members) if (other.username !== member.username) other.tell({ type: "typing", username: member.username, isTyping: frame.isTyping });
      return {};
    }
    if (frame.type !== "message") return { type: "error", message: "unknown type" };
    const { clientId, content } = frame;
    if (content.length > 1000) return { type: "error", message: "too long", code: "too-long", clientId };
    if (this.busy !== null) return { type: "error", message: "the store is full", code: "busy", retryAfter: this.busy, clientId };
    let message = this.log.find(stored => stored.key === `${member.username} ${clientId}`);
    if (!message) {
      message = { type: "message", id: this.id(this.log.length + 1), username: member.username, content, timestamp: this.timestamp() };
      Object.defineProperty(message, "key", { value: `${member.username} ${clientId}` });
      if (this.echoClientId) message.clientId = clientId;
      this.log.push(message);
      for (const other of this.members) {
        for (let time = 0; time < (this.twice ? 2 : 1); time += 1) other.tell(message);
      }
    }
    return this.loseAcks ? {} : { type: "ack", clientId, id: message.id };
  }

  /** Cuts everyone off. */
  cut(code = 1006, reason = "") {
    for (const member of [...this.members]) member.cut(code, reason);
  }

  /** The `WebSocket` of this server's clients. */
  get WebSocket() {
    const server = this;
    return class {
      #open = false; #over = false;
      bufferedAmount = 0;
      constructor(url) {
        server.opened.push({ at: server.clock.now(), url });
        if (server.blocked || server.down) return void this.#soon(() => this.cut(1006, ""));
        if (server.refuse) return void this.#soon(() => this.cut(1006, ""));
        this.#soon(() => {
          this.#open = true;
          server.join(this, url);
        });
      }
      // In order, as TCP has it.
      #soon(call) {
        this.due = Math.max(this.due ?? 0, server.clock.now() + server.latency());
        server.clock.setTimeout(() => { if (!this.#over) call(); }, this.due - server.clock.now());
      }
      tell(frame) { this.#soon(() => this.onmessage?.({ data: JSON.stringify(frame) })); }
      send(text) {
        if (!this.#open) throw new Error("not open");
        this.#soon(() => {
          const answer = server.receive(this, text);
          if (answer.type) this.tell(answer);
        });
      }
      cut(code, reason) {
        if (this.#over) return;
        this.#over = true;
        server.leave(this);
        const tell = this.onclose;
        server.clock.setTimeout(() => (this.onclose ?? tell)?.({ code, reason }), 0);
      }
      close() { this.#over = true; server.leave(this); }
    };
  }

  /** The `fetch` of this server's clients. */
  get fetch() {
    const server = this;
    const later = () => new Promise(done => server.clock.setTimeout(done, server.latency()));
    return async (url, { method = "GET", body, signal, headers }) => {
      if (method === "GET") server.opened.push({ at: server.clock.now(), url, headers });
      await later();
      signal.throwIfAborted();
      if (server.down) throw new TypeError("fetch failed");
      if (server.refuse) return new Response("no\n", { status: server.refuse.status, headers: server.refuse.headers });
      if (method === "POST") {
        const member = { username: new URL(url).searchParams.get("username") };
        const answer = server.receive(member, body);
        await later();
        if (server.loseAcks) throw new TypeError("fetch failed");
        const status = answer.type !== "error" ? 200 : answer.code === "busy" ? 503 : 413;
        return new Response(JSON.stringify(answer), { status, headers: status === 503 ? { "Retry-After": String(answer.retryAfter) } : {} });
      }
      const encoder = new TextEncoder();
      let controller;
      const stream = new ReadableStream({ start(given) { controller = given; } });
      const member = {
        tell: frame => {
          const bytes = encoder.encode(`:\r\nid: ${frame.id ?? ""}\r\ndata: ${JSON.stringify(frame)}\r\n\r\n`);
          // Pieces end anywhere, also within a character.
          for (let at = 0; at < bytes.length; at += 7) controller.enqueue(bytes.slice(at, at + 7));
        },
        cut: (code, reason) => {
          server.leave(member);
          // Who is closed is told why, who is cut off is not.
          if (code !== 1006) controller.enqueue(encoder.encode(`event: close\ndata: ${JSON.stringify({ code, reason })}\n\n`));
          try {
            if (code === 1006) controller.error(new TypeError("terminated"));
            else controller.close();
          } catch { /* It is over already. */ }
        },
      };
      signal.addEventListener("abort", () => server.leave(member));
      if (server.retry) controller.enqueue(encoder.encode(`retry: ${server.retry}\n\n`));
      server.join(member, url);
      return new Response(stream, { headers: { "Content-Type": "text/event-stream" } });
    };
  }
}
