//! Transcripts as they are meant to be: files under `golden/`.

use std::{fs, path::Path};

use crate::settings;

/// Compares a transcript with `golden/NAME.txt`; writes the file where `E2E_BLESS` is set.
pub fn golden(name: &str, transcript: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("{name}.txt"));
    if settings::bless() {
        // Several tests have the same transcript: none may read it half written.
        let new = path.with_extension(format!("{:?}", std::thread::current().id()));
        fs::write(&new, transcript).unwrap();
        fs::rename(&new, &path).unwrap();
    }
    let expected =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(
        transcript,
        expected,
        "the transcript differs from {}; E2E_BLESS=1 rewrites it",
        path.display()
    );
}
