//! What each proxy sends, encoded and framed before the clock starts.

use als_proto::messages::envoy::data::accesslog::v3::HttpAccessLogEntry;
use als_proto::messages::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use als_proto::messages::envoy::service::accesslog::v3::stream_access_logs_message::{
    HttpAccessLogEntries, Identifier, LogEntries,
};
use alscope_analysis::moment::Moment;
use anyhow::{Context as _, ensure};
use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message as _;
use serde::{Deserialize, Serialize};

use crate::entries::{START, entry, seconds};
use crate::mesh::{Party, Workload};
use crate::peers::identifier;
use crate::random::Random;
use crate::shape::Shape;
use crate::traffic::{Call, Calls, LabelSet, Tally, Traffic};

/// Entries of all streams before they repeat themselves, as they are measured: more than fit into a core's caches.
pub const BEFORE_REPEATING: usize = 40_000;
/// The least entries of a stream before it repeats itself, and its messages.
const LEAST: (usize, usize) = (66, 2);
/// One byte of flags, four of length (gRPC over HTTP/2, `Length-Prefixed-Message`).
const PREFIX: usize = 5;
/// How long ago the calls of a message started: so many seconds less one at most, an entry another time than the next.
const STARTS: u64 = 6;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Load {
    /// Who calls whom.
    pub traffic: Traffic,
    /// What one call is.
    pub shape: Shape,
    /// Entries of a message.
    pub entries: usize,
}

/// One gRPC message.
#[derive(Clone, Debug)]
pub struct Framed {
    /// With its prefix.
    bytes: Bytes,
    /// Where [`START`] stands in each entry.
    starts: Vec<usize>,
    /// The calls of its entries, by their places among the stream's.
    calls: Vec<usize>,
}

/// What one proxy sends.
#[derive(Debug)]
pub struct Stream {
    /// Says whose stream it is.
    pub first: Framed,
    /// Sent over and over.
    pub rest: Vec<Framed>,
    /// Of each call.
    label_sets: Vec<LabelSet>,
}

impl Framed {
    /// The bytes without the prefix.
    pub fn message(&self) -> &[u8] {
        self.bytes.get(PREFIX..).unwrap_or_default()
    }

    /// How many entries that is.
    pub fn entries(&self) -> usize {
        self.calls.len()
    }

    /// How many bytes that is.
    pub fn message_bytes(&self) -> u64 {
        self.message().len() as u64
    }

    /// The bytes with the prefix, of calls that started in the seconds before `now`.
    pub fn sent_at(&self, now: Moment) -> Bytes {
        let now = now.0.cast_unsigned() / 1_000_000_000;
        let mut bytes = BytesMut::from(&self.bytes[..]);
        for (place, start) in (0..).zip(&self.starts) {
            if let Some(target) = bytes.get_mut(*start..*start + START.len()) {
                target.copy_from_slice(&seconds(now - place % STARTS));
            }
        }
        bytes.freeze()
    }
}

impl Stream {
    /// Adds the calls of the first `messages` that are sent.
    pub fn add_to(&self, tally: &mut Tally, messages: u64) {
        let (length, again) = (self.rest.len().max(1) as u64, messages.saturating_sub(1));
        let times = |place: usize| again / length + u64::from((place as u64) < again % length);
        let rest = self.rest.iter().enumerate();
        let rest = rest.map(|(place, message)| (message, times(place)));
        for (message, times) in rest.chain([(&self.first, messages.min(1))]) {
            for call in &message.calls {
                if let Some(label_set) = self.label_sets.get(*call)
                    && times > 0
                {
                    *tally.entry(label_set.clone()).or_default() += times;
                }
            }
        }
    }
}

/// The streams of all proxies, which have about so many entries together before they repeat themselves.
pub fn streams(mesh: &[Workload], load: Load, before_repeating: usize) -> anyhow::Result<Vec<Stream>> {
    let (least_entries, least_messages) = LEAST;
    let entries = (before_repeating / load.traffic.nodes()).max(least_entries);
    let messages = entries.div_ceil(load.entries).max(least_messages);
    let reports = load.traffic.reports(mesh).enumerate();
    reports
        .map(|(seed, (reporter, calls))| stream(&calls, reporter, load, (seed, messages)))
        .collect()
}

fn stream(
    calls: &Calls<'_>,
    reporter: Party<'_>,
    load: Load,
    (seed, messages): (usize, usize),
) -> anyhow::Result<Stream> {
    let mut random = Random::new(seed);
    let mut drawn = calls.drawn(Random::new(seed + 1));
    let mut message = |identifier: Option<Identifier>| {
        let places: Vec<usize> = drawn.by_ref().take(load.entries).collect();
        let entries = places.iter().map(|place| {
            let call = calls.all().get(*place).context("a proxy has no calls")?;
            entry(call, load.shape, &mut random)
        });
        let entries = entries.collect::<Result<_, _>>()?;
        framed(entries, places, identifier)
    };
    Ok(Stream {
        first: message(Some(identifier(reporter, load.shape)))?,
        rest: (0..messages).map(|_| message(None)).collect::<Result<_, _>>()?,
        label_sets: calls.all().iter().map(Call::label_set).collect(),
    })
}

fn framed(
    entries: Vec<HttpAccessLogEntry>,
    calls: Vec<usize>,
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
    let windows = bytes.windows(START.len()).enumerate();
    let starts: Vec<usize> = windows
        .filter(|(_, window)| *window == START)
        .map(|(place, _)| place)
        .collect();
    ensure!(
        starts.len() == calls.len(),
        "a message of {} entries has {} starts; take another time for START",
        calls.len(),
        starts.len()
    );
    Ok(Framed {
        bytes: bytes.freeze(),
        starts,
        calls,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::LazyLock;

    use als_proto::{Entry, HttpEntry, Message};

    use super::*;
    use crate::mesh::{Size, mesh};

    const ENTRIES: usize = 33;

    static FEW: LazyLock<Vec<Stream>> = LazyLock::new(|| {
        let load = Load {
            traffic: Traffic::FEW,
            shape: Shape::Sidecar,
            entries: ENTRIES,
        };
        streams(&mesh(Size::LARGE), load, BEFORE_REPEATING).unwrap()
    });

    fn entries(message: &[u8]) -> Vec<HttpEntry<'_>> {
        let entries = Message::read(message).unwrap().entries();
        entries
            .map(|entry| match entry {
                Ok(Entry::Http(entry)) => entry,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn every_message_is_read_back_with_all_its_entries() {
        for stream in &*FEW {
            for (number, framed) in [&stream.first].into_iter().chain(&stream.rest).enumerate() {
                assert_eq!(entries(framed.message()).len(), ENTRIES);
                let message = Message::read(framed.message()).unwrap();
                assert_eq!(message.identifier().unwrap().is_some(), number == 0);
            }
        }
    }

    #[test]
    fn calls_start_in_the_seconds_before_they_are_sent() {
        let stream = &FEW[0];
        let sent = stream.rest[0].sent_at(Moment(1_800_000_000_999_999_999));
        let starts = entries(&sent[PREFIX..]).into_iter().map(|entry| {
            let start = entry.common_properties().unwrap().start_time().unwrap();
            start.unwrap().seconds
        });
        let expected = (0..).map(|place| 1_800_000_000 - place % 6).take(ENTRIES);
        assert_eq!(starts.collect::<Vec<i64>>(), expected.collect::<Vec<i64>>());
    }

    #[test]
    fn a_tally_is_what_the_messages_say() {
        let stream = &FEW[0];
        // The first, all others once, and five of them again.
        let sent = 1 + stream.rest.len() + 5;
        let mut tally = Tally::new();
        stream.add_to(&mut tally, sent as u64);
        let mut codes = BTreeMap::new();
        let messages = [&stream.first].into_iter().chain(stream.rest.iter().cycle());
        for framed in messages.take(sent) {
            for entry in entries(framed.message()) {
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
    fn messages_have_the_sizes_at_which_envoy_sends() {
        let stream = &FEW[0];
        let bytes = stream.rest[0].message_bytes() as usize;
        assert!(
            (16_384..16_384 + Shape::Sidecar.bytes()).contains(&bytes),
            "{bytes}"
        );
        let first = stream.first.message_bytes() as usize;
        assert!((62_000..63_000).contains(&(first - bytes)), "{first}");
    }
}
