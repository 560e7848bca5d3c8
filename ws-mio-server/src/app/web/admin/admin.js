// What the server does, asked for each second, and what may be done about it. All that users named is text.

const API = "/admin/api/";
const EVERY = 1_000;
/** Points of a plot: two minutes. */
const POINTS = 120;
const SVG = "http://www.w3.org/2000/svg";
const $ = id => document.getElementById(id);

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// --- numbers

const count = n => (n === undefined || n === null ? "–" : Number(n).toLocaleString("en"));

function short(n) {
  if (!(n >= 1000)) return String(Math.round(n * 10) / 10);
  const power = Math.min(3, Math.floor(Math.log10(n) / 3));
  return `${(n / 1000 ** power).toPrecision(3)}${" kMG"[power]}`;
}

function bytes(n) {
  if (n === undefined || n === null) return "–";
  const power = n > 0 ? Math.min(4, Math.floor(Math.log2(n) / 10)) : 0;
  return `${power === 0 ? n : (n / 1024 ** power).toPrecision(3)} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

function lasting(seconds) {
  if (!(seconds >= 0)) return "–";
  const parts = [[86_400, "d"], [3_600, "h"], [60, "min"], [1, "s"]];
  const at = parts.findIndex(([unit]) => seconds >= unit);
  if (at < 0) return "<1 s";
  const [unit, name] = parts[at];
  const rest = parts[at + 1] && Math.floor((seconds % unit) / parts[at + 1][0]);
  return `${Math.floor(seconds / unit)} ${name}${rest ? ` ${rest} ${parts[at + 1][1]}` : ""}`;
}

const time = iso => new Date(iso).toLocaleTimeString("en-GB");

// --- plots

class Plot {
  #values = [];
  constructor(figure, write) {
    this.figure = figure;
    this.write = write;
    this.svg = document.createElementNS(SVG, "svg");
    for (const [key, value] of Object.entries({ viewBox: `0 0 ${POINTS - 1} 40`, preserveAspectRatio: "none", role: "img" })) this.svg.setAttribute(key, value);
    this.area = this.svg.appendChild(document.createElementNS(SVG, "path"));
    this.line = this.svg.appendChild(document.createElementNS(SVG, "path"));
    [this.area.classList, this.line.classList].forEach((list, index) => list.add(["area", "line"][index]));
    this.most = make("span", { class: "most" });
    figure.append(this.svg, this.most);
  }

  add(value) {
    this.#values.push(value);
    if (this.#values.length > POINTS) this.#values.shift();
    const known = this.#values.filter(value => value !== null);
    const top = Math.max(1, ...known);
    const from = POINTS - this.#values.length;
    let path = "";
    this.#values.forEach((value, index) => {
      if (value === null) return;
      const broken = index === 0 || this.#values[index - 1] === null;
      path += `${broken ? "M" : "L"}${from + index} ${(38 - (value / top) * 36).toFixed(2)}`;
    });
    this.line.setAttribute("d", path);
    // The area below it, where the line has no gap but before its beginning.
    const first = this.#values.findIndex(value => value !== null);
    const isWhole = known.length > 1 && known.length === this.#values.length - first;
    this.area.setAttribute("d", isWhole ? `${path}L${POINTS - 1} 40L${from + first} 40Z` : "");
    const now = value === null ? "–" : this.write(value);
    this.figure.querySelector("output").textContent = now;
    this.most.textContent = `top ${this.write(top)}`;
    this.svg.setAttribute("aria-label", `now ${now}, at most ${this.write(top)}`);
  }
}

const plots = Object.fromEntries([["in", n => `${short(n)}/s`], ["out", n => `${short(n)}/s`], ["connections", short], ["queued", bytes]]
  .map(([name, write]) => [name, new Plot(document.querySelector(`[data-plot=${name}]`), write)]));

// --- talking to the server

async function get(what) {
  const response = await fetch(API + what, { cache: "no-store" });
  if (!response.ok) throw new Error(`${what}: status ${response.status}`);
  return response.json();
}

async function post(what, body) {
  const response = await fetch(API + what, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `status ${response.status}`);
  return answer;
}

/** Does something and tells how it went. */
async function act(what, body, tell) {
  try {
    $("told").textContent = tell(await post(what, body));
    $("told").dataset.state = "done";
  } catch (error) {
    $("told").textContent = `Not done: ${error.message}`;
    $("told").dataset.state = "failed";
  }
}

/** Asks first. Comes to the text that was typed, or null. */
function sure(what, label, input, yes) {
  $("sure-what").textContent = what;
  $("sure-label").firstElementChild.textContent = label;
  $("sure-input").value = input;
  $("sure-yes").textContent = yes;
  $("sure").returnValue = "no";
  $("sure").showModal();
  return new Promise(done => {
    $("sure").onclose = () => done($("sure").returnValue === "yes" ? $("sure-input").value : null);
  });
}

// --- what is shown

let before = null;

function showState(state) {
  const { counters = {}, queues = {} } = state;
  const at = Date.parse(state.now) || Date.now();
  const seconds = before ? (at - before.at) / 1000 : 0;
  // A server that was restarted counts anew.
  const rate = name => (seconds > 0 && counters[name] >= before.counters[name] ? (counters[name] - before.counters[name]) / seconds : null);
  plots.in.add(rate("messagesIn"));
  plots.out.add(rate("messagesOut"));
  plots.connections.add(state.connections ?? null);
  plots.queued.add(queues.bytes ?? null);
  const [bytesIn, bytesOut] = [rate("bytesIn"), rate("bytesOut")];
  before = { at, counters };
  const figures = {
    "Connections": count(state.connections),
    "Rooms": count(state.rooms),
    "People": state.users === undefined ? undefined : count(state.users),
    "In": bytesIn === null ? undefined : `${bytes(Math.round(bytesIn))}/s`,
    "Out": bytesOut === null ? undefined : `${bytes(Math.round(bytesOut))}/s`,
    "Refused": count(counters.refused),
    "Slow peers": queues.peers === undefined ? undefined : count(queues.peers),
    "Mailboxes": queues.mailboxes?.map(count).join(" + "),
    "Not yet stored": queues.store === undefined || queues.store === null ? undefined : count(queues.store),
    "Stored in": state.store === null ? "memory only" : state.store,
    "Up for": lasting(state.uptime),
  };
  const shown = Object.entries(figures).filter(([, value]) => value !== undefined);
  $("now").replaceChildren(...shown.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
  $("version").textContent = state.version ?? "";
  tell(state.draining ? "draining" : "running");
  $("drain").disabled = Boolean(state.draining);
}

function tell(state) {
  if ($("state").textContent === state) return;
  $("state").textContent = state;
  $("state").dataset.state = state;
}

/** Rows of a table; what has not changed stays, so that nobody loses the focus. */
function fill(table, rows, empty) {
  const body = $(table).tBodies[0];
  const told = JSON.stringify(rows.map(({ cells }) => cells));
  if (body.dataset.told === told) return;
  body.dataset.told = told;
  const focus = document.activeElement?.dataset?.focus;
  body.replaceChildren(...rows.map(({ cells, action }) => make("tr", {}, ...cells.map(cell => make("td", { title: cell }, make("bdi", {}, cell))), ...(action ? [make("td", {}, action)] : []))));
  if (rows.length === 0) body.append(make("tr", {}, make("td", { colspan: $(table).tHead.rows[0].cells.length, class: "none" }, empty)));
  if (focus) body.querySelector(`[data-focus="${CSS.escape(focus)}"]`)?.focus();
}

function showRooms({ total, rooms }) {
  $("rooms-total").textContent = count(total);
  fill("rooms", rooms.map(room => ({
    cells: [room.room, count(room.users), count(room.connections), count(room.history), count(room.unstored), room.id ?? ""],
  })), "no rooms");
}

function showConnections({ total, connections }) {
  $("connections-total").textContent = connections.length < total ? `${count(connections.length)} of ${count(total)}` : count(total);
  const now = Date.now();
  fill("connections", connections.map(({ connection, room, username, transport, address, since, queued }) => {
    const kick = make("button", { type: "button", class: "danger small", "data-focus": connection, "aria-label": `Kick ${username}` }, "Kick…");
    kick.onclick = async () => {
      const reason = await sure(`Close the connection of ${username ?? "this peer"} (${address ?? connection})?`, "Reason, which they are told", "removed by an operator", "Kick");
      if (reason !== null) await act("kick", { connection, reason }, ({ closed }) => (closed === 0 ? "It was gone already." : "Closed."));
    };
    // Whole minutes: rows change seldom.
    const minutes = Math.floor((now - Date.parse(since)) / 60_000);
    return { cells: [username ?? "–", room ?? "–", transport, address ?? "–", minutes < 1 ? "<1 min" : lasting(minutes * 60), bytes(queued)], action: kick };
  }), "no connections");
}

function showCloses({ closes }) {
  fill("closes", closes.map(({ at, code, by, username, address, path, seconds, reason }) => ({
    cells: [time(at), code === null || code === undefined ? "–" : String(code), by ?? "–", username ?? address ?? "–", path ?? "–", lasting(seconds), reason ?? ""],
  })), "none yet");
}

// --- what one does

$("notify").onsubmit = async event => {
  event.preventDefault();
  const message = $("notice").value;
  await act("notify", { [$("target").value]: $("whom").value, message }, ({ delivered }) => `Sent; ${count(delivered)} ${delivered === 1 ? "connection gets" : "connections get"} it.`);
  $("notice").value = "";
};
$("drain").onclick = async () => {
  const seconds = await sure("Close all connections and stop the server?", "Over so many seconds", "30", "Drain");
  if (seconds === null) return;
  const number = Number(seconds);
  if (seconds.trim() === "" || !(number >= 0)) $("told").textContent = `Not done: ${seconds} is not a number of seconds`;
  else await act("drain", { seconds: number }, () => "The server drains and then stops.");
};

const LISTS = { rooms: showRooms, connections: showConnections, closes: showCloses };

async function round() {
  try {
    const room = $("room").value;
    const query = { rooms: "?limit=200", connections: `?limit=200${room ? `&room=${encodeURIComponent(room)}` : ""}`, closes: "?limit=100" };
    showState(await get("state"));
    for (const [name, show] of Object.entries(LISTS)) show(await get(name + query[name]));
  } catch (error) {
    for (const plot of Object.values(plots)) plot.add(null);
    before = null;
    tell("not reached");
    $("state").title = error.message;
  }
  setTimeout(round, document.hidden ? 5 * EVERY : EVERY);
}
round();
