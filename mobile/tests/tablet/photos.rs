//! Photographs: kept at once, shown, compared; what is none is refused with words.

use crate::fixture::{Tablet, doctor};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use neonpro_client_core::Draft;
use neonpro_contract::permissions::Audience;
use serde_json::json;
use std::io::Cursor;

fn picture(shade: u8) -> Vec<u8> {
    let picture = RgbImage::from_fn(640, 480, |x, y| Rgb([shade, (x % 200) as u8, (y % 200) as u8]));
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(picture).write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Addresses of the photographs a page shows, in order.
fn shown(page: &str) -> Vec<String> {
    page.match_indices("src=\"/fotos/").map(|(at, start)| page[at + start.len()..][..64].to_owned()).collect()
}

#[tokio::test]
async fn a_photograph_is_kept_without_a_network_and_shown_at_once() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana");
    let path = format!("/pacientes/{patient}/fotos");
    tablet.get(&path).await.shows("Ainda não há fotos").shows("não consentiu com fotografias");
    let fields = [("onde", "avulsa"), ("vista", "Perfil esquerdo")];
    let answer = tablet.post_file(Some(doctor()), &path, &fields, &picture(10)).await;
    assert!(answer.location.ends_with("/fotos?ok=foto"), "{} {}", answer.location, answer.body);
    let page = tablet.get(&path).await;
    page.shows("Perfil esquerdo").shows("Só neste tablet").shows("1 foto ou arquivo");
    let address = shown(&page.body)[0].clone();
    for part in ["", "/mini"] {
        let bytes = tablet.get(&format!("/fotos/{address}{part}")).await.bytes;
        assert!(bytes.starts_with(&[0xff, 0xd8]), "a JPEG");
    }
    tablet.get(&format!("/pacientes/{patient}")).await.shows(&format!("/fotos/{address}/mini"));
}

#[tokio::test]
async fn photographs_of_a_session_are_compared_before_and_after() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana");
    let values = [("patient_id", json!(patient)), ("title", json!("Peeling"))];
    let plan =
        tablet.replica.create_record(doctor(), "treatment_plans", values).unwrap()[0].record().unwrap();
    let values = [("treatment_plan_id", json!(plan)), ("session_number", json!(1))];
    let session = Draft::new(doctor()).create("treatment_sessions", values);
    let session = tablet.replica.edit(session).unwrap().record().unwrap();
    let path = format!("/pacientes/{patient}/fotos");
    tablet.get(&path).await.shows("Antes da sessão 1").shows("Depois da sessão 1");
    for (when, shade) in [("antes", 10), ("depois", 200)] {
        let place = format!("{when}:{session}");
        tablet.post_file(Some(doctor()), &path, &[("onde", &place)], &picture(shade)).await.went_to(&path);
    }
    let addresses = shown(&tablet.get(&path).await.body);
    assert_eq!(addresses.len(), 2);
    let query = format!("{path}?esquerda={}&direita={}", addresses[0], addresses[1]);
    tablet.get(&query).await.shows("data-compare").shows("Quanto se vê de cada foto");
    let wrong = format!("{path}?esquerda={}&direita={}", addresses[0], "0".repeat(64));
    assert!(!tablet.get(&wrong).await.body.contains("data-compare"), "only what is here");
    // The clinical note was not touched: the photographs are edits of their own.
    assert!(tablet.row("treatment_sessions", session)["outcome"].is_null());
}

#[tokio::test]
async fn what_is_no_photograph_is_refused_with_words_and_leaves_nothing() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana");
    let path = format!("/pacientes/{patient}/fotos");
    for (file, words) in [
        (&b""[..], "nenhuma foto foi escolhida"),
        (b"GIF89a", "JPEG, PNG ou WebP"),
        (&picture(1)[..500], "incompleto"),
    ] {
        tablet.post_file(Some(doctor()), &path, &[("onde", "avulsa")], file).await.shows(words).refused();
    }
    tablet.post_file(None, &path, &[], &picture(1)).await.shows("precisa de um autor").refused();
    assert_eq!(tablet.replica.status().unwrap().waiting.files, 0);
    for odd in [
        "/fotos/xyz".to_owned(),
        format!("/fotos/{}", "0".repeat(64)),
        "/fotos/..%2f..%2fetc/mini".to_owned(),
    ] {
        assert_eq!(tablet.get(&odd).await.status, 404, "{odd}");
    }
}

#[tokio::test]
async fn a_tablet_at_the_front_desk_has_no_photographs() {
    let tablet = Tablet::new(Audience::FrontDesk);
    let patient = tablet.patient("Ana");
    assert_eq!(tablet.get(&format!("/pacientes/{patient}/fotos")).await.status, 404);
    assert!(!tablet.get(&format!("/pacientes/{patient}")).await.body.contains("/fotos"));
}

#[tokio::test]
async fn documents_are_kept_by_their_kind_and_what_is_no_document_is_refused() {
    let tablet = Tablet::clinical();
    let patient = tablet.patient("Ana");
    let here = format!("/pacientes/{patient}/documentos");
    let pdf = b"%PDF-1.7\n1 0 obj\nendobj\n%%EOF\n";
    let fields = [("tipo", "exam"), ("titulo", "Hemograma")];
    tablet.post_file(Some(doctor()), &here, &fields, pdf).await.went_to(&here);
    let page = tablet.get(&here).await;
    page.shows("Hemograma").shows("Exame");
    let hex = page.body.split("/fotos/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(tablet.get(&format!("/fotos/{hex}")).await.bytes, pdf);
    tablet.get(&format!("/pacientes/{patient}/fotos")).await.hides("Hemograma");
    tablet.get(&format!("/pacientes/{patient}")).await.shows("Hemograma");
    for (fields, file, words) in [
        ([("tipo", "exam"), ("titulo", " ")], &pdf[..], "título"),
        ([("tipo", "exam"), ("titulo", "x")], b"MZ not a document", "JPEG"),
        ([("tipo", "exam"), ("titulo", "x")], b"", "arquivo"),
    ] {
        let refused = tablet.post_file(Some(doctor()), &here, &fields, file).await;
        assert!(refused.refused().contains(words), "{words}");
    }
    let unknown = tablet.post_file(Some(doctor()), &here, &[("tipo", "photo"), ("titulo", "x")], pdf).await;
    assert_eq!(unknown.status, axum::http::StatusCode::NOT_FOUND);
}
