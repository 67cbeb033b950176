//! Lines that end, anywhere and again and again, and lines that crawl: everything arrives, once.

use neonpro_client_core::Draft;
use neonpro_contract::catalogue::Role;
use neonpro_tests::compare::differences;
use neonpro_tests::fleet::{Fleet, Tablet, eventually};
use neonpro_tests::weather::{Line, Weather};
use serde_json::json;
use std::time::Duration;

/// Bytes between two cuts: with the lengths of TLS records they fall everywhere in them.
const STEP: u64 = 97;
/// A reconnect and a push are over by then.
const SESSION_BYTES: u64 = 7_000;

struct Story {
    fleet: Fleet,
    line: Line,
    tablet: Tablet,
    edits: u64,
}

impl Story {
    async fn begin() -> Self {
        let fleet = Fleet::start().await;
        let line = Line::start(fleet.server.address).await;
        let mut tablet = fleet.tablet_by(line.address, fleet.clinic(0).id, "a").await;
        tablet.online();
        tablet.quiet().await;
        Self { fleet, line, tablet, edits: 0 }
    }

    fn edit(&mut self) {
        self.edits += 1;
        let author = self.fleet.person(0, Role::Professional);
        let name = json!(format!("Paciente {}", self.edits));
        self.tablet.replica.edit(Draft::new(author).create("patients", [("name", name)])).unwrap();
    }

    /// In fair weather everything is there, once.
    async fn end(mut self) {
        self.line.set(Weather::Fair);
        self.tablet.offline();
        self.tablet.online();
        self.tablet.quiet().await;
        let clinic = self.fleet.clinic(0).id;
        let state = self.tablet.handle.state();
        assert_eq!((state.accepted, state.set_aside, state.repairs), (self.edits, 0, 0));
        let store = &self.fleet.database.store;
        assert_eq!(differences(store, clinic, &self.tablet.replica).await, Vec::<String>::new());
        let sql = "select count(*) from patients where name like 'Paciente %'";
        let there = self.tablet.replica.query(sql, &[], 1).unwrap();
        assert_eq!(there.rows[0][0], json!(self.edits));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_cut_after_any_number_of_bytes_loses_nothing_and_doubles_nothing() {
    let mut story = Story::begin().await;
    for bytes in (0..SESSION_BYTES).step_by(STEP as usize) {
        story.tablet.offline();
        story.line.set(Weather::CutAfter(bytes));
        story.edit();
        let ended = story.line.ended();
        story.tablet.online();
        let over = async || story.line.ended() > ended || story.tablet.status().waiting.edits == 0;
        eventually("the line is cut, or everything went through", over).await;
    }
    story.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_flaps_every_few_milliseconds_wedges_nothing() {
    let mut story = Story::begin().await;
    for ms_max in [2, 5, 10, 20, 40, 80, 160, 320] {
        story.line.set(Weather::Flapping { ms_max });
        for _ in 0..6 {
            story.edit();
            let ended = story.line.ended();
            story.tablet.offline();
            story.tablet.online();
            eventually("it has flapped", async || story.line.ended() > ended).await;
        }
    }
    story.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_over_a_line_that_flaps_ends_complete() {
    let fleet = Fleet::start().await;
    let line = Line::start(fleet.server.address).await;
    let clinic = fleet.clinic(0).id;
    let mut tablet = fleet.tablet_by(line.address, clinic, "a").await;
    line.set(Weather::Flapping { ms_max: 60 });
    for _ in 0..12 {
        let ended = line.ended();
        tablet.offline();
        tablet.online();
        let over = async || line.ended() > ended || tablet.handle.state().quiet;
        eventually("it has flapped", over).await;
    }
    line.set(Weather::Fair);
    tablet.offline();
    tablet.online();
    tablet.quiet().await;
    assert_eq!(differences(&fleet.database.store, clinic, &tablet.replica).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn over_256_kilobits_and_800_milliseconds_everything_arrives() {
    let mut story = Story::begin().await;
    story.line.set(Weather::Slow { bytes_per_second: 32_000, delay_ms: 400 });
    story.tablet.offline();
    for _ in 0..40 {
        story.edit();
    }
    story.tablet.online();
    let began = std::time::Instant::now();
    story.tablet.quiet().await;
    // Six round trips: TCP, TLS, upgrade, hello, push, acknowledgement; and some 60 kB.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    story.end().await;
}
