//! Recognizes a client that keeps the collector busy with frames that carry nothing: PING,
//! SETTINGS, `WINDOW_UPDATE`, PRIORITY, `CONTINUATION`, streams that are reset as soon as they are
//! opened, empty or tiny data.
//!
//! HTTP/2 lets a client send any number of such frames, and the library answers them. So they are counted
//! here, by the frame headers (RFC 9113, 4.1), as the bytes come in. A frame costs `FRAME_COST_BYTES`.
//! The bytes of a DATA frame pay for it; the bytes of any other frame cost as well. The first message of
//! an Envoy pays for all the other frames that it will ever send: it pings every few seconds at most, and
//! has no window to update.

use std::time::Duration;

use tokio::time::Instant;

/// The cost of a frame, in bytes of data that pay for it.
const FRAME_COST_BYTES: usize = 256;
/// The largest allowed debt, worth 512 frames.
const MAX_OWED_BYTES: usize = 512 * FRAME_COST_BYTES;
/// The debt that is forgiven in a second, worth 64 frames.
const FORGIVEN_BYTES_PER_SECOND: usize = 64 * FRAME_COST_BYTES;
/// The length of the connection preface, which comes before the first frame (RFC 9113, 3.4).
const PREFACE_BYTES: usize = 24;
const FRAME_HEAD_BYTES: usize = 9;
const DATA_FRAME: u8 = 0;

/// The debt of a connection for its frames, in bytes.
#[derive(Debug)]
pub struct FrameLedger {
    head: [u8; FRAME_HEAD_BYTES],
    /// How many bytes of the frame header have come in.
    have: usize,
    /// How many bytes are left until the next frame header.
    left: usize,
    owed: usize,
    forgiven: Instant,
}

impl FrameLedger {
    /// The ledger of a connection that begins at `now`.
    pub fn new(now: Instant) -> Self {
        FrameLedger {
            head: [0; FRAME_HEAD_BYTES],
            have: 0,
            left: PREFACE_BYTES,
            owed: 0,
            forgiven: now,
        }
    }

    /// Counts the bytes that came in. Returns whether they are a flood. The time is read only
    /// if the debt is large.
    pub fn is_flood(&mut self, mut bytes: &[u8], now: impl Fn() -> Instant) -> bool {
        while !bytes.is_empty() {
            let skipped = self.left.min(bytes.len());
            self.left -= skipped;
            let rest = bytes.get(skipped..).unwrap_or_default();
            let (head, rest) = rest.split_at(rest.len().min(FRAME_HEAD_BYTES - self.have));
            for (place, byte) in self.head.iter_mut().skip(self.have).zip(head) {
                *place = *byte;
            }
            self.have += head.len();
            bytes = rest;
            if self.have == FRAME_HEAD_BYTES {
                self.frame();
                if self.owed > MAX_OWED_BYTES && !self.forgive(now()) {
                    return true;
                }
            }
        }
        false
    }

    fn frame(&mut self) {
        let [l0, l1, l2, kind, ..] = self.head;
        let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        self.owed += FRAME_COST_BYTES;
        if kind == DATA_FRAME {
            // Data never becomes a credit, or a client could save it up for a flood.
            self.owed = self.owed.saturating_sub(length);
        } else {
            self.owed += length;
        }
        self.have = 0;
        self.left = length;
    }

    /// Forgives debt for the time since the last call. Returns whether the rest is allowed.
    fn forgive(&mut self, now: Instant) -> bool {
        let time = now.duration_since(self.forgiven).min(Duration::from_hours(1));
        let forgiven = time.as_millis() as usize * FORGIVEN_BYTES_PER_SECOND / 1000;
        self.forgiven = now;
        self.owed = self.owed.saturating_sub(forgiven);
        self.owed <= MAX_OWED_BYTES
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const HEADERS: u8 = 1;
    const PRIORITY: u8 = 2;
    const RESET: u8 = 3;
    const SETTINGS: u8 = 4;
    const PING: u8 = 6;
    const WINDOW_UPDATE: u8 = 8;
    const CONTINUATION: u8 = 9;
    const UNKNOWN: u8 = 77;

    fn frame(kind: u8, length: usize) -> Vec<u8> {
        let [_, size @ ..] = u32::try_from(length).unwrap().to_be_bytes();
        [&size[..], &[kind, 0, 0, 0, 0, 1], &vec![0; length]].concat()
    }

    fn begun(now: Instant) -> FrameLedger {
        let mut frames = FrameLedger::new(now);
        assert!(!frames.is_flood(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", || now));
        frames
    }

    /// Returns after how many frames, sent at one moment, the ledger reports a flood.
    fn flood_after(frames: &[Vec<u8>]) -> Option<usize> {
        let now = Instant::now();
        let mut meter = begun(now);
        let mut sent = frames.iter().cycle().take(100_000);
        sent.position(|frame| meter.is_flood(frame, || now))
    }

    #[rstest]
    #[case::ping(&[frame(PING, 8)], 496)]
    #[case::settings(&[frame(SETTINGS, 0)], 512)]
    #[case::window_update(&[frame(WINDOW_UPDATE, 4)], 504)]
    #[case::priority(&[frame(PRIORITY, 5)], 502)]
    #[case::continuation(&[frame(CONTINUATION, 0)], 512)]
    #[case::large_frames_of_no_known_kind(&[frame(UNKNOWN, 16_384)], 7)]
    #[case::empty_data(&[frame(DATA_FRAME, 0)], 512)]
    #[case::a_byte_of_data(&[frame(DATA_FRAME, 1)], 514)]
    #[case::rapid_reset(&[frame(HEADERS, 40), frame(RESET, 4)], 471)]
    #[case::pings_between_tiny_data(&[frame(PING, 8), frame(DATA_FRAME, 5)], 508)]
    fn frames_that_bring_nothing_are_a_flood(#[case] frames: &[Vec<u8>], #[case] expected: usize) {
        assert_eq!(flood_after(frames), Some(expected));
    }

    #[rstest]
    #[case::messages_of_an_envoy(&[frame(DATA_FRAME, 16_384), frame(DATA_FRAME, 400)])]
    #[case::an_entry_a_message(&[frame(DATA_FRAME, 505)])]
    #[case::a_message_and_its_prefix_apart(&[frame(DATA_FRAME, 5), frame(DATA_FRAME, 507)])]
    #[case::a_ping_for_each_message(&[frame(PING, 8), frame(DATA_FRAME, 600)])]
    #[case::a_stream_for_each_message(&[frame(HEADERS, 400), frame(DATA_FRAME, 1000)])]
    fn what_goes_with_messages_is_none(#[case] frames: &[Vec<u8>]) {
        assert_eq!(flood_after(frames), None);
    }

    #[rstest]
    #[case::slowly(Duration::from_millis(20), None)]
    #[case::faster_than_is_forgiven(Duration::from_millis(10), Some(1306))]
    fn what_comes_slowly_is_forgiven(#[case] every: Duration, #[case] expected: Option<usize>) {
        let begin = Instant::now();
        let mut meter = begun(begin);
        let ping = frame(PING, 8);
        let flood = (0..10_000_u32).position(|number| meter.is_flood(&ping, || begin + every * number));
        assert_eq!(flood, expected);
    }

    #[test]
    fn however_the_bytes_are_cut_the_frames_are_the_same() {
        let bytes = [frame(PING, 8), frame(DATA_FRAME, 300), frame(HEADERS, 70)]
            .concat()
            .repeat(700);
        let now = Instant::now();
        let seen_in_piece = |size: usize| {
            let mut meter = begun(now);
            let mut pieces = bytes.chunks(size);
            pieces.position(|piece| meter.is_flood(piece, || now)).unwrap()
        };
        let seen_at = seen_in_piece(1);
        assert_eq!(3 * seen_at / (17 + 309 + 79), 720);
        for size in [8, 9, 10, 17, 4096, bytes.len()] {
            assert_eq!(seen_in_piece(size), seen_at / size);
        }
    }
}
