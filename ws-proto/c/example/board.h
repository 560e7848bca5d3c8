/* What a program needs of its board: a stream of bytes, a clock, entropy, and a way to say how it went. */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

int main(void);

/* Reads what has come, at most `size` bytes, without waiting. */
size_t uart_read(uint8_t *data, size_t size);
void uart_write(const uint8_t *data, size_t len);

/* Milliseconds since the start. */
uint64_t board_now(void);

/* Bytes that nobody can predict. On a device: its generator of random numbers. */
void board_entropy(void *data, size_t size);

/* What stands behind the program's name on the command line; for tests. */
const char *board_argument(void);

void board_print(const char *text);
void board_print_number(uint32_t number);

/* Bytes of the stack that were ever used. */
uint32_t board_stack_peak(void);

#endif
