//! A tablet without a screen: JSON lines in, one answer per line out, in order.
//!
//! Owns the conversation; what each request does is in `commands`. Invariant: every request line has exactly one
//! answer, whatever it contained, and events stand only between answers.

mod commands;
mod edits;
mod files;
pub mod lines;
pub mod refusal;
pub mod request;
mod tablet;
mod wait;

use lines::Line;
use refusal::Refusal;
use serde_json::{Map, Value as Json, json};
use std::path::PathBuf;
use tablet::Tablet;
use tokio::io::{self, AsyncBufRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// Lines written but not yet taken by the reader. Beyond it events wait, answers too.
const LINES_WAITING_MAX: usize = 64;

/// Where the tablet's files are.
#[derive(Debug, Clone)]
pub struct Place {
    /// The replica file.
    pub replica: PathBuf,
    /// Its key file.
    pub key_file: PathBuf,
}

/// What a request is answered with beside its id.
type Answer = Result<Map<String, Json>, Refusal>;

/// Answers requests until `quit` or the end of the input, then closes the replica.
///
/// # Errors
/// The streams themselves failed.
///
/// # Cancel safety
/// Not cancel safe: a request half done is finished, its answer is lost.
pub async fn run<R, W>(place: Place, mut input: R, output: W) -> io::Result<()>
where
    R: AsyncBufRead + Unpin,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let (sender, lines) = mpsc::channel(LINES_WAITING_MAX);
    let writer = tokio::spawn(write(lines, output));
    let mut tablet = Tablet::new(place, sender.clone());
    let result = converse(&mut tablet, &mut input, &sender).await;
    tablet.close().await;
    drop((tablet, sender));
    match writer.await {
        Ok(written) => result.and(written),
        Err(_) => result,
    }
}

async fn converse<R>(tablet: &mut Tablet, input: &mut R, output: &mpsc::Sender<Json>) -> io::Result<()>
where
    R: AsyncBufRead + Unpin,
{
    loop {
        let (id, answer, quits) = match lines::next(input).await? {
            Line::End => return Ok(()),
            Line::TooLong => {
                (Json::Null, Err(Refusal::malformed("the line is longer than a request may be")), false)
            }
            Line::Text(line) if line.iter().all(u8::is_ascii_whitespace) => continue,
            Line::Text(line) => match request::read(&line) {
                Err(malformed) => (malformed.id, Err(Refusal::malformed(malformed.why)), false),
                Ok((id, command)) => {
                    let quits = matches!(command, request::Command::Quit {});
                    (id, commands::perform(tablet, command).await, quits)
                }
            },
        };
        if output.send(line(id, answer)).await.is_err() || quits {
            return Ok(());
        }
    }
}

fn line(id: Json, answer: Answer) -> Json {
    match answer {
        Ok(mut members) => {
            members.insert("id".to_owned(), id);
            members.insert("ok".to_owned(), Json::Bool(true));
            Json::Object(members)
        }
        Err(refusal) => json!({"id": id, "ok": false, "code": refusal.code, "message": refusal.message}),
    }
}

async fn write<W: AsyncWrite + Unpin>(mut lines: mpsc::Receiver<Json>, mut output: W) -> io::Result<()> {
    while let Some(line) = lines.recv().await {
        let mut text = line.to_string();
        text.push('\n');
        output.write_all(text.as_bytes()).await?;
        output.flush().await?;
    }
    Ok(())
}
