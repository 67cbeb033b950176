//! `./dev bench [W1 W2 …] [--json FILE] [--chart FILE]`: measures the workloads and the limits of this machine in one run.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a report belongs on standard output")]

use clap::Parser;
use neonpro_tests::bench::bed::Bed;
use neonpro_tests::bench::figures::Figures;
use neonpro_tests::bench::{chart, consent, limits, screens, workloads};
use std::path::{Path, PathBuf};

/// The tablet's allocator: its engine runs in this process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Workloads and limits.
#[derive(Debug, Parser)]
struct Arguments {
    /// Which workloads: W1 (with W6), W2, W3, W4, W7, W8, W9, W10. All when none is named.
    workloads: Vec<String>,
    /// Where to write the flat JSON object.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Where to draw the bars, as SVG.
    #[arg(long)]
    chart: Option<PathBuf>,
}

/// Writes a file of the run, or ends it saying why not.
fn write(path: &Path, text: &str) {
    if let Err(error) = std::fs::write(path, text) {
        eprintln!("writing {} failed: {error}", path.display());
        std::process::exit(1);
    }
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let named: Vec<String> = arguments.workloads.iter().map(|name| name.to_uppercase()).collect();
    let wanted = |name: &str| named.is_empty() || named.iter().any(|other| other == name);
    let mut figures = Figures::default();
    eprintln!("starting the server and its PostgreSQL");
    let bed = Bed::start().await;
    if wanted("W1") || wanted("W6") {
        workloads::first_sync_and_idle(&bed, &mut figures, 1_000, false).await;
        workloads::first_sync_and_idle(&bed, &mut figures, 10_000, true).await;
    }
    if wanted("W2") {
        workloads::offline_edits(&bed, &mut figures).await;
    }
    if wanted("W3") {
        workloads::live_edits(&bed, &mut figures).await;
    }
    if wanted("W4") {
        workloads::storm(&bed, &mut figures).await;
    }
    if wanted("W7") {
        workloads::form(&bed, &mut figures).await;
    }
    if wanted("W8") {
        eprintln!("W8: one refusal among 200 edits");
        workloads::refusal(&bed, &mut figures).await;
    }
    if wanted("W9") {
        eprintln!("W9: consent withdrawn until every tablet has confirmed the purge");
        consent::purge(&bed, &mut figures).await;
    }
    if wanted("W10") {
        screens::screens(&bed, &mut figures).await;
    }
    figures.put("server_peak_rss_mb", bed.server_peak_rss_mb(), "<= 150");
    eprintln!("limits of this machine");
    let (copy, upsert, sqlite) = limits::measure(&bed).await;
    figures.put("limit_pg_copy_rows_per_s", copy, "");
    figures.put("limit_pg_upsert_rows_per_s", upsert, "");
    figures.put("limit_sqlite_rows_per_s", sqlite, "");
    bed.stop().await;
    println!("{}", figures.table());
    if let Some(path) = &arguments.json {
        write(path, &format!("{:#}\n", figures.json()));
    }
    if let Some(path) = &arguments.chart {
        write(path, &chart::svg(&figures));
    }
}
