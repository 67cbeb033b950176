//! The matrix as it is, and with each piece of the protection taken away.

use neonpro_tests::cluster::TestDatabase;
use neonpro_tests::isolation::mutation::{self, Aim, Mutation};
use neonpro_tests::isolation::{Catalog, Cell, Runner, Scene, cells_beside, cells_of, is_untouched, order};
use neonpro_tests::sql::must;
use sqlx_core::connection::ConnectOptions;
use sqlx_postgres::PgConnection;
use std::collections::HashMap;

/// Databases attacked at once.
const WORKERS: usize = 2;
/// Cells there must at least be: the goal the project set itself.
const CELLS_MIN: usize = 27_000;
/// Violations that are told one by one.
const TOLD_MAX: usize = 40;

/// A scene of its own, and a superuser's connection to it that never named a clinic.
async fn scene() -> (TestDatabase, Scene, PgConnection) {
    let database = TestDatabase::create().await;
    let mut admin = database.admin().await;
    let scene = Scene::set(&mut admin).await;
    let conn = database.options.connect().await.unwrap();
    (database, scene, conn)
}

async fn run_share(worker: usize) -> (usize, Vec<String>) {
    let (_database, scene, mut conn) = scene().await;
    let mut cells: Vec<Cell> = scene
        .targets
        .iter()
        .enumerate()
        .filter(|(place, _)| place % WORKERS == worker)
        .flat_map(|(_, target)| cells_of(&scene, target))
        .collect();
    if worker == 0 {
        cells.extend(cells_beside(&scene));
    }
    order(&mut cells);
    assert!(is_untouched(&mut conn).await);
    let mut violations = Vec::new();
    let mut runner = Runner::open(&mut conn, &scene, "").await;
    for cell in &cells {
        violations.extend(runner.run(cell).await);
    }
    runner.close().await;
    (cells.len(), violations)
}

fn fail_with(violations: &[String], what: &str) {
    let told: Vec<&str> = violations.iter().take(TOLD_MAX).map(String::as_str).collect();
    assert!(violations.is_empty(), "{} {what}:\n{}", violations.len(), told.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cell_of_the_matrix_is_as_the_rules_say() {
    let shares: Vec<_> = (0..WORKERS).map(|worker| tokio::spawn(run_share(worker))).collect();
    let (mut cells, mut violations) = (0, Vec::new());
    for share in shares {
        let (ran, found) = share.await.unwrap();
        cells += ran;
        violations.extend(found);
    }
    println!("{cells} cells ran, {} violated", violations.len());
    fail_with(&violations, "cells are not as the rules say");
    assert!(cells >= CELLS_MIN, "only {cells} cells: the generator lost some");
}

/// Cells that must notice a mutation, in the order in which they are tried.
fn noticing<'c>(
    mutation: &Mutation,
    cells: &'c HashMap<String, Vec<Cell>>,
    target: &str,
) -> impl Iterator<Item = &'c Cell> {
    let groups = mutation.groups;
    let own = cells.get(target).map(Vec::as_slice).unwrap_or_default();
    groups.iter().flat_map(move |group| own.iter().filter(move |cell| cell.group == *group))
}

async fn is_noticed(
    conn: &mut PgConnection,
    scene: &Scene,
    cells: &HashMap<String, Vec<Cell>>,
    mutation: &Mutation,
) -> bool {
    if let Aim::New(name) = &mutation.aim {
        must(conn, &format!("begin; {}", mutation.sql)).await;
        let catalog = Catalog::read(conn).await;
        let changed = Scene::look(conn, catalog, scene.clinics().to_vec()).await;
        let mut cells: Vec<Cell> = changed
            .targets
            .iter()
            .filter(|target| target.name() == name)
            .flat_map(|target| cells_of(&changed, target))
            .chain(cells_beside(&changed).into_iter().filter(|cell| cell.target == *name))
            .collect();
        order(&mut cells);
        let mut runner = Runner::within(conn, &changed).await;
        let noticed = runner.first_violation(cells.iter()).await.is_some();
        runner.close().await;
        return noticed;
    }
    let targets: &[&str] = match &mutation.aim {
        Aim::Relation(name) | Aim::Function(name) | Aim::New(name) => &[name.as_str()],
        Aim::Roles => &["public.patients", "session", "public.service_types"],
    };
    let mut runner = Runner::open(conn, scene, &mutation.sql).await;
    let mut noticed = false;
    for target in targets {
        noticed |= runner.first_violation(noticing(mutation, cells, target)).await.is_some();
        if noticed {
            break;
        }
    }
    runner.close().await;
    noticed
}

async fn mutate_share(worker: usize) -> (usize, Vec<String>) {
    let (_database, scene, mut conn) = scene().await;
    let mut cells: HashMap<String, Vec<Cell>> = HashMap::new();
    let generated = scene.targets.iter().flat_map(|target| cells_of(&scene, target));
    for cell in generated.chain(cells_beside(&scene)) {
        cells.entry(cell.target.clone()).or_default().push(cell);
    }
    let mutations = mutation::all(&scene);
    let (mut tried, mut unnoticed) = (0, Vec::new());
    for mutation in mutations.iter().skip(worker).step_by(WORKERS) {
        tried += 1;
        if !is_noticed(&mut conn, &scene, &cells, mutation).await {
            unnoticed.push(mutation.name.clone());
        }
    }
    (tried, unnoticed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_piece_of_the_protection_is_missed_when_it_is_gone() {
    let shares: Vec<_> = (0..WORKERS).map(|worker| tokio::spawn(mutate_share(worker))).collect();
    let (mut tried, mut unnoticed) = (0, Vec::new());
    for share in shares {
        let (ran, found) = share.await.unwrap();
        tried += ran;
        unnoticed.extend(found);
    }
    println!("{tried} mutations, {} not noticed", unnoticed.len());
    fail_with(&unnoticed, "mutations were not noticed");
    assert!(tried > 1_000, "only {tried} mutations: the generator lost some");
}

#[tokio::test]
async fn a_table_nobody_classified_stops_the_matrix() {
    let (_database, scene, mut conn) = scene().await;
    must(&mut conn, "begin; create table sync.more (id int primary key)").await;
    let catalog = Catalog::read(&mut conn).await;
    let clinics = scene.clinics().to_vec();
    let looked = tokio::spawn(async move { Scene::look(&mut conn, catalog, clinics).await.targets.len() });
    assert!(looked.await.is_err());
}
