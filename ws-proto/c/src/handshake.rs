//! What an opening handshake is asked for: strings and lists of the caller's.

use core::ffi::c_char;
use core::str;

use heapless::Vec as List;
use ws_proto::handshake::Field;

use crate::raw::{self, Region};
use crate::result::{Outcome, wsp_result};

/// The most subprotocols that a client offers, or that a server chooses from.
pub const WSP_MAX_SUBPROTOCOLS: usize = 8;
/// The most further fields of a request, or of an answer.
pub const WSP_MAX_FIELDS: usize = 8;
/// The most header fields of a request that a server reads.
pub const WSP_MAX_REQUEST_FIELDS: usize = 32;

/// A header field to send. Both strings end with a NUL.
#[repr(C)]
pub struct wsp_field {
    /// The name.
    pub name: *const c_char,
    /// The value.
    pub value: *const c_char,
}

/// What a client asks for. Strings end with a NUL; a list may be null if its count is 0.
#[repr(C)]
pub struct wsp_ask {
    /// `Host`: the server's name or address, with `:port` if that is not 80, or 443 with TLS.
    pub host: *const c_char,
    /// The target: a path that starts with `/`, and a query.
    pub target: *const c_char,
    /// The subprotocols to offer, the one liked best first.
    pub subprotocols: *const *const c_char,
    /// How many these are: at most `WSP_MAX_SUBPROTOCOLS`.
    pub subprotocol_count: usize,
    /// Further fields: `Origin`, `Authorization`, cookies.
    pub fields: *const wsp_field,
    /// How many these are: at most `WSP_MAX_FIELDS`.
    pub field_count: usize,
}

pub(crate) type Subprotocols<'c> = List<&'c str, WSP_MAX_SUBPROTOCOLS>;
pub(crate) type Fields<'c> = List<Field<'c>, WSP_MAX_FIELDS>;

/// A string that overlaps nothing that is `written`; `otherwise` if it is not UTF-8.
///
/// # Safety
/// The contract (`raw`); the memory is not written while the text is used.
pub(crate) unsafe fn text<'c>(
    ptr: *const c_char,
    written: &[Region],
    otherwise: wsp_result,
) -> Outcome<&'c str> {
    // SAFETY: as here.
    let bytes = unsafe { raw::string(ptr, written) }?;
    str::from_utf8(bytes).map_err(|_| otherwise)
}

/// # Safety
/// As for [`text`].
pub(crate) unsafe fn subprotocols<'c>(
    names: *const *const c_char,
    count: usize,
    written: &[Region],
) -> Outcome<Subprotocols<'c>> {
    raw::apart_from(raw::places(names, count)?, written)?;
    // SAFETY: the contract and `places`.
    let names = unsafe { raw::slice(names, count) };
    let mut subprotocols = List::new();
    for name in names {
        // SAFETY: as here.
        let name = unsafe { text(*name, written, wsp_result::WSP_ASK_SUBPROTOCOL) }?;
        subprotocols.push(name).map_err(|_| wsp_result::WSP_TOO_MANY)?;
    }
    Ok(subprotocols)
}

/// # Safety
/// As for [`text`].
pub(crate) unsafe fn fields<'c>(
    ptr: *const wsp_field,
    count: usize,
    written: &[Region],
    otherwise: wsp_result,
) -> Outcome<Fields<'c>> {
    raw::apart_from(raw::places(ptr, count)?, written)?;
    // SAFETY: the contract and `places`.
    let list = unsafe { raw::slice(ptr, count) };
    let mut fields = List::new();
    for field in list {
        // SAFETY: as here.
        let name = unsafe { text(field.name, written, otherwise) }?;
        // SAFETY: as here.
        let value = unsafe { raw::string(field.value, written) }?;
        fields.push(Field { name, value }).map_err(|_| wsp_result::WSP_TOO_MANY)?;
    }
    Ok(fields)
}
