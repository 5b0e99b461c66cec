//! The messages of one stream, one after the other: out of its data frames, within the room that they may take, decompressed.

use std::time::Duration;

use alscope_analysis::accounting::Rejected;
use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::answer::Refusal;
use super::buffer_budget::{BufferPermit, Unread};
use super::encoding::{self, Encoding};
use super::grpc_frames::{Content, FrameEvent, GrpcFrames};
use super::service::Service;

/// A stream that was answered and is silent for this long has sent what it had: some clients never end their side.
const MAX_SILENCE: Duration = Duration::from_secs(1);

/// What came in on a stream.
#[derive(Debug)]
pub enum Received<'s> {
    /// A message, with the permit for what it takes, if it takes more than its frame.
    Message(Content, Option<BufferPermit<'s>>),
    /// A message that can't be read, and why. Its stream goes on.
    Rejected(Rejected),
}

/// Reads the messages of a stream.
#[derive(Debug)]
pub struct Messages<'s, H, B> {
    service: &'s Service<H>,
    body: B,
    frames: GrpcFrames,
    /// What came in and is not cut up yet.
    data: Bytes,
    /// Held while a message is not whole.
    permit: Option<BufferPermit<'s>>,
}

impl<'s, H, B: Body<Data = Bytes> + Unpin> Messages<'s, H, B> {
    /// The messages in `body`.
    pub fn new(service: &'s Service<H>, body: B, encoding: Encoding) -> Self {
        Self {
            service,
            body,
            frames: GrpcFrames::new(service.usage.limits().message_bytes, encoding),
            data: Bytes::new(),
            permit: None,
        }
    }

    /// The next message; `None` at the end of the stream. An error ends the stream within a message: its rest does not come, finds no
    /// room, or gives way to another one.
    pub async fn next(&mut self) -> Result<Option<Received<'s>>, Refusal> {
        loop {
            match self.frames.next(&mut self.data) {
                FrameEvent::NeedMore => match self.more().await? {
                    Some(data) => self.data = data,
                    None if self.frames.is_within_message() => return Err(Refusal::WithinMessage),
                    None => return Ok(None),
                },
                FrameEvent::NeedRoom(bytes) => {
                    let pending = &self.service.pending;
                    let permit = self.permit.get_or_insert_with(|| pending.begin());
                    permit.grow(bytes).await?;
                    self.frames.grow(bytes, || self.service.buffers.take());
                }
                FrameEvent::Rejected(reason) => return Ok(Some(Received::Rejected(reason))),
                FrameEvent::Message(message) => {
                    return Ok(Some(Received::Message(message, self.permit.take())));
                }
                FrameEvent::Compressed(compressed) => return self.decompress(&compressed).await.map(Some),
            }
        }
    }

    async fn decompress(&mut self, compressed: &Content) -> Result<Received<'s>, Refusal> {
        let limit = self.service.usage.limits().message_bytes;
        let bytes = compressed.len() + encoding::decompressed_bytes(compressed, limit);
        let permit = self.permit.take();
        let mut permit = permit.unwrap_or_else(|| self.service.pending.begin());
        permit.grow(bytes).await?;
        Ok(match encoding::decompress(compressed, limit) {
            Ok(message) => Received::Message(Content::InBuffer(message), Some(permit)),
            Err(reason) => Received::Rejected(reason),
        })
    }

    /// The next data; `None` at the end of the stream. The rest of a message that takes room has a deadline.
    async fn more(&mut self) -> Result<Option<Bytes>, Unread> {
        match &self.permit {
            Some(permit) => permit.rest(data(&mut self.body)).await,
            None if self.frames.is_within_message() => Ok(data(&mut self.body).await),
            None => Ok(self.between_messages().await),
        }
    }

    /// A stream of a connection that ends becomes answerable once all that came of it is read, and not within a message: its client
    /// may drop what it has not sent yet. One that always has more is not waited for.
    async fn between_messages(&mut self) -> Option<Bytes> {
        let Service {
            ending, answerable, ..
        } = self.service;
        if ending.is_late() {
            answerable.notify_one();
        }
        tokio::select! {
            biased;
            data = data(&mut self.body) => return data,
            () = ending.begun() => answerable.notify_one(),
        }
        timeout(MAX_SILENCE, data(&mut self.body)).await.ok().flatten()
    }
}

/// The next data frame; `None` at the end of the stream.
async fn data(body: &mut (impl Body<Data = Bytes> + Unpin)) -> Option<Bytes> {
    loop {
        if let Ok(data) = body.frame().await?.ok()?.into_data() {
            return Some(data);
        }
    }
}

impl From<Unread> for Refusal {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Late => Refusal::TooSlow,
            Unread::NoRoom => Refusal::NoRoom,
        }
    }
}
