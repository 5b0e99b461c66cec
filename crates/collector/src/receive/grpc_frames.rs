//! Cuts gRPC messages out of HTTP/2 data frames.
//!
//! A message that lies whole in one frame is never copied. A message that spans frames is put together in a
//! buffer that lives as long as the message. A proxy's first message has 62 KB and all later ones fit in a
//! frame or two, so two thousand connections must not keep two thousand large buffers.

use std::ops::Deref;

use alscope_analysis::accounting::Rejected;
use bytes::{Buf, Bytes};

use super::encoding::Encoding;

/// The length of a message's prefix: one byte of flags and four of
/// length (gRPC over HTTP/2, `Length-Prefixed-Message`).
const PREFIX_BYTES: usize = 5;

/// The result of reading more data.
#[derive(Debug, PartialEq, Eq)]
pub enum FrameEvent {
    /// The data holds no whole message; more is needed.
    NeedMore,
    /// The data holds a part of a message. Call [`GrpcFrames::grow`] once there is room for this many bytes
    /// of it, which are at most twice what came in.
    NeedRoom(usize),
    /// A whole message that is not compressed.
    Message(Content),
    /// A whole message that must be decompressed.
    Compressed(Content),
    /// A message that can't be read begins. Its bytes are skipped.
    Rejected(Rejected),
}

/// The bytes of a message, in a frame or in a buffer.
#[derive(Debug, Eq)]
pub enum Content {
    /// A part of the frame that the message came in.
    InFrame(Bytes),
    /// The buffer that the message was put together or decompressed in.
    InBuffer(Vec<u8>),
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Content::InFrame(bytes) => bytes,
            Content::InBuffer(buffer) => buffer,
        }
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

#[derive(Debug)]
enum FrameState {
    Prefix {
        bytes: [u8; PREFIX_BYTES],
        have: usize,
    },
    Begun {
        length: usize,
    },
    Assembling {
        length: usize,
        buffer: Vec<u8>,
        /// The size that the buffer may grow to, in bytes.
        room: usize,
    },
    Skipping {
        left: usize,
    },
}

const START: FrameState = FrameState::Prefix {
    bytes: [0; PREFIX_BYTES],
    have: 0,
};

/// Cuts the messages out of one stream.
#[derive(Debug)]
pub struct GrpcFrames {
    state: FrameState,
    limit: usize,
    encoding: Encoding,
    /// Whether the current message is compressed.
    is_compressed: bool,
}

impl GrpcFrames {
    /// Creates the reader of a stream. It rejects messages of more than `limit` bytes; `encoding`
    /// is that of compressed ones.
    pub fn new(limit: usize, encoding: Encoding) -> Self {
        GrpcFrames {
            state: START,
            limit,
            encoding,
            is_compressed: false,
        }
    }

    /// Returns whether a message has begun and is not whole yet.
    pub fn is_within_message(&self) -> bool {
        !matches!(self.state, FrameState::Prefix { have: 0, .. })
    }

    /// Takes as many bytes of `data` as the current message needs.
    pub fn next(&mut self, data: &mut Bytes) -> FrameEvent {
        loop {
            match &mut self.state {
                FrameState::Prefix { bytes, have } => {
                    let taken = data.len().min(PREFIX_BYTES - *have);
                    if let Some(place) = bytes.get_mut(*have..*have + taken) {
                        data.copy_to_slice(place);
                    }
                    *have += taken;
                    if *have < PREFIX_BYTES {
                        return FrameEvent::NeedMore;
                    }
                    let [flags, length @ ..] = *bytes;
                    if let Some(refused) = self.begin(flags, u32::from_be_bytes(length) as usize) {
                        return refused;
                    }
                }
                FrameState::Begun { length } if data.len() >= *length => {
                    let message = data.split_to(*length);
                    return self.message(Content::InFrame(message));
                }
                FrameState::Begun { length } => {
                    self.state = FrameState::Assembling {
                        length: *length,
                        buffer: Vec::new(),
                        room: 0,
                    };
                }
                FrameState::Assembling { length, buffer, room } => {
                    let taken = data.len().min(*length - buffer.len());
                    let came_in = buffer.len() + taken;
                    if came_in > *room {
                        // Doubling keeps the copies few, and still takes no room for bytes that were only announced.
                        return FrameEvent::NeedRoom((2 * came_in).min(*length));
                    }
                    buffer.extend_from_slice(&data.split_to(taken));
                    if buffer.len() < *length {
                        return FrameEvent::NeedMore;
                    }
                    let message = std::mem::take(buffer);
                    return self.message(Content::InBuffer(message));
                }
                FrameState::Skipping { left } => {
                    let taken = data.len().min(*left);
                    data.advance(taken);
                    *left -= taken;
                    if *left > 0 {
                        return FrameEvent::NeedMore;
                    }
                    self.state = START;
                }
            }
        }
    }

    fn begin(&mut self, flags: u8, length: usize) -> Option<FrameEvent> {
        self.is_compressed = flags != 0;
        let rejected = match (flags, self.encoding) {
            _ if length > self.limit => Some(Rejected::MessageTooLarge),
            (0, _) | (1, Encoding::Gzip) => None,
            _ => Some(Rejected::Compression),
        };
        self.state = match rejected {
            Some(_) => FrameState::Skipping { left: length },
            None => FrameState::Begun { length },
        };
        rejected.map(FrameEvent::Rejected)
    }

    fn message(&mut self, message: Content) -> FrameEvent {
        self.state = START;
        if self.is_compressed {
            FrameEvent::Compressed(message)
        } else {
            FrameEvent::Message(message)
        }
    }

    /// Lets the current message's buffer grow to this many bytes. `empty` returns the buffer to begin with.
    pub fn grow(&mut self, bytes: usize, empty: impl FnOnce() -> Vec<u8>) {
        if let FrameState::Assembling { buffer, room, .. } = &mut self.state {
            if *room == 0 {
                *buffer = empty();
            }
            *room = bytes;
            buffer.reserve_exact(bytes - buffer.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn framed(flags: u8, message: &[u8]) -> Vec<u8> {
        let mut bytes = vec![flags];
        bytes.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        bytes.extend(message);
        bytes
    }

    fn content(bytes: &'static [u8]) -> Content {
        Content::InFrame(Bytes::from_static(bytes))
    }

    /// Reads `pieces` one after the other and returns every event.
    fn read(pieces: &[&[u8]], limit: usize, encoding: Encoding) -> Vec<FrameEvent> {
        let mut frames = GrpcFrames::new(limit, encoding);
        let mut seen = Vec::new();
        for piece in pieces {
            let mut data = Bytes::copy_from_slice(piece);
            loop {
                match frames.next(&mut data) {
                    FrameEvent::NeedMore => break,
                    FrameEvent::NeedRoom(bytes) => frames.grow(bytes, Vec::new),
                    next => seen.push(next),
                }
            }
        }
        seen
    }

    #[test]
    fn a_message_within_one_frame_is_not_copied() {
        let mut data = Bytes::from(framed(0, b"hello"));
        let inside = data.slice(5..).as_ptr();
        let FrameEvent::Message(Content::InFrame(message)) =
            GrpcFrames::new(10, Encoding::Identity).next(&mut data)
        else {
            panic!("no message")
        };
        assert_eq!((&*message, message.as_ptr()), (&b"hello"[..], inside));
    }

    #[test]
    fn a_message_that_is_not_whole_asks_for_room_as_it_comes_in_and_never_for_more_than_its_size() {
        let mut frames = GrpcFrames::new(1 << 20, Encoding::Identity);
        let bytes = framed(0, &[7; 1000]);
        let mut room = Vec::new();
        let mut whole = None;
        for piece in [
            &bytes[..5],
            &bytes[5..15],
            &bytes[15..20],
            &bytes[20..405],
            &bytes[405..],
        ] {
            let mut data = Bytes::copy_from_slice(piece);
            whole = loop {
                match frames.next(&mut data) {
                    FrameEvent::NeedRoom(bytes) => {
                        room.push(bytes);
                        frames.grow(bytes, Vec::new);
                    }
                    FrameEvent::Message(message) => break Some(message),
                    FrameEvent::NeedMore => break None,
                    next => panic!("{next:?}"),
                }
            };
            assert_eq!(frames.is_within_message(), whole.is_none());
        }
        assert_eq!((room, whole.unwrap().len()), (vec![20, 800, 1000], 1000));
    }

    #[rstest]
    #[case::above_the_limit(0, b"0123456789a", Encoding::Identity, Rejected::MessageTooLarge)]
    #[case::compressed_above_the_limit(1, b"0123456789a", Encoding::Gzip, Rejected::MessageTooLarge)]
    #[case::compressed_without_an_encoding(1, b"zip", Encoding::Identity, Rejected::Compression)]
    #[case::flags_that_grpc_does_not_know(2, b"zip", Encoding::Gzip, Rejected::Compression)]
    fn a_message_that_cannot_be_read_is_skipped_and_the_next_one_is_read(
        #[case] flags: u8,
        #[case] message: &[u8],
        #[case] encoding: Encoding,
        #[case] reason: Rejected,
    ) {
        let bytes = [framed(flags, message), framed(0, b"fits")].concat();
        let expected = [
            FrameEvent::Rejected(reason),
            FrameEvent::Message(content(b"fits")),
        ];
        assert_eq!(read(&[&bytes], 10, encoding), expected);
        assert_eq!(read(&[&bytes[..7], &bytes[7..]], 10, encoding), expected);
    }

    #[rstest]
    #[case::in_one_frame(100)]
    #[case::over_two_frames(7)]
    fn compressed_and_plain_messages_of_one_stream_are_told_apart(#[case] cut: usize) {
        let bytes = [framed(1, b"zip"), framed(0, b"plain")].concat();
        let (first, second) = bytes.split_at(cut.min(bytes.len()));
        assert_eq!(
            read(&[first, second], 10, Encoding::Gzip),
            [
                FrameEvent::Compressed(content(b"zip")),
                FrameEvent::Message(content(b"plain"))
            ]
        );
    }

    #[test]
    fn an_empty_message_is_a_message() {
        assert_eq!(
            read(&[&framed(0, b"")], 10, Encoding::Identity),
            [FrameEvent::Message(content(b""))]
        );
    }

    proptest! {
        #[test]
        fn however_the_bytes_are_cut_the_messages_are_the_same(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
            cuts in prop::collection::vec(1_usize..20, 0..60),
        ) {
            let bytes: Vec<u8> = messages.iter().flat_map(|message| framed(0, message)).collect();
            let mut pieces: Vec<&[u8]> = Vec::new();
            let mut rest = &bytes[..];
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            pieces.push(rest);
            let expected: Vec<FrameEvent> = messages.into_iter().map(|message| FrameEvent::Message(Content::InBuffer(message))).collect();
            prop_assert_eq!(read(&pieces, 100, Encoding::Identity), expected);
        }
    }
}
