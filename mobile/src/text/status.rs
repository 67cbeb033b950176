//! Words of the sync status: the three facts, the connection, the state of a record.

use neonpro_client_core::Waiting;

/// First fact.
pub const CONFIRMED: &str = "Confirmado pelo servidor";
/// The server has confirmed nothing yet.
pub const CONFIRMED_NEVER: &str = "ainda não";
/// Second fact.
pub const WAITING: &str = "Aguardando envio";
/// Third fact.
pub const ATTENTION: &str = "Precisa de atenção";
/// Connected and quiet.
pub const LIVE: &str = "Conectado ao servidor";
/// Connected, more is coming.
pub const CATCHING_UP: &str = "Conectado — recebendo alterações";
/// On its way.
pub const CONNECTING: &str = "Procurando o servidor — tudo salvo neste tablet";
/// No network, the server does not answer, or switched off.
pub const OFFLINE: &str = "Sem internet — tudo salvo neste tablet";
/// Turned away.
pub const STOPPED: &str = "O servidor recusou este tablet — chame o administrador";
/// State of a record.
pub const ON_THIS_TABLET: &str = "Neste tablet";
/// State of a record.
pub const SENDING: &str = "Enviando";
/// State of a record.
pub const RECORD_CONFIRMED: &str = "Confirmado";
/// State of a record.
pub const UNKNOWN: &str = "Enviado, sem resposta";
/// State of a record.
pub const SET_ASIDE: &str = "Separado";
/// Reason of an edit that only waits for another one.
pub const HELD: &str = "Espera uma edição anterior, de outro aparelho.";
/// Nothing to do about it.
pub const HELD_REMEDY: &str = "Resolve-se sozinha.";
/// Remedy: take off the list.
pub const DISMISS: &str = "Encerrar sem reenviar";
/// The file was copied.
pub const COPIED: &str =
    "Os dados deste tablet tinham sido copiados ou restaurados; ele recebeu uma identidade nova.";
/// The lease has passed.
pub const LEASE: &str =
    "O prazo de trabalho sem internet passou. O que você escrever continua guardado; conecte o tablet.";
/// The server's audit is not what it was.
pub const AUDIT: &str = "O registro de auditoria do servidor não confere com o que este tablet já tinha visto. Avise o administrador.";
/// Switch.
pub const GO_OFFLINE: &str = "Desligar envio";
/// Switch.
pub const GO_ONLINE: &str = "Ligar envio";
/// First sync under way.
pub const BOOTSTRAP: &str = "Recebendo os dados da clínica";
/// Heading.
pub const TITLE: &str = "Sincronização";
/// Heading of the facts.
pub const FACTS: &str = "Situação deste tablet";
/// The tablet's name.
pub const DEVICE: &str = "Nome do tablet";
/// Bytes of the replica file.
pub const STORAGE: &str = "Espaço usado";
/// What confirmation means.
pub const CONFIRMED_ABOUT: &str =
    "Última vez em que tudo o que havia aqui estava resolvido e tudo o que havia no servidor tinha chegado.";
/// Heading of attention.
pub const ATTENTION_TITLE: &str = "Precisa de você";
/// No attention.
pub const ATTENTION_NONE: &str = "Nada separado. Toda edição foi aceita ou está a caminho.";
/// Heading of conflicts.
pub const CONFLICTS_TITLE: &str = "Valores em disputa";
/// What conflicts are.
pub const CONFLICTS_ABOUT: &str = "Duas pessoas mudaram o mesmo campo sem ver uma à outra. Os dois valores estão guardados; o administrador decide.";
/// No conflicts.
pub const CONFLICTS_NONE: &str = "Nenhum campo em disputa.";
/// Heading of the outbox.
pub const WAITING_TITLE: &str = "Aguardando envio";
/// Empty outbox.
pub const WAITING_NONE: &str = "Nada a enviar.";
/// Label of the kept text.
pub const KEPT: &str = "O que você escreveu continua guardado";
/// Remedy: open the form.
pub const FIX: &str = "Corrigir";
/// Above a form filled with a set-aside edit.
pub const CORRECTING: &str = "Este é o texto da edição separada. Corrija e salve: a correção segue como edição nova e a separada é encerrada.";
/// Remedy: send again.
pub const RESEND: &str = "Reenviar";
/// Remedy: hand over.
pub const HAND_OVER: &str = "Entregar ao administrador";
/// Already handed over.
pub const HANDED_OVER: &str = "Entregue ao administrador";
/// Value shown in the chart meanwhile.
pub const SHOWN: &str = "Valor mostrado agora";
/// The other value.
pub const OTHER: &str = "Outro valor";
/// The text of the record, beside what was typed.
pub const CURRENT: &str = "Texto que está valendo";
/// Marker at a disputed field.
pub const DISPUTED: &str = "Em disputa";

/// What a person decided on the server about a set-aside edit.
#[must_use]
pub fn decided(by: Option<String>, reason: &str) -> String {
    match by {
        Some(by) => format!("Descartada por {by}: {reason}"),
        None => format!("Descartada: {reason}"),
    }
}

/// The tablet's clock is off.
#[must_use]
pub fn clock_off(by_ms: i64) -> String {
    let minutes = by_ms.unsigned_abs().div_ceil(60_000);
    let minutes = super::plural(minutes, "minuto", "minutos");
    let way = if by_ms > 0 { "adiantado" } else { "atrasado" };
    format!("O relógio deste tablet está {minutes} {way}. Acerte a hora nas configurações.")
}

/// Progress of the first sync.
#[must_use]
pub fn progress(done: u64, total: u64) -> String {
    format!("{} de {total} registros", done.min(total))
}

/// The second fact: `2 registros`, `1 registro, 3 fotos ou arquivos (4,2 MB)`.
#[must_use]
pub fn waiting(waiting: &Waiting) -> String {
    let records = super::records(waiting.records);
    if waiting.files == 0 {
        return records;
    }
    let files = super::plural(waiting.files, "foto ou arquivo", "fotos ou arquivos");
    // Tenths of a megabyte, rounded up: nothing waits with 0,0 MB.
    let tenths = waiting.file_bytes.div_ceil(100_000);
    format!("{records}, {files} ({},{} MB)", tenths / 10, tenths % 10)
}
