//! Crash points: named places where a test build stops the process as `kill -9` would.
//!
//! Compiled only with the feature `crash-points`; `NEONPRO_CRASH_AT=merge.before_commit` chooses one.

/// Stops the process here when `NEONPRO_CRASH_AT` names this point.
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        #[cfg(feature = "crash-points")]
        if std::env::var("NEONPRO_CRASH_AT").is_ok_and(|at| at == $name) {
            std::process::abort();
        }
    };
}
