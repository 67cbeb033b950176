//! A clinic on a tablet: a real replica file with people, procedures and patients, and its page without a socket.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{COOKIE, HOST, LOCATION, ORIGIN};
use axum::http::{Request, StatusCode};
use neonpro_client_core::{Clock, Draft, Identity, Replica, ReplicaKey, SigningKey};
use neonpro_contract::catalogue::table;
use neonpro_contract::ids::{AuthorId, ClinicId, DeviceId, RecordId};
use neonpro_contract::permissions::Audience;
use neonpro_contract::row::{Row, RowStamp};
use neonpro_contract::scope_of_practice::SHIPPED;
use neonpro_contract::time::ServerInstant;
use neonpro_contract::validate;
use neonpro_contract::wire::{BootstrapRecord, Frame, Position, RowsPage};
use neonpro_mobile::app::App;
use neonpro_mobile::guard::Guard;
use neonpro_mobile::key_file;
use neonpro_mobile::router::router;
use serde_json::{Value as Json, json};
use std::path::PathBuf;
use tempfile::TempDir;
use tower::ServiceExt;
use uuid::Uuid;

/// Monday, 23 November 2026, 10:00 in São Paulo.
pub const NOW_US: i64 = 1_795_438_800_000_000;
/// The address the page believes it stands on.
pub const ADDRESS: &str = "127.0.0.1:4000";

/// A fixed id.
pub fn id(n: u128) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + n)
}

/// Dra. Helena Prado, professional.
pub fn doctor() -> AuthorId {
    AuthorId(id(10))
}

/// Joana Teixeira, front desk.
pub fn desk() -> AuthorId {
    AuthorId(id(11))
}

/// Marta Andrade, administrator.
pub fn admin() -> AuthorId {
    AuthorId(id(12))
}

/// A tablet and its page.
pub struct Tablet {
    pub folder: TempDir,
    pub replica: Replica,
    pub app: App,
    key: String,
}

/// What a request was answered with.
pub struct Answer {
    pub status: StatusCode,
    pub location: String,
    pub cookies: Vec<String>,
    pub body: String,
    pub bytes: Vec<u8>,
}

impl Tablet {
    /// A tablet that sees everything.
    pub fn clinical() -> Self {
        Self::new(Audience::Clinical)
    }

    pub fn new(audience: Audience) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let replica = open_with_clinic(&folder, audience);
        let guard = Guard::new(ADDRESS.parse().unwrap()).unwrap();
        let key = guard.entrance().split("key=").nth(1).unwrap().to_owned();
        let app = App::new(replica.clone(), replica_path(&folder), guard, None);
        Self { folder, replica, app, key }
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    pub fn router(&self) -> Router {
        router(self.app.clone())
    }

    /// A patient of this name, registered by the front desk.
    pub fn patient(&self, name: &str) -> RecordId {
        let edits = self.replica.create_record(desk(), "patients", [("name", json!(name))]).unwrap();
        edits[0].record().unwrap()
    }

    /// A record's values.
    pub fn row(&self, table: &str, record: RecordId) -> Json {
        Json::Object(self.replica.row(table, record).unwrap().unwrap().to_json())
    }

    /// The page as this person sees it.
    pub async fn get_as(&self, author: AuthorId, path: &str) -> Answer {
        self.send(self.request("GET", path, Some(author)).body(Body::empty()).unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.get_as(doctor(), path).await
    }

    pub async fn post_as(&self, author: Option<AuthorId>, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = self
            .request("POST", path, author)
            .header(ORIGIN, format!("http://{ADDRESS}"))
            .header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(encode(fields))).unwrap()).await
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_as(Some(doctor()), path, fields).await
    }

    /// A form with a picked file, as a browser sends it.
    pub async fn post_file(
        &self,
        author: Option<AuthorId>,
        path: &str,
        fields: &[(&str, &str)],
        file: &[u8],
    ) -> Answer {
        let mut body = Vec::new();
        for (name, value) in fields {
            body.extend_from_slice(
                format!("--limite\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                    .as_bytes(),
            );
        }
        let head = "--limite\r\ncontent-disposition: form-data; name=\"foto\"; filename=\"a.jpg\"\r\n\r\n";
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(file);
        body.extend_from_slice(b"\r\n--limite--\r\n");
        let request = self
            .request("POST", path, author)
            .header(ORIGIN, format!("http://{ADDRESS}"))
            .header("content-type", "multipart/form-data; boundary=limite");
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    fn request(&self, method: &str, path: &str, author: Option<AuthorId>) -> axum::http::request::Builder {
        let author = author.map(|author| format!("; neonpro_key_4000_autor={author}")).unwrap_or_default();
        Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, ADDRESS)
            .header(COOKIE, format!("neonpro_key_4000={}{author}", self.key))
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router().oneshot(request).await.unwrap();
        let header =
            |name| response.headers().get_all(name).iter().map(|value| value.to_str().unwrap().to_owned());
        let location = header(LOCATION).next().unwrap_or_default();
        let cookies = header(axum::http::header::SET_COOKIE).collect();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 4 << 20).await.unwrap().to_vec();
        // A picture is no text.
        let body = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status, location, cookies, body, bytes }
    }

    /// Runs SQL on the file itself while the replica is closed: the state a server would have left behind.
    pub fn reopen_after(self, sql: &str) -> Self {
        self.replica.close().unwrap();
        alter(&self.folder, sql);
        let replica = open(&self.folder, 8);
        let guard = self.app.guard().clone();
        let app = App::new(replica.clone(), replica_path(&self.folder), guard, None);
        Self { replica, app, ..self }
    }
}

impl Answer {
    /// The redirect that ends a form: followed by nothing, naming a page and a message.
    pub fn went_to(&self, path: &str) {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.body);
        assert!(self.location.starts_with(path), "{}", self.location);
    }

    /// A form drawn again with what was typed.
    pub fn refused(&self) -> &str {
        assert_eq!(self.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", self.location);
        &self.body
    }

    pub fn shows(&self, text: &str) -> &Self {
        assert!(self.body.contains(text), "{text:?} is missing in {}", self.body);
        self
    }

    pub fn hides(&self, text: &str) -> &Self {
        assert!(!self.body.contains(text), "{text:?} is shown");
        self
    }
}

pub fn encode(fields: &[(&str, &str)]) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    let text = |text: &str| text.bytes().map(byte).collect::<String>();
    fields.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect::<Vec<_>>().join("&")
}

pub fn replica_path(folder: &TempDir) -> PathBuf {
    folder.path().join("replica.db")
}

pub fn key_path(folder: &TempDir) -> PathBuf {
    folder.path().join("replica.key")
}

/// Opens the replica. Each life of the app draws ids of its own.
fn open(folder: &TempDir, seed: i64) -> Replica {
    let key = key_file::load_or_create(&key_path(folder)).unwrap();
    let (clock, _) = Clock::manual(NOW_US);
    Replica::open(replica_path(folder), ReplicaKey::new(key), clock.seeded(seed)).unwrap()
}

fn alter(folder: &TempDir, sql: &str) {
    alter_with(folder, key_file::load_or_create(&key_path(folder)).unwrap(), sql);
}

/// Runs SQL on the file itself, whose key is no longer in the clear.
pub fn alter_with(folder: &TempDir, key: [u8; 32], sql: &str) {
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let file = rusqlite::Connection::open(replica_path(folder)).unwrap();
    file.execute_batch(&format!("PRAGMA key = \"x'{hex}'\"; {sql}")).unwrap();
}

fn open_with_clinic(folder: &TempDir, audience: Audience) -> Replica {
    let key = key_file::load_or_create(&key_path(folder)).unwrap();
    let identity = Identity {
        device: DeviceId(id(2)),
        name: "Tablet Sala 1".to_owned(),
        clinic: ClinicId(id(1)),
        clinic_name: "Clínica Vila Mariana".to_owned(),
        network: None,
        audience,
        server_url: "https://127.0.0.1:9".to_owned(),
        pin: [0; 32],
        signing_key: SigningKey::generate().unwrap(),
    };
    let replica =
        Replica::create(replica_path(folder), ReplicaKey::new(key), identity, Clock::manual(NOW_US).0)
            .unwrap();
    receive(
        &replica,
        "clinics",
        &[(1, json!({"name": "Clínica Vila Mariana", "timezone": "America/Sao_Paulo"}))],
    );
    let person = |name: &str, email: &str| {
        json!({"name": name, "email": email, "professional_type": "physician", "council_type": "CRM",
            "council_number": "1", "council_state": "SP", "is_active": true})
    };
    let people = [
        (10, person("Dra. Helena Prado", "h@ex.br")),
        (11, person("Joana Teixeira", "j@ex.br")),
        (12, person("Marta Andrade", "m@ex.br")),
    ];
    receive(&replica, "professionals", &people);
    let member = |professional: u128, role: &str| json!({"professional_id": id(professional).to_string(), "role": role, "is_active": true});
    receive(
        &replica,
        "clinic_professionals",
        &[(20, member(10, "professional")), (21, member(11, "assistant")), (22, member(12, "admin"))],
    );
    receive(&replica, "service_types", &[(30, json!({"name": "Peeling químico", "duration_minutes": 40}))]);
    let (rules, signature) = SHIPPED.last().unwrap();
    let rules: Json = serde_json::from_str(rules).unwrap();
    let bundle = json!({"version": rules["version"], "in_force_from": rules["in_force_from"],
        "signature": signature.trim(), "content": rules});
    receive(&replica, "scope_bundles", &[(40, bundle)]);
    replica.close().unwrap();
    // A first sync has been finished, at feed number 1.
    alter(folder, "UPDATE sync_meta SET cursor = 1, head = 1;");
    open(folder, 7)
}

/// Records as a first sync brings them.
fn receive(replica: &Replica, name: &str, records: &[(u128, Json)]) {
    let table = table(name).unwrap();
    let stamp = RowStamp { author: None, captured_at: None, merged_at: ServerInstant(1), feed_seq: 1 };
    let records: Vec<BootstrapRecord> = records
        .iter()
        .map(|(n, values)| {
            let mut row = Row::empty(table);
            for (field, value) in values.as_object().unwrap() {
                row.set(field, validate::from_json(table.field(field).unwrap().1, value).unwrap());
            }
            BootstrapRecord { id: RecordId(id(*n)), row, stamp }
        })
        .collect();
    let page = RowsPage {
        table: table.id,
        next: Some(Position { section: 0, after: None }),
        done: 0,
        reference_seq: None,
        facets: u8::MAX,
        body: RowsPage::pack_records(table, &records, &Vec::new()),
    };
    replica.receive(&Frame::Rows(page)).unwrap();
}

/// Health of a patient, written by the doctor.
pub fn add_allergy(tablet: &Tablet, patient: RecordId, allergy: &str) {
    tablet.replica.edit(Draft::new(doctor()).add("patients", patient, "allergies", allergy)).unwrap();
}

/// An appointment of this patient today at 14:30, by the front desk.
pub fn book(tablet: &Tablet, patient: RecordId) -> RecordId {
    let values = [
        ("patient_id", json!(patient.to_string())),
        ("professional_id", json!(doctor().to_string())),
        ("service_type_id", json!(id(30).to_string())),
        ("start_time", json!("2026-11-23T17:30:00Z")),
        ("end_time", json!("2026-11-23T18:10:00Z")),
        ("duration_minutes", json!(40)),
    ];
    tablet.replica.create_record(desk(), "appointments", values).unwrap()[0].record().unwrap()
}

/// A product in use with a barcode, and a lot of it that expires on this day; by the administrator and the doctor.
pub fn product(tablet: &Tablet, name: &str, expiry: &str) -> (RecordId, RecordId) {
    let values = [
        ("name", json!(name)),
        ("category", json!("toxinas")),
        ("barcode", json!("7891234567895")),
        ("unit_type", json!("units")),
        ("unit_size", json!("100")),
    ];
    let product =
        tablet.replica.create_record(admin(), "inventory_products", values).unwrap()[0].record().unwrap();
    let values =
        [("product_id", json!(product)), ("lot_number", json!("LOTE7")), ("expiry_date", json!(expiry))];
    let lot = tablet.replica.create_record(doctor(), "inventory_lots", values).unwrap()[0].record().unwrap();
    (product, lot)
}

/// A plan of this patient, by the doctor.
pub fn plan(tablet: &Tablet, patient: RecordId) -> RecordId {
    let values = [("patient_id", json!(patient.to_string())), ("title", json!("Peeling seriado"))];
    tablet.replica.create_record(doctor(), "treatment_plans", values).unwrap()[0].record().unwrap()
}
