//! A connection's socket. It reads only the first bytes of a connection before admission,
//! and nothing after a flood.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::admission::{Handshake, UNADMITTED_BYTES};
use super::flood::FrameLedger;

/// The socket of one connection, which counts what it reads.
pub struct Socket {
    stream: TcpStream,
    frames: FrameLedger,
    /// Notified when a flood is recognized. After that nothing is read any more.
    flood: Arc<Notify>,
    is_flooded: bool,
    /// How many bytes may still be read before admission.
    unadmitted_bytes: usize,
    handshake: Arc<Handshake>,
    admission: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    is_admitted: bool,
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Socket")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

impl Socket {
    /// The socket of a connection that has sent nothing yet.
    pub fn new(stream: TcpStream, handshake: Arc<Handshake>, flood: Arc<Notify>) -> Self {
        Socket {
            stream,
            frames: FrameLedger::new(Instant::now()),
            flood,
            is_flooded: false,
            unadmitted_bytes: UNADMITTED_BYTES,
            handshake,
            admission: None,
            is_admitted: false,
        }
    }

    /// Reads as much as a connection may send before its handshake is complete.
    fn poll_handshake(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_admitted {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        if self.unadmitted_bytes == 0 {
            // Waiting for data first keeps a silent connection from taking a permit.
            ready!(self.stream.poll_read_ready(context))?;
            let handshake = &self.handshake;
            let admission = self
                .admission
                .get_or_insert_with(|| Box::pin(handshake.clone().admit()));
            ready!(admission.as_mut().poll(context));
            self.admission = None;
            self.is_admitted = true;
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let most = self.unadmitted_bytes.min(buffer.remaining());
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut part))?;
        let read = part.filled().len();
        buffer.advance(read);
        self.unadmitted_bytes -= read;
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let socket = &mut *self;
        if socket.is_flooded {
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        if socket.handshake.is_complete() {
            socket.admission = None;
            ready!(Pin::new(&mut socket.stream).poll_read(context, buffer))?;
        } else {
            ready!(socket.poll_handshake(context, buffer))?;
        }
        let read = buffer.filled().get(before..).unwrap_or_default();
        if socket.frames.is_flood(read, Instant::now) {
            socket.is_flooded = true;
            socket.flood.notify_one();
            buffer.set_filled(before);
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
