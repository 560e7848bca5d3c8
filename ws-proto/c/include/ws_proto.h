/*
 * The WebSocket protocol (RFC 6455) for clients and servers: bytes in, events out; messages in, bytes out.
 * It does no I/O, allocates nothing, calls nothing of yours, reads no clock and draws no entropy.
 *
 * A client, over any stream of bytes:
 *
 *   1. wsp_client_request; send what is in the output.
 *   2. Read into a buffer, behind what it holds; wsp_client_response; again while that says WSP_MORE.
 *   3. What came behind the head, and all that is read from then on, goes through a wsp_input to
 *      wsp_client_next_event until that yields WSP_NONE. Answer with wsp_client_send; call
 *      wsp_client_poll_transmit after each event; send what is in the output.
 *   4. Do what wsp_client_transport says. At the end of the stream, wsp_client_peer_eof.
 *
 * A server begins with wsp_server_listen, wsp_server_request and wsp_server_accept; the rest is the same.
 * Where the stream is cut does not matter. A message larger than the buffer comes in pieces; wsp_message puts
 * small ones together.
 *
 * What all functions rely on: a pointer that is not null points to memory of the size that its type or its
 * length tells, which no other thread writes during the call; what is read has been written before; a string
 * ends with a NUL. What they check, and answer with a result that names it: null where there must be
 * something, alignment, lengths beyond the address space, objects that were not initialised or are of the
 * other type (with near certainty), and that what is written overlaps no other argument. No pointer is kept
 * beyond a call, but those in a wsp_event point into its input.
 *
 * Objects of different connections are independent; one object is for one thread at a time.
 *
 * This file is generated; see README.md.
 */

#ifndef WS_PROTO_H
#define WS_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * The most subprotocols that a client offers, or that a server chooses from.
 */
#define WSP_MAX_SUBPROTOCOLS 8

/**
 * The most further fields of a request, or of an answer.
 */
#define WSP_MAX_FIELDS 8

/**
 * The most header fields of a request that a server reads.
 */
#define WSP_MAX_REQUEST_FIELDS 32

/**
 * What came of a call. Numbers in parentheses are sections of RFC 6455.
 */
enum wsp_result
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * It is done.
     */
    WSP_OK = 0,
    /**
     * Nothing is wrong, but bytes are missing: call again when more have come.
     */
    WSP_MORE = 1,
    /**
     * A pointer is null where there must be something.
     */
    WSP_NULL = 16,
    /**
     * A pointer is not aligned for what it points to.
     */
    WSP_MISALIGNED = 17,
    /**
     * A length is beyond the address space, or beyond the size of its buffer.
     */
    WSP_LENGTH = 18,
    /**
     * What the call writes overlaps another argument of it.
     */
    WSP_OVERLAP = 19,
    /**
     * The object has not been initialised, or is of another type.
     */
    WSP_NOT_INITIALISED = 20,
    /**
     * The call belongs to the opening handshake and that is over, or the other way round.
     */
    WSP_WRONG_PHASE = 21,
    /**
     * A number is none of those that are allowed here.
     */
    WSP_BAD_VALUE = 22,
    /**
     * There are more subprotocols or fields than fit: see `WSP_MAX_SUBPROTOCOLS` and `WSP_MAX_FIELDS`.
     */
    WSP_TOO_MANY = 23,
    /**
     * The output has no room for the whole; nothing was appended. Send what is there, then try again.
     */
    WSP_FULL = 32,
    /**
     * The closing handshake has begun, or the connection has failed (RFC 6455 5.5.1, 7.1.4).
     */
    WSP_CLOSING = 33,
    /**
     * A fragmented message of the other kind is not finished (5.4).
     */
    WSP_OTHER_MESSAGE_UNFINISHED = 34,
    /**
     * The payload of a ping or pong is over 125 bytes, the reason of a Close over 123, a frame over 2^63
     * - 1.
     */
    WSP_TOO_LONG = 35,
    /**
     * A text to send, or a reason, is not UTF-8 (5.6). Fragments are cut between code points.
     */
    WSP_NOT_UTF8 = 36,
    /**
     * The host is empty or holds white space or control characters.
     */
    WSP_ASK_HOST = 48,
    /**
     * The target does not start with `/`, has a fragment, or holds other than visible ASCII.
     */
    WSP_ASK_TARGET = 49,
    /**
     * A subprotocol is not a token, or is there twice (4.1).
     */
    WSP_ASK_SUBPROTOCOL = 50,
    /**
     * A further field has an illegal name or value, or is one that the handshake sets itself.
     */
    WSP_ASK_FIELD = 51,
    /**
     * The same of a field of a server's answer.
     */
    WSP_ACCEPT_FIELD = 52,
    /**
     * The target of the request is over 8 KiB.
     */
    WSP_HEAD_TARGET_TOO_LONG = 64,
    /**
     * The head is over 16 KiB.
     */
    WSP_HEAD_TOO_LONG = 65,
    /**
     * There are over 100 fields in the head; in a request, over `WSP_MAX_REQUEST_FIELDS`.
     */
    WSP_HEAD_TOO_MANY_FIELDS = 66,
    /**
     * A CR without an LF, or an LF without a CR.
     */
    WSP_HEAD_LINE_END = 67,
    /**
     * A NUL or another control character.
     */
    WSP_HEAD_CONTROL = 68,
    /**
     * The version is not HTTP/1.1.
     */
    WSP_HEAD_VERSION = 69,
    /**
     * The first line is not a request line, or not a status line.
     */
    WSP_HEAD_FIRST_LINE = 70,
    /**
     * A field's name is empty or not a token, white space stands before its colon, or a line is folded.
     */
    WSP_HEAD_FIELD_NAME = 71,
    /**
     * A field's value holds an illegal byte.
     */
    WSP_HEAD_FIELD_VALUE = 72,
    /**
     * The bytes end before the head does.
     */
    WSP_HEAD_INCOMPLETE = 73,
    /**
     * The server refuses: `wsp_response.status` tells how.
     */
    WSP_RESPONSE_STATUS = 80,
    /**
     * `Upgrade`, `Connection` or `Sec-WebSocket-Accept` is missing, or does not say what it must.
     */
    WSP_RESPONSE_MISSING = 81,
    /**
     * `Sec-WebSocket-Accept` or `Sec-WebSocket-Protocol` comes more than once.
     */
    WSP_RESPONSE_REPEATED = 82,
    /**
     * `Sec-WebSocket-Accept` does not answer this request's key.
     */
    WSP_RESPONSE_ACCEPT = 83,
    /**
     * The server chose a subprotocol that was not offered.
     */
    WSP_RESPONSE_SUBPROTOCOL = 84,
    /**
     * The server chose an extension, and none was offered.
     */
    WSP_RESPONSE_EXTENSION = 85,
    /**
     * The method is not GET.
     */
    WSP_REQUEST_METHOD = 96,
    /**
     * An ordinary request: it does not ask for an upgrade to WebSocket.
     */
    WSP_REQUEST_NOT_AN_UPGRADE = 97,
    /**
     * `Sec-WebSocket-Version` is anything but 13.
     */
    WSP_REQUEST_VERSION = 98,
    /**
     * A field, or the token in it that makes it an upgrade, is missing.
     */
    WSP_REQUEST_MISSING = 99,
    /**
     * A field that must come once comes several times.
     */
    WSP_REQUEST_REPEATED = 100,
    /**
     * A field's value is not what RFC 6455 asks for.
     */
    WSP_REQUEST_INVALID = 101,
    /**
     * A field's name is not a token, or its value holds a control character.
     */
    WSP_REQUEST_FIELD = 102,
    /**
     * The request announces a body.
     */
    WSP_REQUEST_BODY = 103,
    /**
     * A reserved bit is set (5.2). `detail` holds RSV1 as 4, RSV2 as 2, RSV3 as 1.
     */
    WSP_PEER_RESERVED_BITS = 112,
    /**
     * A reserved opcode (5.2), which `detail` holds.
     */
    WSP_PEER_RESERVED_OPCODE = 113,
    /**
     * A frame from a client is not masked (5.1).
     */
    WSP_PEER_NOT_MASKED = 114,
    /**
     * A frame from a server is masked (5.1).
     */
    WSP_PEER_MASKED = 115,
    /**
     * A length is not in its shortest form (5.2).
     */
    WSP_PEER_LENGTH_NOT_MINIMAL = 116,
    /**
     * The top bit of a 64-bit length is set (5.2).
     */
    WSP_PEER_LENGTH_TOP_BIT = 117,
    /**
     * A control frame is longer than 125 bytes (5.5).
     */
    WSP_PEER_CONTROL_TOO_LONG = 118,
    /**
     * A control frame is fragmented (5.5).
     */
    WSP_PEER_CONTROL_FRAGMENTED = 119,
    /**
     * A continuation frame, and no message to continue (5.4).
     */
    WSP_PEER_NOTHING_TO_CONTINUE = 120,
    /**
     * A new data frame before the last fragment of the message before it (5.4).
     */
    WSP_PEER_MESSAGE_UNFINISHED = 121,
    /**
     * Text is not UTF-8 (8.1). `detail` is where its first bad sequence starts, in bytes of the message.
     */
    WSP_PEER_INVALID_UTF8 = 122,
    /**
     * A Close frame's body is one byte (5.5.1).
     */
    WSP_PEER_CLOSE_BODY_TOO_SHORT = 123,
    /**
     * A Close frame has a status code that must not be sent (7.4), which `detail` holds.
     */
    WSP_PEER_CLOSE_CODE_FORBIDDEN = 124,
    /**
     * A Close frame's reason is not UTF-8 (5.5.1).
     */
    WSP_PEER_CLOSE_REASON_NOT_UTF8 = 125,
    /**
     * A message is larger than `wsp_config.max_message` (10.4).
     */
    WSP_PEER_MESSAGE_TOO_BIG = 126,
    /**
     * What this version of the interface has no name for.
     */
    WSP_UNKNOWN = 255,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wsp_result wsp_result;
#else
typedef uint8_t wsp_result;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What an event is. `WSP_TEXT` and `WSP_BINARY` are also the kinds of messages to send.
 */
enum wsp_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Nothing: every byte of the input is consumed, and its buffer may be used for other things.
     */
    WSP_NONE = 0,
    /**
     * A piece of a text message (RFC 6455 5.6): UTF-8, always whole code points, without a NUL at its end.
     */
    WSP_TEXT = 1,
    /**
     * A piece of a binary message (5.6).
     */
    WSP_BINARY = 2,
    /**
     * A ping, of at most 125 bytes (5.5.2). The pong is sent by the next `..._poll_transmit`.
     */
    WSP_PING = 3,
    /**
     * A pong, of at most 125 bytes (5.5.3).
     */
    WSP_PONG = 4,
    /**
     * A Close frame (5.5.1): `code` and, as the data, its reason. No event follows.
     */
    WSP_CLOSE = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wsp_kind wsp_kind;
#else
typedef uint8_t wsp_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How a connection ended.
 */
enum wsp_closed
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Both ends have said Close, or owe nothing but the answer (7.1.4).
     */
    WSP_CLOSED_CLEAN = 0,
    /**
     * The peer's bytes ended without a closing handshake, or after a failure: 1006 in other interfaces
     * (7.1.5). The same for an object that is not initialised.
     */
    WSP_CLOSED_ABNORMAL = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wsp_closed wsp_closed;
#else
typedef uint8_t wsp_closed;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How far a connection is (RFC 6455 7.1).
 */
enum wsp_state
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * The opening handshake is not over.
     */
    WSP_STATE_CONNECTING = 0,
    /**
     * Messages go both ways.
     */
    WSP_STATE_OPEN = 1,
    /**
     * This end has sent a Close frame: the peer's messages still come, none can be sent.
     */
    WSP_STATE_CLOSE_SENT = 2,
    /**
     * The peer has sent a Close frame, and `..._poll_transmit` has yet to answer it.
     */
    WSP_STATE_CLOSE_RECEIVED = 3,
    /**
     * It is over, or the connection has failed, or the peer's bytes have ended. A Close frame that tells of a
     * failure may still have to be sent. The same for an object that is not initialised.
     */
    WSP_STATE_CLOSED = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wsp_state wsp_state;
#else
typedef uint8_t wsp_state;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What to do with the byte stream below.
 */
enum wsp_transport
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Go on; `..._poll_transmit` may have something to send.
     */
    WSP_TRANSPORT_KEEP = 0,
    /**
     * Send what is in the output, then close. While the peer may still be sending, shut down the sending side
     * first and read to the end: bytes that are not read can make the network drop the Close frame (7.1.1).
     * The same for an object that is not initialised.
     */
    WSP_TRANSPORT_CLOSE = 1,
    /**
     * Send what is in the output, then wait a while for the server to close (7.1.1).
     */
    WSP_TRANSPORT_AWAIT_EOF = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wsp_transport wsp_transport;
#else
typedef uint8_t wsp_transport;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What is to be done now.
 */
enum wsp_due
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Nothing before the moment that was told.
     */
    WSP_DUE_NOTHING = 0,
    /**
     * Send a ping. Said once; the pong's deadline runs from here.
     */
    WSP_DUE_PING = 1,
    /**
     * The peer is dead: it was silent for too long after a ping.
     */
    WSP_DUE_DEAD = 2,
    /**
     * The closing handshake took too long: drop the transport.
     */
    WSP_DUE_CLOSE_EXPIRED = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wsp_due wsp_due;
#else
typedef uint8_t wsp_due;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * A client's end of one connection. It holds no pointer: it may be copied and moved as it is.
 */
typedef struct wsp_client {
    /**
     * For the library.
     */
    uint64_t opaque[26];
} wsp_client;

/**
 * What a connection accepts.
 */
typedef struct wsp_config {
    /**
     * The largest message that is accepted, in bytes of payload over all its fragments. Exact: a message of
     * this size passes, one byte more is `WSP_PEER_MESSAGE_TOO_BIG`. It may be larger than every buffer.
     * Default: 1 MiB.
     */
    uint64_t max_message;
    /**
     * 0: pings are answered by `..._poll_transmit`. Otherwise you answer them, with `..._pong`. Default: 0.
     */
    uint8_t manual_pongs;
} wsp_config;

/**
 * A header field to send. Both strings end with a NUL.
 */
typedef struct wsp_field {
    /**
     * The name.
     */
    const char *name;
    /**
     * The value.
     */
    const char *value;
} wsp_field;

/**
 * What a client asks for. Strings end with a NUL; a list may be null if its count is 0.
 */
typedef struct wsp_ask {
    /**
     * `Host`: the server's name or address, with `:port` if that is not 80, or 443 with TLS.
     */
    const char *host;
    /**
     * The target: a path that starts with `/`, and a query.
     */
    const char *target;
    /**
     * The subprotocols to offer, the one liked best first.
     */
    const char *const *subprotocols;
    /**
     * How many these are: at most `WSP_MAX_SUBPROTOCOLS`.
     */
    size_t subprotocol_count;
    /**
     * Further fields: `Origin`, `Authorization`, cookies.
     */
    const struct wsp_field *fields;
    /**
     * How many these are: at most `WSP_MAX_FIELDS`.
     */
    size_t field_count;
} wsp_ask;

/**
 * Bytes to send. A call appends all of a frame or nothing, at `data + len`, and adds to `len`.
 *
 * Set `data` and `size` once, and `len` to 0 whenever all has been written to the transport.
 */
typedef struct wsp_output {
    /**
     * A buffer; what is in it need not be initialised.
     */
    uint8_t *data;
    /**
     * Its size in bytes.
     */
    size_t size;
    /**
     * How many bytes of it hold something to send: at most `size`.
     */
    size_t len;
} wsp_output;

/**
 * What a server has answered.
 */
typedef struct wsp_response {
    /**
     * The length of the head. What came behind it are the first frames: give it to `wsp_client_next_event`.
     */
    size_t head_len;
    /**
     * The status code, with `WSP_RESPONSE_STATUS` and with `WSP_OK`.
     */
    uint16_t status;
    /**
     * The subprotocol that the server chose: one of those of the `wsp_ask`, null for none.
     */
    const char *subprotocol;
} wsp_response;

/**
 * Bytes that were read from the transport, and room to put together what a read boundary cut.
 *
 * Set `data` and `len`; calls consume them from the front, and unmask payload in place. The rest need not be
 * initialised. It holds nothing between reads: one serves any number of connections, one after the other.
 */
typedef struct wsp_input {
    /**
     * What has not been consumed.
     */
    uint8_t *data;
    /**
     * Its length in bytes.
     */
    size_t len;
    /**
     * For the library.
     */
    uint8_t scratch[125];
} wsp_input;

/**
 * One step of what the peer said.
 */
typedef struct wsp_event {
    /**
     * What it is.
     */
    wsp_kind kind;
    /**
     * Of a piece of a message: whether the message starts here.
     */
    bool first;
    /**
     * Of a piece of a message: whether the message ends here. A piece is empty only if it is the last.
     */
    bool last;
    /**
     * Of `WSP_CLOSE`: the status code, 0 if there is none. Of a failure: the code that tells the peer.
     */
    uint16_t code;
    /**
     * Of a failure: what its result says of it.
     */
    uint32_t detail;
    /**
     * The piece, payload or reason, inside of the input's buffer or of its scratch: there until the next
     * call with that input. Null only if it is empty.
     */
    const uint8_t *data;
    /**
     * Its length in bytes.
     */
    size_t len;
} wsp_event;

/**
 * Tells when to ping a silent peer, when it is dead, and when a closing handshake took too long. It keeps no
 * clock: each call is told the time, in milliseconds since any fixed moment, which must not go backwards.
 */
typedef struct wsp_keepalive {
    /**
     * For the library.
     */
    uint64_t opaque[3];
} wsp_keepalive;

/**
 * The deadlines, in milliseconds.
 */
typedef struct wsp_timing {
    /**
     * Silence of the peer after which it is pinged; 0: never. A good default: 30,000; behind a NAT that
     * forgets sooner, less.
     */
    uint32_t ping_after;
    /**
     * Further silence after which a pinged peer counts as dead. A good default: 10,000.
     */
    uint32_t pong_within;
    /**
     * How long a closing handshake may take. A good default: 5,000.
     */
    uint32_t close_within;
} wsp_timing;

/**
 * A buffer in which the pieces of a message come together. Set `data`, `size`, and the rest to 0 once.
 */
typedef struct wsp_message {
    /**
     * A buffer; what is in it need not be initialised.
     */
    uint8_t *data;
    /**
     * Its size in bytes: the largest message that can be put together.
     */
    size_t size;
    /**
     * The length of the message so far.
     */
    size_t len;
    /**
     * For the library: whether the message in progress did not fit. 0 at first.
     */
    uint8_t overflown;
} wsp_message;

/**
 * A server's end of one connection. It holds no pointer: it may be copied and moved as it is.
 */
typedef struct wsp_server {
    /**
     * For the library.
     */
    uint64_t opaque[25];
} wsp_server;

/**
 * Bytes inside of a request, without a NUL at their end.
 */
typedef struct wsp_bytes {
    /**
     * Where they are; null if there are none.
     */
    const uint8_t *data;
    /**
     * How many.
     */
    size_t len;
} wsp_bytes;

/**
 * What a client asks for.
 */
typedef struct wsp_request {
    /**
     * The length of the head. What came behind it are the first frames: give it to `wsp_server_next_event`
     * once the request is accepted.
     */
    size_t head_len;
    /**
     * The target as it was sent, neither decoded nor split: a path and a query.
     */
    struct wsp_bytes target;
} wsp_request;

/**
 * What a server answers beyond the mere acceptance. Strings end with a NUL; a list may be null if its count
 * is 0.
 */
typedef struct wsp_choice {
    /**
     * The subprotocols that the server speaks, the one it likes best first: the first of them that the client
     * offers is chosen.
     */
    const char *const *subprotocols;
    /**
     * How many these are: at most `WSP_MAX_SUBPROTOCOLS`.
     */
    size_t subprotocol_count;
    /**
     * Further fields of the answer: cookies.
     */
    const struct wsp_field *fields;
    /**
     * How many these are: at most `WSP_MAX_FIELDS`.
     */
    size_t field_count;
} wsp_choice;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Initialises a client and appends its request. Send that, then read the answer: `wsp_client_response`.
 *
 * `nonce` is 16 random bytes, new for each connection (4.1). `config` may be null, for the defaults.
 */
wsp_result wsp_client_request(struct wsp_client *client,
                              const struct wsp_config *config,
                              const struct wsp_ask *ask,
                              const uint8_t *nonce,
                              struct wsp_output *out);

/**
 * Reads the answer: `bytes` is all that has come since the request, from the first byte. `WSP_MORE` until
 * the head is complete: then the buffer must hold on to what it has. `ask` is that of the request, of which
 * this needs the subprotocols. Any other result but `WSP_OK` is final, unless it is a mistake of the call.
 */
wsp_result wsp_client_response(struct wsp_client *client,
                               const struct wsp_ask *ask,
                               const uint8_t *bytes,
                               size_t len,
                               struct wsp_response *response);

/**
 * Initialises a client whose opening handshake other code has done, without extensions. `config` may be null,
 * for the defaults.
 */
wsp_result wsp_client_open(struct wsp_client *client,
                           const struct wsp_config *config);

/**
 * The next event of what the server has sent. Call it until the event is `WSP_NONE`, or a result says that the
 * server broke the protocol: send what `wsp_client_poll_transmit` yields, then do what
 * `wsp_client_transport` says. After a `WSP_PING`, call `wsp_client_poll_transmit` before the next call: a
 * pong is owed to the newest ping only.
 */
wsp_result wsp_client_next_event(struct wsp_client *client,
                                 struct wsp_input *input,
                                 struct wsp_event *event);

/**
 * Sends a message, or a fragment of one: `kind` is `WSP_TEXT` or `WSP_BINARY`, the same for all fragments,
 * and `last` is not 0 if the message ends with this one.
 *
 * `key` is 32 random bits, new for each frame (5.3), as are all keys: from the device's generator of random
 * numbers, not from `rand()` or a counter. Who can predict them and choose what is sent can make a client
 * write bytes of their choice on the wire, say a request that a proxy on the way takes for one and whose
 * answer it caches for everybody (10.3). Only the client's side can prevent that.
 */
wsp_result wsp_client_send(struct wsp_client *client,
                           uint8_t kind,
                           const void *data,
                           size_t len,
                           uint8_t last,
                           uint32_t key,
                           struct wsp_output *out);

/**
 * Appends only the header of such a frame, and needs room for 14 bytes. The caller sends `len` bytes of
 * payload behind it, all of them and nothing else before, masked with `wsp_mask` and the same `key`: from
 * another buffer, or longer than any. Text must be UTF-8, which the server checks if nobody else does.
 */
wsp_result wsp_client_send_header(struct wsp_client *client,
                                  uint8_t kind,
                                  uint64_t len,
                                  uint8_t last,
                                  uint32_t key,
                                  struct wsp_output *out);

/**
 * Sends a ping with at most 125 bytes of payload, which the server's pong carries back (5.5.2).
 */
wsp_result wsp_client_ping(struct wsp_client *client,
                           const void *payload,
                           size_t len,
                           uint32_t key,
                           struct wsp_output *out);

/**
 * Sends a pong with at most 125 bytes of payload: one that nobody asked for, or an answer where
 * `wsp_config.manual_pongs` is set (5.5.3).
 */
wsp_result wsp_client_pong(struct wsp_client *client,
                           const void *payload,
                           size_t len,
                           uint32_t key,
                           struct wsp_output *out);

/**
 * Begins the closing handshake. `code` is one that may be sent: 1000 to 1003, 1007 to 1014, 3000 to 4999
 * (7.4); `reason` is UTF-8 of at most 123 bytes. A pong that is owed goes first, so there are two keys;
 * with `WSP_FULL` it may have gone alone.
 */
wsp_result wsp_client_close(struct wsp_client *client,
                            uint16_t code,
                            const void *reason,
                            size_t len,
                            uint32_t key,
                            uint32_t second_key,
                            struct wsp_output *out);

/**
 * Sends what the connection owes by itself: the pong for the newest ping, then the answer to a Close frame or
 * the Close frame that tells of a failure. That may be two frames, so there are two keys. With `WSP_FULL`,
 * what did not fit stays owed.
 */
wsp_result wsp_client_poll_transmit(struct wsp_client *client,
                                    uint32_t key,
                                    uint32_t second_key,
                                    struct wsp_output *out);

/**
 * The server's bytes have ended, or the transport broke. A second call gives what the first gave.
 */
wsp_closed wsp_client_peer_eof(struct wsp_client *client);

/**
 * How far the connection is.
 */
wsp_state wsp_client_state(const struct wsp_client *client);

/**
 * What to do with the byte stream now.
 */
wsp_transport wsp_client_transport(const struct wsp_client *client);

/**
 * Begins, when a connection is opened.
 */
wsp_result wsp_keepalive_start(struct wsp_keepalive *keepalive, uint64_t now);

/**
 * Bytes came from the peer, whatever they are.
 */
wsp_result wsp_keepalive_heard(struct wsp_keepalive *keepalive, uint64_t now);

/**
 * The closing handshake has begun, on either side. A second call does not extend its deadline.
 */
wsp_result wsp_keepalive_closing(struct wsp_keepalive *keepalive, uint64_t now);

/**
 * Tells in `due` what is to be done now. If that is nothing, `next` tells when to call again if nothing is
 * heard before, `UINT64_MAX` for never: so long a device may sleep. `next` may be null.
 */
wsp_result wsp_keepalive_poll(struct wsp_keepalive *keepalive,
                              const struct wsp_timing *timing,
                              uint64_t now,
                              wsp_due *due,
                              uint64_t *next);

/**
 * Masks in place what a client sends behind `wsp_client_send_header`. `key` is that of the header; `offset`
 * is how many bytes of the frame's payload went before.
 */
wsp_result wsp_mask(uint8_t *data,
                    size_t len,
                    uint32_t key,
                    uint64_t offset);

/**
 * Adds a piece of a message. `WSP_OK`: the message is complete, in `data` and `len`. `WSP_MORE`: more pieces
 * follow, or the event is none of a message. `WSP_FULL`: the message does not fit; this is said for each
 * further piece of it. Close with 1009 then, or skip the message.
 */
wsp_result wsp_message_push(struct wsp_message *message,
                            const struct wsp_event *event);

/**
 * A line that says what a result means: ASCII, without a full stop, for ever there. "unknown" for a number that
 * is no result.
 */
const char *wsp_result_text(uint8_t result);

/**
 * Initialises a server that waits for a request. `config` may be null, for the defaults.
 */
wsp_result wsp_server_listen(struct wsp_server *server, const struct wsp_config *config);

/**
 * Initialises a server whose opening handshake other code has done, without extensions. `config` may be null,
 * for the defaults.
 */
wsp_result wsp_server_open(struct wsp_server *server,
                           const struct wsp_config *config);

/**
 * Reads a request: `bytes` is all that has come, from the first byte. `WSP_MORE` until the head is complete:
 * then the buffer must hold on to what it has. `WSP_OK`: it is one for a WebSocket; go on with
 * `wsp_server_accept` or `wsp_server_refuse`. Any other result is final, unless it is a mistake of the call,
 * and the response that tells the client is in the output, if there was room.
 */
wsp_result wsp_server_request(struct wsp_server *server,
                              const uint8_t *bytes,
                              size_t len,
                              struct wsp_request *request,
                              struct wsp_output *out);

/**
 * Finds a field of a request whose head, `head_len` bytes, is complete: the `nth` of that name, in any case,
 * from 0. `value` is told where in the head it is, without white space around it: null if there is none.
 */
wsp_result wsp_request_field(const uint8_t *head,
                             size_t head_len,
                             const char *name,
                             size_t nth,
                             struct wsp_bytes *value);

/**
 * Accepts the request whose head, `head_len` bytes, `wsp_server_request` has found good. `choice` may be null,
 * for nothing. `subprotocol` is told the one that was chosen, null for none; it may be null.
 */
wsp_result wsp_server_accept(struct wsp_server *server,
                             const uint8_t *head,
                             size_t head_len,
                             const struct wsp_choice *choice,
                             const char **subprotocol,
                             struct wsp_output *out);

/**
 * Refuses a request for a reason of yours: an unknown path, an origin, credentials. `status` is 200 to 599,
 * `body` a line of text. The response is complete; send it, then close.
 */
wsp_result wsp_server_refuse(struct wsp_server *server,
                             uint16_t status,
                             const char *body,
                             struct wsp_output *out);

/**
 * The next event of what the client has sent. Call it until the event is `WSP_NONE`, or a result says that the
 * client broke the protocol: send what `wsp_server_poll_transmit` yields, then do what
 * `wsp_server_transport` says. After a `WSP_PING`, call `wsp_server_poll_transmit` before the next call: a
 * pong is owed to the newest ping only.
 */
wsp_result wsp_server_next_event(struct wsp_server *server,
                                 struct wsp_input *input,
                                 struct wsp_event *event);

/**
 * Sends a message, or a fragment of one: `kind` is `WSP_TEXT` or `WSP_BINARY`, the same for all fragments,
 * and `last` is not 0 if the message ends with this one.
 */
wsp_result wsp_server_send(struct wsp_server *server,
                           uint8_t kind,
                           const void *data,
                           size_t len,
                           uint8_t last,
                           struct wsp_output *out);

/**
 * Appends only the header of such a frame, and needs room for 14 bytes. The caller sends `len` bytes of
 * payload behind it, all of them and nothing else before: from another buffer, or longer than any. Text must be
 * UTF-8, which the client checks if nobody else does.
 */
wsp_result wsp_server_send_header(struct wsp_server *server,
                                  uint8_t kind,
                                  uint64_t len,
                                  uint8_t last,
                                  struct wsp_output *out);

/**
 * Sends a ping with at most 125 bytes of payload, which the client's pong carries back (5.5.2).
 */
wsp_result wsp_server_ping(struct wsp_server *server,
                           const void *payload,
                           size_t len,
                           struct wsp_output *out);

/**
 * Sends a pong with at most 125 bytes of payload: one that nobody asked for, or an answer where
 * `wsp_config.manual_pongs` is set (5.5.3).
 */
wsp_result wsp_server_pong(struct wsp_server *server,
                           const void *payload,
                           size_t len,
                           struct wsp_output *out);

/**
 * Begins the closing handshake. `code` is one that may be sent: 1000 to 1003, 1007 to 1014, 3000 to 4999
 * (7.4); `reason` is UTF-8 of at most 123 bytes. A pong that is owed goes first; with `WSP_FULL` it may have
 * gone alone.
 */
wsp_result wsp_server_close(struct wsp_server *server,
                            uint16_t code,
                            const void *reason,
                            size_t len,
                            struct wsp_output *out);

/**
 * Sends what the connection owes by itself: the pong for the newest ping, then the answer to a Close frame or
 * the Close frame that tells of a failure. With `WSP_FULL`, what did not fit stays owed.
 */
wsp_result wsp_server_poll_transmit(struct wsp_server *server,
                                    struct wsp_output *out);

/**
 * The client's bytes have ended, or the transport broke. A second call gives what the first gave.
 */
wsp_closed wsp_server_peer_eof(struct wsp_server *server);

/**
 * How far the connection is.
 */
wsp_state wsp_server_state(const struct wsp_server *server);

/**
 * What to do with the byte stream now.
 */
wsp_transport wsp_server_transport(const struct wsp_server *server);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* WS_PROTO_H */
