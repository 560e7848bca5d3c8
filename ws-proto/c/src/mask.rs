//! Masking (RFC 6455 5.3).

use ws_proto::mask;

use crate::raw;
use crate::result::wsp_result;

/// Masks in place what a client sends behind `wsp_client_send_header`. `key` is that of the header; `offset`
/// is how many bytes of the frame's payload went before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wsp_mask(data: *mut u8, len: usize, key: u32, offset: u64) -> wsp_result {
    match raw::places(data, len) {
        Ok(_) => {
            let [.., last] = offset.to_be_bytes();
            let key = mask::rotate(key.to_be_bytes(), usize::from(last & 3));
            // SAFETY: the contract and `places`; nothing else refers to it.
            mask::apply(unsafe { raw::slice_mut(data, len) }, key);
            wsp_result::WSP_OK
        }
        Err(result) => result,
    }
}
