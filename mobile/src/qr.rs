//! QR codes as pictures a page can hold.

use qrcodegen::{QrCode, QrCodeEcc};
use std::fmt::Write as _;

/// Quiet zone around a code, modules (ISO/IEC 18004: four).
const QUIET: i32 = 4;

/// A code as SVG; `None` for a text no code can hold. Dark on light in every colour scheme: readers need it.
#[must_use]
pub fn svg(text: &str) -> Option<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let side = code.size().checked_add(QUIET.checked_mul(2)?)?;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in 0..code.size() {
            if code.get_module(x, y) {
                // Writing to a string cannot fail.
                let _ = write!(path, "M{},{}h1v1h-1z", x.saturating_add(QUIET), y.saturating_add(QUIET));
            }
        }
    }
    Some(format!(
        "<svg class=\"qr\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\" role=\"img\" aria-label=\"QR code\">\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path d=\"{path}\" fill=\"#000\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_code_has_its_quiet_zone_and_too_long_a_text_has_no_code() {
        let drawn = super::svg("NEONPRO").unwrap();
        assert!(drawn.contains("viewBox=\"0 0 29 29\""), "{drawn}");
        assert!(drawn.contains("M4,4h1"));
        assert!(super::svg(&"a".repeat(4_000)).is_none());
    }
}
