/* The header from C: a client and a server talk through memory, cut everywhere, and mistakes are answered.
 * Built with the sanitizers of gcc and run under valgrind by `run`. */
#include "ws_proto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what)                                                           \
    do {                                                                      \
        if (!(what)) {                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
            exit(1);                                                          \
        }                                                                     \
    } while (0)

_Static_assert(sizeof(wsp_client) == 26 * 8 && _Alignof(wsp_client) == _Alignof(uint64_t), "wsp_client");
_Static_assert(sizeof(wsp_server) == 25 * 8 && _Alignof(wsp_server) == _Alignof(uint64_t), "wsp_server");
_Static_assert(sizeof(wsp_result) == 1 && sizeof(wsp_kind) == 1, "enums are bytes");

/* Good enough here, where nobody attacks; see `wsp_client_send`. */
static uint32_t key(void) {
    static uint32_t state = 1;
    return state = state * 1664525u + 1013904223u;
}

/* Bytes on their way, in memory of just their length, so that tools see a byte too far. */
typedef struct pipe {
    uint8_t *data;
    size_t len;
} pipe;

static void append(pipe *pipe, const uint8_t *data, size_t len) {
    if (len == 0) return;
    pipe->data = realloc(pipe->data, pipe->len + len);
    CHECK(pipe->data != NULL);
    memcpy(pipe->data + pipe->len, data, len);
    pipe->len += len;
}

static void flush(wsp_output *out, pipe *pipe) {
    append(pipe, out->data, out->len);
    out->len = 0;
}

static uint8_t *copy(const void *data, size_t len) {
    uint8_t *copy = malloc(len ? len : 1);
    CHECK(copy != NULL);
    if (len) memcpy(copy, data, len);
    return copy;
}

/* What a client is told by a server: how many messages, what is in them, and how it ends. */
typedef struct heard {
    size_t messages, bytes, pings;
    uint32_t sum;
    uint16_t close;
} heard;

static void hear(heard *heard, const wsp_event *event) {
    switch (event->kind) {
    case WSP_TEXT:
    case WSP_BINARY:
        for (size_t i = 0; i < event->len; i++) heard->sum = heard->sum * 31 + event->data[i];
        heard->bytes += event->len;
        heard->messages += event->last;
        break;
    case WSP_PING: heard->pings++; break;
    case WSP_CLOSE: heard->close = event->code; break;
    default: break;
    }
}

static void converse(size_t chunk) {
    uint8_t *memory = malloc(100000);
    CHECK(memory != NULL);
    wsp_output out = {.data = memory, .size = 100000};
    pipe up = {0}, down = {0};
    wsp_client client;
    wsp_server server;

    const char *const protocols[] = {"chat.v1", "chat.v2"};
    const wsp_field origin[] = {{"Origin", "https://page.example"}};
    const wsp_ask ask = {"server.example", "/room", protocols, 2, origin, 1};
    uint8_t nonce[16] = {1, 2, 3};
    CHECK(wsp_client_request(&client, NULL, &ask, nonce, &out) == WSP_OK);
    CHECK(wsp_client_state(&client) == WSP_STATE_CONNECTING);
    flush(&out, &up);

    CHECK(wsp_server_listen(&server, NULL) == WSP_OK);
    wsp_request request;
    wsp_result result = WSP_MORE;
    for (size_t come = 0; result == WSP_MORE && come < up.len;) {
        come = come + chunk < up.len ? come + chunk : up.len;
        uint8_t *bytes = copy(up.data, come);
        result = wsp_server_request(&server, bytes, come, &request, &out);
        if (result == WSP_OK) CHECK(request.target.len == 5 && !memcmp(request.target.data, "/room", 5));
        free(bytes);
    }
    CHECK(result == WSP_OK && request.head_len == up.len);
    wsp_bytes value;
    CHECK(wsp_request_field(up.data, up.len, "origin", 0, &value) == WSP_OK);
    CHECK(value.len == 20 && !memcmp(value.data, "https://page.example", 20));
    const wsp_choice choice = {protocols + 1, 1, NULL, 0};
    const char *chosen = NULL;
    CHECK(wsp_server_accept(&server, up.data, up.len, &choice, &chosen, &out) == WSP_OK);
    CHECK(chosen == protocols[1]);
    flush(&out, &down);

    wsp_response response;
    result = WSP_MORE;
    for (size_t come = 0; result == WSP_MORE && come < down.len;) {
        come = come + chunk < down.len ? come + chunk : down.len;
        uint8_t *bytes = copy(down.data, come);
        result = wsp_client_response(&client, &ask, bytes, come, &response);
        free(bytes);
    }
    CHECK(result == WSP_OK && response.status == 101 && response.subprotocol == protocols[1]);
    CHECK(response.head_len == down.len);
    up.len = down.len = 0;

    /* Text with a code point that any chunk may cut, a message in fragments with a ping between, a large one. */
    static uint8_t large[70000];
    for (size_t i = 0; i < sizeof large; i++) large[i] = (uint8_t)(i * 7);
    const char text[] = "gr\xc3\xbc\xc3\x9f dich \xf0\x9f\x98\x80";
    CHECK(wsp_server_send(&server, WSP_TEXT, text, strlen(text), true, &out) == WSP_OK);
    CHECK(wsp_server_send(&server, WSP_BINARY, large, 1000, false, &out) == WSP_OK);
    CHECK(wsp_server_ping(&server, "there?", 6, &out) == WSP_OK);
    CHECK(wsp_server_send(&server, WSP_BINARY, NULL, 0, true, &out) == WSP_OK);
    CHECK(wsp_server_send(&server, WSP_BINARY, large, sizeof large, true, &out) == WSP_OK);
    CHECK(wsp_server_close(&server, 4001, "done", 4, &out) == WSP_OK);
    CHECK(wsp_server_state(&server) == WSP_STATE_CLOSE_SENT);
    flush(&out, &down);

    heard at_client = {0};
    wsp_input *input = malloc(sizeof *input);
    CHECK(input != NULL);
    for (size_t at = 0; at < down.len; at += chunk) {
        size_t len = down.len - at < chunk ? down.len - at : chunk;
        uint8_t *bytes = copy(down.data + at, len);
        input->data = bytes;
        input->len = len;
        for (;;) {
            wsp_event event;
            CHECK(wsp_client_next_event(&client, input, &event) == WSP_OK);
            if (event.kind == WSP_NONE) break;
            hear(&at_client, &event);
            CHECK(wsp_client_poll_transmit(&client, key(), key(), &out) == WSP_OK);
        }
        CHECK(input->len == 0);
        free(bytes);
    }
    flush(&out, &up);
    CHECK(at_client.messages == 3 && at_client.pings == 1 && at_client.close == 4001);
    CHECK(at_client.bytes == strlen(text) + 1000 + sizeof large);
    uint32_t sum = 0;
    for (size_t i = 0; i < strlen(text); i++) sum = sum * 31 + (uint8_t)text[i];
    for (size_t i = 0; i < 1000; i++) sum = sum * 31 + large[i];
    for (size_t i = 0; i < sizeof large; i++) sum = sum * 31 + large[i];
    CHECK(at_client.sum == sum);
    CHECK(wsp_client_transport(&client) == WSP_TRANSPORT_AWAIT_EOF);

    /* The server reads the pong and the answer to its Close. */
    bool pong = false;
    for (size_t at = 0; at < up.len; at += chunk) {
        size_t len = up.len - at < chunk ? up.len - at : chunk;
        uint8_t *bytes = copy(up.data + at, len);
        input->data = bytes;
        input->len = len;
        for (;;) {
            wsp_event event;
            CHECK(wsp_server_next_event(&server, input, &event) == WSP_OK);
            if (event.kind == WSP_NONE) break;
            if (event.kind == WSP_PONG) pong = event.len == 6 && !memcmp(event.data, "there?", 6);
            if (event.kind == WSP_CLOSE) CHECK(event.code == 4001);
        }
        free(bytes);
    }
    CHECK(pong && wsp_server_transport(&server) == WSP_TRANSPORT_CLOSE);
    CHECK(wsp_server_peer_eof(&server) == WSP_CLOSED_CLEAN);
    CHECK(wsp_client_peer_eof(&client) == WSP_CLOSED_CLEAN);
    free(input);
    free(memory);
    free(up.data);
    free(down.data);
}

static void mistakes(void) {
    wsp_client *client = calloc(1, sizeof *client);
    CHECK(client != NULL);
    uint8_t buffer[32];
    wsp_output out = {.data = buffer, .size = sizeof buffer};
    CHECK(wsp_client_send(client, WSP_TEXT, "a", 1, true, key(), &out) == WSP_NOT_INITIALISED);
    CHECK(wsp_server_open((wsp_server *)client, NULL) == WSP_OK);
    CHECK(wsp_client_send(client, WSP_TEXT, "a", 1, true, key(), &out) == WSP_NOT_INITIALISED);
    const wsp_config config = {.max_message = 5};
    CHECK(wsp_client_open(client, &config) == WSP_OK);
    CHECK(wsp_client_send(client, WSP_TEXT, NULL, 1, true, key(), &out) == WSP_NULL);
    CHECK(wsp_client_send(client, WSP_TEXT, "\xff", 1, true, key(), &out) == WSP_NOT_UTF8);
    CHECK(wsp_client_send(client, WSP_TEXT, "a", SIZE_MAX, true, key(), &out) == WSP_LENGTH);
    CHECK(wsp_client_send(client, WSP_TEXT, buffer, 1, true, key(), &out) == WSP_OVERLAP);
    CHECK(wsp_client_send(client, WSP_PING, "a", 1, true, key(), &out) == WSP_BAD_VALUE);
    CHECK(out.len == 0);

    /* A violation: the error, the Close frame that tells it, and then nothing more. */
    uint8_t *bytes = copy("\x81\x06hello!", 8);
    wsp_input input = {.data = bytes, .len = 8};
    wsp_event event;
    CHECK(wsp_client_next_event(client, &input, &event) == WSP_PEER_MESSAGE_TOO_BIG);
    CHECK(event.kind == WSP_NONE && event.code == 1009);
    CHECK(!strcmp(wsp_result_text(WSP_PEER_MESSAGE_TOO_BIG), "message over the size limit"));
    CHECK(wsp_client_next_event(client, &input, &event) == WSP_OK && event.kind == WSP_NONE);
    CHECK(wsp_client_poll_transmit(client, key(), key(), &out) == WSP_FULL && out.len == 0);
    uint8_t larger[64];
    wsp_output room = {.data = larger, .size = sizeof larger};
    CHECK(wsp_client_poll_transmit(client, key(), key(), &room) == WSP_OK);
    CHECK(room.len > 6 && larger[0] == 0x88);
    CHECK(wsp_client_transport(client) == WSP_TRANSPORT_CLOSE);
    free(bytes);
    free(client);
}

static void messages_and_time(void) {
    uint8_t buffer[4];
    wsp_message message = {.data = buffer, .size = sizeof buffer};
    wsp_event piece = {.kind = WSP_BINARY, .first = true, .data = (const uint8_t *)"abc", .len = 3};
    CHECK(wsp_message_push(&message, &piece) == WSP_MORE);
    piece.first = false;
    piece.last = true;
    CHECK(wsp_message_push(&message, &piece) == WSP_FULL);
    piece.first = true;
    CHECK(wsp_message_push(&message, &piece) == WSP_OK && message.len == 3);

    wsp_keepalive keepalive;
    const wsp_timing timing = {30000, 10000, 5000};
    wsp_due due;
    uint64_t next;
    CHECK(wsp_keepalive_start(&keepalive, 0) == WSP_OK);
    CHECK(wsp_keepalive_poll(&keepalive, &timing, 29999, &due, &next) == WSP_OK);
    CHECK(due == WSP_DUE_NOTHING && next == 30000);
    CHECK(wsp_keepalive_poll(&keepalive, &timing, 30000, &due, NULL) == WSP_OK && due == WSP_DUE_PING);
}

int main(void) {
    static const size_t chunks[] = {1, 2, 3, 5, 64, 1000, 1000000};
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) converse(chunks[i]);
    mistakes();
    messages_and_time();
    puts("C: all is well");
    return 0;
}
