//! One HTTP/1.1 request on a line of its own, and its answer read whole or not at all.

use super::connect::{Address, ConnectError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A request.
pub(crate) struct Request<'a> {
    pub method: &'a str,
    pub path: &'a str,
    /// Headers beside host, content-length and connection.
    pub headers: &'a [(&'a str, String)],
    pub body: &'a [u8],
    /// Bytes of the answer that are read.
    pub answer_bytes_max: u64,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("the server's answer does not read")]
    Answer,
}

impl Answer {
    /// The first header of this name, lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Asks.
pub(crate) async fn request(url: &str, pin: [u8; 32], request: &Request<'_>) -> Result<Answer, RequestError> {
    let address = Address::parse(url)?;
    let mut line = address.connect(pin).await?;
    let mut head = format!(
        "{} {} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\nconnection: close\r\n",
        request.method,
        request.path,
        address.authority(),
        request.body.len()
    );
    for (name, value) in request.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let bytes = [head.as_bytes(), request.body].concat();
    line.write_all(&bytes).await.map_err(|_| ConnectError::Unreachable)?;
    let mut answer = Vec::new();
    // A server that closes without a TLS goodbye has still answered, if the body is whole.
    let _ = line.take(request.answer_bytes_max).read_to_end(&mut answer).await;
    read_answer(&answer).ok_or(RequestError::Answer)
}

fn read_answer(answer: &[u8]) -> Option<Answer> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = (std::str::from_utf8(answer.get(..end)?).ok()?, answer.get(end.checked_add(4)?..)?);
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let answer = Answer { status, headers, body: Vec::new() };
    if answer.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        return Some(Answer { body: unchunk(body)?, ..answer });
    }
    let length = answer.header("content-length").map_or(Some(body.len()), |value| value.parse().ok())?;
    Some(Answer { body: body.get(..length)?.to_vec(), ..answer })
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(rest.get(..end)?).ok()?.trim(), 16).ok()?;
        rest = rest.get(end.checked_add(2)?..)?;
        if length == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..length)?);
        rest = rest.get(length.checked_add(2)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Option<(u16, Vec<u8>)> {
        read_answer(bytes).map(|answer| (answer.status, answer.body))
    }

    #[test]
    fn answers_are_read_whole_or_not_at_all() {
        let plain = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nNeonpro-Size: 7\r\n\r\n{}";
        assert_eq!(read(plain), Some((200, b"{}".to_vec())));
        assert_eq!(read_answer(plain).unwrap().header("neonpro-size"), Some("7"));
        let chunked = b"HTTP/1.1 403 No\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
        assert_eq!(read(chunked), Some((403, b"{}".to_vec())));
        for end in 0..plain.len() {
            assert_eq!(read(&plain[..end]), None, "cut at {end}");
        }
    }
}
