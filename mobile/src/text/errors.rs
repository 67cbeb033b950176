//! Every refusal in plain Portuguese: what happened, why, what to do. The stable code stands beside it.

use neonpro_client_core::EditRejected;
use neonpro_contract::fate::Code;

/// Why the server set an edit aside.
#[must_use]
pub const fn reason(code: Code) -> &'static str {
    match code {
        Code::Malformed => "O servidor não conseguiu ler esta edição.",
        Code::BadSignature => "A assinatura deste tablet não confere.",
        Code::NotFound => "O registro não existe mais nesta clínica, ou nunca existiu.",
        Code::DeviceRevoked => "Este tablet foi desligado pelo administrador.",
        Code::RoleNotAllowed => "A função de quem fez a edição não permite esta alteração.",
        Code::ConsentMissing => "Falta o consentimento do paciente para esta finalidade.",
        Code::ConsentWithdrawn => "O paciente retirou o consentimento para esta finalidade.",
        Code::InvalidValue => "Um valor não é aceito neste campo.",
        Code::FieldFixed => "Um campo que só se define na criação foi alterado.",
        Code::LedgerAppendOnly => "Este tipo de registro não se altera: corrige-se com um novo.",
        Code::RecordLocked => "O registro está encerrado e não muda mais.",
        Code::DependsOnSetAside => "Esta edição se apoia em outra que também está separada.",
        Code::ProjectionFailed => "O servidor não conseguiu gravar esta edição.",
        Code::ActorForked => "Este tablet tinha sido copiado; ele já recebeu uma identidade nova.",
        Code::ScopeProhibited => "O ato não é permitido a este profissional pela regra da clínica.",
        Code::DependencyExpired => "Faltou uma edição anterior, de outro aparelho, que não chegou no prazo.",
        Code::CatalogueUnknown => "Esta versão do aplicativo é desconhecida do servidor.",
        Code::AdmissionFailed => "O servidor não pôde juntar esta edição com segurança.",
        Code::Discarded => "O administrador decidiu não incluir esta edição.",
    }
}

/// What the person can do about it.
#[must_use]
pub const fn remedy(code: Code) -> &'static str {
    match code {
        Code::Malformed | Code::BadSignature | Code::CatalogueUnknown => "Atualize o aplicativo e reenvie.",
        Code::NotFound => "Confira se o registro ainda existe ou entregue ao administrador.",
        Code::DeviceRevoked => "Leve o tablet ao administrador.",
        Code::RoleNotAllowed => "Peça a quem tem a função necessária ou entregue ao administrador.",
        Code::ConsentMissing | Code::ConsentWithdrawn => {
            "Registre o consentimento do paciente: a edição é liberada sozinha."
        }
        Code::InvalidValue | Code::FieldFixed | Code::LedgerAppendOnly => "Corrija o valor e salve de novo.",
        Code::RecordLocked => "Escreva um adendo.",
        Code::DependsOnSetAside | Code::DependencyExpired => "Resolva primeiro a edição anterior e reenvie.",
        Code::ProjectionFailed | Code::AdmissionFailed => "Entregue ao administrador.",
        Code::ActorForked => "Reenvie.",
        Code::Discarded => "Leia o motivo; corrija e reenvie, ou encerre.",
        Code::ScopeProhibited => "Entregue a um profissional autorizado para este ato.",
    }
}

/// Heading of a failure page.
pub const FAILED: &str = "Não foi possível concluir";
/// Unknown page or record.
pub const NOT_FOUND: &str = "Este endereço ou registro não existe neste tablet. Ele pode ainda não ter chegado do servidor. Volte e tente de novo depois de sincronizar.";
/// Something failed inside.
pub const INTERNAL: &str = "O tablet não conseguiu ler ou gravar os dados. Nada do que já estava salvo foi perdido. Tente de novo; se continuar, chame o administrador com o código abaixo.";
/// No author chosen.
pub const AUTHOR: &str = "Nada foi salvo ainda: toda edição precisa de um autor. Escolha no alto da tela quem está usando o tablet e salve de novo.";
/// Summary above a form.
pub const CHECK_FIELDS: &str = "Nada foi salvo ainda. Confira os campos marcados abaixo.";
/// Required field.
pub const REQUIRED: &str = "Este campo é obrigatório. Preencha para salvar.";
/// Bad CPF.
pub const CPF: &str =
    "Este CPF não confere: os dígitos verificadores não combinam com os demais. Confira os 11 números.";
/// Bad CNS.
pub const CNS: &str = "Este CNS não confere. Confira os 15 números do cartão.";
/// Bad date.
pub const DATE: &str = "Esta data não existe ou está fora de 1900 a 2200. Use dia, mês e ano.";
/// Bad time.
pub const TIME: &str = "Este horário não existe. Use horas e minutos, como 14:30.";
/// Bad length.
pub const MINUTES: &str = "A duração precisa ser um número de 5 a 720 minutos.";
/// Not a number.
pub const NUMBER: &str = "Escreva um número, como 12 ou 12,5.";
/// Not pairs.
pub const PAIRS: &str = "Escreva um par por linha, com dois-pontos entre os dois.";
/// Birth date to come.
pub const BORN_LATER: &str = "A data de nascimento está no futuro. Confira o ano.";
/// Choice that is not one.
pub const CHOICE: &str = "Escolha um dos valores da lista.";
/// Text too long or with control characters.
pub const TEXT: &str =
    "O texto é longo demais ou tem caracteres que não podem ser guardados. Encurte ou digite de novo.";
/// Removing needs a reason.
pub const REASON: &str = "Diga o motivo: a remoção fica na história do paciente.";
/// Nothing typed.
pub const MEMBER: &str = "Escreva o que deve ser adicionado.";
/// The same text was rewritten elsewhere.
pub const TEXT_MOVED: &str = "Este texto foi reescrito em outro aparelho enquanto você digitava. O texto que está valendo aparece abaixo do seu: junte os dois e salve de novo.";
/// No plan.
pub const PLAN: &str = "Uma sessão precisa de um plano de tratamento. Crie o plano antes.";

/// Why this tablet did not take an edit, and what to do.
#[must_use]
pub const fn rejected(rejected: &EditRejected) -> &'static str {
    match rejected {
        EditRejected::UnknownAuthor => {
            "A pessoa escolhida não consta mais nesta clínica. Escolha no alto da tela quem está usando o tablet e salve de novo."
        }
        EditRejected::RoleNotAllowed { .. } => {
            "A função de quem está usando o tablet não permite esta alteração. Peça a quem tem a função necessária."
        }
        EditRejected::NotHeldHere => {
            "Este tablet não recebe este tipo de dado. Use um tablet de atendimento."
        }
        EditRejected::LedgerAppendOnly { .. } => {
            "Este tipo de registro não se altera: corrige-se com um novo registro."
        }
        EditRejected::FieldFixed(_) => "Um dos campos só se define na criação e não pode mais ser alterado.",
        EditRejected::RecordLocked => "O registro está encerrado e não muda mais. Escreva um adendo.",
        EditRejected::InvalidValue(_) | EditRejected::WrongOperation(_) => {
            "Um dos valores não é aceito. Confira os campos e salve de novo."
        }
        EditRejected::TooLarge => "A edição é grande demais. Salve em partes menores.",
        EditRejected::AlreadyExists => "Este registro já existe neste tablet.",
        EditRejected::NoSuchEdit => {
            "Esta edição não está mais separada: ela já foi resolvida. Volte e confira a lista."
        }
        EditRejected::NotFound => NOT_FOUND,
        EditRejected::NothingToDo => "Nada mudaria: os valores já são esses.",
        EditRejected::UnknownTable
        | EditRejected::UnknownField(_)
        | EditRejected::SeveralPurposes
        | EditRejected::Replica(_) => INTERNAL,
    }
}

/// What a form says about a value the catalogue does not take.
#[must_use]
pub fn invalid(field: &str) -> &'static str {
    match field {
        "cpf" => CPF,
        "cns" => CNS,
        "date_of_birth" | "start_date" => DATE,
        "start_time" | "end_time" => TIME,
        "duration_minutes" => MINUTES,
        "status" => CHOICE,
        _ => TEXT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_says_why_and_what_to_do() {
        for code in Code::ALL {
            assert!(reason(code).ends_with('.'), "{}", code.as_str());
            assert!(remedy(code).ends_with('.'), "{}", code.as_str());
        }
    }
}
