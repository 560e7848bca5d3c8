// The header from C++: that it compiles without a warning, and links.
#include "ws_proto.h"

int main() {
    wsp_client client;
    const wsp_config config = {1024, 0};
    if (wsp_client_open(&client, &config) != WSP_OK) return 1;
    unsigned char buffer[16];
    wsp_output out = {buffer, sizeof buffer, 0};
    if (wsp_client_send(&client, WSP_TEXT, "hi", 2, true, 0x37fa213d, &out) != WSP_OK) return 1;
    return out.len == 8 && wsp_client_state(&client) == WSP_STATE_OPEN ? 0 : 1;
}
