//! A TCP stream that can be doomed: then its next read or write fails, and dropping it sends a reset.
//! That is how a fault inside a request becomes a real `connection reset by peer` for the client.
//! Otherwise it is the stream that it wraps.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Dooms a stream from afar.
#[derive(Debug, Clone, Default)]
pub(crate) struct Doom(Arc<AtomicBool>);

impl Doom {
    pub(crate) fn seal(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_sealed(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The stream.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    doom: Doom,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> (Socket, Doom) {
        let doom = Doom::default();
        (Socket { stream, doom: doom.clone() }, doom)
    }

    fn check(&self) -> io::Result<()> {
        if self.doom.is_sealed() { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.doom.is_sealed() {
            // Without lingering, closing sends a reset instead of an orderly end.
            if let Err(error) = self.stream.set_zero_linger() {
                tracing::debug!(%error, "no reset");
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // An orderly end would come before the reset.
        self.check()?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
