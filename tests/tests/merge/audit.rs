//! The audit: an entry per decision, in the order of commits, and every kind of tampering is found and placed.
//!
//! The attacker is a superuser of the database: row security, grants and triggers do not bind them.

use neonpro_contract::audit::{Checkpoint, genesis};
use neonpro_contract::catalogue::Role;
use neonpro_contract::ids::ClinicId;
use neonpro_server::actor::Actor;
use neonpro_server::audit::{Finding, Notary, Report, Tamper, verify_clinic};
use neonpro_server::authority::revoke;
use neonpro_server::clock::{fresh_id, now};
use neonpro_server::store::audit::AuditRow;
use neonpro_tests::process::program;
use neonpro_tests::world::World;
use sqlx_core::executor::Executor;
use sqlx_core::sql_str::AssertSqlSafe;
use sqlx_postgres::PgConnection;
use std::time::Instant;
use tempfile::TempDir;

/// A clinic with a log of some entries, and the notary that watches it.
struct Case {
    world: World,
    clinic: ClinicId,
    notary: Notary,
    admin: PgConnection,
    dir: TempDir,
}

impl Case {
    /// Twelve edits in three groups.
    async fn new() -> Self {
        let world = World::new().await;
        let (clinic, admin) = (world.clinic(0).id, world.database.admin().await);
        let dir = TempDir::new().unwrap();
        let notary = Notary::open(&Notary::key_in(dir.path())).unwrap();
        let case = Self { world, clinic, notary, admin, dir };
        case.edits(0, 4).await;
        case.edits(0, 4).await;
        case.edits(0, 4).await;
        case
    }

    /// More entries in a clinic.
    async fn edits(&self, clinic: usize, count: usize) {
        let id = self.world.clinic(clinic).id;
        let author = self.world.person(clinic, Role::Assistant);
        let mut device = self.world.device(id).await;
        let edits = (0..count).map(|_| device.new_patient(author, fresh_id(now()), None)).collect();
        self.world.push(id, edits).await;
    }

    async fn attest(&self) -> Checkpoint {
        self.notary.attest(self.world.store(), self.clinic, now(), true).await.unwrap().expect("a checkpoint")
    }

    async fn verify(&self) -> Report {
        let kept = self.notary.checkpoints().unwrap();
        verify_clinic(self.world.store(), self.clinic, &kept, &self.notary.public_key()).await.unwrap()
    }

    async fn tamper(&mut self, sql: &str) {
        let sql = sql.replace("HERE", &format!("clinic_id = '{}'", self.clinic));
        self.admin.execute(AssertSqlSafe(sql)).await.unwrap();
    }

    async fn rows(&self) -> Vec<AuditRow> {
        let mut scoped = self.world.store().begin_read(&Actor::system(self.clinic)).await.unwrap();
        let rows = scoped.list_audit(0, 1_000).await.unwrap();
        scoped.rollback().await.unwrap();
        rows
    }

    /// What somebody does who knows how the chain is made: every hash from a place on computed again, and the head.
    async fn rechain(&mut self) {
        let mut last = genesis(self.clinic);
        let rows = self.rows().await;
        for row in &rows {
            last = row.entry(self.clinic).hash(&last);
            sqlx_core::query::query("update sync.audit set hash = $3 where clinic_id = $1 and seq = $2")
                .bind(self.clinic.0)
                .bind(row.seq)
                .bind(last.to_vec())
                .execute(&mut self.admin)
                .await
                .unwrap();
        }
        sqlx_core::query::query("update sync.heads set audit_seq = $2, audit_hash = $3 where clinic_id = $1")
            .bind(self.clinic.0)
            .bind(rows.last().map_or(0, |row| row.seq))
            .bind(last.to_vec())
            .execute(&mut self.admin)
            .await
            .unwrap();
    }
}

fn at(what: Tamper, seq: i64) -> Finding {
    Finding { what, seq }
}

#[tokio::test]
async fn an_untouched_log_has_an_entry_per_edit_and_nothing_is_found() {
    let case = Case::new().await;
    let checkpoint = case.attest().await;
    case.edits(0, 3).await;
    let report = case.verify().await;
    assert_eq!(report.findings, []);
    assert_eq!((report.entries, report.proven), (15, checkpoint.size));
    let rows = case.rows().await;
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), (1..=15).collect::<Vec<_>>());
    assert!(rows.iter().all(|row| row.action == "edit_accepted" && row.edit.is_some()));
    assert!(rows.windows(2).all(|pair| pair[0].at <= pair[1].at), "in the order of commits");
}

#[tokio::test]
async fn writers_of_one_clinic_never_share_a_number() {
    let case = Case::new().await;
    let mut work = Vec::new();
    for round in 0..8 {
        let (store, clinic) = (case.world.store().clone(), case.clinic);
        let device = case.world.device(clinic).await.id;
        work.push(tokio::spawn(async move { revoke(&store, clinic, device, now()).await.unwrap() }));
        if round % 2 == 0 {
            case.edits(0, 2).await;
        }
    }
    for revoked in work {
        assert!(revoked.await.unwrap());
    }
    let report = case.verify().await;
    assert_eq!((report.entries, report.findings), (12 + 8 + 8, vec![]));
}

#[tokio::test]
async fn a_changed_entry_is_found_whatever_was_changed_in_it() {
    for change in [
        "code = 'outro'",
        "action = 'edit_refused'",
        "at = at + interval '1 microsecond'",
        "author_id = gen_random_uuid()",
        "device_id = null",
        "edit_id = gen_random_uuid()",
        "read_id = gen_random_uuid()",
        "detail = detail || '{\"documents\": []}'",
        "hash = sha256(hash)",
    ] {
        let mut case = Case::new().await;
        case.attest().await;
        case.tamper(&format!("update sync.audit set {change} where HERE and seq = 5")).await;
        let findings = case.verify().await.findings;
        assert_eq!(findings.first(), Some(&at(Tamper::EntryChanged, 5)), "{change}: {findings:?}");
    }
}

#[tokio::test]
async fn a_deleted_entry_is_found() {
    let mut case = Case::new().await;
    case.tamper("delete from sync.audit where HERE and seq = 5").await;
    assert_eq!(case.verify().await.findings, [at(Tamper::EntryMissing, 5)]);
}

#[tokio::test]
async fn entries_in_another_order_are_found() {
    let mut case = Case::new().await;
    case.tamper(
        "update sync.audit set seq = -seq + 100 where HERE and seq in (5, 6);
         update sync.audit set seq = case seq when 95 then 6 else 5 end where HERE and seq in (94, 95)",
    )
    .await;
    assert_eq!(case.verify().await.findings[0], at(Tamper::EntryChanged, 5));
}

#[tokio::test]
async fn entries_exchanged_between_clinics_are_found_in_both() {
    let mut case = Case::new().await;
    case.edits(1, 6).await;
    let (here, there) = (case.clinic, case.world.clinic(1).id);
    case.tamper(&format!(
        "update sync.audit set clinic_id = case clinic_id when '{here}' then '{there}'::uuid else '{here}' end,
            seq = seq + 100 where seq = 5 and clinic_id in ('{here}', '{there}');
         update sync.audit set seq = 5 where seq = 105"
    ))
    .await;
    assert_eq!(case.verify().await.findings[0], at(Tamper::EntryChanged, 5));
    let key = case.notary.public_key();
    let report = verify_clinic(case.world.store(), there, &[], &key).await.unwrap();
    assert_eq!(report.findings[0], at(Tamper::EntryChanged, 5));
}

#[tokio::test]
async fn a_cut_log_is_found_by_its_head_and_with_the_head_changed_too_by_a_checkpoint() {
    let mut case = Case::new().await;
    case.tamper("delete from sync.audit where HERE and seq > 9").await;
    assert_eq!(case.verify().await.findings, [at(Tamper::Truncated, 10)]);

    let mut case = Case::new().await;
    case.attest().await;
    case.tamper("delete from sync.audit where HERE and seq > 9").await;
    case.rechain().await;
    assert_eq!(case.verify().await.findings, [at(Tamper::RolledBack, 12)]);
}

#[tokio::test]
async fn a_head_that_names_another_end_is_found() {
    let mut case = Case::new().await;
    case.tamper("update sync.heads set audit_hash = sha256(audit_hash) where HERE").await;
    assert_eq!(case.verify().await.findings, [at(Tamper::HeadChanged, 12)]);
}

#[tokio::test]
async fn a_log_rewritten_as_a_whole_is_found_by_a_checkpoint() {
    let mut case = Case::new().await;
    case.attest().await;
    case.tamper("update sync.audit set author_id = gen_random_uuid() where HERE and seq = 5").await;
    case.rechain().await;
    let key = case.notary.public_key();
    let mut kept = case.notary.checkpoints().unwrap();
    assert_eq!(case.verify().await.findings, [at(Tamper::Rewritten, 12)]);
    // The copies inside the database go the same way; those outside still speak.
    case.tamper("delete from sync.audit_checkpoints where HERE").await;
    assert_eq!(case.verify().await.findings, [at(Tamper::Rewritten, 12)]);
    // Without any copy outside, a whole rewriting cannot be told from a log.
    kept.clear();
    let report = verify_clinic(case.world.store(), case.clinic, &kept, &key).await.unwrap();
    assert_eq!((report.findings, report.proven), (vec![], 0), "and the report says that nothing proves it");
}

#[tokio::test]
async fn an_older_copy_put_back_is_found_also_after_new_entries() {
    let mut case = Case::new().await;
    case.attest().await;
    case.tamper("create table copy as select * from sync.audit where HERE").await;
    case.tamper("create table head as select * from sync.heads where HERE").await;
    case.edits(0, 5).await;
    let after = case.attest().await;
    case.tamper(
        "delete from sync.audit where HERE; insert into sync.audit select * from copy;
         update sync.heads h set audit_seq = head.audit_seq, audit_hash = head.audit_hash from head
            where h.clinic_id = head.clinic_id;
         delete from sync.audit_checkpoints where HERE and size > 12",
    )
    .await;
    assert_eq!(case.verify().await.findings, [at(Tamper::RolledBack, after.size)]);
    // The log grows past the place again, on another branch.
    case.edits(0, 9).await;
    let findings = case.verify().await.findings;
    assert_eq!(findings, [at(Tamper::Rewritten, after.size)]);
    // The server itself signs no more, and tells a person.
    assert_eq!(case.notary.attest(case.world.store(), case.clinic, now(), true).await.unwrap(), None);
    let items = case.world.items(case.clinic).await;
    assert!(items.iter().any(|item| item.kind == "devices" && item.code == "audit_broken"), "{items:?}");
}

#[tokio::test]
async fn nothing_is_signed_over_an_entry_that_was_changed_since_the_last_checkpoint() {
    let mut case = Case::new().await;
    case.attest().await;
    case.edits(0, 4).await;
    case.tamper("update sync.audit set code = 'outro' where HERE and seq = 14").await;
    assert_eq!(case.notary.attest(case.world.store(), case.clinic, now(), true).await.unwrap(), None);
    assert_eq!(case.notary.newest(case.clinic).unwrap().size, 12);
}

#[tokio::test]
async fn a_checkpoint_nobody_signed_is_found() {
    let mut case = Case::new().await;
    case.attest().await;
    case.tamper("update sync.audit_checkpoints set hash = sha256(hash) where HERE").await;
    assert_eq!(case.verify().await.findings, [at(Tamper::CheckpointForged, 12)]);
}

#[tokio::test]
async fn a_key_opened_again_goes_on_where_its_file_ends() {
    let case = Case::new().await;
    let made = case.attest().await;
    let again = Notary::open(&Notary::key_in(case.dir.path())).unwrap();
    assert_eq!(again.newest(case.clinic), Some(made));
    assert_eq!(
        again.attest(case.world.store(), case.clinic, now(), true).await.unwrap(),
        None,
        "nothing new"
    );
}

#[tokio::test]
async fn the_command_passes_a_log_names_the_place_of_a_change_and_exports_what_it_read() {
    let mut case = Case::new().await;
    case.attest().await;
    let (urls, data) = (case.world.database.urls(), case.dir.path().to_owned());
    let run = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(program("neonpro-server"));
        command.arg("audit").args(arguments).arg("--data").arg(&data).envs(urls.clone());
        command.output().await.unwrap()
    };
    let good = run(&["verify"]).await;
    assert!(good.status.success(), "{good:?}");
    let clinic = case.clinic.to_string();
    let exported = run(&["export", "--clinic", &clinic]).await;
    assert_eq!(String::from_utf8_lossy(&exported.stdout).lines().count(), 12);
    case.tamper("update sync.audit set code = 'outro' where HERE and seq = 5").await;
    let bad = run(&["verify", "--clinic", &clinic]).await;
    assert!(!bad.status.success());
    let told = String::from_utf8_lossy(&bad.stdout);
    assert!(told.contains(r#"{"what":"entry_changed","seq":5}"#), "{told}");
}

/// Not a limit: the figures of the chain, for the benchmarks.
#[tokio::test]
async fn a_thousand_entries_are_chained_in_one_statement() {
    let case = Case::new().await;
    let entry = neonpro_server::store::audit::AuditRecord {
        action: "edit_accepted",
        device: Some(fresh_id(now())),
        author: Some(fresh_id(now())),
        edit: Some(fresh_id(now())),
        code: None,
        detail: serde_json::json!({ "documents": ["patients/0190b0c0-0000-7000-8000-000000000000/0"] }),
    };
    let mut scoped = case.world.store().begin(&Actor::system(case.clinic)).await.unwrap();
    scoped.lock_head().await.unwrap();
    let began = Instant::now();
    scoped.append_audit(&vec![entry; 1_000], now()).await.unwrap();
    println!("1,000 entries: {:?}", began.elapsed());
    scoped.commit().await.unwrap();
    let report = case.verify().await;
    assert_eq!((report.entries, report.findings), (1_012, vec![]));
}
