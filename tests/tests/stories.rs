//! Stories: real tablets, a real server, a real Postgres.

mod stories {
    mod convergence;
}
