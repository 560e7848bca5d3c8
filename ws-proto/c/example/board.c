/* Cortex-M4 of QEMU's mps2-an386, without a C library. Semihosting is for tests; the rest is like a device. */
#include "board.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))

#define UART_DATA REGISTER(0x40004000)
#define UART_STATE REGISTER(0x40004004)
#define UART_CTRL REGISTER(0x40004008)
#define UART_BAUDDIV REGISTER(0x40004010)
#define UART_TX_FULL 1u
#define UART_RX_FULL 2u

#define SYSTICK_CTRL REGISTER(0xe000e010)
#define SYSTICK_RELOAD REGISTER(0xe000e014)
#define SYSTICK_VALUE REGISTER(0xe000e018)

/* The linker script's. */
extern uint32_t data_start[], data_end[], data_load[], bss_start[], bss_end[];
extern uint32_t stack_bottom[], stack_top[];

#define PAINT 0xdeadc0deu

static volatile uint32_t ticks;

static int semihosting(int operation, const void *argument) {
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void quit(uint32_t status) {
    const uint32_t block[2] = {0x20026, status}; /* ADP_Stopped_ApplicationExit */
    semihosting(0x20, block);
    for (;;) {}
}

static void fault(void) {
    board_print("fault\n");
    quit(3);
}

static void tick(void) { ticks++; }

__attribute__((noreturn, used)) static void start(void) {
    /* Below where we stand, all of the stack. */
    uint32_t *here = __builtin_frame_address(0);
    for (uint32_t *word = stack_bottom; word < here - 16; word++) *(volatile uint32_t *)word = PAINT;
    for (uint32_t *to = data_start, *from = data_load; to < data_end;) *to++ = *from++;
    for (uint32_t *word = bss_start; word < bss_end;) *word++ = 0;
    UART_BAUDDIV = 16;
    UART_CTRL = 3;
    SYSTICK_RELOAD = 25000 - 1;
    SYSTICK_VALUE = 0;
    SYSTICK_CTRL = 7;
    quit((uint32_t)main());
    for (;;) {}
}

__attribute__((naked, noreturn, used)) void reset(void) {
    /* The floating point unit on, before any code that may use it. */
    __asm__ volatile(
        "ldr r0, =0xe000ed88\n"
        "ldr r1, [r0]\n"
        "orr r1, #0xf00000\n"
        "str r1, [r0]\n"
        "dsb\n"
        "isb\n"
        "b %0\n" ::"i"(start));
}

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*handlers[15])(void);
} vectors = {stack_top, {reset, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, tick}};

size_t uart_read(uint8_t *data, size_t size) {
    size_t len = 0;
    /* A byte takes its time on the line; a few turns more, and more of them come in one read. */
    for (unsigned turns = 0; len < size && turns < 2000; turns++) {
        if (UART_STATE & UART_RX_FULL) {
            data[len++] = (uint8_t)UART_DATA;
            turns = 0;
        } else if (len == 0) {
            break;
        }
    }
    return len;
}

void uart_write(const uint8_t *data, size_t len) {
    for (size_t i = 0; i < len; i++) {
        while (UART_STATE & UART_TX_FULL) {}
        UART_DATA = data[i];
    }
}

uint64_t board_now(void) { return ticks; }

void board_entropy(void *data, size_t size) {
    /* This machine has no generator, so the host lends its own. */
    static int file = -1;
    if (file == -1) {
        static const char name[] = "/dev/urandom";
        const uint32_t open[3] = {(uint32_t)name, 1, sizeof name - 1};
        file = semihosting(0x01, open);
    }
    const uint32_t read[3] = {(uint32_t)file, (uint32_t)data, size};
    if (file == -1 || semihosting(0x06, read) != 0) {
        board_print("no entropy\n");
        quit(4);
    }
}

const char *board_argument(void) {
    static char line[80];
    uint32_t block[2] = {(uint32_t)line, sizeof line};
    if (semihosting(0x15, block) != 0) return "";
    const char *at = line;
    while (*at && *at != ' ') at++;
    return *at ? at + 1 : at;
}

void board_print(const char *text) { semihosting(0x04, text); }

void board_print_number(uint32_t number) {
    char digits[11], *at = digits + sizeof digits;
    *--at = 0;
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    board_print(at);
}

uint32_t board_stack_peak(void) {
    const uint32_t *word = stack_bottom;
    while (word < stack_top && *word == PAINT) word++;
    return (uint32_t)((const uint8_t *)stack_top - (const uint8_t *)word);
}

/* What compilers call without being asked, where there is no C library. */
void *memcpy(void *restrict to, const void *restrict from, size_t len) {
    uint8_t *t = to;
    for (const uint8_t *f = from; len; len--) *t++ = *f++;
    return to;
}

void *memmove(void *to, const void *from, size_t len) {
    uint8_t *t = to;
    const uint8_t *f = from;
    if (t < f) return memcpy(to, from, len);
    while (len--) t[len] = f[len];
    return to;
}

void *memset(void *to, int value, size_t len) {
    for (uint8_t *t = to; len; len--) *t++ = (uint8_t)value;
    return to;
}

int memcmp(const void *a, const void *b, size_t len) {
    for (const uint8_t *x = a, *y = b; len; len--, x++, y++)
        if (*x != *y) return *x - *y;
    return 0;
}

size_t strlen(const char *text) {
    size_t len = 0;
    while (text[len]) len++;
    return len;
}
