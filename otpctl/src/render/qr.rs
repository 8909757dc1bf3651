//! QR codes for a terminal, as PNG and as SVG.

use qrcode::render::svg;
use qrcode::{Color, EcLevel, QrCode};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// ISO/IEC 18004 asks for four light modules around the code.
const QUIET: usize = 4;
/// What a scanner still reads on a screen where four do not fit.
const LEAST_QUIET: usize = 2;
/// Rows of a terminal of 24 that leave some for the key, what to do and the prompt.
const ROWS: usize = 21;
/// Pixels along a module's side.
const PIXELS: u32 = 8;

/// A QR code.
pub(crate) struct Code {
    code: QrCode,
    width: usize,
}

/// How a terminal is painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// Black on white, both set, whatever the terminal's own colours are.
    Colours,
    /// Without colours: light modules are drawn, which is right on a dark background.
    Blocks,
}

impl Code {
    /// The code of a text; with the lowest error correction, because a screen has no stains and a
    /// smaller code is easier to read.
    pub(crate) fn new(text: &[u8]) -> Result<Self, Failure> {
        let code = QrCode::with_error_correction_level(text, EcLevel::L)
            .map_err(|error| Failure::failed(format!("the QR code: {error}")))?;
        Ok(Self { width: code.width(), code })
    }

    /// Whether the module is dark; outside of the code all are light.
    fn dark(&self, x: Option<usize>, y: Option<usize>) -> bool {
        match (x, y) {
            (Some(x), Some(y)) if x < self.width && y < self.width => {
                self.code[(x, y)] == Color::Dark
            }
            _ => false,
        }
    }

    /// Lines for a terminal, two modules high and one wide for each character. A code of a usual
    /// URI takes 80 columns and 23 rows at most; the quiet zone is as wide as fits.
    pub(crate) fn terminal(&self, paint: Paint) -> Zeroizing<String> {
        let fits = |quiet: &usize| (self.width + 2 * quiet).div_ceil(2) <= ROWS;
        let quiet = (LEAST_QUIET..=QUIET).rev().find(fits).unwrap_or(LEAST_QUIET);
        let side = self.width + 2 * quiet;
        let (start, end) = match paint {
            Paint::Colours => ("\x1b[38;5;16;48;5;231m", "\x1b[0m"),
            Paint::Blocks => ("", ""),
        };
        let mut out = Zeroizing::new(String::with_capacity(side * side * 2 + side * 24));
        for y in (0..side).step_by(2) {
            out.push_str(start);
            for x in (0..side).map(|x| x.checked_sub(quiet)) {
                let upper = self.dark(x, y.checked_sub(quiet));
                let lower = self.dark(x, (y + 1).checked_sub(quiet));
                let drawn = paint == Paint::Colours;
                out.push(match (upper == drawn, lower == drawn) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                });
            }
            out.push_str(end);
            out.push('\n');
        }
        out
    }

    /// A PNG file of so many pixels a side; without a size eight pixels a module. Modules have whole
    /// pixels, and what is left over is light around them.
    pub(crate) fn png(&self, size: Option<u16>) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let side = self.width + 2 * QUIET;
        let pixels = size.map_or(side * PIXELS as usize, usize::from);
        let module = pixels / side;
        if module == 0 {
            let text = format!("--qr-size: the code needs at least {side} pixels");
            return Err(Failure::failed(text));
        }
        let margin = (pixels - module * side) / 2 + module * QUIET;
        let at = |pixel: usize| pixel.checked_sub(margin).map(|pixel| pixel / module);
        let mut rows = Zeroizing::new(Vec::with_capacity(pixels * pixels));
        for y in (0..pixels).map(at) {
            rows.extend((0..pixels).map(|x| if self.dark(at(x), y) { 0x00 } else { 0xff }));
        }
        let pixels = u32::try_from(pixels).unwrap_or(u32::MAX);
        let failed = |error| Failure::failed(format!("the QR code as PNG: {error}"));
        let mut file = Zeroizing::new(Vec::new());
        let mut encoder = png::Encoder::new(&mut *file, pixels, pixels);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(&rows).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(file)
    }

    /// An SVG file, eight units a module.
    pub(crate) fn svg(&self) -> Zeroizing<String> {
        let mut picture = self.code.render::<svg::Color>();
        Zeroizing::new(picture.module_dimensions(PIXELS, PIXELS).build())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &[u8] = b"otpauth://totp/login.example.org:alice?secret=\
        GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=login.example.org&algorithm=SHA1&digits=6&period=30";

    /// The modules that a drawing shows, quiet zone included.
    fn modules(drawing: &str, paint: Paint) -> Vec<Vec<bool>> {
        let mut rows = Vec::new();
        for line in drawing.lines() {
            let line = line.strip_prefix("\x1b[38;5;16;48;5;231m").unwrap_or(line);
            let line = line.strip_suffix("\x1b[0m").unwrap_or(line);
            let drawn = paint == Paint::Colours;
            rows.push(line.chars().map(|c| matches!(c, '█' | '▀') == drawn).collect());
            rows.push(line.chars().map(|c| matches!(c, '█' | '▄') == drawn).collect());
        }
        rows
    }

    #[test]
    fn a_terminal_shows_every_module_and_light_around_them() {
        for (text, quiet) in [(&b"otpauth://totp/a?secret=GEZDGNBV"[..], 4), (URI, 2)] {
            let code = Code::new(text).unwrap();
            for paint in [Paint::Colours, Paint::Blocks] {
                let drawing = code.terminal(paint);
                let shown = modules(&drawing, paint);
                let side = code.width + 2 * quiet;
                assert_eq!(shown[0].len(), side);
                assert_eq!(shown.len(), side.next_multiple_of(2));
                for (y, row) in shown.iter().enumerate() {
                    for (x, dark) in row.iter().enumerate() {
                        let inside = |at: usize| at >= quiet && at < quiet + code.width;
                        let expected = inside(x)
                            && inside(y)
                            && code.code[(x - quiet, y - quiet)] == Color::Dark;
                        assert_eq!(*dark, expected, "{paint:?} column {x}, row {y}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_usual_uri_fits_a_small_terminal_with_a_line_left() {
        let drawing = Code::new(URI).unwrap().terminal(Paint::Blocks);
        assert!(drawing.lines().count() < 24, "{} rows", drawing.lines().count());
        assert!(drawing.lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn every_line_ends_its_colours() {
        let drawing = Code::new(URI).unwrap().terminal(Paint::Colours);
        assert!(
            drawing
                .lines()
                .all(|l| l.starts_with("\x1b[38;5;16;48;5;231m") && l.ends_with("\x1b[0m"))
        );
        assert!(!Code::new(URI).unwrap().terminal(Paint::Blocks).contains('\x1b'));
    }

    #[test]
    fn what_is_too_long_for_a_code_is_refused() {
        assert!(Code::new(&[b'x'; 3000]).is_err());
    }
}
