//! Echo and relay on the crates whose connection is a `Stream` and a `Sink` of messages.

use std::future::poll_fn;
use std::task::Poll;

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::sync::broadcast::Receiver;

use crate::handshake::Path;
use crate::{Room, next_id};

/// When what was written is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flush {
    /// With each message: `send`.
    Each,
    /// When there is nothing more to read: `feed`, then `flush`.
    Idle,
}

/// Serves a connection until it ends, however it does.
pub(crate) async fn run<S, M, E>(
    mut ws: S,
    is_data: fn(&M) -> bool,
    flush: Flush,
    path: Path,
    room: &Room<M>,
) where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    M: Clone,
{
    let _ = match path {
        Path::Echo => echo(&mut ws, is_data, flush).await,
        Path::Relay => relay(&mut ws, is_data, flush, room).await,
    };
}

async fn echo<S, M, E>(ws: &mut S, is_data: fn(&M) -> bool, flush: Flush) -> Result<(), E>
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
{
    while let Some(message) = ws.next().await {
        let message = message?;
        if flush == Flush::Each {
            if is_data(&message) {
                ws.send(message).await?;
            }
            continue;
        }
        let mut next = Some(Ok(message));
        while let Some(message) = next {
            let message = message?;
            if is_data(&message) {
                ws.feed(message).await?;
            }
            next = poll_fn(|context| match ws.poll_next_unpin(context) {
                Poll::Ready(next) => Poll::Ready(next),
                Poll::Pending => Poll::Ready(None),
            })
            .await;
        }
        ws.flush().await?;
    }
    Ok(())
}

async fn relay<S, M, E>(
    ws: &mut S,
    is_data: fn(&M) -> bool,
    flush: Flush,
    room: &Room<M>,
) -> Result<(), E>
where
    S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
    M: Clone,
{
    let (me, mut messages): (_, Receiver<(u64, M)>) = (next_id(), room.subscribe());
    loop {
        tokio::select! {
            message = ws.next() => {
                let Some(message) = message else { return Ok(()) };
                let message = message?;
                if is_data(&message) {
                    let _ = room.send((me, message));
                }
            }
            received = messages.recv() => {
                // Whoever lags behind has lost messages, which the load generator will notice.
                let Ok((from, message)) = received else { return Ok(()) };
                if from == me {
                    continue;
                }
                if flush == Flush::Each {
                    ws.send(message).await?;
                    continue;
                }
                ws.feed(message).await?;
                while let Ok((from, message)) = messages.try_recv() {
                    if from != me {
                        ws.feed(message).await?;
                    }
                }
                ws.flush().await?;
            }
        }
    }
}
