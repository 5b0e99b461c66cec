//! A client that writes HTTP/2 by hand (RFC 9113), so that it can fill a window to the last byte and know
//! what the collector has read.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use alscope_collector::receive::worker::WINDOW_BYTES;

use crate::methods::V3;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
pub(crate) const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
/// Bytes that may be sent on a connection before the first `WINDOW_UPDATE`.
const FIRST_WINDOW: usize = 65_535;
const FRAME_BYTES: usize = 16 * 1024;

fn frame_bytes(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

pub(crate) struct RawClient {
    socket: TcpStream,
    /// Bytes that may still be sent on the connection.
    window: usize,
    /// Bytes that may still be sent on each stream. The collector ends a stream that sends more.
    stream_windows: HashMap<u32, usize>,
}

impl RawClient {
    /// Connects and exchanges settings.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).unwrap())
    }

    /// Exchanges the settings of a connection.
    pub(crate) fn over(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        socket.set_nodelay(true).unwrap();
        let mut client = RawClient {
            socket,
            window: FIRST_WINDOW,
            stream_windows: HashMap::new(),
        };
        client
            .socket
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .unwrap();
        client.frame(SETTINGS, 0, 0, &[]);
        while client.read_frame() != (SETTINGS, 0) {}
        client.frame(SETTINGS, ACK, 0, &[]);
        client.until_read();
        client
    }

    pub(crate) fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.socket
            .write_all(&frame_bytes(kind, flags, stream, payload))
            .unwrap();
    }

    /// Returns the kind and flags of the next frame.
    fn read_frame(&mut self) -> (u8, u8) {
        let (kind, flags, _) = self.next_frame().unwrap();
        (kind, flags)
    }

    /// Returns the kind, flags and stream of the next frame, or `None` once the collector has closed the
    /// connection. It notes window updates and answers pings.
    pub(crate) fn next_frame(&mut self) -> Option<(u8, u8, u32)> {
        let mut head = [0; 9];
        self.socket.read_exact(&mut head).ok()?;
        let [l0, l1, l2, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, l0, l1, l2]) as usize];
        self.socket.read_exact(&mut payload).unwrap();
        if kind == WINDOW_UPDATE {
            let more = u32::from_be_bytes(payload[..4].try_into().unwrap()) as usize;
            match self.stream_windows.get_mut(&u32::from_be_bytes(stream)) {
                Some(window) => *window += more,
                None => self.window += more,
            }
        }
        if kind == PING && flags & ACK == 0 {
            self.frame(PING, ACK, 0, &payload);
        }
        Some((kind, flags, u32::from_be_bytes(stream)))
    }

    /// Opens a stream of access logs and returns its number.
    pub(crate) fn open_stream(&mut self) -> u32 {
        let (stream, bytes) = self.next_stream();
        self.socket.write_all(&bytes).unwrap();
        stream
    }

    /// Returns the number of the next stream, and the frames that open it.
    fn next_stream(&mut self) -> (u32, Vec<u8>) {
        let stream = 2 * u32::try_from(self.stream_windows.len()).unwrap() + 1;
        self.stream_windows.insert(stream, WINDOW_BYTES as usize);
        // RFC 7541: `:method: POST` and `:scheme: http` by their numbers, the others with a name that has a number.
        let mut block = vec![0x83, 0x86];
        for (name, value) in [
            (&[0x04][..], V3),
            (&[0x01], "collector"),
            (&[0x0f, 0x10], "application/grpc"),
        ] {
            block.extend([name, &[u8::try_from(value.len()).unwrap()], value.as_bytes()].concat());
        }
        (stream, frame_bytes(HEADERS, END_HEADERS, stream, &block))
    }

    /// Sends data as the windows of the connection and of the stream allow.
    pub(crate) fn send(&mut self, stream: u32, mut data: &[u8]) {
        while !data.is_empty() {
            let window = self.window.min(self.stream_windows[&stream]);
            let (now, later) = data.split_at(data.len().min(window).min(FRAME_BYTES));
            if now.is_empty() {
                self.read_frame();
                continue;
            }
            self.frame(DATA, 0, stream, now);
            self.window -= now.len();
            *self.stream_windows.get_mut(&stream).unwrap() -= now.len();
            data = later;
        }
    }

    /// Opens streams and resets each at once, without waiting for anything.
    pub(crate) fn open_and_reset(&mut self, count: usize) {
        let mut bytes = Vec::new();
        for _ in 0..count {
            let (stream, begin) = self.next_stream();
            bytes.extend([begin, frame_bytes(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat());
        }
        // The collector may end the connection before everything is written.
        drop(self.socket.write_all(&bytes));
    }

    /// Sends pings without waiting for their answers.
    pub(crate) fn ping(&mut self, count: usize) -> std::io::Result<()> {
        self.socket
            .write_all(&[0, 0, 8, PING, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8].repeat(count))
    }

    /// Returns the kinds of all frames until the collector ends the connection.
    pub(crate) fn until_ended(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // The frames before the end count, whether the connection is closed or reset.
        drop(self.socket.read_to_end(&mut bytes));
        let mut kinds = Vec::new();
        let mut rest = &bytes[..];
        while let [l0, l1, l2, kind, _, _, _, _, _, after @ ..] = rest {
            kinds.push(*kind);
            let length = u32::from_be_bytes([0, *l0, *l1, *l2]) as usize;
            rest = after.get(length..).unwrap_or_default();
        }
        kinds
    }

    /// Waits until the collector has read everything that was sent.
    pub(crate) fn until_read(&mut self) {
        self.frame(PING, 0, 0, &[0; 8]);
        while self.read_frame() != (PING, ACK) {}
    }
}
