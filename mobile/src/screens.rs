//! The screens: one file each, its template beside it.
//!
//! Owns routes and what each shows. Never decides what an edit means. Invariant: every screen works with plain links
//! and forms; scripts only make it fresher.

pub mod agenda;
pub mod appointment;
pub mod events;
pub mod form_page;
pub mod frame;
pub mod more;
pub mod patient;
pub mod patients;
pub mod payments;
pub mod person;
pub mod photo;
pub mod record;
pub mod session;
pub mod stock;
pub mod sync;
pub mod team;
pub mod term;
pub mod today;

use crate::app::App;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

/// Bytes of a posted form: two long texts, three times over for percent-encoding.
pub(crate) const FORM_BYTES_MAX: usize = 8 * neonpro_contract::limits::LONG_TEXT_BYTES_MAX;

/// Bytes of a posted form with a picked file: what a camera writes, before it is made smaller.
const PICKED_BYTES_MAX: usize = 4 * neonpro_contract::limits::BLOB_BYTES_MAX;

/// Every route behind the door.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/", get(today::show))
        .route("/agenda", get(agenda::show))
        .route("/agendamentos/{id}/mover", post(agenda::move_to))
        .route("/registros/{table}", get(record::list).post(record::create))
        .route("/registros/{table}/novo", get(record::new))
        .route("/registros/{table}/{id}", get(record::show).post(record::save))
        .route("/estoque", get(stock::show))
        .route("/estoque/{id}", get(stock::product::show))
        .route("/estoque/{id}/movimentos", post(stock::product::move_stock))
        .route("/estoque/{id}/contagem", post(stock::product::count))
        .route("/estoque/lotes/{id}/abrir", post(stock::product::open))
        .route("/estoque/alertas/{id}", post(stock::resolve))
        .route("/equipe", get(team::show))
        .route("/encaminhamentos/{id}", post(team::answer))
        .route("/conversas", post(team::thread::create))
        .route("/conversas/nova", get(team::thread::new))
        .route("/conversas/{id}", get(team::thread::show).post(team::thread::act))
        .route("/pagamentos", get(payments::list))
        .route("/pagamentos/{id}", get(payments::show))
        .route("/pacientes/{id}/cobrar", get(payments::new).post(payments::create))
        .route("/mais", get(more::show))
        .route("/conformidade", get(more::compliance))
        .route("/fechamento", get(more::closing))
        .route("/pacientes", get(patients::show).post(patient::new::create))
        .route("/pacientes/novo", get(patient::new::show))
        .route("/pacientes/{id}", get(patient::show).post(patient::identity::save))
        .route("/pacientes/{id}/itens", post(patient::health::save_member))
        .route("/pacientes/{id}/notas", post(patient::health::save_notes))
        .route("/pacientes/{id}/consentimentos", post(patient::consents::record))
        .route("/pacientes/{id}/planos", post(patient::plans::create))
        .route(
            "/pacientes/{id}/fotos",
            get(patient::photos::show)
                .post(patient::photos::create)
                .layer(DefaultBodyLimit::max(PICKED_BYTES_MAX)),
        )
        .route(
            "/pacientes/{id}/documentos",
            get(patient::documents::show)
                .post(patient::documents::create)
                .layer(DefaultBodyLimit::max(PICKED_BYTES_MAX)),
        )
        .route("/fotos/{address}", get(photo::show))
        .route("/fotos/{address}/mini", get(photo::mini))
        .route("/pacientes/{id}/sessoes/nova", get(session::new))
        .route("/pacientes/{id}/sessoes", post(session::create))
        .route("/sessoes/{id}", get(session::show).post(session::save))
        .route("/sessoes/{id}/usos", post(session::act))
        .route("/sessoes/{id}/encerrar", post(session::close))
        .route("/sessoes/{id}/adendos", post(session::add))
        .route("/pacientes/{id}/termos/{purpose}", get(term::hand).post(term::start))
        .route("/termo", get(term::show).post(term::sign))
        .route("/devolver", post(term::take_back))
        .route("/documentos/{address}", get(term::evidence))
        .route("/agendamentos", post(appointment::create))
        .route("/agendamentos/novo", get(appointment::new))
        .route("/agendamentos/{id}", get(appointment::show).post(appointment::save))
        .route("/sincronizacao", get(sync::show))
        .route("/sincronizacao/{edit}", post(sync::act))
        .route("/conexao", post(person::connect))
        .route("/autor", post(person::choose))
        .route("/eventos", get(events::stream))
        .route("/estado.json", get(events::status))
        .route("/recursos/{name}", get(crate::assets::show))
        .fallback(async || crate::failure::Failure::NotFound)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
}
