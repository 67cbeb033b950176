//! One WebDriver command: a JSON request on a connection of its own, a JSON answer.

use serde_json::Value as Json;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long a driver has to end a session.
const END_LIMIT: Duration = Duration::from_secs(10);

/// Ends a session, whatever else goes on. An app that ended took its driver's session with it: then nobody answers.
pub(super) fn end(driver: SocketAddr, session: &str) {
    let ended = || -> std::io::Result<()> {
        let mut line = std::net::TcpStream::connect_timeout(&driver, END_LIMIT)?;
        line.set_read_timeout(Some(END_LIMIT))?;
        write!(line, "DELETE /session/{session} HTTP/1.1\r\nhost: {driver}\r\nconnection: close\r\n\r\n")?;
        line.read(&mut [0; 1]).map(|_| ())
    };
    let _ = ended();
}

/// What a command returned, or the error's name and message.
pub(super) async fn ask(
    driver: SocketAddr,
    method: &str,
    path: &str,
    body: Option<&Json>,
) -> Result<Json, String> {
    let mut line = TcpStream::connect(driver).await.map_err(|error| error.to_string())?;
    let body = body.map(Json::to_string).unwrap_or_default();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {driver}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    line.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await.map_err(|error| error.to_string())?;
    // It keeps the connection open: as many bytes as it announces are the answer.
    let (mut bytes, mut part) = (Vec::new(), vec![0; 16 * 1024]);
    loop {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.split("content-length:").nth(1).and_then(|rest| rest.split("\r\n").next());
            let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or_default();
            if bytes.len() >= end + 4 + length {
                let answer: Json = serde_json::from_slice(&bytes[end + 4..end + 4 + length])
                    .map_err(|error| error.to_string())?;
                let value = answer["value"].clone();
                return match value["error"].as_str() {
                    Some(error) => Err(format!("{error}: {}", value["message"])),
                    None => Ok(value),
                };
            }
        }
        match line.read(&mut part).await {
            Ok(0) => return Err("the driver hung up".to_owned()),
            Ok(read) => bytes.extend_from_slice(&part[..read]),
            Err(error) => return Err(error.to_string()),
        }
    }
}
