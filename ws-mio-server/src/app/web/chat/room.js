// One room: its connection, and its messages as they are shown. Whatever users say becomes text nodes.

import { Chat } from "../client.js";
import { say, spoken } from "./words.js";

/** Lines that are kept; older ones go. */
const KEPT = 1_000;
/** Messages of one person in so many milliseconds stand together. */
const TOGETHER = 5 * 60_000;
const HUES = 8;

/** An element with attributes and children; strings become text. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** The colour of a name: always the same. */
export function hue(name) {
  let sum = 7;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 65_521;
  return String(sum % HUES);
}

/** A circle with the first letter of a name. */
export function avatar(name) {
  const [first = "?"] = new Intl.Segmenter().segment(name.trim());
  return make("span", { class: "avatar", "data-hue": hue(name), "aria-hidden": "true" }, (first.segment ?? "?").toUpperCase());
}

const name = (username, more = {}) => make("bdi", { class: "name", "data-hue": hue(username), ...more }, username);

export class Room {
  #pending = new Map(); // Own messages that are not yet told of: clientId to line.
  #last = null; // What the last line was, for the next to stand with it.
  #greeted = false;

  /** `changed` is called when something but the log has. */
  constructor({ room, username, token, url, changed, arrived }) {
    this.name = room;
    this.unread = 0;
    this.typing = [];
    this.follows = true; // The newest line stays in sight, until one scrolls back.
    this.arrived = arrived;
    this.log = make("ol", { class: "log", role: "log", "aria-live": "polite", tabindex: "0", "aria-label": room, hidden: true });
    this.chat = new Chat({ url, room, username, token });
    this.chat.on("state", state => {
      for (const line of this.#pending.values()) this.#explain(line);
      changed(this, state);
    });
    this.chat.on("joined", joined => this.#joined(joined));
    this.chat.on("history", messages => messages.forEach(message => this.#message(message, true)));
    this.chat.on("message", message => this.#message(message, false));
    this.chat.on("ack", ({ clientId, id }) => this.#stored(clientId, id));
    this.chat.on("refused", ({ clientId, content, message }) => this.#refused(clientId, content, message));
    this.chat.on("system", system => this.#system(system));
    this.chat.on("direct", ({ username: from, content }) => this.#append(
      make("li", { class: "announcement" }, make("strong", {}, name(from)), make("bdi", {}, content))));
    this.chat.on("presence", () => changed(this));
    this.chat.on("typing", ({ typing }) => {
      this.typing = typing;
      changed(this);
    });
  }

  /** Whether the newest line is in sight. */
  get isAtEnd() {
    return this.log.hidden ? this.follows : this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 80;
  }

  toEnd() {
    this.follows = true;
    this.log.scrollTop = this.log.scrollHeight;
  }

  send(content) {
    const { clientId } = this.chat.send(content);
    const line = this.#line({ username: this.chat.username ?? "", content, timestamp: new Date().toISOString(), clientId });
    this.#pending.set(clientId, line);
    this.#explain(line);
    this.toEnd();
  }

  /** Writes all that is not what users said in the language that is spoken now. */
  translate() {
    for (const element of this.log.querySelectorAll("[data-say]")) {
      element.textContent = say(...JSON.parse(element.dataset.say));
    }
    for (const element of this.log.querySelectorAll("time")) this.#time(element);
    for (const element of this.log.querySelectorAll("[data-day]")) element.textContent = day(new Date(element.dataset.day));
    for (const line of this.#pending.values()) this.#explain(line);
  }

  close() {
    this.chat.close();
    this.log.remove();
  }

  #joined({ recovered, missed, gap, id }) {
    if (recovered && missed > 0) this.#note("recovered", ["recovered", missed]);
    // What was said before there was anything to recover is no loss.
    else if (recovered === false && this.#greeted) this.#note("gap", gap > 0 ? ["gap", gap] : ["anew"]);
    else if (!this.#greeted && /:0$/.test(id)) this.#note("empty", ["empty"]);
    this.#greeted = true;
  }

  #message(message, isOld) {
    const waiting = this.#pending.get(message.clientId);
    const line = this.#line(message, waiting);
    if (waiting) this.#stored(message.clientId);
    const isOwn = message.username === this.chat.username;
    if (!isOld) this.arrived(this, message, isOwn);
    return line;
  }

  #stored(clientId, id) {
    const line = this.#pending.get(clientId);
    if (!line) return;
    // Told of when the message itself comes, which may have been before.
    if (id !== undefined && this.log.querySelector(`[data-id="${CSS.escape(id)}"]`)) line.remove();
    else if (id !== undefined) return;
    this.#pending.delete(clientId);
  }

  #refused(clientId, content, why) {
    const line = this.#pending.get(clientId);
    if (!line) return;
    this.#pending.delete(clientId);
    line.classList.replace("pending", "failed");
    const again = make("button", { type: "button", "data-say": '["again"]' }, say("again"));
    again.onclick = () => {
      line.remove();
      this.send(content);
    };
    line.querySelector(".note").replaceChildren(
      make("span", { "data-say": JSON.stringify(["failed", why]) }, say("failed", why)), again);
  }

  #explain(line) {
    line.querySelector(".note").textContent = say(this.chat.state.state === "open" ? "sending" : "queued");
  }

  #system({ event, username, message }) {
    if (event === "notification") {
      return this.#append(make("li", { class: "announcement" },
        make("strong", { "data-say": '["notification"]' }, say("notification")), make("bdi", {}, message)));
    }
    const word = { join: "joined", leave: "left" }[event];
    if (word && username !== undefined) this.#note("system", [word, username]);
    else this.#append(make("li", { class: "system" }, make("bdi", {}, message)));
  }

  #note(kind, what) {
    this.#append(make("li", { class: `system ${kind}` }, make("span", { "data-say": JSON.stringify(what) }, say(...what))));
  }

  /** Shows a message, in the line that stands for it already if there is one. */
  #line({ id, username, content, timestamp, clientId }, waiting) {
    const at = new Date(timestamp);
    const own = username === this.chat.username || (id === undefined);
    const line = waiting ?? make("li", { class: own ? "message own" : "message" });
    line.classList.toggle("pending", id === undefined);
    if (id !== undefined) line.dataset.id = id;
    if (clientId !== undefined) line.dataset.clientId = clientId;
    const time = make("time", { datetime: timestamp });
    this.#time(time);
    const body = make("div", { class: "body" }, make("bdi", { class: "bubble" }, content), time);
    if (id === undefined) body.append(make("span", { class: "note" }));
    if (waiting) {
      waiting.remove();
      this.#last = this.#lastOf(this.log.lastElementChild);
    }
    if (!this.#last || this.#last.day !== at.toDateString()) {
      this.#append(make("li", { class: "day" }, make("span", { "data-day": timestamp }, day(at))));
    }
    const together = this.#last?.username === username && at - this.#last.at < TOGETHER;
    line.classList.toggle("together", together);
    line.replaceChildren(...(own ? [] : [avatar(username)]), make("div", { class: "column" }, name(username, { hidden: together || own }), body));
    this.#append(line);
    this.#last = { username, at, day: at.toDateString() };
    return line;
  }

  #lastOf(line) {
    const time = line?.querySelector("time");
    if (!time) return this.#last && { day: this.#last.day };
    const at = new Date(time.dateTime);
    return { username: line.querySelector(".name").textContent, at, day: at.toDateString() };
  }

  #time(element) {
    const at = new Date(element.dateTime);
    element.textContent = at.toLocaleTimeString(spoken(), { hour: "numeric", minute: "2-digit" });
    element.title = at.toLocaleString(spoken());
  }

  #append(line) {
    if (!line.classList.contains("message")) this.#last = this.#last && { day: this.#last.day };
    if (line.classList.contains("day")) this.#last = null;
    this.log.append(line);
    while (this.log.childElementCount > KEPT) this.log.firstElementChild.remove();
    if (this.follows) this.toEnd();
  }
}

function day(at) {
  const ago = new Date();
  if (at.toDateString() === ago.toDateString()) return say("today");
  ago.setDate(ago.getDate() - 1);
  if (at.toDateString() === ago.toDateString()) return say("yesterday");
  return at.toLocaleDateString(spoken(), { weekday: "long", year: "numeric", month: "long", day: "numeric" });
}
