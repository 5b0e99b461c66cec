//! Reads the messages of one stream, one after the other. It cuts them out of data frames, takes room in
//! the buffer budget, and decompresses them.

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

/// The silence after which an answered stream is taken to be at its end, because some
/// clients never end their side.
const MAX_SILENCE: Duration = Duration::from_secs(1);

/// The next item of a stream.
#[derive(Debug)]
pub enum Received<'s> {
    /// A message. It has a permit if it did not fit in one frame.
    Message(Content, Option<BufferPermit<'s>>),
    /// A message that can't be read, and the reason. The stream goes on.
    Rejected(Rejected),
}

/// Reads the messages of a stream.
#[derive(Debug)]
pub struct Messages<'s, H, B> {
    service: &'s Service<H>,
    body: B,
    frames: GrpcFrames,
    /// Bytes that came in and are not cut into messages yet.
    data: Bytes,
    /// The permit of a message that is not whole yet.
    permit: Option<BufferPermit<'s>>,
}

impl<'s, H, B: Body<Data = Bytes> + Unpin> Messages<'s, H, B> {
    /// Reads the messages of `body`.
    pub fn new(service: &'s Service<H>, body: B, encoding: Encoding) -> Self {
        Self {
            service,
            body,
            frames: GrpcFrames::new(service.usage.limits().message_bytes, encoding),
            data: Bytes::new(),
            permit: None,
        }
    }

    /// Returns the next message, or `None` at the end of the stream. An error ends the stream in the middle
    /// of a message: its rest does not come, finds no room, or gives way to another message.
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

    /// Returns the next data, or `None` at the end of the stream. The rest of a message that
    /// takes room has a deadline.
    async fn more(&mut self) -> Result<Option<Bytes>, Unread> {
        match &self.permit {
            Some(permit) => permit.rest(data(&mut self.body)).await,
            None if self.frames.is_within_message() => Ok(data(&mut self.body).await),
            None => Ok(self.between_messages().await),
        }
    }

    /// Waits for data between two messages. If the connection is to end, the stream becomes answerable once
    /// everything that came is read. It never does in the middle of a message, because its client may drop
    /// the part that it has not sent. A stream that always has more data is not waited for.
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

/// Returns the next data frame, or `None` at the end of the stream.
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
