//! One line at a time from a stream, with a limit: whoever drives the tablet cannot make it allocate without end.
//!
//! Owns framing only. Invariant: an overlong line costs one refusal and never shifts the lines after it.

use std::io;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// Bytes of one request line. Eight times the largest edit that travels.
pub const LINE_BYTES_MAX: usize = 8 * neonpro_contract::limits::ENVELOPE_BYTES_MAX;

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A line, without its end.
    Text(Vec<u8>),
    /// A line over the limit, skipped whole.
    TooLong,
    /// The stream ended.
    End,
}

/// Reads the next line.
///
/// # Errors
/// What the stream reports.
///
/// # Cancel safety
/// Not cancel safe: a line half read is lost.
pub async fn next<R: AsyncBufRead + Unpin>(input: &mut R) -> io::Result<Line> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let chunk = input.fill_buf().await?;
        if chunk.is_empty() {
            return Ok(if too_long {
                Line::TooLong
            } else if line.is_empty() {
                Line::End
            } else {
                Line::Text(line)
            });
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let content = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
        too_long = too_long || line.len().saturating_add(content.len()) > LINE_BYTES_MAX;
        if !too_long {
            line.extend_from_slice(content);
        }
        let used = end.map_or(chunk.len(), |end| end.saturating_add(1));
        input.consume(used);
        if end.is_some() {
            return Ok(if too_long { Line::TooLong } else { Line::Text(line) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_overlong_line_is_skipped_whole() {
        let mut bytes = vec![b'x'; LINE_BYTES_MAX + 1];
        bytes.extend_from_slice(b"\n{}\nlast");
        let mut input = tokio::io::BufReader::new(bytes.as_slice());
        assert_eq!(next(&mut input).await.unwrap(), Line::TooLong);
        assert_eq!(next(&mut input).await.unwrap(), Line::Text(b"{}".to_vec()));
        assert_eq!(next(&mut input).await.unwrap(), Line::Text(b"last".to_vec()));
        assert_eq!(next(&mut input).await.unwrap(), Line::End);
    }
}
