//! Mais: what is not used every hour. The duties of the clinic, the end of a tablet's day.

use super::frame::{Frame, Page, Tab, page};
use crate::app::App;
use crate::failure::Failure;
use crate::read::closing::{LeftView, list_left};
use crate::read::compliance::{GroupView, list_duties};
use crate::read::zone;
use crate::text;
use crate::visit::Visit;
use askama::Template;
use axum::extract::State;

#[derive(Template)]
#[template(path = "more.html")]
struct MorePage {
    frame: Frame,
    links: Vec<(String, &'static str, &'static str)>,
}

#[derive(Template)]
#[template(path = "compliance.html")]
struct CompliancePage {
    frame: Frame,
    groups: Vec<GroupView>,
}

#[derive(Template)]
#[template(path = "closing.html")]
struct ClosingPage {
    frame: Frame,
    verdict: &'static str,
    tone: &'static str,
    waiting: String,
    left: Vec<LeftView>,
}

/// The links.
pub async fn show(State(app): State<App>, visit: Visit) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let clinic = format!("/registros/clinics/{}", replica.identity().clinic);
        let plain = str::to_owned;
        page(&MorePage {
            frame: Frame::load(replica, &visit, now_us, text::MORE, Tab::More)?,
            links: vec![
                (plain("/fechamento"), text::more::CLOSING, text::more::CLOSING_ABOUT),
                (plain("/pagamentos"), text::money::PAYMENTS, text::more::PAYMENTS_ABOUT),
                (plain("/conformidade"), text::more::COMPLIANCE, text::more::COMPLIANCE_ABOUT),
                (
                    plain("/registros/documentation_templates"),
                    text::more::TEMPLATES,
                    text::more::TEMPLATES_ABOUT,
                ),
                (clinic, text::more::CLINIC, text::more::CLINIC_ABOUT),
                (plain("/sincronizacao"), text::SYNC, text::more::SYNC_ABOUT),
            ],
        })
    })
    .await
}

/// Conformidade.
pub async fn compliance(State(app): State<App>, visit: Visit) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        page(&CompliancePage {
            frame: Frame::load(replica, &visit, now_us, text::more::COMPLIANCE, Tab::More)?
                .live("#exigencias"),
            groups: list_duties(replica, zone(replica)?, now_us)?,
        })
    })
    .await
}

/// Fechamento do tablet.
pub async fn closing(State(app): State<App>, visit: Visit) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let zone = zone(replica)?;
        let today = zone.day(now_us).unwrap_or_default();
        let span = zone.span(today).ok_or(Failure::NotFound)?;
        let status = replica.status()?;
        let waits = status.waiting.records.saturating_add(status.waiting.files) > 0;
        let (verdict, tone) = if status.needs_attention > 0 {
            (text::more::SOME_ASIDE, "red")
        } else if waits {
            (text::more::SOME_WAIT, "amber")
        } else {
            (text::more::ALL_CONFIRMED, "ok")
        };
        page(&ClosingPage {
            frame: Frame::load(replica, &visit, now_us, text::more::CLOSING, Tab::More)?.live("#fechamento"),
            verdict,
            tone,
            waiting: text::status::waiting(&status.waiting),
            left: list_left(replica, (zone, now_us), span)?,
        })
    })
    .await
}
