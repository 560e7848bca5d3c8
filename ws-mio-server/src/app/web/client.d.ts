/** A message of the room. */
export interface Message {
  /** `epoch:offset`: its place among the room's messages; absent of what is `transient`. */
  id?: string;
  username: string;
  content: string;
  /** ISO 8601. */
  timestamp: string;
  /** Of one's own messages: what {@link Chat.send} returned. */
  clientId?: string;
  /** Only those on the same server get it, for the others can't be reached; it is kept nowhere. */
  transient?: true;
}

/** What a joiner is told first. */
export interface Joined {
  /** The room's position: the id of its last message. */
  id: string;
  /** How many people are there. */
  userCount: number;
  /** Whether all that was missed since the last connection follows. Absent at the first. */
  recovered?: boolean;
  /** How many messages were missed and follow: all, or, when not recovered, the newest. */
  missed?: number;
  /** How many of them are lost, when not recovered; null where the server can't tell. */
  gap?: number | null;
  /** Whom the server takes one for. */
  username?: string;
  /** Who is there, at most 100 of them; absent where the server does not tell. */
  users?: string[];
}

/** Somebody came or went, or whoever runs the server says something. */
export interface System {
  message: string;
  userCount: number;
  timestamp: string;
  event?: "join" | "leave" | "notification" | (string & {});
  username?: string;
}

/** What the server did not like. The connection stays. */
export interface Refusal {
  message: string;
  code?: string;
  clientId?: string;
  /** Seconds, with the code `busy`: the client waits and sends again. */
  retryAfter?: number;
}

export interface Connecting { state: "connecting"; transport: null; attempt: number }
export interface Open { state: "open"; transport: Transport; attempt: 0 }
/** Cut off: the next attempt is at `retryAt`, in milliseconds of the clock (`Date.now()`). */
export interface Waiting { state: "waiting"; transport: null; attempt: number; retryAt: number; code?: number; status?: number; reason?: string }
/** Left, or refused for good: by a Close code 4400 to 4499, or a status 400, 401 or 403. */
export interface Closed { state: "closed"; transport: null; attempt: 0; code?: number; status?: number; reason?: string }
export type State = Connecting | Open | Waiting | Closed;
export type Transport = "websocket" | "sse";

export interface Events {
  state: State;
  joined: Joined;
  message: Message;
  /** The last messages of a room, for a joiner, or behind a gap; only those that were not told of. */
  history: Message[];
  /** Who is typing now, besides oneself. Who falls silent is taken off after 6 s. */
  typing: { username: string; isTyping: boolean; typing: string[] };
  system: System;
  /** `users` is null where the server does not tell them, and has at most the first 100. */
  presence: { users: string[] | null; userCount: number };
  /** An own message is stored; without an id, it is `transient`. */
  ack: { clientId: string; id?: string };
  /** An own message will not be delivered. */
  refused: { clientId: string; content: string; code: string; message: string };
  error: Refusal;
  /** For this user alone, by the server's HTTP API; kept nowhere. */
  direct: { username: string; content: string; timestamp: string };
  /** What this client does not know. */
  other: unknown;
}

export interface Options {
  /** Where the server is: `https://host/` or `wss://host/`, with the prefix of its paths, which ends in `/`. Default: where the page is. */
  url?: string | URL;
  /** Default: `general`. */
  room?: string;
  /** Default: the server's. */
  username?: string;
  /** A JSON Web Token, or what gets one for each attempt. */
  token?: string | (() => string | Promise<string>);
  /** The id of the last message that is known from before. */
  since?: string | null;
  /** In this order. Default: `["websocket", "sse"]`. */
  transports?: Transport[];
  /** A constructor with the interface of browsers; default: the global one. Node before 22 has none: pass that of `ws`. */
  WebSocket?: unknown;
  fetch?: typeof fetch;
  /** Milliseconds: before the nth attempt passes a random part of `minDelay * 2 ** n`, at most of `maxDelay`. Default: 1,000 and 30,000. */
  minDelay?: number;
  maxDelay?: number;
  /** Milliseconds for a transport to open and be welcomed. Default: 10,000. */
  connectTimeout?: number;
  /** Milliseconds for a message to be acknowledged, before one connects anew. Default: 15,000. */
  ackTimeout?: number;
  /** Milliseconds in which a stream of events brings something, be it a comment. Default: 45,000. */
  silenceTimeout?: number;
  /** How many messages may wait; more are refused. Default: 1,000. */
  maxQueue?: number;
  /** How many of them may be under way. Default: 32. */
  maxInFlight?: number;
  /** Bytes: nothing is sent while so much is buffered. Default: 256 KiB. */
  maxBuffered?: number;
  /** Milliseconds without a key after which one has stopped typing. Default: 3,000. */
  typingPause?: number;
  /** For tests. */
  clock?: { now(): number; setTimeout(call: () => void, ms: number): unknown; clearTimeout(timer: any): void };
  /** For tests: from 0 to 1, without 1. */
  random?: () => number;
}

/** Why a message was not, or not certainly, delivered: `closed`, `queue-full`, `too-long`, `unanswered`, or the server's code. */
export class SendError extends Error {
  constructor(code: string, message: string);
  code: string;
}

/** One person in one room. It connects at once, and again whenever it is cut off, until it is closed. */
export class Chat {
  /** @throws TypeError for names that no URL can have. */
  constructor(options?: Options);
  readonly room: string;
  /** As the server has it, once it has said so. */
  username: string | null;
  readonly state: State;
  /** The id of the last message that was told of. */
  readonly lastId: string | null;
  readonly users: string[] | null;
  readonly userCount: number;
  /** How many messages wait for the server's word. */
  readonly pending: number;
  /** Calls the listener with each event of that name. Returns a function that ends it. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void;
  /**
   * Sends a message, now or when there is a connection, again and again until it is acknowledged; the server stores
   * it once. `delivered` comes to its id (to nothing, if it is `transient`), or fails with a {@link SendError}; nobody has to look at it.
   */
  send(content: string): { clientId: string; delivered: Promise<string | undefined> };
  /** To be called at every key. */
  typing(isTyping?: boolean): void;
  /** Does not wait for the next attempt; begins anew if the server had refused or one had left. */
  retryNow(): void;
  /** Leaves. What was not acknowledged fails. */
  close(): void;
}
