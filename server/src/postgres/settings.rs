//! The server's settings. They are given on its command line, which nothing in the cluster can override.

use std::ffi::OsString;
use std::path::Path;

use super::layout::Layout;

/// Number in the socket file's name. No TCP port is opened, so it cannot collide with another server.
pub(super) const PORT: u16 = 5432;

/// Settings that depend on nothing.
const FIXED: [(&str, &str); 31] = [
    // Reached through the socket alone.
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0700"),
    ("password_encryption", "scram-sha-256"),
    ("cluster_name", "neonpro"),
    // One server process with a pool, jobs and the operator's psql; each connection costs memory.
    ("max_connections", "60"),
    ("shared_buffers", "64MB"),
    // Queries are short: compiling them costs more than it gives.
    ("jit", "off"),
    // Acknowledged means on disk.
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    ("wal_level", "replica"),
    ("max_wal_size", "512MB"),
    ("timezone", "UTC"),
    ("lc_messages", "C"),
    // One log file per weekday, overwritten after a week: bounded without a rotation service.
    ("logging_collector", "on"),
    ("log_destination", "stderr"),
    ("log_filename", "postgres-%a.log"),
    ("log_rotation_age", "1d"),
    ("log_rotation_size", "0"),
    ("log_truncate_on_rotation", "on"),
    ("log_file_mode", "0600"),
    ("log_timezone", "UTC"),
    // Patient data never reaches the log: not in statements, not in parameters, not in `DETAIL: Key (cpf)=(…)`, and not
    // in an error's own sentence ("invalid input syntax: …"), which the client gets and the log must not. `log` ranks
    // above `error` here: start, stop, checkpoints, FATAL and PANIC are kept.
    ("log_min_messages", "log"),
    ("log_min_error_statement", "panic"),
    ("log_error_verbosity", "terse"),
    ("log_statement", "none"),
    ("log_duration", "off"),
    ("log_min_duration_statement", "-1"),
    ("log_min_duration_sample", "-1"),
    ("log_parameter_max_length", "0"),
    ("log_parameter_max_length_on_error", "0"),
];

/// Arguments for `postgres`.
pub(super) fn arguments(layout: &Layout, socket_dir: &Path) -> Vec<OsString> {
    let mut args = vec!["-D".into(), layout.cluster().into()];
    let mut set = |name: &str, value: OsString| {
        let mut setting = OsString::from(format!("{name}="));
        setting.push(value);
        args.push("-c".into());
        args.push(setting);
    };
    for (name, value) in FIXED {
        set(name, value.into());
    }
    set("port", PORT.to_string().into());
    set("unix_socket_directories", socket_dir.into());
    set("log_directory", layout.log_dir().into());
    args
}
