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
use crate::mesh::{CONNECTIONS, Call, LabelSet, Party, Tally, Traffic, Workload};

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
    /// The calls of its entries, by their places among the stream's.
    calls: Vec<usize>,
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
    /// Of each call.
    label_sets: Vec<LabelSet>,
}

impl Stream {
    /// Adds the calls of the first `messages` that are sent.
    pub(crate) fn add_to(&self, tally: &mut Tally, messages: u64) {
        let (length, again) = (self.rest.len().max(1) as u64, messages.saturating_sub(1));
        let times = |place: usize| again / length + u64::from((place as u64) < again % length);
        let rest = self.rest.iter().enumerate();
        let rest = rest.map(|(place, message)| (message, times(place)));
        for (message, times) in rest.chain([(&self.first, messages.min(1))]) {
            for call in &message.calls {
                if let Some(label_set) = self.label_sets.get(*call) {
                    *tally.entry(label_set.clone()).or_default() += times;
                }
            }
        }
    }
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
    let mut waiting: Vec<usize> = Vec::new();
    let mut messages = Vec::with_capacity(MESSAGES);
    for _ in 0..MESSAGES {
        let mut entries = Vec::with_capacity(ENTRIES);
        let mut of_message = Vec::with_capacity(ENTRIES);
        for _ in 0..ENTRIES {
            if waiting.is_empty() {
                waiting.extend(0..calls.len());
            }
            let next = waiting.swap_remove(random.below(waiting.len() as u32) as usize);
            let call = calls.get(next).context("the reporter has no calls")?;
            entries.push(entry(call, &mut random)?);
            of_message.push(next);
        }
        messages.push((entries, of_message));
    }
    let (first, of_first) = messages.first().cloned().unwrap_or_default();
    Ok(Stream {
        first: framed((first, of_first), Some(identifier(reporter)))?,
        rest: messages
            .into_iter()
            .map(|message| framed(message, None))
            .collect::<Result<_, _>>()?,
        label_sets: calls.iter().map(Call::label_set).collect(),
    })
}

fn framed(
    (entries, calls): (Vec<HttpAccessLogEntry>, Vec<usize>),
    identifier: Option<Identifier>,
) -> anyhow::Result<Framed> {
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
        calls,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

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
    fn a_tally_is_what_the_messages_say() {
        let stream = streams(&mesh(), Traffic::MANY).unwrap().remove(0);
        // The first, all others once, and five of them again.
        let sent = 1 + stream.rest.len() + 5;
        let mut tally = Tally::new();
        stream.add_to(&mut tally, sent as u64);
        let mut codes = BTreeMap::new();
        let messages = [&stream.first]
            .into_iter()
            .chain(stream.rest.iter().cycle())
            .take(sent);
        for framed in messages {
            for entry in Message::read(framed.message()).unwrap().entries() {
                let Ok(Entry::Http(entry)) = entry else {
                    panic!("{entry:?}")
                };
                let code = entry.response.unwrap().code.unwrap();
                *codes.entry(code).or_insert(0) += 1;
            }
        }
        let mut tallied = BTreeMap::new();
        for (label_set, calls) in tally {
            *tallied.entry(label_set.code).or_insert(0) += calls;
        }
        assert_eq!(tallied, codes);
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
