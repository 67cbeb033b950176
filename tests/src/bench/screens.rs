//! W10: the tablet's screens over a clinic at work with 10,000 patients, drawn by the tablet and painted by a browser.

use super::bed::Bed;
use super::figures::{Figures, percentile};
use super::page::Page;
use super::progress::Progress;
use super::workloads::wait;
use crate::browser::{Browser, UPRIGHT};
use serde_json::json;
use std::time::{Duration, Instant};

/// Screens that are drawn; a patient's card is added.
const SCREENS: [&str; 8] = [
    "/",
    "/agenda",
    "/agenda?visao=semana",
    "/pacientes",
    "/pacientes?busca=ana",
    "/estoque",
    "/equipe",
    "/fechamento",
];
const ROUNDS: usize = 20;

/// Draws every screen some times, then has a browser paint each.
pub async fn screens(bed: &Bed, figures: &mut Figures) {
    let progress = Progress::begin("W10", "screens of a clinic at work with 10,000 patients");
    let clinic = bed.working_clinic(10, 10_000).await;
    let proxy = bed.proxy().await;
    let mut tablet = bed.tablet(&clinic, &proxy, "w10").await;
    tablet.online();
    wait(&mut tablet, "first sync", 1).await;
    progress.tell("the tablet is synced");
    let mut page = Page::open(&tablet, clinic.doctor).await;
    let card = format!("/pacientes/{}", clinic.patients[17]);
    let paths: Vec<&str> = SCREENS.into_iter().chain([card.as_str()]).collect();
    let (mut all, mut worst) = (Vec::new(), ("", 0.0));
    for path in &paths {
        let mut samples = Vec::new();
        for round in 0..ROUNDS {
            let began = Instant::now();
            page.get(path).await;
            if round > 1 {
                samples.push(began.elapsed());
            }
        }
        let median = percentile(&mut samples, 0.50);
        if median > worst.1 {
            worst = (path, median);
        }
        all.extend(samples);
    }
    progress.tell(&format!("the slowest screen is {} with {:.1} ms", worst.0, worst.1));
    figures.put("w10_drawn_p50_ms", percentile(&mut all, 0.50), "a screen, all together");
    figures.put("w10_drawn_worst_p50_ms", worst.1, "the slowest screen");
    let browser = Browser::start().await;
    let window = browser.window(UPRIGHT).await;
    window.goto(&page.entrance).await;
    let base = page.entrance.split("/?").next().unwrap().to_owned();
    let mut painted = Vec::new();
    for path in &paths {
        for _ in 0..3 {
            window.goto(&format!("{base}{path}")).await;
            let script = "const done = arguments[0];
                const look = () => { const found = performance.getEntriesByName('first-contentful-paint')[0];
                    if (found) done(found.startTime); else requestAnimationFrame(look); }; look();";
            let at = window.run_async(script, json!([])).await.as_f64().unwrap();
            painted.push(Duration::from_secs_f64(at / 1_000.0));
        }
    }
    figures.put("w10_first_paint_p50_ms", percentile(&mut painted, 0.50), "<= 100");
    figures.put("w10_first_paint_max_ms", percentile(&mut painted, 1.0), "the slowest of all");
    tablet.handle.stop().await;
}
