// What the page says, in the languages that it speaks. Names and numbers come in as arguments.

const list = (lang, names) => new Intl.ListFormat(lang, { type: "conjunction" }).format(names);
const many = (count, one, more) => (count === 1 ? one : more);

export const WORDS = {
  en: {
    skip: "To the message field", side: "Rooms and people", rooms: "Rooms", people: "People", addRoom: "Join a room", join: "Join",
    roomName: "Name of the room", menu: "Rooms and people", shut: "Close", rename: "Change your name", change: "Change", theme: "Light or dark",
    auto: "Auto", light: "Light", dark: "Dark", message: "Message", send: "Send", tryNow: "Try now",
    welcome: "Welcome to the chat", name: "Your name", room: "Room", enter: "Enter", anonymous: "Anonymous", save: "Save",
    hasToken: "The server asks for a token", token: "Token (JWT)", you: "you", language: "한국어", languageCode: "ko",
    connecting: "Connecting…", open: "Connected", openSse: "Connected without WebSocket", waiting: "Connection lost", closed: "Disconnected",
    next: seconds => `next try in ${seconds} s`,
    count: count => many(count, "1 person here", `${count} people here`),
    more: count => `and ${count} more`,
    leaveRoom: room => `Leave ${room}`, unread: count => many(count, "1 unread message", `${count} unread messages`),
    newer: count => many(count, "1 new message", `${count} new messages`), toEnd: "To the newest",
    joined: name => `${name} joined`, left: name => `${name} left`, notification: "Announcement",
    typing: names => (names.length > 3 ? "Several people are typing…" : `${list("en", names)} ${many(names.length, "is", "are")} typing…`),
    recovered: count => many(count, "1 message recovered", `${count} messages recovered`),
    gap: count => many(count, "1 message could not be recovered", `${count} messages could not be recovered`),
    anew: "Messages from while you were away may be missing",
    empty: "Nothing has been said here yet. Say hello!",
    sending: "Sending…", queued: "Will be sent when connected", failed: why => `Not sent: ${why}`, again: "Send again",
    denied: why => (why ? `The server refused: ${why}` : "The server refused the connection"), needsToken: "The server asks for a valid token.",
    badRoom: "A room can't have this name.", today: "Today", yesterday: "Yesterday",
  },
  ko: {
    skip: "메시지 입력란으로", side: "방과 참여자", rooms: "대화방", people: "참여자", addRoom: "대화방 들어가기", join: "들어가기",
    roomName: "대화방 이름", menu: "방과 참여자", shut: "닫기", rename: "이름 바꾸기", change: "변경", theme: "밝게 또는 어둡게",
    auto: "자동", light: "밝게", dark: "어둡게", message: "메시지", send: "보내기", tryNow: "지금 다시 시도",
    welcome: "채팅에 오신 것을 환영합니다", name: "이름", room: "대화방", enter: "입장하기", anonymous: "익명", save: "저장",
    hasToken: "서버가 토큰을 요구합니다", token: "토큰 (JWT)", you: "나", language: "English", languageCode: "en",
    connecting: "연결 중…", open: "연결됨", openSse: "WebSocket 없이 연결됨", waiting: "연결이 끊겼습니다", closed: "연결 종료됨",
    next: seconds => `${seconds}초 후 다시 시도`,
    count: count => `${count}명 참여 중`,
    more: count => `외 ${count}명`,
    leaveRoom: room => `${room} 나가기`, unread: count => `읽지 않은 메시지 ${count}개`,
    newer: count => `새 메시지 ${count}개`, toEnd: "최신 메시지로",
    joined: name => `${name}님이 입장했습니다`, left: name => `${name}님이 나갔습니다`, notification: "공지",
    typing: names => (names.length > 3 ? "여러 명이 입력하고 있습니다…" : `${names.map(name => `${name}님`).join(", ")}이 입력하고 있습니다…`),
    recovered: count => `메시지 ${count}개를 복구했습니다`,
    gap: count => `메시지 ${count}개를 복구하지 못했습니다`,
    anew: "자리를 비운 동안의 메시지가 빠져 있을 수 있습니다",
    empty: "아직 아무 말도 없습니다. 먼저 인사해 보세요!",
    sending: "보내는 중…", queued: "연결되면 보냅니다", failed: why => `보내지 못했습니다: ${why}`, again: "다시 보내기",
    denied: why => (why ? `서버가 거부했습니다: ${why}` : "서버가 연결을 거부했습니다"), needsToken: "서버가 올바른 토큰을 요구합니다.",
    badRoom: "대화방 이름으로 쓸 수 없습니다.", today: "오늘", yesterday: "어제",
  },
};

let language = "en";

/** Takes a language like `ko-KR`; any that the page does not speak is English. */
export function speak(tag) {
  language = tag?.toLowerCase().startsWith("ko") ? "ko" : "en";
  return language;
}

export const spoken = () => language;

/** The words for something; with arguments, for them. */
export function say(word, ...about) {
  const words = WORDS[language][word];
  return typeof words === "function" ? words(...about) : words;
}
