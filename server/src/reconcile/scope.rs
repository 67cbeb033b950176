//! Acts outside their scope that were done all the same, and contested rules the clinic has yet to decide on.
//!
//! The act stays as it was recorded. Its item closes when a later edit makes it an act the rules allow, or none; that of
//! a contested rule when the clinic decides, whatever the act was judged then.

use crate::merge::{Judged, Workspace};
use crate::store::items::{ItemKind, NewItem, Severity};
use neonpro_contract::scope_of_practice::{Act, Level, Verdict};
use neonpro_contract::value::instant_text;
use serde_json::json;

/// Opens and closes items after acts and decisions.
pub(crate) fn detect(
    acts: &[Judged],
    workspace: &Workspace,
    items: &mut Vec<NewItem>,
    settled: &mut Vec<String>,
) {
    for judged in acts {
        let opened = judged.act.as_ref().and_then(|(act, verdict)| item(judged, act, verdict));
        if opened.is_none() && judged.existed && is_recorded(judged) {
            settled.push(matter_of(judged));
        }
        items.extend(opened);
        for rule in judged.act.iter().flat_map(|(_, verdict)| &verdict.undecided) {
            // Whoever decided already need not be asked about acts from before.
            if let Some((act, verdict)) = judged.act.as_ref().filter(|_| !workspace.scope.has_decided(rule)) {
                let matter = contested(rule);
                items.push(new(judged, act, verdict, (Severity::Warning, "scope_contested"), matter));
            }
        }
    }
    if let Some(decisions) = neonpro_contract::catalogue::table("scope_decisions") {
        let decided = workspace.written(decisions);
        settled.extend(decided.filter_map(|(_, record)| record.row.get("rule_id").as_text().map(contested)));
    }
}

/// An appointment is only ever a start: what took place in it is told by its session, so no item of its own is open.
fn is_recorded(judged: &Judged) -> bool {
    judged.document.table().is_some_and(|table| table.name != "appointments")
}

fn contested(rule: &str) -> String {
    format!("scope/contested/{rule}")
}

fn matter_of(judged: &Judged) -> String {
    format!("scope/{}", judged.document)
}

fn item(judged: &Judged, act: &Act, verdict: &Verdict) -> Option<NewItem> {
    let weight = match verdict.level {
        _ if verdict.authorised => return None,
        Level::Prohibited => (Severity::Urgent, "scope_prohibited"),
        Level::Supervised => (Severity::Urgent, "scope_unsupervised"),
        Level::Unruled => (Severity::Info, "scope_unruled"),
        // Asked once per rule, not once per act.
        Level::Contested | Level::Independent => return None,
    };
    // What has yet to take place is shown on the tablet; a person is called when it was done.
    (!act.starting).then(|| new(judged, act, verdict, weight, matter_of(judged)))
}

fn new(
    judged: &Judged,
    act: &Act,
    verdict: &Verdict,
    (severity, code): (Severity, &'static str),
    matter: String,
) -> NewItem {
    NewItem {
        kind: ItemKind::Scope,
        severity,
        code,
        matter,
        table: judged.document.table,
        record: judged.document.record.0,
        patient: judged.patient.map(|patient| patient.0),
        sealed_for: None,
        sides: json!({
            "professional": act.professional, "procedure": act.procedure, "products": act.products,
            "at": instant_text(act.at_us), "verdict": verdict,
        }),
    }
}
