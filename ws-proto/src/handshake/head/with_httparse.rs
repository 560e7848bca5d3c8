//! Complete heads, parsed by `httparse`.

use heapless::Vec;

use super::{HeadError, RequestHead, ResponseHead, names_http};
use crate::handshake::Field;

pub(super) fn request<const N: usize>(head: &[u8]) -> Result<RequestHead<'_, N>, HeadError> {
    let mut headers = [httparse::EMPTY_HEADER; N];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(HeadError::Incomplete),
        Err(error) => return Err(refusal(error, head, 2)),
    }
    let (Some(method), Some(target), Some(minor_version)) =
        (request.method, request.path, request.version)
    else {
        return Err(HeadError::Incomplete);
    };
    Ok(RequestHead { method, target, minor_version, fields: fields(request.headers)? })
}

pub(super) fn response(head: &[u8]) -> Result<ResponseHead<'_>, HeadError> {
    let mut headers = [httparse::EMPTY_HEADER; super::MAX_FIELDS];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(head);
    match (parsed, response.version) {
        (_, Some(0)) => Err(HeadError::Version),
        (Ok(httparse::Status::Partial), _) => Err(HeadError::Incomplete),
        (Err(error), _) => Err(refusal(error, head, 0)),
        (Ok(httparse::Status::Complete(_)), _) => {
            let status = response.code.ok_or(HeadError::Incomplete)?;
            Ok(ResponseHead { status, fields: fields(response.headers)? })
        }
    }
}

fn fields<'h, const N: usize>(
    headers: &[httparse::Header<'h>],
) -> Result<Vec<Field<'h>, N>, HeadError> {
    let mut fields = Vec::new();
    for header in headers {
        let field = Field { name: header.name, value: header.value };
        fields.push(field).map_err(|_| HeadError::TooManyFields)?;
    }
    Ok(fields)
}

/// `version`: which word of the first line should be the version.
fn refusal(error: httparse::Error, head: &[u8], version: usize) -> HeadError {
    match error {
        httparse::Error::HeaderName => HeadError::FieldName,
        httparse::Error::HeaderValue => HeadError::FieldValue,
        httparse::Error::NewLine => HeadError::LineEnd,
        httparse::Error::TooManyHeaders => HeadError::TooManyFields,
        httparse::Error::Version => {
            let mut lines = head.split(|b| matches!(b, b'\r' | b'\n'));
            let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
            let word = line.split(|&b| b == b' ').nth(version).unwrap_or_default();
            if names_http(word) { HeadError::Version } else { HeadError::FirstLine }
        }
        httparse::Error::Status | httparse::Error::Token => HeadError::FirstLine,
    }
}
