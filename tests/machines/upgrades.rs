//! An upgrade to a next version and a downgrade back, while people log in.

use harness::{Machine, Token, process::Output};

use crate::{
    codes::{at_prompt, fails, install, log_in, passes},
    house::{document, enrol, failures},
};

/// Makes the next version of the packages that are installed: another version, another daemon.
const NEXT: &str = r#"
mkdir /root/next
for package in otpd libpam-otp; do
    tree=/root/next/$package
    dpkg-deb -R /root/${package}_*.deb $tree
    version=$(sed -n 's/^Version: //p' $tree/DEBIAN/control)
    sed -i "s/^Version: .*/&.1/; s/otpd (= $version)/otpd (= $version.1)/" $tree/DEBIAN/control
    [ ! -e $tree/usr/sbin/otpd ] || echo next >>$tree/usr/sbin/otpd
    dpkg-deb -Znone -b $tree /root/next/$package.deb
    rm -r $tree
done"#;
const OTPD: &str = "/usr/sbin/otpd";
const CONFIGURATION: &str = "/etc/otpd/otpd.toml";
/// What is good for nothing but to tell whose file it is.
const EDIT: &str = "# the administrator was here\n";

pub fn there_and_back_keeps_everything(machine: &Machine) {
    install(machine);
    for file in [CONFIGURATION, "/etc/apparmor.d/usr.sbin.otpd"] {
        machine.sh(&format!("printf '{EDIT}' >>{file}"));
    }
    machine.write(
        "/etc/otpd/otpd.d/lockout.toml",
        0o644,
        "[lockout]\nafter = 1\nfirst = \"15m\"\n",
    );
    machine.ok(&["otpctl", "config", "reload"]);
    let (token, locked) = (enrol(machine, "alice"), enrol(machine, "bob"));
    fails(machine, "bob", &locked.wrong());
    passes(machine, "alice", &token.code());
    machine.sh(NEXT);
    let (stacks, tokens) = (read_stacks(machine), document(machine, &["token", "list", "bob"]));

    let versions = [("/root/next/*.deb", true), ("/root/*.deb", false)];
    for (packages, is_next) in versions {
        let code = token.code();
        let waiting = at_prompt(machine, "alice", "code: ");
        let done = apt_install(machine, packages);
        assert_eq!(done.code(), 0, "{done:?}");
        let first = waiting.finish(&[("", &code)]).code == 0;
        let again = log_in(machine, "alice", &code).admitted;
        assert!(first != again, "the code counts once: {first} {again}");
        passes(machine, "alice", &token.code());
        fails(machine, "bob", &locked.code());

        let version = machine.ok(&["dpkg-query", "-Wf", "${Version} ", "otpd", "libpam-otp"]);
        assert_eq!(version.matches("-1.1 ").count(), if is_next { 2 } else { 0 }, "{version}");
        machine.sh(&format!("cmp {OTPD} /proc/$(systemctl show -P MainPID otpd)/exe"));
        assert_eq!(machine.run_program(&["grep", "-q", "^next$", OTPD]).code() == 0, is_next);
        assert_eq!(read_stacks(machine), stacks);
        assert_eq!(document(machine, &["token", "list", "bob"]), tokens);
        assert_eq!(failures(machine, "alice"), 0);
        assert_eq!(machine.ok(&["systemctl", "--failed", "--no-legend"]), "");
    }
    for file in [CONFIGURATION, "/etc/apparmor.d/usr.sbin.otpd"] {
        assert!(machine.read(file).ends_with(EDIT), "{file}");
    }
    refused_configuration(machine, &token);
}

/// What the running daemon bears, an upgrade bears as well: it goes on with the last good
/// configuration, and the administrator is told.
fn refused_configuration(machine: &Machine, token: &Token) {
    machine.sh(&format!("echo 'tpyo = 1' >>{CONFIGURATION}"));
    let daemon = || machine.ok(&["systemctl", "show", "-P", "MainPID", "otpd"]);
    let before = daemon();
    let done = apt_install(machine, "/root/next/*.deb");
    assert_eq!(done.code(), 0, "{done:?}");
    let told = done.stdout + &done.stderr;
    assert!(told.contains(CONFIGURATION) && told.contains("systemctl restart otpd"), "{told}");
    assert_eq!(daemon(), before);
    passes(machine, "alice", &token.code());
    machine
        .sh(&format!("sed -i '$d' {CONFIGURATION} && otpd check-config && systemctl restart otpd"));
    passes(machine, "alice", &token.code());
}

fn apt_install(machine: &Machine, packages: &str) -> Output {
    let install =
        format!("DEBIAN_FRONTEND=noninteractive apt-get install -yq --allow-downgrades {packages}");
    machine.run_program(&["sh", "-c", &install])
}

/// The stacks and what sshd is told, byte for byte.
fn read_stacks(machine: &Machine) -> String {
    machine
        .sh("sha256sum /etc/pam.d/* /etc/ssh/sshd_config.d/* && stat -c '%A %U %G %n' /etc/pam.d/*")
}
