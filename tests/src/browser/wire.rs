//! One WebDriver command: a JSON request on a connection of its own, a JSON answer.

use crate::http::exchange;
use serde_json::Value as Json;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;
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
    let line = TcpStream::connect(driver).await.map_err(|error| error.to_string())?;
    let headers = [("content-type", "application/json".to_owned())];
    let body = body.map(Json::to_string).unwrap_or_default();
    let asked = exchange(line, driver, (method, path), &headers, body.as_bytes());
    let answer = asked.await.map_err(|error| error.to_string())?;
    let answer: Json = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
    let value = answer["value"].clone();
    match value["error"].as_str() {
        Some(error) => Err(format!("{error}: {}", value["message"])),
        None => Ok(value),
    }
}
