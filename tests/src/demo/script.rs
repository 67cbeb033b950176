//! A tablet without a screen, driven line by line: what the story's people do.

use super::Outcome;
use super::answer::{Line, Refused, read};
use super::child::{command, program, tail};
use super::tablet::Files;
use serde_json::{Map, Value as Json, json};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

/// Longest wait for one answer; longer than any wait a request asks for.
const ANSWER_LIMIT: Duration = Duration::from_secs(90);
/// Longest wait for a program that was told to quit.
const QUIT_LIMIT: Duration = Duration::from_secs(30);

/// A scripted tablet. It ends when its input does.
#[derive(Debug)]
pub struct ScriptTablet {
    /// What people call it.
    pub name: String,
    /// Its files.
    pub files: Files,
    process: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    asked: u64,
}

impl ScriptTablet {
    /// Starts the program over a tablet's files.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(files: Files, name: &str) -> Outcome<Self> {
        let mut process = command(program("neonpro-tablet")?, &files.log)?
            .arg("script")
            .args(files.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().ok_or("a program without an output")?).lines();
        Ok(Self { name: name.to_owned(), files, process, input, output, asked: 0 })
    }

    /// Sends one request and returns what was done, or the refusal.
    ///
    /// # Errors
    /// The program ended, or does not answer.
    pub async fn ask(&mut self, mut request: Json) -> Outcome<Result<Map<String, Json>, Refused>> {
        self.asked += 1;
        request["id"] = json!(self.asked);
        let line = format!("{request}\n");
        let input = self.input.as_mut().ok_or("the tablet was told to quit")?;
        input.write_all(line.as_bytes()).await?;
        input.flush().await?;
        loop {
            let next = tokio::time::timeout(ANSWER_LIMIT, self.output.next_line()).await;
            let Ok(Ok(Some(line))) = next else {
                return Err(
                    format!("{} does not answer {request}:\n{}", self.name, tail(&self.files.log)).into()
                );
            };
            match read(&line)? {
                Line::Answer(id, answer) if id == self.asked => return Ok(answer),
                Line::Answer(..) | Line::Event => {}
            }
        }
    }

    /// Sends one request that must be done.
    ///
    /// # Errors
    /// As [`ScriptTablet::ask`], or a refusal.
    pub async fn does(&mut self, request: Json) -> Outcome<Map<String, Json>> {
        let what = request["do"].as_str().unwrap_or_default().to_owned();
        let answer = self.ask(request).await?;
        answer.map_err(|refused| format!("{}: {what} was refused: {refused}", self.name).into())
    }

    /// One member of the answer.
    ///
    /// # Errors
    /// As [`ScriptTablet::does`].
    pub async fn tell(&mut self, request: Json, member: &str) -> Outcome<Json> {
        let mut answer = self.does(request).await?;
        Ok(answer.remove(member).unwrap_or(Json::Null))
    }

    /// The rows of a query.
    ///
    /// # Errors
    /// As [`ScriptTablet::does`].
    pub async fn rows(&mut self, sql: &str, params: &[Json]) -> Outcome<Vec<Vec<Json>>> {
        let rows = self.tell(json!({"do": "query", "sql": sql, "params": params}), "rows").await?;
        Ok(serde_json::from_value(rows)?)
    }

    /// The three facts.
    ///
    /// # Errors
    /// As [`ScriptTablet::does`].
    pub async fn status(&mut self) -> Outcome<Json> {
        self.tell(json!({"do": "status"}), "status").await
    }

    /// Tells it to quit and waits until the replica is closed.
    ///
    /// # Errors
    /// It does not end, or reports a failure.
    pub async fn quit(mut self) -> Outcome<()> {
        self.does(json!({"do": "quit"})).await?;
        drop(self.input.take());
        match tokio::time::timeout(QUIT_LIMIT, self.process.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(ended) => Err(format!("{} ended badly: {ended:?}", self.name).into()),
            Err(_) => Err(format!("{} does not quit", self.name).into()),
        }
    }
}
