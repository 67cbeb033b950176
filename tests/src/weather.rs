//! A bad line: a proxy on loopback that does to a tablet's connections what networks do.
//!
//! Owns what befalls the bytes; never knows what they mean. Invariant: under one weather every connection is treated
//! alike, and a change of weather ends those that are open.

use neonpro_doors::Random;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

/// What becomes of every connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// It is carried.
    Fair,
    /// It ends after this many bytes, both directions together.
    CutAfter(u64),
    /// It ends after a time, another one each time, at most this.
    Flapping { ms_max: u64 },
    /// It is carried at this speed in each direction, each byte arriving so much later.
    Slow { bytes_per_second: u64, delay_ms: u64 },
    /// What comes from the server is carried at once up to here, then a byte a second.
    Dripping { after: u64 },
    /// A hotel answers in the server's place, and wants to be looked at.
    Portal,
    /// It leads to another machine.
    To(SocketAddr),
}

/// A running proxy.
#[derive(Debug)]
pub struct Line {
    pub address: SocketAddr,
    weather: Arc<watch::Sender<Weather>>,
    ended: Arc<AtomicU64>,
}

impl Line {
    /// Carries connections to a server.
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let weather = Arc::new(watch::Sender::new(Weather::Fair));
        let ended = Arc::<AtomicU64>::default();
        let (now, count) = (Arc::clone(&weather), Arc::clone(&ended));
        tokio::spawn(async move {
            let mut random = Random(7);
            while let Ok((client, _)) = listener.accept().await {
                let (mut changes, count) = (now.subscribe(), Arc::clone(&count));
                let (weather, number) = (*changes.borrow_and_update(), random.number());
                tokio::spawn(async move {
                    tokio::select! {
                        () = treat(client, server, weather, number) => {}
                        _ = changes.changed() => {}
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        Self { address, weather, ended }
    }

    /// From now on. Open connections end.
    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// Connections that ended so far.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }
}

async fn treat(mut client: TcpStream, server: SocketAddr, weather: Weather, random: u64) {
    match weather {
        Weather::Portal => {
            let page = "HTTP/1.1 302 Found\r\nlocation: http://portal.example/\r\ncontent-length: 0\r\n\r\n";
            let mut asked = [0; 1024];
            let _ = client.read(&mut asked).await;
            let _ = client.write_all(page.as_bytes()).await;
        }
        Weather::Flapping { ms_max } => {
            let ms = Random(random).below(usize::try_from(ms_max).unwrap());
            let _ = timeout(Duration::from_millis(ms as u64), carry(client, server, weather)).await;
        }
        Weather::To(other) => carry(client, other, weather).await,
        _ => carry(client, server, weather).await,
    }
}

async fn carry(client: TcpStream, server: SocketAddr, weather: Weather) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    let left = AtomicU64::new(if let Weather::CutAfter(bytes) = weather { bytes } else { u64::MAX });
    let up = if let Weather::Dripping { .. } = weather { Weather::Fair } else { weather };
    tokio::select! {
        () = pump(client_read, server_write, up, &left) => {}
        () = pump(server_read, client_write, weather, &left) => {}
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    weather: Weather,
    left: &AtomicU64,
) {
    let (sent, mut under_way) = mpsc::channel::<(Instant, Vec<u8>)>(64);
    let read = async move {
        let (mut due, mut carried) = (Instant::now(), 0u64);
        loop {
            let (per_second, delay_ms, piece) = match weather {
                Weather::Slow { bytes_per_second, delay_ms } => (bytes_per_second, delay_ms, 1_024),
                Weather::Dripping { after } if carried >= after => (1, 0, 1),
                Weather::Dripping { after } => (u64::MAX, 0, usize::try_from(after - carried).unwrap()),
                _ => (u64::MAX, 0, 64 * 1024),
            };
            let mut bytes = vec![0; piece.min(64 * 1024)];
            let length = from.read(&mut bytes).await.unwrap_or(0);
            if length == 0 {
                return;
            }
            bytes.truncate(length);
            carried += length as u64;
            due = due.max(Instant::now()) + Duration::from_micros(length as u64 * 1_000_000 / per_second);
            if sent.send((due + Duration::from_millis(delay_ms), bytes)).await.is_err() {
                return;
            }
        }
    };
    let write = async {
        while let Some((due, bytes)) = under_way.recv().await {
            sleep_until(due).await;
            let length = bytes.len() as u64;
            let allowed = left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(length)))
                .map_or(0, |left| left.min(length));
            let written = to.write_all(&bytes[..usize::try_from(allowed).unwrap()]).await;
            if written.is_err() || allowed < length {
                return;
            }
        }
    };
    // What was read before the end still arrives.
    tokio::select! {
        () = async { read.await; std::future::pending().await } => {}
        () = write => {}
    }
}
