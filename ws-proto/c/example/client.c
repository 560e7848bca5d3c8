/* A device that is a WebSocket client over its UART, which here is the TCP stream itself. The argument says what
 * it does:
 *
 *   echo      text, binary and a message far larger than its buffers to /echo and back; answers two pings;
 *             closes
 *   hear      joins a room, waits for a message of another client, answers it, closes
 *   say       joins the same room, says something until another client answers, closes
 *   nowhere   asks for a path that is not there, and fails
 */
#include "board.h"
#include "ws_proto.h"

#define LARGE 20000u /* bytes of the message that no buffer holds */

static uint8_t rx[256], tx[256];
static wsp_output out = {tx, sizeof tx, 0};
static wsp_input input;
static wsp_client client;
static wsp_keepalive keepalive;

/* Of the message that is coming in. */
static uint32_t received, wrong;
static uint8_t begins[8];

static enum { ECHO_TEXT, ECHO_BINARY, ECHO_LARGE, PINGED, HEARING, SAYING, CLOSING, DONE } step;
static unsigned pings;

static uint32_t key(void) {
    uint32_t key;
    board_entropy(&key, sizeof key);
    return key;
}

static void flush(void) {
    uart_write(out.data, out.len);
    out.len = 0;
}

static int fail(const char *what, wsp_result result) {
    board_print(what);
    board_print(": ");
    board_print(wsp_result_text(result));
    board_print("\n");
    return 1;
}

static bool is(const char *text, const char *other) {
    while (*text && *text == *other) text++, other++;
    return *text == *other;
}

/* What stands at `at` in the large message. */
static uint8_t large(uint32_t at) { return (uint8_t)(at * 31 + (at >> 8)); }

static wsp_result say(wsp_kind kind, const void *data, size_t len, bool last) {
    wsp_result result = wsp_client_send(&client, kind, data, len, last, key(), &out);
    flush();
    return result;
}

/* In fragments of what one buffer holds. */
static wsp_result say_large(void) {
    uint8_t piece[128];
    for (uint32_t at = 0; at < LARGE;) {
        uint32_t len = LARGE - at < sizeof piece ? LARGE - at : sizeof piece;
        for (uint32_t i = 0; i < len; i++) piece[i] = large(at + i);
        at += len;
        wsp_result result = say(WSP_BINARY, piece, len, at == LARGE);
        if (result != WSP_OK) return result;
    }
    return WSP_OK;
}

static wsp_result close(void) {
    step = CLOSING;
    wsp_keepalive_closing(&keepalive, board_now());
    wsp_result result = wsp_client_close(&client, 1000, "done", 4, key(), key(), &out);
    flush();
    return result;
}

/* A message is complete: whether it is what was expected, and what is next. */
static wsp_result message(void) {
    switch (step) {
    case ECHO_TEXT:
        if (received != 8 || begins[0] != 'g' || wrong) return WSP_BAD_VALUE;
        step = ECHO_BINARY;
        return say(WSP_BINARY, "\x00\xff\x80", 3, true);
    case ECHO_BINARY:
        if (received != 3 || begins[1] != 0xff) return WSP_BAD_VALUE;
        step = ECHO_LARGE;
        return say_large();
    case ECHO_LARGE:
        if (received != LARGE || wrong) return WSP_BAD_VALUE;
        board_print("echoed\n");
        step = PINGED;
        return WSP_OK;
    case HEARING:
        if (begins[0] != '?') return WSP_OK;
        board_print("heard another client\n");
        say(WSP_TEXT, "!", 1, true);
        return close();
    case SAYING:
        if (begins[0] != '!') return WSP_OK;
        board_print("was answered by another client\n");
        return close();
    default: return WSP_OK;
    }
}

static wsp_result handle(const wsp_event *event) {
    switch (event->kind) {
    case WSP_TEXT:
    case WSP_BINARY:
        if (event->first) received = wrong = 0;
        for (size_t i = 0; i < event->len; i++, received++) {
            if (received < sizeof begins) begins[received] = event->data[i];
            if (step == ECHO_LARGE && event->data[i] != large(received)) wrong++;
        }
        return event->last ? message() : WSP_OK;
    case WSP_PING:
        pings++;
        board_print("pinged\n");
        return WSP_OK;
    case WSP_CLOSE:
        board_print(event->code == 1000 && step == CLOSING ? "closed\n" : "closed by the server\n");
        step = step == CLOSING ? DONE : CLOSING;
        return WSP_OK;
    default: return WSP_OK;
    }
}

/* Gives bytes of the server to the connection, and sends what comes of them. */
static wsp_result take(uint8_t *bytes, size_t len) {
    wsp_keepalive_heard(&keepalive, board_now());
    input.data = bytes;
    input.len = len;
    for (;;) {
        wsp_event event;
        wsp_result result = wsp_client_next_event(&client, &input, &event);
        if (result == WSP_OK && event.kind == WSP_NONE) return WSP_OK;
        if (result == WSP_OK) result = handle(&event);
        wsp_client_poll_transmit(&client, key(), key(), &out);
        flush();
        if (result != WSP_OK) return result;
    }
}

static wsp_result connect(const char *target) {
    const wsp_ask ask = {.host = "server.example", .target = target};
    uint8_t nonce[16];
    board_entropy(nonce, sizeof nonce);
    const wsp_config config = {.max_message = 64 * 1024};
    wsp_result result = wsp_client_request(&client, &config, &ask, nonce, &out);
    if (result != WSP_OK) return result;
    flush();
    size_t len = 0;
    wsp_response response;
    do {
        if (board_now() > 10000) return WSP_MORE;
        if (len == sizeof rx) return WSP_HEAD_TOO_LONG;
        len += uart_read(rx + len, sizeof rx - len);
        result = wsp_client_response(&client, &ask, rx, len, &response);
    } while (result == WSP_MORE);
    if (result != WSP_OK) return result;
    wsp_keepalive_start(&keepalive, board_now());
    return take(rx + response.head_len, len - response.head_len);
}

int main(void) {
    const char *task = board_argument();
    bool hear = is(task, "hear"), speak = is(task, "say"), nowhere = is(task, "nowhere");
    step = hear ? HEARING : speak ? SAYING : ECHO_TEXT;
    wsp_result result = connect(nowhere ? "/nowhere" : hear || speak ? "/relay/devices" : "/echo");
    if (result != WSP_OK) return fail("could not connect", result);
    if (step == ECHO_TEXT) say(WSP_TEXT, "gr\xc3\xbc\xc3\x9f""e", 7 + 1, true);

    uint64_t said = 0;
    while (wsp_client_transport(&client) == WSP_TRANSPORT_KEEP) {
        const wsp_timing timing = {.ping_after = 15000, .pong_within = 5000, .close_within = 5000};
        size_t len = uart_read(rx, sizeof rx);
        if (len > 0 && (result = take(rx, len)) != WSP_OK) return fail("failed", result);
        if (step == PINGED && pings >= 2) close();
        if (step == SAYING && board_now() >= said + 200) {
            /* Again and again, as nobody tells when the other one has joined. */
            said = board_now();
            say(WSP_TEXT, "?", 1, true);
        }
        wsp_due due;
        wsp_keepalive_poll(&keepalive, &timing, board_now(), &due, NULL);
        if (due == WSP_DUE_PING) wsp_client_ping(&client, NULL, 0, key(), &out);
        if (due == WSP_DUE_DEAD || due == WSP_DUE_CLOSE_EXPIRED) return fail("the server is gone", WSP_OK);
        flush();
        if (board_now() > 60000) return fail("took too long", WSP_OK);
    }
    board_print("stack peak ");
    board_print_number(board_stack_peak());
    board_print(" bytes\n");
    return step == DONE ? 0 : 1;
}
