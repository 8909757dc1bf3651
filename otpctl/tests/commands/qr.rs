//! QR codes as a scanner sees them: zbarimg reads what was drawn.

use std::path::Path;
use std::process::Command;

use crate::fake::{Machine, uri};
use crate::otpctl;
use crate::terminal::Terminal;

pub(crate) fn scanned(picture: &Path) -> String {
    let mut scan = Command::new("zbarimg");
    scan.args(["--raw", "--quiet", "-Sdisable", "-Sqrcode.enable"]).arg(picture);
    let scan = scan.output().expect("zbarimg (package zbar-tools) starts");
    String::from_utf8(scan.stdout).unwrap().trim_end().to_owned()
}

#[test]
fn a_png_can_be_scanned() {
    let machine = Machine::start();
    let done = otpctl(&machine, "token add alice --qr q.png", "");
    assert_eq!(done.code, 0, "{}", done.err);
    assert_eq!(scanned(&machine.path("q.png")), uri());
}

#[test]
fn g10_a_png_has_the_size_that_is_asked_for() {
    for size in [64_u32, 200, 400, 1000] {
        let machine = Machine::start();
        let done = otpctl(&machine, &format!("token add alice --qr q.png --qr-size {size}"), "");
        assert_eq!(done.code, 0, "{}", done.err);
        let file = std::fs::read(machine.path("q.png")).unwrap();
        let number = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap());
        assert_eq!((number(16), number(20)), (size, size));
        if size > 64 {
            assert_eq!(scanned(&machine.path("q.png")), uri());
        }
    }
    let machine = Machine::start();
    for wrong in ["--qr q.svg --qr-size 400", "--qr-size 400", "--qr q.png --qr-size 63"] {
        let done = otpctl(&machine, &format!("token add alice {wrong}"), "");
        assert_eq!(done.code, 2, "{wrong}: {}", done.err);
    }
}

/// The rectangles of the SVG, drawn as a bitmap, are the same picture.
#[test]
fn an_svg_can_be_scanned() {
    let machine = Machine::start();
    let done = otpctl(&machine, "token add alice --qr q.svg", "");
    assert_eq!(done.code, 0, "{}", done.err);
    let svg = std::fs::read_to_string(machine.path("q.svg")).unwrap();
    let number = |text: &str| text.parse::<usize>().unwrap();
    let side = number(svg.split("width=\"").nth(1).unwrap().split('"').next().unwrap());
    let mut dark = vec![vec![false; side]; side];
    let path = svg.split("d=\"").nth(1).unwrap().split('"').next().unwrap();
    for rectangle in path.split('M').skip(1) {
        let numbers: Vec<_> = rectangle.split(|c: char| !c.is_ascii_digit()).map(number).collect();
        let [x, y, width, height, ..] = numbers[..] else { panic!("{rectangle}") };
        for row in &mut dark[y..y + height] {
            row[x..x + width].fill(true);
        }
    }
    assert_eq!(scanned_bitmap(&machine, &dark, 1), uri());
}

#[test]
fn a_terminal_can_be_scanned_with_and_without_colours() {
    for environment in [&[][..], &[("NO_COLOR", "1")], &[("TERM", "dumb")]] {
        let machine = Machine::start();
        let line = "token add alice --no-confirm";
        let (code, screen) = Terminal::run(&machine, line, environment).end();
        assert_eq!(code, 0, "{screen}");
        let coloured = environment.is_empty();
        assert_eq!(screen.contains('\x1b'), coloured);
        assert_eq!(screen.contains("dark background"), !coloured);
        let mut dark: Vec<Vec<bool>> = Vec::new();
        assert!(screen.find("Key: ") < screen.find('█'), "only the prompt comes below: {screen}");
        for line in screen.lines().filter(|line| line.starts_with(['\x1b', '█', '▀'])) {
            let line = line.replace("\x1b[38;5;16;48;5;231m", "").replace("\x1b[0m", "");
            for full in ['▀', '▄'] {
                let drawn = line.chars().map(|c| c == '█' || c == full);
                dark.push(drawn.map(|drawn| drawn == coloured).collect());
            }
        }
        assert!(dark.len() <= 46 && dark[0].len() <= 80, "it fits 80 columns and 24 rows");
        assert_eq!(scanned_bitmap(&machine, &dark, 8), uri());
    }
}

/// Scans rows of pixels, each drawn `scale` pixels wide and high.
fn scanned_bitmap(machine: &Machine, dark: &[Vec<bool>], scale: usize) -> String {
    let mut picture =
        format!("P5 {} {} 255\n", dark[0].len() * scale, dark.len() * scale).into_bytes();
    for row in dark {
        for _ in 0..scale {
            let pixels = row.iter().map(|dark| if *dark { 0 } else { 255 });
            picture.extend(pixels.flat_map(|pixel| std::iter::repeat_n(pixel, scale)));
        }
    }
    let path = machine.path("bitmap.pgm");
    std::fs::write(&path, picture).unwrap();
    scanned(&path)
}
