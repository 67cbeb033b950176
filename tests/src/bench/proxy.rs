//! A proxy on loopback that counts what crosses it: every byte TCP carries, TLS and handshakes included.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Counters of one proxy.
#[derive(Debug, Default)]
pub struct Counts {
    /// Bytes from tablets to the server.
    pub up: AtomicU64,
    /// Bytes from the server to tablets.
    pub down: AtomicU64,
    /// Times the direction turned from up to down: round trips.
    pub turns: AtomicU64,
    last_was_up: AtomicU64,
}

impl Counts {
    /// Bytes in both directions.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.up.load(Ordering::Relaxed) + self.down.load(Ordering::Relaxed)
    }
}

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    pub address: SocketAddr,
    pub counts: Arc<Counts>,
}

impl Proxy {
    /// Forwards connections to a server.
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let counts = Arc::clone(&shared);
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(server).await else { return };
                    client.set_nodelay(true).unwrap();
                    server.set_nodelay(true).unwrap();
                    let (client_read, client_write) = client.into_split();
                    let (server_read, server_write) = server.into_split();
                    let up = tokio::spawn(pump(client_read, server_write, Arc::clone(&counts), true));
                    pump(server_read, client_write, counts, false).await;
                    up.abort();
                });
            }
        });
        Self { address, counts }
    }
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    counts: Arc<Counts>,
    up: bool,
) {
    let mut buffer = vec![0u8; 64 * 1024];
    while let Ok(length) = from.read(&mut buffer).await {
        if length == 0 || to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
        let counter = if up { &counts.up } else { &counts.down };
        counter.fetch_add(length as u64, Ordering::Relaxed);
        let was_up = counts.last_was_up.swap(u64::from(up), Ordering::Relaxed);
        if was_up == 1 && !up {
            counts.turns.fetch_add(1, Ordering::Relaxed);
        }
    }
    let _ = to.shutdown().await;
}
