//! Stories: real tablets, a real server, a real Postgres.

mod stories {
    mod attack;
    mod boundaries;
    mod convergence;
    mod epochs;
}
