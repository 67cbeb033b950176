//! The scripted server behind a real WebSocket on this machine, with ways to break the line.

use super::server::Server;
use futures_util::{SinkExt, StreamExt};
use neonpro_contract::ids::DeviceId;
use neonpro_contract::permissions::Audience;
use neonpro_contract::wire::{Bye, ByeCode, Challenge, Frame};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;

pub(crate) struct Line {
    pub server: Mutex<Server>,
    pub keys: Mutex<BTreeMap<DeviceId, [u8; 32]>>,
    /// Frames after which a session is cut without a word.
    pub cut_after: Mutex<Option<usize>>,
    /// What the next sessions are told instead of a welcome.
    pub goodbye: Mutex<Option<Bye>>,
    pub sessions: Mutex<usize>,
    head: watch::Sender<i64>,
}

/// Starts it; returns its address.
pub(crate) async fn start(server: Server) -> (Arc<Line>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let head = watch::channel(server.head()).0;
    let line = Arc::new(Line {
        server: Mutex::new(server),
        keys: Mutex::default(),
        cut_after: Mutex::default(),
        goodbye: Mutex::default(),
        sessions: Mutex::default(),
        head,
    });
    let shared = Arc::clone(&line);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                let _ = serve(shared, socket).await;
            });
        }
    });
    (line, url)
}

type Broken = Box<dyn std::error::Error + Send + Sync>;

#[expect(clippy::too_many_lines, reason = "a whole session, told in order")]
async fn serve(line: Arc<Line>, socket: TcpStream) -> Result<(), Broken> {
    *line.sessions.lock().unwrap() += 1;
    let mut socket = tokio_tungstenite::accept_async(socket).await?;
    let mut left = line.cut_after.lock().unwrap().unwrap_or(usize::MAX);
    let binary = |frame: &Frame| Message::Binary(frame.encode().into());
    let challenge = Challenge { nonce: [9; 32].into(), protocol_min: 1, protocol_max: 1 };
    socket.send(binary(&Frame::Challenge(challenge))).await?;
    let mut device = None;
    let mut audience = Audience::Clinical;
    let mut cursor = None;
    let mut position = None;
    let mut head = line.head.subscribe();
    loop {
        let frame = tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) => Some(Frame::decode(&bytes)?),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                Some(Ok(_)) => continue,
            },
            Ok(()) = head.changed(), if cursor.is_some() => None,
        };
        left = left.saturating_sub(1);
        if left == 0 {
            return Ok(());
        }
        let mut answers = Vec::new();
        match frame {
            Some(Frame::Hello(hello)) => {
                let goodbye = line.goodbye.lock().unwrap().take();
                if let Some(bye) = goodbye {
                    socket.send(binary(&Frame::Bye(bye))).await?;
                    return Ok(());
                }
                device = Some(hello.device);
                audience = if hello.device.0.as_u128() % 2 == 0 { Audience::Clinical } else { audience };
                position = hello.bootstrap;
                answers.push(Frame::Welcome(line.server.lock().unwrap().welcome(audience)));
                cursor = Some(hello.cursor);
                if hello.cursor < 0 {
                    answers.push(Frame::Rows(line.server.lock().unwrap().rows_page(position, audience)));
                }
            }
            Some(Frame::Push(push)) => {
                let key = line.keys.lock().unwrap()[&device.unwrap()];
                let mut server = line.server.lock().unwrap();
                answers.push(Frame::Fates(server.push(&push.edits, &key)));
                line.head.send_replace(server.head());
            }
            Some(Frame::Ack(ack)) => {
                cursor = Some(ack.cursor);
                if ack.cursor < 0 {
                    position = line.server.lock().unwrap().rows_page(position, audience).next;
                    answers.push(Frame::Rows(line.server.lock().unwrap().rows_page(position, audience)));
                }
            }
            Some(Frame::Receipts(receipts)) => {
                answers.push(Frame::Received(line.server.lock().unwrap().keep(&receipts.receipts)));
            }
            Some(Frame::Buckets(buckets)) => {
                answers.push(Frame::Repair(line.server.lock().unwrap().repair(&buckets, audience)));
            }
            Some(_) => {
                answers.push(Frame::Bye(Bye { code: ByeCode::Protocol, retry_after_ms: 0 }));
            }
            None => {}
        }
        if let (Some(at), Some(device)) = (cursor.filter(|at| *at >= 0), device) {
            let server = line.server.lock().unwrap();
            if at < server.head() {
                let page = server.page(device, audience, at, 3);
                cursor = Some(page.to);
                answers.push(Frame::Page(page));
            }
        }
        for answer in answers {
            left = left.saturating_sub(1);
            if left == 0 {
                return Ok(());
            }
            socket.send(binary(&answer)).await?;
        }
    }
}
