//! The commands about keys and erasures, killed between every two steps: begun is finished, and nothing is half.

use neonpro_contract::catalogue::{Role, table};
use neonpro_contract::fate::Fate;
use neonpro_contract::ids::{AuthorId, ClinicId};
use neonpro_server::actor::Actor;
use neonpro_server::clock::{fresh_id, now};
use neonpro_tests::process::{ServerProcess, free_port, program};
use neonpro_tests::world::World;
use serde_json::Value as Json;
use std::process::{Command, Output};
use tempfile::TempDir;
use uuid::Uuid;

const HOUR: i64 = 3_600_000_000;
const SECRET: &str = "sabiadalaranjeira";
/// Steps of an erasure, in their order; the command is killed behind each.
const ERASURE_POINTS: [&str; 4] =
    ["erasure.after_begun", "erasure.before_commit", "erasure.after_commit", "erasure.after_done"];
/// Steps of a rotation.
const ROTATION_POINTS: [&str; 3] =
    ["rotation.after_begin", "rotation.before_commit", "rotation.after_commit"];

/// A clinic with a patient whose photograph nobody consents to any more.
struct Case {
    world: World,
    dir: TempDir,
    clinic: ClinicId,
    author: AuthorId,
    patient: Uuid,
    photo: Uuid,
}

impl Case {
    async fn new() -> Self {
        let world = World::new().await;
        let clinic = world.clinic(0).id;
        let author = world.person(0, Role::Professional);
        let (patient, _) = world.new_patient(0).await;
        let mut device = world.device(clinic).await;
        let photo = fresh_id(now());
        device.captured_at = Some(now().0 - 3 * HOUR);
        let (granted, consent) = device.consent(author, patient, "photography", true, &[]);
        device.captured_at = Some(now().0 - 2 * HOUR);
        let taken = device.photo(author, patient, photo, SECRET);
        device.captured_at = Some(now().0 - HOUR);
        let (_, withdrawn) = device.consent(author, patient, "photography", false, &[granted]);
        for edit in [consent, taken, withdrawn] {
            let fates = world.push(clinic, vec![edit]).await;
            assert!(matches!(fates[0], Fate::Accepted { .. }), "{fates:?}");
        }
        Self { world, dir: tempfile::tempdir().unwrap(), clinic, author, patient, photo }
    }

    /// Runs a command of the server over this database.
    fn run(&self, crash_at: Option<&str>, arguments: &[&str]) -> Output {
        let (clinic, (family, rest)) = (self.clinic.to_string(), arguments.split_first().unwrap());
        let mut command = Command::new(program("neonpro-server"));
        command.arg(family).arg("--data").arg(self.dir.path()).args(["--clinic", &clinic]).args(rest);
        command.envs(self.world.database.urls());
        if let Some(point) = crash_at {
            command.env("NEONPRO_CRASH_AT", point);
        }
        command.output().unwrap()
    }

    /// The lines of a command that succeeds.
    fn told(&self, arguments: &[&str]) -> Vec<Json> {
        let output = self.run(None, arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    async fn photo_is_here(&self) -> bool {
        self.world.row(self.clinic, "patient_documents", self.photo).await.is_some()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_killed_at_any_step_is_finished_by_the_next_start() {
    for point in ERASURE_POINTS {
        let case = Case::new().await;
        let (patient, by) = (case.patient.to_string(), case.author.to_string());
        let erase = ["erase", "run", "--patient", &patient, "--purpose", "photography", "--by", &by];
        let erase = [erase.as_slice(), &["--reason", "pedido do titular"]].concat();
        let killed = case.run(Some(point), &erase);
        assert!(!killed.status.success(), "{point} was not reached");
        // Before anybody is served.
        let mut server = ServerProcess::start(&case.world.database, case.dir.path(), free_port(), None);
        server.kill();
        assert!(!case.photo_is_here().await, "{point}");
        let erasures = case.told(&["erase", "list"]);
        assert_eq!(erasures.len(), 1, "{point}: one erasure, done once");
        let paper = case.dir.path().join("certificado.pdf");
        let id = erasures[0]["id"].as_str().unwrap();
        let certify = ["erase", "certificate", "--erasure", id, "--pdf", paper.to_str().unwrap()];
        let certificate = case.told(&certify);
        assert_eq!(certificate[0]["statement"]["counts"]["keys"], 1, "{point}");
        assert!(std::fs::read(&paper).unwrap().starts_with(b"%PDF-1.7"), "{point}");
        let again = case.run(None, &certify);
        assert!(!again.status.success(), "a paper is never written over");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_killed_at_any_step_goes_on_when_it_is_run_again() {
    for point in ROTATION_POINTS {
        let case = Case::new().await;
        let killed = case.run(Some(point), &["keys", "rotate"]);
        assert!(!killed.status.success(), "{point} was not reached");
        assert!(case.photo_is_here().await, "{point}: in between everything opens");
        case.told(&["keys", "rotate"]);
        let keys = case.told(&["keys", "status"]);
        assert_eq!(keys.len(), 1, "{point}: the old version is gone");
        assert_eq!(keys[0]["key"]["version"], 2, "{point}");
        let store = case.world.database.open_again().await;
        let mut scoped = store.begin(&Actor::system(case.clinic)).await.unwrap();
        let documents = table("patient_documents").unwrap();
        let photo = scoped.list_records(documents, &[case.photo]).await.unwrap();
        assert_eq!(photo[0].row.get("title").as_text(), Some(SECRET), "{point}");
        scoped.rollback().await.unwrap();
    }
}
