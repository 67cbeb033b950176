//! Equipe: referrals to answer, conversations, supervision, and the registers of people and how they work together.

pub mod thread;

use super::frame::{Frame, Page, Tab, page};
use crate::app::App;
use crate::failure::Failure;
use crate::forms::{Posted, Wanted};
use crate::read::team::{
    ReferralView, SupervisionView, ThreadView, list_referrals, list_supervision, list_threads,
};
use crate::read::zone;
use crate::text;
use crate::visit::{Visit, done, refused};
use crate::write::{Outcome, update};
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use neonpro_client_core::Replica;
use neonpro_contract::ids::RecordId;
use neonpro_contract::permissions::Audience;
use neonpro_contract::words::table_label;
use serde_json::json;

/// Registers that are reached from here.
const REGISTERS: [&str; 6] = [
    "professionals",
    "clinic_professionals",
    "professional_teams",
    "team_members",
    "collaborative_sessions",
    "coordination_protocols",
];

#[derive(Template)]
#[template(path = "team.html")]
struct TeamPage {
    frame: Frame,
    clinical: bool,
    referrals: Vec<ReferralView>,
    threads: Vec<ThreadView>,
    supervision: Vec<SupervisionView>,
    registers: Vec<(&'static str, &'static str)>,
}

/// Whoever uses the tablet, as an id; empty where nobody was chosen.
pub(super) fn me(visit: &Visit) -> String {
    visit.author.map(|author| author.to_string()).unwrap_or_default()
}

/// The page.
pub async fn show(State(app): State<App>, visit: Visit) -> Result<Page, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| draw(replica, &visit, now_us, None)).await
}

/// A referral is accepted or declined.
pub async fn answer(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<RecordId>,
    posted: Posted,
) -> Result<Response, Failure> {
    let now_us = app.now_us();
    app.work(move |replica| {
        let status = match posted.get("acao") {
            "aceitar" => "accepted",
            "recusar" => "declined",
            _ => return Err(Failure::NotFound),
        };
        let mut wanted = Wanted::default();
        wanted.set("professional_referrals", [("status", json!(status))]);
        match update(replica, &visit, "professional_referrals", id, wanted, None)? {
            Outcome::Saved(_) => Ok(done("/equipe", "salvo")),
            Outcome::Unchanged => Ok(done("/equipe", "sem_mudanca")),
            Outcome::Refused(refusal) => {
                let page = draw(replica, &visit.at("/equipe"), now_us, refusal.problem)?;
                refused(page)
            }
        }
    })
    .await
}

fn draw(
    replica: &Replica,
    visit: &Visit,
    now_us: i64,
    problem: Option<&'static str>,
) -> Result<Page, Failure> {
    let (zone, me) = (zone(replica)?, me(visit));
    let clinical = replica.identity().audience == Audience::Clinical;
    page(&TeamPage {
        frame: Frame::load(replica, visit, now_us, text::TEAM, Tab::Team)?
            .live("#encaminhamentos,#conversas")
            .problem(problem),
        clinical,
        referrals: if clinical { list_referrals(replica, (zone, now_us), &me)? } else { Vec::new() },
        threads: if clinical { list_threads(replica, (zone, now_us), &me)? } else { Vec::new() },
        supervision: list_supervision(replica, now_us)?,
        registers: REGISTERS.map(|table| (table, table_label(table).unwrap_or_default())).to_vec(),
    })
}
