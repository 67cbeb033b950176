//! Where the demo keeps its files, so that PostgreSQL gets in.
//!
//! PostgreSQL does not run as root: started by root it runs as another account, which must be able to pass through every
//! directory on the way to its data.

use super::{Outcome, Problem};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Name of the directory below the current one.
const HERE: &str = ".demo";
/// Where root keeps the demo when the current directory is closed to others.
const SYSTEM: &str = "/var/lib/neonpro-demo";

/// A directory for the demo's data.
///
/// # Errors
/// A directory that cannot be made, or that PostgreSQL could not reach.
pub fn lasting(asked: Option<&Path>) -> Outcome<PathBuf> {
    match asked {
        Some(dir) => prepare(dir).and_then(|dir| reachable(&dir).map(|()| dir)),
        None => {
            let here = prepare(&std::env::current_dir()?.join(HERE))?;
            if reachable(&here).is_ok() {
                return Ok(here);
            }
            // One that holds something stays.
            let _ = fs::remove_dir(&here);
            prepare(Path::new(SYSTEM))
        }
    }
}

/// A fresh directory that goes away with the value.
///
/// # Errors
/// A directory that cannot be made.
pub fn passing() -> Outcome<TempDir> {
    let made = tempfile::Builder::new().prefix("neonpro-demo-").tempdir()?;
    if open(made.path()).is_ok() {
        return Ok(made);
    }
    // The temporary directory of this account may be closed to others.
    let made = tempfile::Builder::new().prefix("neonpro-demo-").tempdir_in("/var/tmp")?;
    open(made.path()).map(|()| made)
}

fn open(dir: &Path) -> Outcome<()> {
    fs::set_permissions(dir, Permissions::from_mode(0o711))?;
    reachable(dir)
}

fn prepare(dir: &Path) -> Outcome<PathBuf> {
    let failed = |error| -> Problem { format!("{} cannot be used: {error}", dir.display()).into() };
    fs::create_dir_all(dir).map_err(failed)?;
    let dir = dir.canonicalize().map_err(failed)?;
    fs::set_permissions(&dir, Permissions::from_mode(0o711)).map_err(failed)?;
    Ok(dir)
}

/// Whether another account may pass through to the directory; always so for an account that is not root, whose PostgreSQL
/// runs as itself.
fn reachable(dir: &Path) -> Outcome<()> {
    let dir = dir.canonicalize()?;
    // What this process made belongs to whom it runs as.
    if fs::metadata(&dir)?.uid() != 0 {
        return Ok(());
    }
    match closed(&dir)? {
        None => Ok(()),
        Some(closed) => Err(format!(
            "{} is closed to the account PostgreSQL runs as (it does not run as root): choose another --dir",
            closed.display()
        )
        .into()),
    }
}

/// The first directory on the way that others may not pass through.
fn closed(dir: &Path) -> Outcome<Option<PathBuf>> {
    for above in dir.ancestors() {
        if fs::metadata(above)?.mode() & 0o001 == 0 {
            return Ok(Some(above.to_owned()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_directory_on_the_way_is_found() {
        let outer = TempDir::new().unwrap();
        let inner = outer.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::set_permissions(&inner, Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(outer.path(), Permissions::from_mode(0o700)).unwrap();
        assert_eq!(closed(&inner).unwrap().as_deref(), Some(outer.path()));
        fs::set_permissions(outer.path(), Permissions::from_mode(0o711)).unwrap();
        assert_ne!(closed(&inner).unwrap().as_deref(), Some(outer.path()));
    }

    #[test]
    fn a_fresh_directory_goes_away_with_its_value() {
        let made = passing().unwrap();
        let path = made.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o711);
        drop(made);
        assert!(!path.exists());
    }
}
