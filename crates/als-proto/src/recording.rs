//! Recorded streams: the bytes of messages as they came, with the stream and the time of each.
//!
//! A recording is a line that names the format, then length-delimited protobuf messages as any protobuf library reads and
//! writes them:
//!
//! ```proto
//! message Record {
//!   uint64 stream = 1;               // the same for all messages of one stream
//!   uint64 received_unix_nanos = 2;  // when the message was received
//!   bytes message = 3;               // a StreamAccessLogsMessage
//!   bool satellite = 4;              // each message with an identifier begins another Envoy's
//! }
//! ```
//!
//! A recorder that was killed leaves half a record at the end; what stands before it can be read.

use std::error::Error;
use std::fmt;

use crate::Malformed;
use crate::wire::{Fields, length_delimited, varint};

/// The first line of every recording.
const FORMAT: &[u8] = b"alscope recording 1\n";

const STREAM: u32 = varint(1);
const RECEIVED: u32 = varint(2);
const MESSAGE: u32 = length_delimited(3);
const SATELLITE: u32 = varint(4);

/// One message of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordedMessage<'a> {
    /// The same for all messages of one stream.
    pub stream: u64,
    /// When the message was received, in nanoseconds since 1970.
    pub received_unix_nanos: u64,
    /// The bytes of a `StreamAccessLogsMessage`.
    pub message: &'a [u8],
    /// Whether the stream is of SkyWalking's Satellite, where each message with an identifier begins another Envoy's entries.
    pub satellite: bool,
}

impl RecordedMessage<'_> {
    /// Appends the record to a recording; the first one begins it.
    pub fn write(&self, recording: &mut Vec<u8>) {
        let fields = [
            (STREAM, self.stream),
            (RECEIVED, self.received_unix_nanos),
            (SATELLITE, u64::from(self.satellite)),
            (MESSAGE, self.message.len() as u64),
        ];
        let headers: usize = fields
            .iter()
            .map(|(key, value)| varint_length(u64::from(*key)) + varint_length(*value))
            .sum();
        write_varint(recording, (headers + self.message.len()) as u64);
        for (key, value) in fields {
            write_varint(recording, u64::from(key));
            write_varint(recording, value);
        }
        recording.extend_from_slice(self.message);
    }

    fn read(bytes: &[u8]) -> Result<RecordedMessage<'_>, Malformed> {
        let mut fields = Fields::new(bytes);
        let mut record = RecordedMessage::default();
        while let Some(key) = fields.key()? {
            match key {
                STREAM => record.stream = fields.uint64()?,
                RECEIVED => record.received_unix_nanos = fields.uint64()?,
                MESSAGE => record.message = fields.bytes()?,
                SATELLITE => record.satellite = fields.boolean()?,
                _ => fields.skip(key)?,
            }
        }
        Ok(record)
    }
}

/// The records of a recording, in the order in which their messages were received.
#[derive(Clone, Debug)]
pub struct Recording<'a> {
    rest: Fields<'a>,
}

impl<'a> Recording<'a> {
    /// The bytes that a recording begins with.
    pub const BEGINNING: &'static [u8] = FORMAT;

    /// Reads a recording's first line.
    pub fn read(bytes: &'a [u8]) -> Result<Self, NotARecording> {
        let rest = bytes.strip_prefix(FORMAT).ok_or(NotARecording)?;
        Ok(Self {
            rest: Fields::new(rest),
        })
    }
}

impl<'a> Iterator for Recording<'a> {
    type Item = Result<RecordedMessage<'a>, Malformed>;

    /// Ends behind the first record that can't be read: where the next one begins is not known.
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.rest().is_empty() {
            return None;
        }
        let record = self.rest.bytes().and_then(RecordedMessage::read);
        if record.is_err() {
            self.rest = Fields::default();
        }
        Some(record)
    }
}

/// Bytes that do not begin as a recording does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotARecording;

impl fmt::Display for NotARecording {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(
            "this is not a recording of access-log streams: its first line is not \"alscope recording 1\"",
        )
    }
}

impl Error for NotARecording {}

fn varint_length(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

fn write_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;

    /// The message of this module's documentation, for an independent writer and reader.
    #[derive(Clone, PartialEq, prost::Message)]
    struct ProstRecord {
        #[prost(uint64, tag = "1")]
        stream: u64,
        #[prost(uint64, tag = "2")]
        received_unix_nanos: u64,
        #[prost(bytes = "vec", tag = "3")]
        message: Vec<u8>,
        #[prost(bool, tag = "4")]
        satellite: bool,
    }

    fn record() -> impl Strategy<Value = ProstRecord> {
        let parts = (
            any::<u64>(),
            any::<u64>(),
            vec(any::<u8>(), 0..300),
            any::<bool>(),
        );
        parts.prop_map(|(stream, received_unix_nanos, message, satellite)| ProstRecord {
            stream,
            received_unix_nanos,
            message,
            satellite,
        })
    }

    fn ours(record: &ProstRecord) -> RecordedMessage<'_> {
        RecordedMessage {
            stream: record.stream,
            received_unix_nanos: record.received_unix_nanos,
            message: &record.message,
            satellite: record.satellite,
        }
    }

    fn recording(records: &[ProstRecord]) -> Vec<u8> {
        let mut bytes = Recording::BEGINNING.to_vec();
        for record in records {
            ours(record).write(&mut bytes);
        }
        bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read_again_by_us_and_by_prost(records in vec(record(), 0..5)) {
            let bytes = recording(&records);
            let read: Result<Vec<RecordedMessage<'_>>, Malformed> = Recording::read(&bytes).unwrap().collect();
            prop_assert_eq!(read.unwrap(), records.iter().map(ours).collect::<Vec<_>>());
            let mut rest = &bytes[Recording::BEGINNING.len()..];
            for record in &records {
                prop_assert_eq!(&ProstRecord::decode_length_delimited(&mut rest).unwrap(), record);
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn what_prost_writes_is_read(records in vec(record(), 0..5)) {
            let mut bytes = Recording::BEGINNING.to_vec();
            for record in &records {
                bytes.extend(record.encode_length_delimited_to_vec());
            }
            let read: Result<Vec<RecordedMessage<'_>>, Malformed> = Recording::read(&bytes).unwrap().collect();
            prop_assert_eq!(read.unwrap(), records.iter().map(ours).collect::<Vec<_>>());
        }

        #[test]
        fn of_a_recording_that_was_cut_off_the_whole_records_are_read(records in vec(record(), 1..5), cut in any::<prop::sample::Index>()) {
            let bytes = recording(&records);
            let begin = Recording::BEGINNING.len();
            let cut = begin + cut.index(bytes.len() - begin);
            let read: Vec<_> = Recording::read(&bytes[..cut]).unwrap().collect();
            let whole: Vec<RecordedMessage<'_>> = read.iter().copied().flatten().collect();
            prop_assert_eq!(&whole[..], &records.iter().map(ours).collect::<Vec<_>>()[..whole.len()]);
            let ends: Vec<usize> = (0..=records.len()).map(|count| recording(&records[..count]).len()).collect();
            prop_assert_eq!(whole.len(), ends.iter().filter(|end| **end <= cut).count() - 1);
            prop_assert_eq!(read.iter().any(Result::is_err), !ends.contains(&cut));
        }

        #[test]
        fn any_bytes_come_to_an_end(bytes in vec(any::<u8>(), 0..400)) {
            let bytes = [Recording::BEGINNING, &bytes].concat();
            prop_assert!(Recording::read(&bytes).unwrap().count() <= bytes.len());
        }
    }

    #[test]
    fn another_file_is_refused() {
        assert_eq!(
            Recording::read(b"alscope recording 2\n").err(),
            Some(NotARecording)
        );
        assert_eq!(Recording::read(b"").err(), Some(NotARecording));
        assert_eq!(Recording::read(Recording::BEGINNING).unwrap().count(), 0);
    }

    #[test]
    fn a_later_field_is_passed_over() {
        let bytes = [Recording::BEGINNING, b"\x07\x08\x05\x2a\x01x\x10\x09"].concat();
        let read: Vec<_> = Recording::read(&bytes).unwrap().collect();
        let record = RecordedMessage {
            stream: 5,
            received_unix_nanos: 9,
            ..RecordedMessage::default()
        };
        assert_eq!(read, [Ok(record)]);
    }
}
