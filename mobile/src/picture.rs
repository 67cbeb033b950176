//! What becomes of a file a person picked, before anything of it is kept: what kind it is by its bytes, a picture drawn anew
//! without anything the camera wrote beside it, and a small picture for lists.
//!
//! Never keeps or sends anything. Invariant: of a photograph only its pixels go on. Drawn anew, it carries no place, no
//! camera, no second file behind the first, and stands upright by itself.

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits};
use neonpro_contract::limits::BLOB_BYTES_MAX;
use std::io::Cursor;

/// Longest edge of a kept photograph, px: what a tablet shows at three times its size.
const EDGE_MAX: u32 = 4_096;
/// Longest edge of a small picture, px.
const THUMB_EDGE: u32 = 320;
/// Longest edge that is decoded, px, and the memory it may take, bytes: a hostile file must not take the tablet down.
const DECODED_EDGE_MAX: u32 = 20_000;
const DECODED_BYTES_MAX: u64 = 400 * 1024 * 1024;
/// JPEG quality of what is kept and of small pictures.
const QUALITY: u8 = 88;
const THUMB_QUALITY: u8 = 72;

/// A file ready to be kept.
pub struct Cleaned {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// A small picture; none of a document.
    pub thumb: Option<Vec<u8>>,
}

/// Why a file is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// Nothing was picked.
    #[error("no file")]
    Empty,
    /// More than [`BLOB_BYTES_MAX`] bytes.
    #[error("too many bytes")]
    TooLarge,
    /// Neither a JPEG, PNG or WebP picture nor a PDF.
    #[error("not a kind that is taken")]
    Kind,
    /// It does not read, or takes more memory than a picture may.
    #[error("it does not read")]
    Broken,
}

/// What kinds may be picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Photographs.
    Pictures,
    /// Photographs and PDF.
    PicturesAndDocuments,
}

/// Looks at a picked file and makes what is kept of it.
///
/// # Errors
/// Why it is not taken.
pub fn clean(picked: &[u8], taken: Taken) -> Result<Cleaned, PictureError> {
    if picked.is_empty() {
        return Err(PictureError::Empty);
    }
    if is_pdf(picked) && taken == Taken::PicturesAndDocuments {
        return if picked.len() <= BLOB_BYTES_MAX {
            Ok(Cleaned { bytes: picked.to_vec(), thumb: None })
        } else {
            Err(PictureError::TooLarge)
        };
    }
    let picture = decode(picked)?;
    let picture = within(picture, EDGE_MAX);
    let thumb = encode(&within(picture.clone(), THUMB_EDGE), THUMB_QUALITY)?;
    let bytes = encode(&picture, QUALITY)?;
    if bytes.len() > BLOB_BYTES_MAX {
        return Err(PictureError::TooLarge);
    }
    Ok(Cleaned { bytes, thumb: Some(thumb) })
}

/// A small picture of kept bytes; none of what is no picture.
#[must_use]
pub fn thumb_of(kept: &[u8]) -> Option<Vec<u8>> {
    encode(&within(decode(kept).ok()?, THUMB_EDGE), THUMB_QUALITY).ok()
}

/// Whether kept bytes are a PDF: `%PDF-` at once and `%%EOF` near the end (ISO 32000-1, 7.5).
#[must_use]
pub fn is_pdf(bytes: &[u8]) -> bool {
    let end = bytes.len().saturating_sub(1_024);
    bytes.starts_with(b"%PDF-")
        && bytes.get(end..).is_some_and(|end| end.windows(5).any(|part| part == b"%%EOF"))
}

fn decode(bytes: &[u8]) -> Result<DynamicImage, PictureError> {
    let mut reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|_| PictureError::Broken)?;
    if !matches!(reader.format(), Some(ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP)) {
        return Err(PictureError::Kind);
    }
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(DECODED_EDGE_MAX), Some(DECODED_EDGE_MAX));
    limits.max_alloc = Some(DECODED_BYTES_MAX);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|_| PictureError::Broken)?;
    // Cameras often write a picture lying on its side, and beside it how to turn it.
    let orientation = decoder.orientation().map_err(|_| PictureError::Broken)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|_| PictureError::Broken)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

fn within(picture: DynamicImage, edge: u32) -> DynamicImage {
    if picture.width() <= edge && picture.height() <= edge { picture } else { picture.thumbnail(edge, edge) }
}

fn encode(picture: &DynamicImage, quality: u8) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    picture.to_rgb8().write_with_encoder(encoder).map_err(|_| PictureError::Broken)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageEncoder as _, Rgb, RgbImage};

    /// A picture of 40 × 20, red on its left half, with what a camera writes beside it.
    fn jpeg(orientation: u8) -> Vec<u8> {
        let picture =
            RgbImage::from_fn(40, 20, |x, _| if x < 20 { Rgb([220, 20, 20]) } else { Rgb([20, 20, 220]) });
        // EXIF with one entry, the orientation, and a place in a comment behind it.
        let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
        exif.extend_from_slice(&[orientation, 0, 0, 0, 0, 0, 0, 0]);
        exif.extend_from_slice(b"GPS -23.55 -46.63 Camera X100");
        let mut bytes = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
        encoder.set_exif_metadata(exif).unwrap();
        picture.write_with_encoder(encoder).unwrap();
        bytes
    }

    fn holds(bytes: &[u8], text: &[u8]) -> bool {
        bytes.windows(text.len()).any(|window| window == text)
    }

    #[test]
    fn only_the_pixels_of_a_photograph_go_on_and_stand_upright() {
        let picked = jpeg(6);
        assert!(holds(&picked, b"GPS -23.55"));
        let cleaned = clean(&picked, Taken::Pictures).unwrap();
        assert!(!holds(&cleaned.bytes, b"GPS") && !holds(&cleaned.bytes, b"Exif"));
        let kept = decode(&cleaned.bytes).unwrap();
        assert_eq!((kept.width(), kept.height()), (20, 40), "turned by a quarter");
        let top = kept.to_rgb8().get_pixel(10, 5).0;
        assert!(top[0] > 150 && top[2] < 100, "what was left is above: {top:?}");
        assert_eq!(decode(&clean(&jpeg(1), Taken::Pictures).unwrap().bytes).unwrap().width(), 40);
    }

    #[test]
    fn a_large_picture_is_kept_smaller_and_has_a_small_one_for_lists() {
        let picture = DynamicImage::ImageRgb8(RgbImage::from_fn(6_000, 3_000, |x, y| {
            Rgb([(x % 251) as u8, (y % 241) as u8, 9])
        }));
        let mut picked = Vec::new();
        let rgb = picture.to_rgb8();
        image::codecs::png::PngEncoder::new(&mut picked)
            .write_image(rgb.as_raw(), 6_000, 3_000, image::ExtendedColorType::Rgb8)
            .unwrap();
        let cleaned = clean(&picked, Taken::Pictures).unwrap();
        assert_eq!(decode(&cleaned.bytes).unwrap().width(), EDGE_MAX);
        let thumb = decode(cleaned.thumb.as_deref().unwrap()).unwrap();
        assert_eq!((thumb.width(), thumb.height()), (320, 160));
    }

    #[test]
    fn a_second_file_behind_a_picture_does_not_come_along() {
        let mut polyglot = jpeg(1);
        polyglot.extend_from_slice(b"PK\x03\x04<script>alert(1)</script>");
        let cleaned = clean(&polyglot, Taken::Pictures).unwrap();
        assert!(!holds(&cleaned.bytes, b"<script>"));
    }

    #[test]
    fn what_is_no_picture_or_broken_is_refused_with_a_reason() {
        let refused = |bytes: &[u8], taken| clean(bytes, taken).err();
        assert_eq!(refused(b"", Taken::Pictures), Some(PictureError::Empty));
        assert_eq!(refused(b"GIF89a....", Taken::Pictures), Some(PictureError::Kind));
        assert_eq!(refused(b"<svg onload=alert(1)>", Taken::PicturesAndDocuments), Some(PictureError::Kind));
        let whole = jpeg(1);
        assert_eq!(refused(&whole[..whole.len() / 3], Taken::Pictures), Some(PictureError::Broken));
        let pdf = b"%PDF-1.7\n1 0 obj\n%%EOF\n";
        assert_eq!(refused(pdf, Taken::Pictures), Some(PictureError::Kind));
        assert!(clean(pdf, Taken::PicturesAndDocuments).unwrap().thumb.is_none());
        assert_eq!(refused(b"%PDF-1.7 cut", Taken::PicturesAndDocuments), Some(PictureError::Kind));
    }

    #[test]
    fn a_bomb_takes_no_memory() {
        // A PNG header that promises 50,000 × 50,000 pixels.
        let mut bomb = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xc3\x50\0\0\xc3\x50\x08\x02\0\0\0".to_vec();
        bomb.extend_from_slice(&[0; 64]);
        assert_eq!(clean(&bomb, Taken::Pictures).err(), Some(PictureError::Broken));
    }
}
