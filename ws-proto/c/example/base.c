/* Nothing but the board: what is more in another image is the protocol's, and its use. */
#include "board.h"

int main(void) {
    uint8_t byte;
    const char *argument = board_argument();
    uint32_t random;
    board_entropy(&random, sizeof random);
    while (*argument && board_now() < random)
        if (uart_read(&byte, 1)) uart_write(&byte, 1);
    board_print("stack peak ");
    board_print_number(board_stack_peak());
    board_print(" bytes\n");
    return 0;
}
