//! `neonpro-server import`: the command line of the importer.

use super::{FileTotals, ImportOptions, Progress, Source, run};
use crate::clock;
use crate::config::DatabaseArgs;
use clap::Args;
use std::error::Error;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

/// Arguments of `import`.
#[derive(Debug, Clone, Args)]
pub struct ImportArgs {
    /// Where the database is.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Directory with the data sets: `tuss/`, `anvisa/`, `no_show/`.
    #[arg(long)]
    pub from: PathBuf,
    /// Only these data sets.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Source>,
    /// Writes one CSV line here for every row that is refused, or taken with a change.
    #[arg(long)]
    pub report: Option<PathBuf>,
    /// How many of the largest clinics get the aesthetic products; the first one gets every product.
    #[arg(long, default_value_t = 3)]
    pub anvisa_clinics: usize,
}

/// Runs the import; `line` prints one line for a person.
///
/// # Errors
/// What stopped it. Run again, it goes on.
pub async fn command(args: ImportArgs, line: &(dyn Fn(&str) + Sync)) -> Result<(), Box<dyn Error>> {
    let open = args.database.open().await?;
    let options = ImportOptions {
        from: args.from,
        only: args.only,
        report: args.report,
        anvisa_clinics: args.anvisa_clinics,
    };
    let began = Instant::now();
    let mut progress = |progress: Progress| {
        line(&progress_line(progress));
        ControlFlow::Continue(())
    };
    let result = run(&open.store, &options, clock::now(), &mut progress).await;
    if let Ok(report) = &result {
        for file in &report.files {
            line(&totals_line(file));
        }
        for (code, count) in &report.remarks {
            line(&format!("  {code}: {count}"));
        }
        let written: u64 = report.files.iter().map(|file| file.written).sum();
        let seconds = began.elapsed().as_secs_f64();
        line(&format!("{written} records written in {seconds:.1} s"));
    }
    open.close().await?;
    result?;
    Ok(())
}

fn progress_line(progress: Progress) -> String {
    let percent = progress.done.saturating_mul(100).checked_div(progress.total).unwrap_or(100);
    format!("{}: {} of {} records, {percent} %", progress.source.name(), progress.done, progress.total)
}

fn totals_line(file: &FileTotals) -> String {
    format!(
        "{}: {} rows read = {} taken ({} with a remark) + {} refused; {} records = {} written + {} already there",
        file.file,
        file.read,
        file.taken,
        file.remarked,
        file.refused,
        file.records,
        file.written,
        file.present
    )
}
