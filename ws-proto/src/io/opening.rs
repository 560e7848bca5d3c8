//! The opening handshake, but for the calls that read and write.

use super::link::{In, Link};
use super::out::Out;
use super::{Buffers, Error, SERVER_FIELDS};
use crate::handshake::client;
use crate::handshake::head::{self, HeadError, HeadReader, RequestHead};
use crate::handshake::{
    Agreed, Ask, Choice, HandshakeError, Pending, RequestError, Response, Upgrade,
};
use crate::{Config, Role};

/// An opening handshake over a stream.
pub(super) struct Opening<'b> {
    reader: HeadReader,
    pub(super) input: In<'b>,
    pub(super) out: Out<'b>,
}

/// What both ends have agreed on, and the subprotocol.
pub(super) type Opened<'b> = (Agreed, Option<&'b str>);

impl<'b> Opening<'b> {
    /// For a client, which waits for a response.
    pub(super) const fn response(buffers: Buffers<'b>) -> Self {
        Self::new(HeadReader::response(), buffers)
    }

    /// For a server, which waits for a request.
    pub(super) const fn request(buffers: Buffers<'b>) -> Self {
        Self::new(HeadReader::request(), buffers)
    }

    const fn new(reader: HeadReader, Buffers { read, write }: Buffers<'b>) -> Self {
        Self { reader, input: In::new(read), out: Out::new(write) }
    }

    /// Puts a client's request into the write buffer.
    pub(super) fn ask(&mut self, ask: Ask<'_>, nonce: [u8; 16]) -> Result<(), RequestError> {
        client::write(ask, "", nonce, &mut self.out)
    }

    /// The length of the head, once it has come.
    pub(super) fn head(&mut self) -> Result<Option<usize>, HeadError> {
        self.reader.end(self.input.all())
    }

    /// Judges the response, whose head is `head` bytes.
    pub(super) fn finish(
        &mut self,
        nonce: [u8; 16],
        head: usize,
        offered: &[&'b str],
    ) -> Result<Opened<'b>, HandshakeError> {
        let bytes = self.input.all().get(..head).unwrap_or_default();
        let mut pending = Pending::of_proof([0; 28], offered);
        pending.await_proof(nonce);
        let accepted = pending.judge_head(bytes)?;
        let name = accepted.subprotocol;
        let chosen = offered.iter().copied().find(|offered| Some(*offered) == name);
        let agreed = accepted.agreed;
        self.input.consume(head);
        Ok((agreed, chosen))
    }

    /// Puts the answer to a request into the write buffer.
    pub(super) fn answer<E>(
        &mut self,
        head: Result<usize, HeadError>,
        choose: impl FnOnce(&str, &Upgrade<'_>) -> Result<Choice<'b>, Response<'b>>,
    ) -> Result<Opened<'b>, Error<E>> {
        let Self { input, out, .. } = self;
        let len = head.or_else(|error| refuse_head(error, out))?;
        let bytes = input.all().get(..len).unwrap_or_default();
        let opened = match head::request_of::<SERVER_FIELDS>(bytes) {
            Ok(request) if request.minor_version == 1 => answer(&request, choose, out)?,
            Ok(_) => return refuse_head(HeadError::Version, out),
            Err(error) => return refuse_head(error, out),
        };
        self.input.consume(len);
        Ok(opened)
    }

    pub(super) fn into_link<R: Role>(self, role: R, config: Config, agreed: Agreed) -> Link<'b, R> {
        Link::new(role, config, agreed, self.input, self.out)
    }
}

fn answer<'b, E, const N: usize>(
    request: &RequestHead<'_, N>,
    choose: impl FnOnce(&str, &Upgrade<'_>) -> Result<Choice<'b>, Response<'b>>,
    out: &mut Out<'_>,
) -> Result<Opened<'b>, Error<E>> {
    let upgrade = match Upgrade::parse(request.method, &request.fields) {
        Ok(upgrade) => upgrade,
        Err(reject) => {
            reject.write(out)?;
            return Err(Error::Rejected(Some(reject)));
        }
    };
    match choose(request.target, &upgrade) {
        Ok(choice) => {
            let agreed = upgrade.accept(choice, out).map_err(Error::Accept)?;
            Ok((agreed, choice.subprotocol))
        }
        Err(response) => {
            response.write(out)?;
            Err(Error::Rejected(None))
        }
    }
}

fn refuse_head<T, E>(error: HeadError, out: &mut Out<'_>) -> Result<T, Error<E>> {
    let body = b"this is no HTTP/1.1 request that can be read here\n";
    Response { status: error.status(), fields: &[], body }.write(out)?;
    Err(Error::Head(error))
}

impl<E> From<HeadError> for Error<E> {
    fn from(error: HeadError) -> Self {
        Self::Handshake(HandshakeError::Head(error))
    }
}
