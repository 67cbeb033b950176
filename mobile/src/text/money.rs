//! Words of payments.

/// Heading.
pub const PAYMENTS: &str = "Pagamentos";
/// Action.
pub const CHARGE: &str = "Cobrar";
/// Empty list.
pub const NONE: &str = "Nenhum pagamento registrado neste dia.";
/// Empty list of a patient.
pub const NONE_OF_PATIENT: &str = "Nenhum pagamento neste tablet.";
/// Field.
pub const AMOUNT: &str = "Valor (R$)";
/// Field.
pub const METHOD: &str = "Forma de pagamento";
/// Field.
pub const APPOINTMENT: &str = "Agendamento";
/// Action.
pub const SAVE: &str = "Registrar pagamento";
/// Heading of a payment.
pub const PAYMENT: &str = "Pagamento";
/// About a pending payment.
pub const PENDING: &str = "Aguardando confirmação: este tablet não sabe se o dinheiro chegou. O servidor confirma quando o banco avisar.";
/// Heading beside a code.
pub const PIX: &str = "Pix: mostre este código ao paciente";
/// Works without a network.
pub const PIX_ABOUT: &str =
    "O código foi feito neste tablet, sem internet. O paciente paga com a internet dele.";
/// Field.
pub const COPY: &str = "Pix copia e cola";
/// The clinic has no key.
pub const NO_KEY: &str = "A clínica não tem uma chave Pix cadastrada. O administrador informa pix_key e pix_city nas configurações da clínica.";
/// Not an amount.
pub const AMOUNT_WRONG: &str = "Escreva um valor maior que zero, como 250 ou 250,00.";
/// Heading of a day's sums.
pub const SUMS: &str = "Total por forma de pagamento";
