//! Making the cluster: once, whole or not at all. A cluster gets its name only after `initdb` has finished and synced it.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Command;

use ring::rand::{SecureRandom as _, SystemRandom};

use super::account::Account;
use super::binaries::Binaries;
use super::error::PostgresError;
use super::layout::{Layout, make_private_dir};

/// Name of the superuser.
pub(super) const SUPERUSER: &str = "postgres";

/// Database that is always there.
pub(super) const MAINTENANCE_DATABASE: &str = "postgres";

/// Randomness in a password, bytes: nobody types it, so it costs nothing to be beyond guessing.
const PASSWORD_BYTES: usize = 32;

/// Major version of the existing cluster; none when there is no cluster yet.
pub(super) fn major_version(layout: &Layout) -> Result<Option<u32>, PostgresError> {
    let path = layout.cluster().join("PG_VERSION");
    match fs::read_to_string(&path) {
        Ok(version) => Ok(version.trim().parse().ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(PostgresError::Io { action: "read", path, source }),
    }
}

/// Makes the cluster if there is none; returns the superuser's password.
pub(super) fn ensure(
    layout: &Layout,
    binaries: &Binaries,
    account: &Account,
) -> Result<String, PostgresError> {
    let path = layout.password();
    if layout.cluster().is_dir() {
        return match fs::read_to_string(&path) {
            Ok(password) => Ok(password.trim().to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(PostgresError::PasswordMissing { path })
            }
            Err(source) => Err(PostgresError::Io { action: "read", path, source }),
        };
    }
    let password = random_password()?;
    write_private_file(&path, &password)?;
    create(layout, binaries, account, &password)?;
    Ok(password)
}

fn create(
    layout: &Layout,
    binaries: &Binaries,
    account: &Account,
    password: &str,
) -> Result<(), PostgresError> {
    tracing::info!(version = binaries.major(), data_dir = %layout.root().display(), "making the database cluster");
    let unfinished = layout.unfinished_cluster();
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(PostgresError::io("remove", &unfinished))?;
    }
    make_private_dir(&unfinished, account)?;
    let password_file = layout.initdb_password();
    write_private_file(&password_file, password)?;
    account.give(&password_file)?;
    let made = initdb(&unfinished, &password_file, binaries, account);
    fs::remove_file(&password_file).map_err(PostgresError::io("remove", &password_file))?;
    made?;
    let cluster = layout.cluster();
    fs::rename(&unfinished, &cluster).map_err(PostgresError::io("name", &cluster))?;
    File::open(layout.root())
        .and_then(|root| root.sync_all())
        .map_err(PostgresError::io("sync", layout.root()))
}

fn initdb(
    cluster: &Path,
    password_file: &Path,
    binaries: &Binaries,
    account: &Account,
) -> Result<(), PostgresError> {
    let character_type = format!("--lc-ctype={}", character_type());
    let user = format!("--username={SUPERUSER}");
    let mut pwfile = std::ffi::OsString::from("--pwfile=");
    pwfile.push(password_file);
    // Text sorts by code point on every machine; letters still have upper and lower case beyond ASCII.
    let args: [&OsStr; 11] = [
        "--data-checksums".as_ref(),
        "--auth-host=scram-sha-256".as_ref(),
        "--auth-local=scram-sha-256".as_ref(),
        "--encoding=UTF8".as_ref(),
        "--locale=C".as_ref(),
        character_type.as_ref(),
        user.as_ref(),
        &pwfile,
        "--no-instructions".as_ref(),
        "--pgdata".as_ref(),
        cluster.as_ref(),
    ];
    account.run(&binaries.program("initdb"), &args)
}

/// The first locale this machine has that knows letters beyond ASCII; `C` where there is none.
fn character_type() -> &'static str {
    let listed = Command::new("locale").arg("-a").output().map(|output| output.stdout).unwrap_or_default();
    let listed = String::from_utf8_lossy(&listed).to_lowercase().replace('-', "");
    let has = |name: &str| listed.lines().any(|line| line.trim() == name);
    if has("c.utf8") {
        "C.UTF-8"
    } else if has("en_us.utf8") {
        "en_US.UTF-8"
    } else {
        "C"
    }
}

fn random_password() -> Result<String, PostgresError> {
    let mut bytes = [0_u8; PASSWORD_BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| PostgresError::Randomness)?;
    Ok(hex(&bytes))
}

/// Bytes in lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a new file that only its owner can read, and syncs it; one left by an interrupted start is replaced.
fn write_private_file(path: &Path, content: &str) -> Result<(), PostgresError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(PostgresError::Io { action: "replace", path: path.to_owned(), source: error });
        }
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(PostgresError::io("create", path))?;
    writeln!(file, "{content}").and_then(|()| file.sync_all()).map_err(PostgresError::io("write", path))
}
