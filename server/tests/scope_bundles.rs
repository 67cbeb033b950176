//! A publisher's way: a key, a signature, a check. What nobody pinned signed is not installed.
#![expect(clippy::unwrap_used, reason = "helpers of tests may take the short way")]

use clap::Parser;
use neonpro_contract::scope_of_practice::SHIPPED;
use neonpro_server::scope::{ScopeArgs, command};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    scope: ScopeArgs,
}

/// Runs `neonpro-server scope …`: what it printed, or why it stopped.
async fn scope(arguments: &[&str]) -> Result<String, String> {
    let line = Line::try_parse_from(["scope"].iter().chain(arguments)).unwrap();
    let printed = Mutex::new(String::new());
    let print = |text: &str| printed.lock().unwrap().push_str(text);
    command(line.scope, &print).await.map_err(|error| error.to_string())?;
    Ok(printed.into_inner().unwrap())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn a_bundle_is_signed_and_verifies_with_its_publishers_key_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (key, bundle) = (folder.path().join("publisher.pk8"), folder.path().join("scope-2027-01.json"));
    let next = SHIPPED.last().unwrap().0.replace("\"2026-11\"", "\"2027-01\"");
    std::fs::write(&bundle, &next).unwrap();
    let public = scope(&["keygen", "--key", text(&key)]).await.unwrap();
    assert_eq!(public.len(), 64);
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(scope(&["keygen", "--key", text(&key)]).await.is_err(), "a key is never overwritten");
    let signed = scope(&["sign", "--key", text(&key), "--bundle", text(&bundle)]).await.unwrap();
    assert!(
        signed.contains("\"version\":\"2027-01\"") && signed.contains("\"without_reviewer\":31"),
        "{signed}"
    );
    let verify = ["verify", "--bundle", text(&bundle)];
    let with_key = [verify[0], verify[1], verify[2], "--publisher", &public];
    assert!(scope(&with_key).await.is_ok());
    assert_eq!(scope(&verify).await.unwrap_err(), "no pinned publisher signed this bundle");
    // White space is not part of what was signed; a level is.
    std::fs::write(&bundle, next.replace('\n', " ")).unwrap();
    assert!(scope(&with_key).await.is_ok());
    std::fs::write(&bundle, next.replace("prohibited", "independent")).unwrap();
    assert!(scope(&with_key).await.is_err());
}

#[tokio::test]
async fn every_shipped_bundle_verifies_with_the_pinned_keys() {
    let folder = tempfile::tempdir().unwrap();
    for (content, signature) in SHIPPED {
        let bundle = folder.path().join("shipped.json");
        std::fs::write(&bundle, content).unwrap();
        std::fs::write(folder.path().join("shipped.sig"), signature).unwrap();
        scope(&["verify", "--bundle", text(&bundle)]).await.unwrap();
    }
}
