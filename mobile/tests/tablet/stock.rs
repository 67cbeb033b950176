//! Stock: a scanned package leads to its product and lot, movements and counts, vials that are opened, lots that are over.

use crate::fixture::{Tablet, admin, desk, product};
use serde_json::json;

#[tokio::test]
async fn a_scanned_package_leads_to_its_product_and_lot_and_an_unknown_lot_to_its_form() {
    let tablet = Tablet::clinical();
    let (product, lot) = product(&tablet, "Toxina botulínica A 100 U", "2027-03-31");
    let scanned = tablet.get("/estoque?busca=%5Dd20107891234567895172703311%30LOTE7").await;
    assert_eq!(scanned.location, format!("/estoque/{product}?lote={lot}"));
    let new = tablet.get("/estoque?busca=(01)07891234567895(17)280630(10)A-9").await;
    let form = format!(
        "/registros/inventory_lots/novo?product_id={product}&lot_number=A%2D9&expiry_date=30/06/2028"
    );
    assert_eq!(new.location, form);
    let form = tablet.get(&form).await;
    form.shows("value=\"A-9\"").shows("30/06/2028").shows("Toxina botulínica A 100 U");
    tablet.get("/estoque?busca=7891234567890").await.shows("dígito verificador");
    tablet.get("/estoque?busca=(01)00000000000000").await.shows("não é de nenhum produto");
    tablet.get("/estoque?busca=toxina").await.shows("Toxina botulínica A 100 U");
    tablet.get("/estoque?busca=gaze").await.hides("Toxina botulínica A 100 U").shows("Nenhum produto");
}

#[tokio::test]
async fn what_is_on_hand_counts_this_tablets_movements_and_a_count_becomes_the_difference() {
    let tablet = Tablet::clinical();
    let (product, lot) = product(&tablet, "Toxina", "2027-03-31");
    let (here, lot) = (format!("/estoque/{product}"), lot.to_string());
    let form = |kind, amount| [("tipo", kind), ("quantidade", amount), ("lote", lot.as_str()), ("notas", "")];
    tablet.post(&format!("{here}/movimentos"), &form("purchase", "100")).await.went_to(&here);
    tablet.post(&format!("{here}/movimentos"), &form("usage", "2,5")).await.went_to(&here);
    tablet.get(&here).await.shows("97,5 unidades (U)").shows("Compra · 100").shows("Uso · -2,5");
    for wrong in ["", "0", "-3", "muito"] {
        let refused = tablet.post(&format!("{here}/movimentos"), &form("usage", wrong)).await;
        assert!(refused.refused().contains("maior que zero"), "{wrong}");
    }
    tablet.post(&format!("{here}/contagem"), &[("contada", "96")]).await.went_to(&here);
    tablet.get(&here).await.shows("96 unidades (U)").shows("Ajuste de contagem · -1,5");
    let same = tablet.post(&format!("{here}/contagem"), &[("contada", "96")]).await;
    assert!(same.location.contains("sem_mudanca"));
}

#[tokio::test]
async fn an_expired_lot_is_not_used_or_opened_but_may_be_thrown_away() {
    let tablet = Tablet::clinical();
    let (product, lot) = product(&tablet, "Toxina", "2026-11-22");
    let (here, id) = (format!("/estoque/{product}"), lot.to_string());
    tablet.get(&here).await.shows("vencido").hides("Abrir frasco</button>");
    let form = |kind| [("tipo", kind), ("quantidade", "1"), ("lote", id.as_str()), ("notas", "")];
    assert!(
        tablet.post(&format!("{here}/movimentos"), &form("usage")).await.refused().contains("está vencido")
    );
    assert!(
        tablet.post(&format!("/estoque/lotes/{lot}/abrir"), &[]).await.refused().contains("está vencido")
    );
    tablet.post(&format!("{here}/movimentos"), &form("waste")).await.went_to(&here);
}

#[tokio::test]
async fn an_opened_vial_runs_its_clock_on_the_days_page() {
    let tablet = Tablet::clinical();
    let (product, lot) = product(&tablet, "Toxina", "2027-03-31");
    tablet.post(&format!("/estoque/lotes/{lot}/abrir"), &[]).await.went_to(&format!("/estoque/{product}"));
    tablet.get(&format!("/estoque/{product}")).await.shows("aberto há menos de 1 h");
    tablet.get("/").await.shows("Toxina · LOTE7").shows("aberto há menos de 1 h");
    tablet.get("/fechamento").await.shows("Toxina · LOTE7");
    let again = tablet.post(&format!("/estoque/lotes/{lot}/abrir"), &[]).await;
    assert!(again.location.contains("sem_mudanca"), "its first hour stays");
}

#[tokio::test]
async fn products_are_for_administrators_and_managers() {
    let tablet = Tablet::clinical();
    let fields = [("name", "Gaze"), ("category", "insumos"), ("unit_type", "piece"), ("unit_size", "1")];
    let refused = tablet.post_as(Some(desk()), "/registros/inventory_products", &fields).await;
    assert!(refused.refused().contains("não permite"));
    tablet.post_as(Some(admin()), "/registros/inventory_products", &fields).await.went_to("/estoque");
    let (product, _) = product(&tablet, "Toxina", "2027-03-31");
    let change = [("min_quantity", "12,5"), ("era_min_quantity", "")];
    let here = format!("/registros/inventory_products/{product}");
    tablet.post_as(Some(admin()), &here, &change).await.went_to(&here);
    assert_eq!(tablet.row("inventory_products", product)["min_quantity"], json!("12.500"));
}
