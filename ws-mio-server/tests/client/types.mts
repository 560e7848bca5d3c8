// Uses all that client.d.ts declares as somebody would: the compiler of TypeScript checks it.
import { Chat, SendError, type Events, type Message, type State } from "../../src/app/web/client.js";

const chat = new Chat({ url: new URL("https://chat.example/"), room: "general", username: "지수", token: async () => "jwt", since: null });
const stop: () => void = chat.on("message", ({ id, content }: Message) => console.log(id?.length, content));
chat.on("state", (state: State) => {
  // Only who waits has a next attempt.
  if (state.state === "waiting") console.log(state.retryAt - Date.now());
  // @ts-expect-error
  else console.log(state.retryAt);
});
chat.on("presence", ({ users, userCount }) => console.log(users?.join(), userCount + 1));
chat.on("joined", joined => console.log(joined.recovered, joined.missed));
// @ts-expect-error There is no such event.
chat.on("massage", () => {});
const heard: Array<keyof Events> = ["state", "joined", "message", "history", "typing", "system", "presence", "ack", "refused", "error", "direct", "other"];
const { clientId, delivered } = chat.send("안녕");
delivered.then((id: string | undefined) => console.log(clientId, id), (error: unknown) => error instanceof SendError && error.code);
// @ts-expect-error A message is text.
chat.send(7);
chat.typing();
chat.retryNow();
stop();
chat.close();
console.log(heard, chat.room, chat.username, chat.lastId, chat.users, chat.userCount, chat.pending, chat.state.state);
