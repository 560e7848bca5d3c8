// The page: which rooms one is in, who one is, and what is shown of the room that is looked at.

import { Room, avatar, hue, make } from "./room.js";
import { say, speak, spoken } from "./words.js";

const MAX_ROOMS = 12;
const DEFAULT_ROOM = "general";
const URL_BASE = new URL(".", location.href);
const $ = id => document.getElementById(id);

/** What is kept in the browser, where it lets us. */
const kept = {
  get(name, storage = localStorage) { try { return storage.getItem(`chat.${name}`); } catch { return null; } },
  set(name, value, storage = localStorage) { try { storage.setItem(`chat.${name}`, value); } catch { /* Then not. */ } },
};

const rooms = new Map();
let shown = null;
let username = "";
let token;

// --- rooms

function join(room) {
  if (rooms.has(room)) return rooms.get(room);
  if (rooms.size >= MAX_ROOMS) leave([...rooms.keys()].find(name => name !== shown?.name));
  const joined = new Room({ room, username, token, url: URL_BASE, changed, arrived });
  rooms.set(room, joined);
  $("logs").append(joined.log);
  joined.log.onscroll = () => {
    joined.follows = joined.isAtEnd;
    if (joined === shown) look();
  };
  return joined;
}

function leave(name) {
  rooms.get(name)?.close();
  rooms.delete(name);
  remember();
  if (shown?.name === name) show([...rooms.keys()][0] ?? DEFAULT_ROOM);
  else listRooms();
}

function show(name) {
  let room;
  try {
    room = join(name);
  } catch {
    return announce(say("badRoom"));
  }
  if (shown) shown.log.hidden = true;
  shown = room;
  room.log.hidden = false;
  room.toEnd();
  const hash = `#${encodeURIComponent(name)}`;
  if (location.hash !== hash) history.replaceState(null, "", hash);
  remember();
  look();
  render();
  drawer(false);
}

function remember() {
  kept.set("rooms", JSON.stringify([...rooms.keys()]));
}

/** Something of a room has changed. */
function changed(room, state) {
  if (state?.state === "closed" && (state.status === 401 || state.code === 4401)) welcome(say("needsToken"), true);
  else if (state?.state === "closed" && (state.code || state.status)) room.refusal = state.reason ?? "";
  if (room === shown) render();
  else listRooms();
}

/** A message has come. */
function arrived(room, message, isOwn) {
  if (isOwn) return;
  if (room !== shown || document.hidden || !room.isAtEnd) room.unread += 1;
  if (room === shown) look();
  listRooms();
}

/** What was looked at is read. */
function look() {
  if (!shown) return;
  if (!document.hidden && shown.isAtEnd) shown.unread = 0;
  $("newer").hidden = shown.isAtEnd;
  $("newer").textContent = `↓ ${shown.unread > 0 ? say("newer", shown.unread) : say("toEnd")}`;
  listRooms();
}

// --- what is shown

function announce(text) {
  $("status").textContent = text;
}

function render() {
  if (!shown) return;
  const { chat } = shown;
  $("room").textContent = shown.name;
  // Whom the server takes one for may be somebody else: whom the token names.
  if (chat.username) showMe(chat.username);
  renderConnection(chat.state);
  const isOpen = chat.state.state === "open";
  // Some rooms tell nobody how many there are.
  const known = isOpen && chat.userCount > 0;
  $("count").textContent = known ? say("count", chat.userCount) : "";
  $("people-count").textContent = known ? String(chat.userCount) : "";
  const users = (isOpen && chat.users) || [];
  const others = users.filter(user => user !== chat.username).sort((a, b) => a.localeCompare(b, spoken()));
  const people = users.includes(chat.username) ? [chat.username, ...others] : others;
  const item = user => make("li", {}, avatar(user), make("bdi", { class: "name" }, user),
    ...(user === chat.username ? [make("span", { class: "hint" }, say("you"))] : []),
    ...(shown.typing.includes(user) ? [make("span", { class: "dots", "aria-hidden": "true" }, "•••")] : []));
  $("people").replaceChildren(...people.map(item));
  if (isOpen && users.length > 0 && chat.userCount > users.length) {
    $("people").append(make("li", { class: "hint" }, say("more", chat.userCount - users.length)));
  }
  const typing = shown.typing.length > 0 ? say("typing", shown.typing) : "";
  if ($("typing").textContent !== typing) $("typing").textContent = typing;
  listRooms();
}

function renderConnection(state) {
  const word = state.transport === "sse" ? "openSse" : state.state;
  const text = state.state === "closed" && shown.refusal !== undefined ? say("denied", shown.refusal) : say(word);
  $("connection").dataset.state = state.state;
  // Said again only when it is something else: screen readers read it out.
  if ($("status").textContent !== text) announce(text);
  $("retry").hidden = state.state !== "waiting" && state.state !== "closed";
  countDown();
}

function countDown() {
  const { state, retryAt } = shown?.chat.state ?? {};
  const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
  $("countdown").textContent = state === "waiting" ? say("next", seconds) : "";
}

function listRooms() {
  const active = document.activeElement?.dataset?.focus;
  $("rooms").replaceChildren(...[...rooms.values()].map(room => {
    const go = make("button", { type: "button", class: "go", "data-focus": `go ${room.name}`, "aria-current": room === shown && "page" },
      make("span", { class: "hash", "aria-hidden": "true" }, "#"), make("bdi", { class: "name" }, room.name));
    if (room.unread > 0) go.append(make("span", { class: "badge", "aria-label": say("unread", room.unread) }, String(room.unread)));
    go.onclick = () => {
      show(room.name);
      $("text").focus();
    };
    const off = make("button", { type: "button", class: "icon off", "data-focus": `off ${room.name}`, "aria-label": say("leaveRoom", room.name) }, "✕");
    off.onclick = () => leave(room.name);
    return make("li", {}, go, ...(rooms.size > 1 ? [off] : []));
  }));
  if (active) document.querySelector(`[data-focus="${CSS.escape(active)}"]`)?.focus();
  const unread = [...rooms.values()].reduce((sum, room) => sum + room.unread, 0);
  document.title = `${unread > 0 ? `(${unread}) ` : ""}${shown ? `#${shown.name}` : "Chat"}`;
  $("menu-dot").hidden = ![...rooms.values()].some(room => room !== shown && room.unread > 0);
}

function showMe(name) {
  const [circle, label] = $("me").children;
  if (label.textContent === name) return;
  label.textContent = name;
  circle.textContent = avatar(name).textContent;
  circle.dataset.hue = hue(name);
}

// --- who one is

/** Asks for name and room; for a token, if the server has. */
function welcome(denied, wantsToken) {
  $("denied").hidden = !denied;
  $("denied").textContent = denied ?? "";
  $("access").open = Boolean(wantsToken);
  $("name").value = username;
  $("first").value = shown?.name ?? roomOfUrl() ?? DEFAULT_ROOM;
  $("first-room").hidden = Boolean(shown);
  document.querySelector("#enter .primary").dataset.word = shown ? "save" : "enter";
  translate();
  if (!$("welcome").open) $("welcome").showModal();
  $(wantsToken ? "token" : "name").focus();
}

function enter(name, first) {
  username = name;
  const names = shown ? [...rooms.keys()] : savedRooms();
  const look = shown?.name ?? first;
  for (const room of rooms.values()) room.close();
  rooms.clear();
  shown = null;
  for (const room of names) {
    try { join(room); } catch { /* It can't be one any more. */ }
  }
  show(look);
  showMe(username || say("anonymous"));
  focusText();
}

/** Where that does not bring up a keyboard over half of the page. */
function focusText() {
  if (!matchMedia("(pointer: coarse)").matches) $("text").focus();
}

function savedRooms() {
  try {
    const saved = JSON.parse(kept.get("rooms") ?? "[]");
    return saved.filter(room => typeof room === "string" && room !== "").slice(0, MAX_ROOMS);
  } catch {
    return [];
  }
}

function roomOfUrl() {
  try {
    return decodeURIComponent(location.hash.slice(1)) || null;
  } catch {
    return null;
  }
}

// --- language and theme

function translate() {
  document.documentElement.lang = spoken();
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = say(element.dataset.word);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", say(element.dataset.label));
  for (const element of document.querySelectorAll("[data-placeholder]")) element.placeholder = say(element.dataset.placeholder);
  $("language").textContent = say("language");
  $("language").lang = say("languageCode");
  $("theme-name").textContent = say(document.documentElement.dataset.theme ?? "auto");
  for (const room of rooms.values()) room.translate();
  look();
  render();
}

function paint(theme) {
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

function drawer(isOpen) {
  document.body.classList.toggle("drawer", isOpen);
  $("veil").hidden = !isOpen;
  $("menu").setAttribute("aria-expanded", String(isOpen));
  if (isOpen) $("shut").focus();
}

// --- what one does

function submit() {
  const text = $("text").value;
  if (text.trim() === "" || !shown) return;
  $("text").value = "";
  grow();
  shown.send(text);
}

/** The field is as high as its text, up to a limit of the style sheet. */
function grow() {
  $("text").style.height = "auto";
  // Its scroll height is without borders.
  $("text").style.height = `${$("text").scrollHeight + $("text").offsetHeight - $("text").clientHeight}px`;
}

$("composer").onsubmit = event => {
  event.preventDefault();
  submit();
  $("text").focus();
};
$("text").onkeydown = event => {
  // While Korean is composed, Enter ends the syllable. Some browsers say so by 229 only.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  submit();
};
$("text").oninput = () => {
  grow();
  if ($("text").value !== "") shown?.chat.typing();
  else shown?.chat.typing(false);
};
$("add").onsubmit = event => {
  event.preventDefault();
  const room = $("add-room").value.trim();
  if (room === "") return;
  $("add-room").value = "";
  show(room);
};
$("enter").onsubmit = () => {
  if ($("token").value.trim() !== "") {
    token = $("token").value.trim();
    kept.set("token", token, sessionStorage);
  }
  kept.set("name", $("name").value.trim());
  enter($("name").value.trim(), $("first").value.trim() || DEFAULT_ROOM);
};
// One is somewhere first, and then may think again.
$("welcome").oncancel = event => { if (!shown) event.preventDefault(); };
$("welcome").onclose = focusText; // The browser gives the focus back to where it was, first.
$("retry").onclick = () => {
  delete shown.refusal;
  shown.chat.retryNow();
};
$("newer").onclick = () => {
  shown.toEnd();
  look();
  $("text").focus();
};
$("me").onclick = () => welcome();
$("menu").onclick = () => drawer(true);
$("shut").onclick = $("veil").onclick = () => {
  drawer(false);
  $("menu").focus();
};
$("language").onclick = () => {
  kept.set("language", speak(say("languageCode")));
  translate();
};
$("theme").onclick = () => {
  const themes = ["auto", "light", "dark"];
  const next = themes[(themes.indexOf(document.documentElement.dataset.theme ?? "auto") + 1) % themes.length];
  kept.set("theme", next);
  paint(next);
  translate();
};
document.onkeydown = event => { if (event.key === "Escape" && document.body.classList.contains("drawer")) $("shut").click(); };
document.onvisibilitychange = look;
// A page that is kept for the way back must not stay in the rooms; when one comes back, it begins anew.
window.onpagehide = () => rooms.forEach(room => room.chat.close());
window.onpageshow = event => { if (event.persisted) location.reload(); };
window.onhashchange = () => { if (shown && roomOfUrl()) show(roomOfUrl()); };
// Also a keyboard that comes up.
new ResizeObserver(() => { if (shown?.follows) shown.toEnd(); }).observe($("logs"));
setInterval(countDown, 250);

const query = new URLSearchParams(location.search);
if (query.has("token")) {
  kept.set("token", query.get("token"), sessionStorage);
  query.delete("token");
  // Not to be seen, nor to be passed on with the address.
  history.replaceState(null, "", `${location.pathname}${query.size > 0 ? `?${query}` : ""}${location.hash}`);
}
token = kept.get("token", sessionStorage) ?? undefined;
username = query.get("username") ?? kept.get("name") ?? "";
speak(query.get("lang") ?? kept.get("language") ?? navigator.language);
paint(kept.get("theme"));
translate();
if (query.has("username") || kept.get("name") !== null) enter(username, roomOfUrl() ?? savedRooms()[0] ?? DEFAULT_ROOM);
else welcome();
