//! Finding PostgreSQL on this machine. Only looks; installing is the operator's business.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::PostgresError;

/// Oldest major version that works.
pub(super) const MAJOR_MIN: u32 = 15;

/// Variable that names the directory of PostgreSQL's programs and ends the search.
const DIRECTORY_VARIABLE: &str = "NEONPRO_PG_BIN";

/// Programs a server installation has; a client installation lacks the first two.
const PROGRAMS: [&str; 3] = ["postgres", "initdb", "pg_ctl"];

/// Directories whose entries are installations: parent, prefix of the entry's name, path of the programs below it.
const INSTALLATIONS: [(&str, &str, &str); 4] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
    ("/usr", "pgsql-", "bin"),
];

/// The programs of one PostgreSQL installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    dir: PathBuf,
    major: u32,
}

impl Binaries {
    /// The installation to use: of version `required` for an existing cluster, else the newest.
    pub(super) fn find(required: Option<u32>) -> Result<Self, PostgresError> {
        let found = match std::env::var_os(DIRECTORY_VARIABLE) {
            Some(dir) => inspect(Path::new(&dir)).into_iter().collect(),
            None => candidate_dirs().iter().filter_map(|dir| inspect(dir)).collect(),
        };
        choose(found, required)
    }

    /// Major version.
    pub(super) fn major(&self) -> u32 {
        self.major
    }

    /// Path of a program.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// Every place PostgreSQL commonly lies, in order of preference.
fn candidate_dirs() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        dirs.push(String::from_utf8_lossy(&output.stdout).trim().into());
    }
    for (parent, prefix, programs) in INSTALLATIONS {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
        dirs.extend(named.map(|entry| entry.path().join(programs)));
    }
    dirs
}

/// What is installed in `dir`, if it is a server.
fn inspect(dir: &Path) -> Option<Binaries> {
    if !dir.is_absolute() || !PROGRAMS.iter().all(|name| dir.join(name).is_file()) {
        return None;
    }
    let output = Command::new(dir.join("postgres")).arg("--version").output().ok()?;
    let major = parse_major(&String::from_utf8_lossy(&output.stdout))?;
    Some(Binaries { dir: dir.to_owned(), major })
}

/// The major version in the answer to `postgres --version`, such as `postgres (PostgreSQL) 15.14 (Debian 15.14-0)`.
fn parse_major(answer: &str) -> Option<u32> {
    let version = answer.split_whitespace().nth(2)?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// Picks from what was found, which is in order of preference.
fn choose(found: Vec<Binaries>, required: Option<u32>) -> Result<Binaries, PostgresError> {
    let mut versions: Vec<u32> = found.iter().map(|binaries| binaries.major).collect();
    versions.sort_unstable();
    versions.dedup();
    let listed: Vec<String> = versions.iter().map(u32::to_string).collect();
    let mut usable = found.into_iter().filter(|binaries| binaries.major >= MAJOR_MIN);
    match required {
        Some(cluster) if !listed.is_empty() => usable
            .find(|binaries| binaries.major == cluster)
            .ok_or(PostgresError::VersionMismatch { cluster, found: listed.join(", ") }),
        // Of equals the last one wins here, so the first in order of preference.
        _ => usable.rev().max_by_key(|binaries| binaries.major).ok_or(PostgresError::NotInstalled {
            looked_at: if listed.is_empty() {
                "looked in NEONPRO_PG_BIN, or else PATH, /usr/lib/postgresql and Homebrew".to_owned()
            } else {
                format!("found only version {}", listed.join(", "))
            },
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::{Binaries, choose, parse_major};
    use crate::postgres::PostgresError;

    fn installed(versions: &[(&str, u32)]) -> Vec<Binaries> {
        versions.iter().map(|(dir, major)| Binaries { dir: dir.into(), major: *major }).collect()
    }

    #[test]
    fn version_is_read_from_every_kind_of_build() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta2"), Some(18));
        assert_eq!(parse_major("postgres (PostgreSQL) 9.6.24"), Some(9));
        assert_eq!(parse_major("command not found"), None);
    }

    #[test]
    fn new_cluster_gets_the_newest_version_and_the_first_place_that_has_it() {
        let found = installed(&[("/a", 15), ("/b", 17), ("/c", 17), ("/d", 14)]);
        assert_eq!(choose(found, None).unwrap().dir.to_str(), Some("/b"));
    }

    #[test]
    fn existing_cluster_gets_its_own_version() {
        let found = installed(&[("/a", 15), ("/b", 17), ("/c", 15)]);
        assert_eq!(choose(found, Some(15)).unwrap().dir.to_str(), Some("/a"));
    }

    #[test]
    fn missing_version_of_an_existing_cluster_is_named() {
        let refused = choose(installed(&[("/b", 17)]), Some(15));
        assert!(
            matches!(refused, Err(PostgresError::VersionMismatch { cluster: 15, found }) if found == "17")
        );
    }

    #[test]
    fn old_version_is_refused_with_what_to_install() {
        let refused = choose(installed(&[("/a", 13)]), None).unwrap_err().to_string();
        assert!(refused.contains("found only version 13"));
        assert!(refused.contains("apt-get install postgresql"));
        assert!(refused.contains("brew install postgresql@16"));
    }
}
