//! The environment is the process's own, so each test runs itself again as a child that has it.

use std::{
    os::{
        fd::OwnedFd,
        unix::net::{UnixDatagram, UnixStream},
    },
    path::Path,
    process::{Command, Stdio},
};

use super::*;

const CHILD: &str = "OTPD_TEST_CHILD";

#[expect(clippy::disallowed_methods, reason = "tells the child of a test from the test")]
fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs `test` of this file again, with `socket` as file descriptor 3 and `script` before it.
fn child(test: &str, script: &str, socket: Option<OwnedFd>) -> (bool, String) {
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("exec 3<&0; {script}; exec \"$0\" --exact --nocapture notify::tests::{test}"))
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, "1")
        .stdin(socket.map_or_else(Stdio::null, Stdio::from))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text.into_owned())
}

#[test]
fn takes_one_listening_unix_stream_socket_and_nothing_else() {
    if is_child() {
        match login_listener() {
            Ok(Some(listener)) => {
                println!("took {:?}", listener.local_addr().unwrap().as_pathname())
            }
            Ok(None) => println!("took none"),
            Err(error) => println!("refused: {error}"),
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("login.sock");
    let listener = || {
        let _ = std::fs::remove_file(&path);
        Some(UnixListener::bind(&path).unwrap().into())
    };
    let took = format!("took Some({path:?})");
    let ours = "export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=login";
    let cases: [(&str, Option<OwnedFd>, &str); 8] = [
        (ours, listener(), &took),
        (":", listener(), "took none"),
        ("export LISTEN_PID=1 LISTEN_FDS=1", listener(), "took none"),
        ("export LISTEN_PID=$$ LISTEN_FDS=0", listener(), "took none"),
        (
            "export LISTEN_PID=$$ LISTEN_FDS=2",
            listener(),
            "refused: socket activation: 2 sockets were passed",
        ),
        (
            ours,
            Some(UnixStream::pair().unwrap().0.into()),
            "refused: socket activation: it does not listen",
        ),
        (ours, Some(UnixDatagram::unbound().unwrap().into()), "is not a valid unix stream socket"),
        (ours, None, "is not a socket"),
    ];
    for (script, socket, expected) in cases {
        let (done, text) =
            child("takes_one_listening_unix_stream_socket_and_nothing_else", script, socket);
        assert!(done && text.contains(expected), "{script}: {text}");
    }
}

#[test]
fn tells_the_service_manager() {
    if is_child() {
        reloading();
        ready("12 users\nREADY=0");
        status("x");
        alive();
        stopping();
        println!("every {:?}", watchdog_interval());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let told = |path: &Path, more: &str| {
        let script = format!("export NOTIFY_SOCKET={} {more}", path.display());
        child("tells_the_service_manager", &script, None)
    };
    let (done, text) = told(&path, "WATCHDOG_USEC=30000000 WATCHDOG_PID=$$");
    assert!(done && text.contains("every Some(15s)"), "{text}");
    let receive = || {
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    let reload = receive();
    assert!(reload.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reload}");
    assert_eq!(receive(), "READY=1\nSTATUS=12 users\\u{a}READY=0\n");
    assert_eq!(receive(), "STATUS=x\n");
    assert_eq!(receive(), "WATCHDOG=1\n");
    assert_eq!(receive(), "STOPPING=1\n");

    let (done, text) = told(&folder.path().join("nobody"), "WATCHDOG_PID=1 WATCHDOG_USEC=1");
    assert!(done && text.contains("every None"), "an absent manager is no reason to end: {text}");
}
