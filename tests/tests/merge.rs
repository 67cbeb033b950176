//! The merge, case by case, on a real Postgres.

mod merge {
    mod cases;
    mod consent;
    mod gate;
}
