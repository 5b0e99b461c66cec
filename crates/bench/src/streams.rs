//! What each connection sends, encoded and framed before the clock starts.

use als_proto::messages::envoy::data::accesslog::v3::HttpAccessLogEntry;
use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message::{
    HttpAccessLogEntries, Identifier, LogEntries,
};
use anyhow::Context as _;
use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message as _;

use crate::entries::{Random, entry, identifier};
use crate::mesh::{CONNECTIONS, Call, Party, Traffic, Workload};

/// Entries of a message: the first number with which it is longer than the 16 384 bytes at which Envoy sends.
pub(crate) const ENTRIES: usize = 33;
/// Messages of a stream before it repeats itself: enough for every call of [`Traffic::MANY`].
const MESSAGES: usize = 152;
/// One byte of flags, four of length (gRPC over HTTP/2, `Length-Prefixed-Message`).
const PREFIX: usize = 5;

/// One gRPC message of [`ENTRIES`] entries.
#[derive(Clone, Debug)]
pub(crate) struct Framed {
    /// With its prefix.
    pub(crate) bytes: Bytes,
}

impl Framed {
    /// The bytes without the prefix.
    pub(crate) fn message(&self) -> &[u8] {
        self.bytes.get(PREFIX..).unwrap_or_default()
    }

    /// How many bytes that is.
    pub(crate) fn message_bytes(&self) -> u64 {
        self.message().len() as u64
    }
}

/// What one connection sends.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Says whose stream it is.
    pub(crate) first: Framed,
    /// Sent over and over.
    pub(crate) rest: Vec<Framed>,
}

/// The streams of all connections.
pub(crate) fn streams(mesh: &[Workload], traffic: Traffic) -> anyhow::Result<Vec<Stream>> {
    (0..CONNECTIONS)
        .map(|connection| {
            let reporter = traffic
                .reporter(mesh, connection)
                .context("there are more connections than pods; lower CONNECTIONS")?;
            stream(&traffic.calls(mesh, reporter), reporter, connection)
        })
        .collect()
}

fn stream(calls: &[Call<'_>], reporter: Party<'_>, seed: usize) -> anyhow::Result<Stream> {
    let mut random = Random::new(seed);
    let mut waiting: Vec<&Call<'_>> = Vec::new();
    let mut messages = Vec::with_capacity(MESSAGES);
    for _ in 0..MESSAGES {
        let mut entries = Vec::with_capacity(ENTRIES);
        for _ in 0..ENTRIES {
            if waiting.is_empty() {
                waiting.extend(calls);
            }
            let next = random.below(waiting.len() as u32) as usize;
            entries.push(entry(waiting.swap_remove(next), &mut random)?);
        }
        messages.push(entries);
    }
    let first = messages.first().cloned().unwrap_or_default();
    Ok(Stream {
        first: framed(first, Some(identifier(reporter)))?,
        rest: messages
            .into_iter()
            .map(|entries| framed(entries, None))
            .collect::<Result<_, _>>()?,
    })
}

fn framed(entries: Vec<HttpAccessLogEntry>, identifier: Option<Identifier>) -> anyhow::Result<Framed> {
    let message = StreamAccessLogsMessage {
        identifier,
        log_entries: Some(LogEntries::HttpLogs(HttpAccessLogEntries { log_entry: entries })),
    };
    let length = message.encoded_len();
    let mut bytes = BytesMut::with_capacity(PREFIX + length);
    bytes.put_u8(0);
    bytes.put_u32(length.try_into()?);
    message.encode(&mut bytes)?;
    Ok(Framed {
        bytes: bytes.freeze(),
    })
}

#[cfg(test)]
mod tests {
    use als_proto::{Entry, Message};

    use super::*;
    use crate::entries::ENTRY_BYTES;
    use crate::mesh::mesh;

    #[test]
    fn every_message_is_read_back_with_all_its_entries() {
        for stream in streams(&mesh(), Traffic::FEW).unwrap() {
            for (number, framed) in [&stream.first].into_iter().chain(&stream.rest).enumerate() {
                let message = Message::read(&framed.bytes[PREFIX..]).unwrap();
                let entries: Vec<Entry<'_>> = message.entries().map(Result::unwrap).collect();
                assert_eq!(entries.len(), ENTRIES);
                assert_eq!(message.identifier().unwrap().is_some(), number == 0);
            }
        }
    }

    #[test]
    fn a_message_has_the_size_at_which_envoy_sends() {
        let stream = streams(&mesh(), Traffic::FEW).unwrap().remove(0);
        let bytes = stream.rest[0].message_bytes() as usize;
        assert!((16_384..16_384 + ENTRY_BYTES).contains(&bytes), "{bytes}");
    }

    #[test]
    fn a_stream_has_every_call_before_it_repeats_itself() {
        let mesh = mesh();
        let reporter = Traffic::MANY.reporter(&mesh, 0).unwrap();
        assert!(Traffic::MANY.calls(&mesh, reporter).len() <= MESSAGES * ENTRIES);
    }
}
