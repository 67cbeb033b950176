//! What a paper's bytes say.

use super::*;

fn paper(blocks: Vec<Block>) -> Paper {
    Paper {
        title: "Certificado de eliminação".to_owned(),
        issuer: "Clínica Açaí".to_owned(),
        foot: "Documento 1".to_owned(),
        made_at: ServerInstant(1_790_000_000_000_000),
        blocks,
        data: None,
    }
}

fn pages(paper: &Paper) -> usize {
    paper.sheets(&Faces::load().unwrap()).count()
}

#[test]
fn the_same_paper_gives_the_same_bytes_and_carries_its_data() {
    let mut paper =
        paper(vec![Block::Heading("Eliminado".to_owned()), Block::Text("Fotografias.".to_owned())]);
    let bytes = b"{\"a\":1}".to_vec();
    paper.data = Some(Data { name: "certificado.json".to_owned(), media_type: "application/json", bytes });
    let pdf = paper.pdf().unwrap();
    assert!(pdf.starts_with(b"%PDF-1.7"));
    assert_eq!(pdf, paper.pdf().unwrap());
    assert!(pdf.windows(16).any(|window| window == b"certificado.json"));
}

#[test]
fn text_of_any_length_and_script_is_set_on_as_many_pages_as_it_takes() {
    let long = "supercalifragilistico ".repeat(2_000);
    let unbroken = "x".repeat(5_000);
    let strange = "山田 🦩 \u{0}\u{7}\u{202e} मुक्ता e\u{301}\r\n\nfim".to_owned();
    let rows = (0..120).map(|row| vec![row.to_string(), long.chars().take(90).collect()]).collect();
    let shares = vec![1, 4];
    let blocks = vec![
        Block::Text(long.clone()),
        Block::Text(unbroken.clone()),
        Block::Facts(vec![("Nome".to_owned(), strange), (unbroken, long)]),
        Block::Table { shares, head: vec!["Nº".to_owned(), "Texto".to_owned()], rows },
        Block::Small(String::new()),
    ];
    let paper = paper(blocks);
    assert!(pages(&paper) > 10, "{}", pages(&paper));
    assert!(paper.pdf().is_ok());
}

#[test]
fn a_table_may_be_empty_and_a_row_shorter_than_its_head() {
    let head = vec!["A".to_owned(), "B".to_owned()];
    let rows = vec![vec![], vec!["1".to_owned()]];
    let blocks = vec![
        Block::Table { shares: vec![], head: vec![], rows: vec![] },
        Block::Table { shares: vec![1, 1], head, rows },
    ];
    let paper = paper(blocks);
    assert_eq!(pages(&paper), 1);
    assert!(paper.pdf().is_ok());
}
