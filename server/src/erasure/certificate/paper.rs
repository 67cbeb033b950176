//! The certificate as a person reads it.

use crate::erasure::certificate::Certificate;
use crate::paper::{Block, Data, Paper};
use crate::words;
use neonpro_contract::time::ServerInstant;

/// Lays the certificate out; the signed JSON rides along as a file.
#[must_use]
pub fn paper(certificate: &Certificate, clinic_name: &str) -> Paper {
    let mut blocks = vec![Block::Facts(facts(certificate))];
    blocks.extend(erased(certificate));
    blocks.extend(kept(certificate));
    blocks.extend(devices(certificate));
    blocks.extend(signature(certificate));
    Paper {
        title: "Certificado de eliminação de dados pessoais".to_owned(),
        issuer: clinic_name.to_owned(),
        foot: format!("Eliminação {}", certificate.erasure.id),
        made_at: certificate.issued_at,
        blocks,
        data: Some(Data {
            name: "certificado.json".to_owned(),
            media_type: "application/json",
            bytes: certificate.to_json().to_string().into_bytes(),
        }),
    }
}

fn fact(label: &str, value: impl ToString) -> (String, String) {
    (label.to_owned(), value.to_string())
}

fn facts(certificate: &Certificate) -> Vec<(String, String)> {
    let erasure = &certificate.erasure;
    let done = erasure.done_at.map(|at| words::moment(ServerInstant(at))).unwrap_or_default();
    vec![
        fact("Titular (identificador)", erasure.patient),
        fact("Decidido por (identificador)", erasure.by),
        fact("Eliminação concluída em", done),
        fact("Certificado emitido em", words::moment(certificate.issued_at)),
    ]
}

fn erased(certificate: &Certificate) -> Vec<Block> {
    let erasure = &certificate.erasure;
    if erasure.erased.is_empty() {
        return vec![
            Block::Heading("O que foi eliminado".to_owned()),
            Block::Text("Nada: a lei manda guardar tudo o que foi pedido.".to_owned()),
        ];
    }
    let names: Vec<&str> = erasure.erased.iter().map(|purpose| words::purpose(*purpose)).collect();
    let mut facts = vec![fact("Finalidades", names.join("; "))];
    if let Some(counts) = erasure.counts {
        let all = [
            ("Chaves destruídas", counts.keys),
            ("Documentos", counts.documents),
            ("Registros", counts.records),
            ("Arquivos (fotografias, documentos)", counts.files),
            ("Alterações do histórico", counts.changes),
            ("Pendências e anotações", counts.items),
            ("Cópias em outras clínicas", counts.copies),
        ];
        facts.extend(all.iter().filter(|(_, count)| *count > 0).map(|(label, count)| fact(label, count)));
    }
    let how = "As chaves que cifravam esses dados foram destruídas e os dados, removidos do servidor. Cópias de segurança \
               anteriores continuam cifradas com as chaves destruídas; se uma delas for restaurada, a eliminação é refeita \
               antes que qualquer pessoa ou tablet seja atendido.";
    vec![Block::Heading("O que foi eliminado".to_owned()), Block::Facts(facts), Block::Text(how.to_owned())]
}

fn kept(certificate: &Certificate) -> Vec<Block> {
    let mut blocks = vec![Block::Heading("O que permanece, e por quê".to_owned())];
    if certificate.kept.is_empty() {
        blocks.push(Block::Text("Nada do que foi pedido permanece.".to_owned()));
        return blocks;
    }
    let row = |kept: &super::Kept| {
        let review = kept.review_on.map_or_else(|| "—".to_owned(), |day| day.format("%d/%m/%Y").to_string());
        vec![words::purpose(kept.purpose).to_owned(), kept.reason.clone(), review]
    };
    blocks.push(Block::Table {
        shares: vec![4, 9, 3],
        head: ["Finalidade", "Motivo", "Reavaliar a partir de"].map(str::to_owned).into(),
        rows: certificate.kept.iter().map(row).collect(),
    });
    blocks.push(Block::Text(
        "O que a lei manda guardar saiu dos tablets e só pode ser lido com um motivo, que fica registrado na auditoria."
            .to_owned(),
    ));
    blocks
}

fn devices(certificate: &Certificate) -> Vec<Block> {
    let mut blocks = vec![Block::Heading("Tablets".to_owned())];
    if certificate.devices.is_empty() {
        blocks.push(Block::Text("Nenhum tablet guardava esses dados.".to_owned()));
        return blocks;
    }
    let rows = certificate.devices.iter().map(|device| {
        let state = if device.is_open() { "Em aberto" } else { "Confirmado" };
        vec![device.name.clone(), device.asked.to_string(), device.confirmed.to_string(), state.to_owned()]
    });
    blocks.push(Block::Table {
        shares: vec![6, 3, 3, 3],
        head: ["Tablet", "Pedidos de remoção", "Confirmados", "Situação"].map(str::to_owned).into(),
        rows: rows.collect(),
    });
    if certificate.devices_open() > 0 {
        blocks.push(Block::Text(
            "Tablets em aberto removem os dados assim que se conectarem. Um certificado emitido depois mostra a confirmação."
                .to_owned(),
        ));
    }
    blocks
}

fn signature(certificate: &Certificate) -> Vec<Block> {
    vec![
        Block::Heading("Assinatura".to_owned()),
        Block::Facts(vec![
            fact("Algoritmo", "Ed25519 (RFC 8032)"),
            fact("Chave pública", &certificate.public_key),
            fact("Assinatura", &certificate.signature),
        ]),
        Block::Small(format!(
            "Os dados assinados estão anexados a este PDF (certificado.json) e podem ser conferidos sem este sistema. \
             Fundamento: {}. A aplicação da lei precisa da revisão de um responsável jurídico nomeado.",
            super::LAW
        )),
    ]
}
