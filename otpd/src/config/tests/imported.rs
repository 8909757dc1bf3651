//! What `otpctl provider import` makes of LinOTP's providers.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use super::*;

/// What a sample names and this machine may not have. It is looked at last.
const ELSEWHERE: [&str; 3] = ["/etc/ssl/gateway.pem", "/etc/otpd/rest.pem", "/usr/bin/gnokii"];

#[test]
fn what_otpctl_imports_is_a_configuration() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../otpctl/tests/samples");
    let paths = fs::read_dir(samples).unwrap().map(|entry| entry.unwrap().path());
    let tables: Vec<_> = paths.filter(|path| path.extension().unwrap() == "toml").collect();
    assert_eq!(tables.len(), 14);
    for table in tables {
        let folder = Folder::new("");
        let file = folder.write("otpd.d/provider.toml", &fs::read(&table).unwrap());
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
        match folder.load() {
            Ok(loaded) => assert_eq!(loaded.config.providers.len(), 1, "{}", table.display()),
            Err(why) => assert!(
                ELSEWHERE.iter().any(|file| why.contains(file)),
                "{}: {why}",
                table.display()
            ),
        }
    }
}
