// A client of the chat that knows the table of messages, and nothing else of this server.
'use strict';

/** Two people talk in a room, in a browser or in Node; what they were told, in a word, or an error. */
async function talk(WebSocket, url) {
  const check = (condition, what) => {
    if (!condition) throw new Error(what);
  };

  /** One person: messages that have come wait here until they are looked at. */
  class Person {
    constructor(query) {
      this.socket = new WebSocket(`${url}/chat/${encodeURIComponent('수다방 🐋')}?${query}`);
      this.waiting = [];
      this.socket.onmessage = (event) => {
        const message = JSON.parse(event.data);
        const wake = this.wake;
        this.wake = null;
        if (wake) wake(message);
        else this.waiting.push(message);
      };
      this.socket.onclose = () => this.closed?.();
    }

    next() {
      if (this.waiting.length) return Promise.resolve(this.waiting.shift());
      return new Promise((resolve) => {
        this.wake = resolve;
      });
    }

    /** The next message, which must be of this type and have these fields, of these types or values. */
    async due(type, fields) {
      const message = await this.next();
      check(message.type === type, `${type} is due: ${JSON.stringify(message)}`);
      for (const [name, due] of Object.entries(fields)) {
        const is = typeof due === 'function' ? due(message[name]) : message[name] === due;
        check(is, `${type}.${name}: ${JSON.stringify(message)}`);
      }
      return message;
    }

    say(message) {
      this.socket.send(JSON.stringify(message));
    }

    leave() {
      return new Promise((resolve) => {
        this.closed = resolve;
        this.socket.close();
      });
    }
  }

  const isText = (value) => typeof value === 'string' && value.length > 0;
  const isTime = (value) => isText(value) && new Date(value).toISOString() === value;
  const ids = [];
  const isNext = (value) => {
    const [epoch, offset, ...more] = value.split(':');
    check(isText(epoch) && !more.length && ids.every((id) => id.epoch === epoch), 'one epoch');
    const last = ids.length ? ids[ids.length - 1].offset : Number(offset) - 1;
    ids.push({ epoch, offset: Number(offset) });
    return Number(offset) === last + 1;
  };

  const alice = new Person(`username=${encodeURIComponent('앨리스')}`);
  const first = await alice.due('joined', { id: isText, userCount: 1 });
  check(!('recovered' in first), 'nobody asked');
  ids.push({ epoch: first.id.split(':')[0], offset: Number(first.id.split(':')[1]) });
  const bob = new Person('username=bob');
  await bob.due('joined', { id: first.id, userCount: 2 });
  await alice.due('system', { message: isText, userCount: 2, timestamp: isTime });

  // To all, the sender included.
  bob.say({ type: 'message', content: '안녕 <img src=x onerror=alert(1)>' });
  const said = { username: 'bob', content: '안녕 <img src=x onerror=alert(1)>', timestamp: isTime };
  const heard = await bob.due('message', { id: isNext, ...said });
  await alice.due('message', { id: heard.id, ...said });

  // To the others.
  alice.say({ type: 'typing', isTyping: true });
  await bob.due('typing', { username: '앨리스', isTyping: true });

  // With an acknowledgement; a resend is harmless.
  let ack;
  for (const times of [1, 2]) {
    alice.say({ type: 'message', content: 'once', clientId: 'a-1' });
    const told = [await alice.next()];
    if (times === 1) told.push(await alice.next());
    const again = told.find((message) => message.type === 'ack');
    check(again && again.clientId === 'a-1', `acknowledged: ${JSON.stringify(told)}`);
    if (ack) check(again.id === ack.id, 'the same id');
    ack = again;
    if (times === 1) await bob.due('message', { id: (id) => isNext(id) && id === ack.id });
  }

  // An error keeps the connection.
  for (const text of ['{', '{"type":"nonsense"}', '{"type":"message","content":7}', '[]']) {
    alice.socket.send(text);
    await alice.due('error', { message: isText });
  }
  alice.say({ type: 'message', content: 'x'.repeat(200_000) });
  await alice.due('error', { message: isText });

  // Who comes later gets what was said; who comes back gets what it missed.
  const carol = new Person('username=carol');
  await carol.due('joined', { userCount: 3 });
  await carol.due('history', { messages: (messages) => messages.length === 2 });
  for (const person of [alice, bob]) await person.due('system', { userCount: 3 });
  await bob.leave();
  for (const person of [alice, carol]) await person.due('system', { userCount: 2, timestamp: isTime });
  for (const n of [1, 2, 3]) {
    carol.say({ type: 'message', content: `${n}` });
    await alice.due('message', { id: isNext, content: `${n}` });
    await carol.due('message', { content: `${n}` });
  }
  const back = new Person(`username=bob&since=${ack.id}`);
  await back.due('joined', { recovered: true, missed: 3, gap: 0, userCount: 3 });
  for (const n of [1, 2, 3]) await back.due('message', { content: `${n}` });
  const lost = new Person('username=dave&since=of-another-server');
  await lost.due('joined', { recovered: false, missed: 0, gap: null });
  await lost.due('history', { messages: (messages) => messages.length === 5 });
  await Promise.all([alice, back, carol, lost].map((person) => person.leave()));
  return `${ids.length - 1} messages, all as they should be`;
}

if (typeof module !== 'undefined') {
  const WebSocket = require('ws');
  talk(WebSocket, process.argv[2]).then(console.log, (error) => {
    console.error(error);
    process.exit(1);
  });
}
