//! Sockets over asynchronous streams. Every call may be dropped before it ends, and the next goes on.

use embedded_io_async::{Read, Write};

use super::link::{Gathered, Link, Next};
use super::opening::Opening;
use super::out::Out;
use super::{Buffers, Error};
use crate::handshake::{Ask, Choice, Response, Upgrade};
use crate::keepalive::{Due, Instant, Keepalive, Timing};
use crate::{
    Client, CloseCode, Closed, Config, Connection, Event, Message, Role, SendError, Server,
};

/// One end of a connection over a stream: [`Socket`](super::Socket)'s twin. See the [module](super).
#[derive(Debug)]
pub struct AsyncSocket<'b, S, R> {
    stream: S,
    link: Link<'b, R>,
    subprotocol: Option<&'b str>,
}

/// What a call of [`AsyncSocket::receive`] came to.
#[derive(Debug)]
pub enum AsyncReceived<'s, 'b, S, R> {
    /// An event, and what answers it.
    Event(Event<'s>, AsyncSender<'s, 'b, S, R>),
    /// A read that brought no whole event. Call again.
    Nothing,
    /// The connection is over. A client may wait for the server to close the stream, some seconds at most, if
    /// the stream can tell (RFC 6455 §7.1.1); a server closes it now.
    Closed(Closed),
}

impl<'b, S: Read + Write, M: FnMut() -> [u8; 4]> AsyncSocket<'b, S, Client<M>> {
    /// Asks the server at the other end of `stream` for a connection and waits for its answer.
    ///
    /// `nonce` is 16 bytes of entropy, new for each connection; `random` gives the masking key of each frame
    /// (RFC 6455 §4.1, §10.3).
    ///
    /// # Errors
    /// [`Error::Stream`], [`Error::Ended`], [`Error::Request`], [`Error::Handshake`], [`Error::Full`].
    pub async fn connect(
        mut stream: S,
        ask: Ask<'b>,
        nonce: [u8; 16],
        random: M,
        config: Config,
        buffers: Buffers<'b>,
    ) -> Result<Self, Error<S::Error>> {
        let mut opening = Opening::response(buffers);
        opening.ask(ask, nonce)?;
        let head = loop {
            write(&mut stream, &mut opening.out).await?;
            match opening.head()? {
                Some(len) => break len,
                None => read_head(&mut stream, &mut opening).await?,
            }
        };
        let (agreed, subprotocol) = opening.finish(nonce, head, ask.subprotocols)?;
        let link = opening.into_link(Client(random), config, agreed);
        Ok(Self { stream, link, subprotocol })
    }
}

impl<'b, S: Read + Write> AsyncSocket<'b, S, Server> {
    /// Waits for a client's request and answers it. `choose` is given its target, and accepts or refuses it.
    ///
    /// # Errors
    /// [`Error::Stream`], [`Error::Ended`], [`Error::Full`]; [`Error::Head`], [`Error::Rejected`] for a request that
    /// was refused, [`Error::Accept`] for a bad choice.
    pub async fn accept(
        mut stream: S,
        config: Config,
        buffers: Buffers<'b>,
        choose: impl FnOnce(&str, &Upgrade<'_>) -> Result<Choice<'b>, Response<'b>>,
    ) -> Result<Self, Error<S::Error>> {
        let mut opening = Opening::request(buffers);
        let head = loop {
            match opening.head() {
                Ok(Some(len)) => break Ok(len),
                Ok(None) => read_head(&mut stream, &mut opening).await?,
                Err(error) => break Err(error),
            }
        };
        let answer = opening.answer(head, choose);
        write(&mut stream, &mut opening.out).await?;
        let (agreed, subprotocol) = answer?;
        let link = opening.into_link(Server, config, agreed);
        Ok(Self { stream, link, subprotocol })
    }
}

impl<'b, S: Read + Write, R: Role> AsyncSocket<'b, S, R> {
    /// The next event of what the peer has sent, after at most one read; what is owed to the peer, and what could
    /// not be written before, is written first. If the call is dropped, nothing is lost, as long as that holds for
    /// the stream's `read` and `write`.
    ///
    /// # Errors
    /// [`Error::Stream`]; if the stream can go on, call again. [`Error::Protocol`]: the next call tells the peer, and
    /// gives [`AsyncReceived::Closed`].
    pub async fn receive(&mut self) -> Result<AsyncReceived<'_, 'b, S, R>, Error<S::Error>> {
        let next = self.link.next()?;
        write(&mut self.stream, &mut self.link.out).await?;
        match next {
            Next::Closed(closed) => return Ok(AsyncReceived::Closed(closed)),
            Next::Read => {
                let n = self.stream.read(self.link.input.free()).await.map_err(Error::Stream)?;
                self.link.came(n);
            }
            Next::Handle => {}
        }
        let (event, replies) = self.link.handle();
        match event {
            Ok(Some(event)) => {
                let stream = &mut self.stream;
                Ok(AsyncReceived::Event(
                    event,
                    AsyncSender { stream, conn: replies.conn, out: replies.out },
                ))
            }
            Ok(None) => Ok(AsyncReceived::Nothing),
            Err(error) => {
                // The next call writes it: what is awaited here could be dropped, and the error with it.
                replies.conn.poll_transmit(replies.out)?;
                Err(Error::Protocol(error))
            }
        }
    }

    /// The next whole message, put together in `buffer`; `None` when the connection is over. Pings are answered
    /// meanwhile, and pongs skipped. If the call is dropped, call again with the same buffer.
    ///
    /// # Errors
    /// As [`receive`](Self::receive); if the stream can go on, call again with the same buffer.
    /// [`Error::Full`] when a message is larger than the buffer: close, or set
    /// [`Config::max_message`] to its length, so that the peer is told.
    pub async fn read_message<'m>(
        &mut self,
        buffer: &'m mut [u8],
    ) -> Result<Option<Message<'m>>, Error<S::Error>> {
        let mut gathered = self.link.gathered;
        let whole = loop {
            match self.receive().await? {
                AsyncReceived::Event(event, _) => {
                    let whole = Gathered::from(&mut gathered, event, buffer);
                    self.link.gathered = gathered;
                    let whole = whole?;
                    if !matches!(whole, Gathered::Nothing) {
                        break whole;
                    }
                }
                AsyncReceived::Nothing => {}
                AsyncReceived::Closed(_) => return Ok(None),
            }
        };
        Ok(whole.message(buffer))
    }

    /// What sends.
    pub const fn sender(&mut self) -> AsyncSender<'_, 'b, S, R> {
        let Self { stream, link, .. } = self;
        AsyncSender { stream, conn: &mut link.conn, out: &mut link.out }
    }

    /// [`AsyncSender::send`].
    ///
    /// # Errors
    /// As there.
    pub async fn send<'m>(
        &mut self,
        message: impl Into<Message<'m>>,
        last: bool,
    ) -> Result<(), Error<S::Error>> {
        self.sender().send(message, last).await
    }

    /// [`AsyncSender::close`].
    ///
    /// # Errors
    /// As there.
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error<S::Error>> {
        self.sender().close(code, reason).await
    }

    /// What is to be done at `now` for a connection that may be dead. A ping, if one is due, is sent.
    ///
    /// # Errors
    /// [`Error::Stream`], [`Error::Full`].
    pub async fn tick(
        &mut self,
        keepalive: &mut Keepalive,
        timing: &Timing,
        now: Instant,
    ) -> Result<Due, Error<S::Error>> {
        let due = self.link.tick(keepalive, timing, now);
        if due == Due::Ping {
            self.sender().ping(&[]).await?;
        }
        Ok(due)
    }

    /// The subprotocol that was chosen in the opening handshake.
    pub const fn subprotocol(&self) -> Option<&'b str> {
        self.subprotocol
    }

    /// The connection, to ask it for its state.
    pub const fn connection(&self) -> &Connection<R> {
        &self.link.conn
    }

    /// The stream, to ask it whether a read would block.
    pub const fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The stream, to close it, or to use it for another connection.
    pub fn into_stream(self) -> S {
        self.stream
    }
}

/// What sends on a [`AsyncSocket`].
#[derive(Debug)]
pub struct AsyncSender<'s, 'b, S, R> {
    stream: &'s mut S,
    conn: &'s mut Connection<R>,
    out: &'s mut Out<'b>,
}

impl<S: Write, R: Role> AsyncSender<'_, '_, S, R> {
    /// Sends a message, or a fragment of one: `last` tells whether the message ends with it. It goes to the write
    /// buffer, for which only room is awaited; [`flush`](Self::flush) or the next [`AsyncSocket::receive`] writes it.
    /// If the call is dropped, nothing of it is sent.
    ///
    /// # Errors
    /// [`Error::Stream`]. [`Error::Send`]; with [`SendError::Full`] it is larger than the write buffer and must be sent
    /// in fragments.
    pub async fn send<'m>(
        &mut self,
        message: impl Into<Message<'m>>,
        last: bool,
    ) -> Result<(), Error<S::Error>> {
        let message = message.into();
        self.write(|conn, out| conn.send(message, last, out)).await
    }

    /// Sends a ping with at most 125 bytes.
    ///
    /// # Errors
    /// [`Error::Stream`], [`Error::Send`].
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error<S::Error>> {
        self.write(|conn, out| conn.ping(payload, out)).await
    }

    /// Begins the closing handshake. Then receive until [`AsyncReceived::Closed`].
    ///
    /// # Errors
    /// [`Error::Stream`], [`Error::Send`].
    pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error<S::Error>> {
        self.write(|conn, out| conn.close(code, reason, out)).await
    }

    async fn write(
        &mut self,
        mut put: impl FnMut(&mut Connection<R>, &mut Out<'_>) -> Result<(), SendError>,
    ) -> Result<(), Error<S::Error>> {
        // Not written at once: what is awaited behind it could be dropped, and nobody would know that it was sent.
        match put(self.conn, self.out) {
            Err(SendError::Full) => {}
            result => return Ok(result?),
        }
        write(self.stream, self.out).await?;
        Ok(put(self.conn, self.out)?)
    }

    /// Writes what has been sent. [`AsyncSocket::receive`] does so, too, before it reads.
    ///
    /// # Errors
    /// [`Error::Stream`], [`Error::Ended`].
    pub async fn flush(&mut self) -> Result<(), Error<S::Error>> {
        write(self.stream, self.out).await
    }
}

async fn read_head<S: Read>(
    stream: &mut S,
    opening: &mut Opening<'_>,
) -> Result<(), Error<S::Error>> {
    let free = opening.input.free();
    if free.is_empty() {
        return Err(Error::Full);
    }
    match stream.read(free).await.map_err(Error::Stream)? {
        0 => Err(Error::Ended),
        n => {
            opening.input.came(n);
            Ok(())
        }
    }
}

async fn write<S: Write>(stream: &mut S, out: &mut Out<'_>) -> Result<(), Error<S::Error>> {
    if out.pending().is_empty() {
        return Ok(());
    }
    while !out.pending().is_empty() {
        match stream.write(out.pending()).await.map_err(Error::Stream)? {
            0 => return Err(Error::Ended),
            n => out.wrote(n),
        }
    }
    stream.flush().await.map_err(Error::Stream)
}
