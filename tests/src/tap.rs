//! A tap on a tablet's line: plain on the tablet's side, TLS on the server's, every byte that comes down kept.
//!
//! A tablet accepts a plain line to this machine, for tests such as this; what is kept is what TLS would have carried.

use crate::raw::tls;
use neonpro_contract::wire::Frame;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;

/// Bytes of one connection, from the server.
type Stream = Arc<Mutex<Vec<u8>>>;

/// A running tap.
#[derive(Debug)]
pub struct Tap {
    pub address: SocketAddr,
    streams: Arc<Mutex<Vec<Stream>>>,
}

impl Tap {
    /// Forwards connections to a server.
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let streams: Arc<Mutex<Vec<Stream>>> = Arc::default();
        let shared = Arc::clone(&streams);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let stream = Stream::default();
                shared.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&stream));
                tokio::spawn(forward(client, server, stream));
            }
        });
        Self { address, streams }
    }

    /// What a ticket names as the server.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that came down: the bytes as they were, and every frame's body expanded.
    #[must_use]
    pub fn heard(&self) -> Vec<u8> {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        for stream in streams.iter() {
            let bytes = stream.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend_from_slice(&bytes);
            for message in messages(&bytes) {
                let frame = Frame::decode(&message).expect("the server sends frames");
                all.extend(expanded(&frame));
            }
        }
        all
    }

    /// Names of the frames that came down.
    #[must_use]
    pub fn frames(&self) -> Vec<&'static str> {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names = Vec::new();
        for stream in streams.iter() {
            let bytes = stream.lock().unwrap_or_else(PoisonError::into_inner);
            names.extend(messages(&bytes).iter().map(|message| Frame::decode(message).unwrap().name()));
        }
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The body of a frame, expanded; empty for frames without one.
#[must_use]
pub fn expanded(frame: &Frame) -> Vec<u8> {
    let body = match frame {
        Frame::Page(page) => &page.body,
        Frame::Rows(rows) => &rows.body,
        Frame::Repair(repair) => &repair.body,
        _ => return Vec::new(),
    };
    neonpro_contract::wire::unpack(body).expect("bodies expand")
}

async fn forward(client: TcpStream, server: SocketAddr, kept: Stream) {
    let Ok(line) = tls(server, &[&rustls::version::TLS13]).await else { return };
    let (from_server, to_server) = tokio::io::split(line);
    let (from_client, to_client) = client.into_split();
    let up = tokio::spawn(upwards(from_client, to_server));
    downwards(from_server, to_client, &kept).await;
    up.abort();
}

async fn upwards(mut from: tokio::net::tcp::OwnedReadHalf, mut to: WriteHalf<TlsStream<TcpStream>>) {
    let _ = tokio::io::copy(&mut from, &mut to).await;
    let _ = to.shutdown().await;
}

async fn downwards(
    mut from: ReadHalf<TlsStream<TcpStream>>,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    kept: &Stream,
) {
    let mut buffer = vec![0u8; 64 * 1024];
    while let Ok(length) = from.read(&mut buffer).await {
        if length == 0 {
            break;
        }
        kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..length]);
        if to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

/// The binary messages of a WebSocket stream from the server (RFC 6455: unmasked, perhaps in fragments). A last one
/// that is cut off is left out; a stream that never was upgraded has none.
fn messages(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return messages };
    if !bytes.starts_with(b"HTTP/1.1 101") {
        return messages;
    }
    let mut rest = &bytes[head + 4..];
    let mut message = Vec::new();
    while let Some((first, payload, after)) = frame(rest) {
        let (last, kind) = (first & 0x80 != 0, first & 0x0f);
        if kind <= 2 {
            message.extend_from_slice(payload);
            if last {
                messages.push(std::mem::take(&mut message));
            }
        }
        rest = after;
    }
    messages
}

/// One WebSocket frame: its first byte, its payload, and what follows.
fn frame(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (length, header) = match second & 0x7f {
        126 => (u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?) as usize, 4),
        127 => (usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?, 10),
        short => (short as usize, 2),
    };
    let payload = bytes.get(header..header + length)?;
    Some((first, payload, &bytes[header + length..]))
}
