//! Words of a consent that is signed on the tablet. What a patient reads must be plain; a clinic's own template takes its place.

/// Action on the patient's card.
pub const SIGN: &str = "Assinar";
/// Action on the patient's card.
pub const SEE: &str = "Ver termo";
/// Heading before the tablet is handed over.
pub const HAND_OVER: &str = "Entregar o tablet ao paciente";
/// What happens.
pub const HAND_OVER_ABOUT: &str =
    "O tablet vai mostrar só o termo. Enquanto ele estiver aberto, nenhuma outra tela abre neste tablet.";
/// With a PIN.
pub const HAND_OVER_PIN: &str = "Para voltar, a equipe digita o PIN.";
/// Without a PIN.
pub const HAND_OVER_NO_PIN: &str = "Este tablet não tem PIN: quem estiver com ele na mão pode voltar. Crie um PIN para travar a tela do paciente.";
/// Action.
pub const START: &str = "Abrir o termo";
/// Heading of the switches.
pub const OPTIONS: &str = "Escolhas";
/// Field.
pub const SIGNER: &str = "Quem assina";
/// Choice.
pub const PATIENT: &str = "Eu, paciente";
/// Choice.
pub const GUARDIAN: &str = "Responsável legal";
/// Field.
pub const GUARDIAN_NAME: &str = "Nome do responsável (se for o caso)";
/// Field.
pub const SIGNATURE: &str = "Assinatura: escreva com o dedo no quadro";
/// Action.
pub const CLEAR: &str = "Limpar";
/// Action.
pub const AGREE: &str = "Li e concordo";
/// Action.
pub const REFUSE: &str = "Não concordo";
/// Nothing drawn.
pub const SIGNATURE_EMPTY: &str = "Falta a assinatura. Escreva seu nome no quadro.";
/// Somebody else signs without a name.
pub const GUARDIAN_EMPTY: &str = "Escreva o nome do responsável que está assinando.";
/// Heading at the end.
pub const THANKS: &str = "Obrigado. Devolva o tablet à equipe.";
/// What was written down.
pub const SIGNED: &str = "O termo foi assinado e guardado neste tablet.";
/// What was written down.
pub const REFUSED: &str =
    "Nada foi assinado. A recusa não muda o seu atendimento no que não depende deste termo.";
/// Action.
pub const BACK: &str = "Equipe: continuar";
/// Heading of a signed text.
pub const EVIDENCE: &str = "Termo assinado";
/// Fact.
pub const SIGNED_BY: &str = "Assinado por";
/// Fact.
pub const SIGNED_AT: &str = "Assinado em";
/// Fact.
pub const CLOCK: &str = "Relógio do tablet";
/// Fact.
pub const HASH: &str = "Impressão digital do documento (SHA-256)";
/// Fact.
pub const DEVICE: &str = "Tablet";
/// Fact.
pub const WITNESS: &str = "Na presença de";
/// The clock was never measured.
pub const CLOCK_UNKNOWN: &str = "nunca comparado com o servidor";
/// About the evidence.
pub const EVIDENCE_ABOUT: &str = "Este texto, a assinatura e as escolhas estão no documento cuja impressão digital foi assinada com a chave deste tablet junto com o registro do consentimento.";
/// The text is not here.
pub const NOT_HERE: &str = "O documento ainda não chegou neste tablet. Ele vem depois dos registros.";

/// The title of a purpose's own text.
#[must_use]
pub fn title(purpose: &str) -> &'static str {
    match purpose {
        "treatment" => "Consentimento para tratamento",
        "photography" => "Consentimento para fotografias",
        "data_sharing" => "Consentimento para envio a outra clínica",
        "marketing" => "Consentimento para divulgação",
        _ => "Consentimento para pesquisa",
    }
}

/// A purpose's own text, where the clinic has none. Needs a named legal reviewer, as every text of a clinic does.
#[must_use]
pub fn text(purpose: &str) -> &'static str {
    match purpose {
        "treatment" => {
            "A clínica vai guardar e usar informações sobre a sua saúde (histórico, alergias, medicamentos, plano de tratamento e o que for feito em cada sessão) para cuidar de você. Quem atende você pode ler essas informações.\n\nVocê pode retirar este consentimento quando quiser, na recepção. O que a lei manda guardar (o prontuário) continua guardado pelo prazo legal e só é lido quando a lei permite."
        }
        "photography" => {
            "A clínica quer fotografar a região tratada para acompanhar o resultado. As fotos ficam cifradas, junto do seu prontuário, e só quem atende você as vê.\n\nSe você não quiser fotos, o tratamento continua: usamos um desenho no lugar. Você pode retirar este consentimento quando quiser; as fotos saem dos tablets e podem ser apagadas a seu pedido."
        }
        "data_sharing" => {
            "Se você for encaminhado, a clínica pode enviar a outra clínica da rede os dados necessários para o seu atendimento. A outra clínica lê uma cópia enquanto o encaminhamento durar.\n\nVocê pode retirar este consentimento quando quiser; a cópia deixa de ser lida."
        }
        "marketing" => {
            "A clínica pode usar seu contato para avisar de novidades e promoções. Este consentimento não é necessário para o seu atendimento.\n\nVocê pode retirar este consentimento quando quiser."
        }
        _ => {
            "A clínica pode usar os seus dados, sem o seu nome, em estudos sobre tratamentos. Este consentimento não é necessário para o seu atendimento.\n\nVocê pode retirar este consentimento quando quiser."
        }
    }
}

/// What a patient may choose besides: stored name and words.
#[must_use]
pub const fn options(purpose: &str) -> &'static [(&'static str, &'static str)] {
    match purpose.as_bytes() {
        b"photography" => &[
            ("antes_depois", "Mostrar a mim a comparação de antes e depois"),
            ("equipe", "Mostrar a outros profissionais desta clínica"),
            ("ensino", "Usar em aulas e publicações, sem mostrar quem eu sou"),
        ],
        b"marketing" => &[("mensagem", "Mensagem de texto"), ("email", "E-mail"), ("telefone", "Ligação")],
        _ => &[],
    }
}

/// `± 12 ms, comparado em 26/11 às 10:00`.
#[must_use]
pub fn clock(uncertainty_ms: u32, when: &str) -> String {
    format!("± {uncertainty_ms} ms, comparado com o servidor em {when}")
}
