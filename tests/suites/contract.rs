//! What the files under test are made of: symbols, links, dependencies, and what they say of
//! themselves on the bus.

use std::{collections::BTreeSet, fs, process::Command};

use harness::{
    World,
    process::{command, run},
    settings::{sources, under_test},
};

/// The functions that libpam looks for.
const HOOKS: [&str; 6] = [
    "pam_sm_acct_mgmt",
    "pam_sm_authenticate",
    "pam_sm_chauthtok",
    "pam_sm_close_session",
    "pam_sm_open_session",
    "pam_sm_setcred",
];

fn binutils(program: &str, arguments: &[&str]) -> String {
    run(command(program).args(arguments).arg(under_test("pam_otp.so")), b"").ok()
}

#[test]
fn the_module_exports_its_six_functions_and_nothing_else() {
    let symbols = binutils("nm", &["--dynamic", "--defined-only", "--format=posix"]);
    let names: Vec<_> = symbols.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, HOOKS);
}

#[test]
fn the_module_is_linked_to_stay_and_to_resist() {
    let dynamic = binutils("readelf", &["--dynamic", "--wide"]);
    for flag in ["NODELETE", "NOW"] {
        assert!(dynamic.contains(flag), "no {flag}:\n{dynamic}");
    }
    assert!(
        !dynamic.contains("RPATH") && !dynamic.contains("RUNPATH") && !dynamic.contains("TEXTREL"),
        "{dynamic}"
    );
    let segments = binutils("readelf", &["--segments", "--wide"]);
    assert!(segments.contains("GNU_RELRO"), "{segments}");
    let stack = segments.lines().find(|line| line.contains("GNU_STACK")).expect("GNU_STACK");
    assert!(!stack.contains("RWE"), "an executable stack");
    let needed: BTreeSet<_> = dynamic
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| Some(line.split_once('[')?.1.split_once(']')?.0))
        .collect();
    let allowed = [
        "libc.so.6",
        "libgcc_s.so.1",
        "libpam.so.0",
        "ld-linux-x86-64.so.2",
        "ld-linux-aarch64.so.1",
        "libm.so.6",
    ];
    assert!(needed.iter().all(|library| allowed.contains(library)), "{needed:?}");
    assert!(
        fs::metadata(under_test("pam_otp.so")).unwrap().len() < 2 << 20,
        "the module is larger than 2 MiB"
    );
}

/// The module has no constructor that runs in its host, no thread and no signal handler of its own.
#[test]
fn the_module_does_not_reach_into_its_host() {
    let imported = binutils("nm", &["--dynamic", "--undefined-only", "--format=posix"]);
    let names: BTreeSet<_> =
        imported.lines().filter_map(|line| line.split(['@', ' ']).next()).collect();
    for forbidden in [
        "pthread_create",
        "fork",
        "execve",
        "execvp",
        "system",
        "popen",
        "setuid",
        "seteuid",
        "setenv",
        "putenv",
        "atexit",
        "setlocale",
        "exit",
    ] {
        assert!(!names.contains(forbidden), "the module imports {forbidden}");
    }
}

/// The crates that `package` is built from, as `cargo tree` names them.
fn crates(package: &str, features: &[&str]) -> BTreeSet<String> {
    let mut cargo = Command::new(option_env!("CARGO").unwrap_or("cargo"));
    cargo.current_dir(sources()).args([
        "tree",
        "--locked",
        "--offline",
        "--edges=normal",
        "--prefix=none",
        "--format={p}",
        "--package",
        package,
    ]);
    let done = run(cargo.args(features), b"");
    done.ok().lines().filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect()
}

/// Which crate may not be built from which others.
#[test]
fn dependencies_point_in_the_directions_of_the_design() {
    let runtimes = ["tokio", "async-io", "async-std", "smol", "async-executor", "mio"];
    let network = ["hyper", "reqwest", "ureq", "rustls", "openssl", "native-tls", "lettre"];
    let stores = ["rusqlite", "libsqlite3-sys", "postgres", "tokio-postgres", "sqlx"];
    let table: [(&str, &[&str], &[&str]); 5] = [
        (
            "pam_otp",
            &["otp-ipc"],
            &["otpd", "otp-core", "otp-delivery", "otpctl", "clap", "proptest"],
        ),
        ("otpctl", &["otp-ipc"], &["otpd", "otp-core", "otp-delivery", "pam_otp"]),
        ("otpd", &["otp-ipc", "otp-core", "otp-delivery"], &["pam_otp", "otpctl"]),
        ("otp-delivery", &["otp-core"], &["otpd", "otp-ipc", "otpctl", "pam_otp"]),
        (
            "otp-core",
            &[],
            &[
                "otpd",
                "otp-delivery",
                "otp-ipc",
                "otpctl",
                "pam_otp",
                "zbus",
                "tokio",
                "getrandom",
                "rand",
                "log",
            ],
        ),
    ];
    for (package, needs, never) in table {
        let built = crates(package, &[]);
        for need in needs {
            assert!(built.contains(*need), "{package} is not built from {need}");
        }
        let mut never = never.to_vec();
        if package == "pam_otp" || package == "otp-core" {
            never.extend(runtimes);
        }
        if package != "otpd" {
            never.extend(stores);
        }
        // Gateways are spoken to with the well-known libraries, and with Rust's TLS.
        let delivers = ["otpd", "otp-delivery"].contains(&package);
        let allowed = |library: &&&str| {
            delivers && ["hyper", "reqwest", "rustls", "lettre"].contains(*library)
        };
        never.extend(network.iter().filter(|library| !allowed(library)));
        let wrong: Vec<_> = never.iter().filter(|name| built.contains(**name)).collect();
        assert!(wrong.is_empty(), "{package} is built from {wrong:?}");
    }
}

/// The rooms inside otpd and otp-core: which words their sources may not contain.
#[test]
fn rooms_do_not_reach_into_each_other() {
    let table: [(&str, &[&str]); 5] = [
        ("otpd/src/service", &["crate::store", "crate::delivery", "rusqlite"]),
        ("otpd/src/store", &["crate::service", "crate::engine", "crate::delivery", "zbus"]),
        ("otpd/src/engine", &["crate::service", "zbus", "rusqlite"]),
        (
            "otpd/core/src",
            &[
                "std::fs",
                "std::net",
                "std::env",
                "SystemTime::now",
                "Instant::now",
                "tokio",
                "zbus",
            ],
        ),
        ("pam_otp/src", &["std::env", "std::thread", "std::fs::", "tokio"]),
    ];
    for (folder, words) in table {
        let mut files = Vec::new();
        rust_files(&sources().join(folder), &mut files);
        assert!(!files.is_empty(), "{folder} has no sources");
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            // What comes after is the file's own tests.
            let code = text.split("#[cfg(test)]").next().unwrap();
            let code: String = code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .collect::<Vec<_>>()
                .join("\n");
            for word in words {
                assert!(!code.contains(word), "{}: {word}", file.display());
            }
        }
    }
}

fn rust_files(folder: &std::path::Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
    {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            rust_files(&path, files);
        } else if name.ends_with(".rs") && !name.contains("test") && name != "contract.rs" {
            files.push(path);
        }
    }
}

/// Members of an interface as `kind name signature`, from introspection data.
fn members(xml: &str, interface: &str) -> BTreeSet<String> {
    let start = xml
        .find(&format!("<interface name=\"{interface}\""))
        .unwrap_or_else(|| panic!("no {interface} in:\n{xml}"));
    let body = &xml[start..start + xml[start..].find("</interface>").unwrap()];
    let attribute = |tag: &str, name: &str| -> String {
        tag.split_once(&format!(" {name}=\""))
            .and_then(|(_, rest)| rest.split_once('"'))
            .map_or_else(String::new, |(value, _)| value.to_owned())
    };
    let (mut found, mut method) = (BTreeSet::new(), String::new());
    for tag in body.split('<').filter_map(|piece| piece.split('>').next()) {
        match tag.split_whitespace().next() {
            Some("method") | Some("signal") => {
                method = attribute(tag, "name");
                found.insert(format!("member {method}"));
            }
            Some("arg") => {
                let argument =
                    (attribute(tag, "direction"), attribute(tag, "name"), attribute(tag, "type"));
                found.insert(format!("{method} {} {} {}", argument.0, argument.1, argument.2));
            }
            Some("property") => {
                found.insert(format!(
                    "property {} {} {}",
                    attribute(tag, "name"),
                    attribute(tag, "type"),
                    attribute(tag, "access")
                ));
            }
            _ => (),
        }
    }
    found
}

#[test]
fn introspection_is_what_the_published_files_say() {
    World::run(|world| {
        let _otpd = world.otpd("");
        let live = run(
            command("busctl").args([
                "--system",
                "introspect",
                "--xml-interface",
                "org.pamotp.Otpd1",
                "/org/pamotp/Otpd1",
            ]),
            b"",
        )
        .ok();
        for interface in ["org.pamotp.Otpd1.Authentication", "org.pamotp.Otpd1.Manager"] {
            let published =
                fs::read_to_string(sources().join(format!("packaging/dbus/{interface}.xml")))
                    .unwrap();
            assert_eq!(members(&live, interface), members(&published, interface), "{interface}");
        }
    });
}
