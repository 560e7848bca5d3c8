//! Plain HTTP: what a service is asked, how its body comes in, and what it answers.

mod answer;
pub(crate) mod body;
mod event;
mod service;

pub use answer::Answer;
pub(crate) use answer::Written;
pub(crate) use event::{COMMENT, Events, closing, event};
pub use service::{Call, CallId, Reply, Service};
pub(crate) use service::{Check, Services};

use ws_proto::handshake::Field;

/// The values of all fields of a name.
pub(crate) fn values<'h>(
    fields: &'h [Field<'h>],
    name: &'h str,
) -> impl Iterator<Item = &'h [u8]> + 'h {
    let of_name = move |field: &&Field<'_>| field.name.eq_ignore_ascii_case(name);
    fields.iter().filter(of_name).map(|field| field.value.trim_ascii())
}

/// Whether a list, which may span several fields, has a token, in any case.
pub(crate) fn lists(fields: &[Field<'_>], name: &str, token: &str) -> bool {
    values(fields, name)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .any(|element| element.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}
