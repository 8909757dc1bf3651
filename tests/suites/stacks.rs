//! What otpctl makes of a PAM stack, against what the real libpam makes of it.

use std::fs;

use harness::{Login, World, pam::Host};
use pam_stack::{Code, Entry, Kind, Line, Machine, Stack};

/// Compares what libpam and otpctl say of the service `s`: the verdict, and what each line returned
/// that was called, which `pam_debug` tells. Returns the verdict and how many lines were called.
fn compare(host: &mut Host) -> (Code, usize) {
    let outcome = host.login(Login::new("s", "alice"), &[]);
    let told =
        outcome.transcript.lines().filter_map(|line| line.split_once("auth=")?.1.split('"').next());
    let told: Vec<_> = told.map(str::to_owned).collect();

    let service = Machine::at("/").service("s");
    let stack = Stack { lines: service.lines(Kind::Auth) };
    let (verdict, run) = stack.run(|_, line| returned(line));
    let verdict = if service.refused.is_some() { Code::ABORT } else { verdict };
    let called = run.steps.iter().filter(|_| service.refused.is_none());
    let called = called.filter(|step| speaks(&stack.lines[step.line]));
    let called: Vec<_> = called.map(|step| step.returned.name().to_owned()).collect();
    let files = ["s", "a", "b", "other"].map(|name| {
        format!(
            "--- {name}\n{}",
            fs::read_to_string(format!("/etc/pam.d/{name}")).unwrap_or_default()
        )
    });
    assert_eq!((outcome.code(), &told), (verdict.number(), &called), "{}", files.join(""));
    (verdict, told.len())
}

/// Whether a line calls the module that tells what it returns.
fn speaks(line: &Line) -> bool {
    matches!(&line.entry, Entry::Module { path, .. } if path == "pam_debug.so")
}

/// What a line returns: `pam_debug.so auth=CODE` the code, a module that is not there libpam's own.
fn returned(line: &Line) -> Code {
    match &line.entry {
        Entry::Module { .. } if speaks(line) => {
            let name = line.value("auth").unwrap_or("success");
            Code::all().find(|code| code.name() == name).unwrap_or(Code::SUCCESS)
        }
        Entry::Module { .. } => Code::MODULE_UNKNOWN,
        _ => Code::PERM_DENIED,
    }
}

fn write(name: &str, text: &str) {
    fs::write(format!("/etc/pam.d/{name}"), text).unwrap();
}

#[test]
fn stacks_of_people_are_run_as_libpam_runs_them() {
    const SUCCESS: &str = "pam_debug.so auth=success";
    const WRONG: &str = "pam_debug.so auth=auth_err";
    World::run(|world| {
        let mut host = world.host();
        write("other", "auth required pam_debug.so auth=acct_expired\n");
        write(
            "a",
            &format!(
                "auth sufficient {SUCCESS}\nauth required {WRONG}\nsession required pam_permit.so\n"
            ),
        );
        for text in [
            String::new(),
            "session required pam_permit.so\n".into(),
            format!("auth required {SUCCESS}"),
            format!("AUTH Required {SUCCESS}\n"),
            format!("auth [required] {SUCCESS}\n"),
            format!("auth\trequired \\\n  {SUCCESS}\n"),
            format!("auth required {SUCCESS} # auth=auth_err \\\nauth required {WRONG}\n"),
            format!("# c \\\nauth required {SUCCESS}\n"),
            format!("auth required {SUCCESS}\nauth required {WRONG} \\\n"),
            format!("auth requried {SUCCESS}\n"),
            format!("atuh optional {WRONG}\nauth required {SUCCESS}\n"),
            format!("auth\nauth required {SUCCESS}\n"),
            format!("auth optional\nauth required {SUCCESS}\n"),
            "auth required [pam_debug.so] [auth=success]\n".into(),
            format!("-auth required pam_absent.so\nauth required {SUCCESS}\n"),
            format!("-auth optional pam_absent.so\nauth required {SUCCESS}\n"),
            format!("auth required pam_absent.so\nauth required {SUCCESS}\n"),
            "@include a\n".into(),
            format!("@include a\nauth required {WRONG}\n"),
            format!("auth include a\nauth required {WRONG}\n"),
            format!("auth substack a\nauth required {WRONG}\n"),
            format!("auth include /etc/pam.d/a\nauth required {SUCCESS}\n"),
            format!("@INCLUDE absent\nauth required {SUCCESS}\n"),
            format!("auth include absent\nauth required {SUCCESS}\n"),
            format!("auth substack absent\nauth required {SUCCESS}\n"),
            format!("auth substack s\nauth required {SUCCESS}\n"),
            format!(
                "auth [success=1 default=ignore] {SUCCESS}\nauth requisite {WRONG}\nauth required {SUCCESS}\n"
            ),
            format!(
                "auth [success=2 default=ignore] {SUCCESS}\nauth requisite {WRONG}\nauth required {SUCCESS}\n"
            ),
            format!("auth [success=9 default=ignore] {SUCCESS}\nauth required {SUCCESS}\n"),
            format!("auth [success=1] {SUCCESS}\nauth substack a\nauth required {SUCCESS}\n"),
            "auth required pam_debug.so\r\n".into(),
        ] {
            write("s", &text);
            compare(&mut host);
        }
        fs::remove_file("/etc/pam.d/s").unwrap();
        compare(&mut host);
    });
}

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    /// One of `sides`.
    fn throw<'a, T: ?Sized>(&mut self, sides: &[&'a T]) -> &'a T {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        sides[(self.0 >> 33) as usize % sides.len()]
    }

    /// A line of a file; the files below may be included.
    fn line(&mut self, below: &[&str]) -> String {
        let kind = self.throw(&["auth", "auth", "auth", "auth", "auth", "-auth", "session", "bad"]);
        if let Some(file) = below.first().filter(|_| self.throw(&[&false, &true, &false]) == &true)
        {
            let how = self.throw(&["auth substack", "auth include", "@include", "auth substack"]);
            return format!("{how} {file}\n");
        }
        let code = self.throw(&[
            "success",
            "success",
            "success",
            "auth_err",
            "ignore",
            "new_authtok_reqd",
            "user_unknown",
            "authinfo_unavail",
            "abort",
            "maxtries",
        ]);
        let module =
            self.throw(&["pam_debug.so", "pam_debug.so", "pam_debug.so", "pam_absent.so", ""]);
        format!("{kind} {} {module} auth={code}\n", self.control())
    }

    fn control(&mut self) -> String {
        let keyword = self.throw(&["required", "requisite", "sufficient", "optional", "", "", ""]);
        if !keyword.is_empty() {
            return keyword.to_owned();
        }
        let mut pairs = Vec::new();
        for _ in 0..*self.throw(&[&1, &2, &3]) {
            let code = self.throw(&[
                "success",
                "default",
                "auth_err",
                "ignore",
                "user_unknown",
                "new_authtok_reqd",
            ]);
            let action =
                self.throw(&["ok", "done", "bad", "die", "ignore", "reset", "1", "2", "3"]);
            pairs.push(format!("{code}={action}"));
        }
        format!("[{}]", pairs.join(" "))
    }

    fn file(&mut self, below: &[&str]) -> String {
        (0..*self.throw(&[&1, &2, &3, &4, &5])).map(|_| self.line(below)).collect()
    }
}

#[test]
fn stacks_by_chance_are_run_as_libpam_runs_them() {
    World::run(|world| {
        let mut host = world.host();
        write("other", "auth required pam_debug.so auth=acct_expired\n");
        let mut dice = Dice(1);
        let (mut successes, mut called) = (0, 0);
        for _ in 0..2000 {
            write("b", &dice.file(&[]));
            write("a", &dice.file(&["b"]));
            write("s", &dice.file(&["a"]));
            let (verdict, lines) = compare(&mut host);
            successes += usize::from(verdict == Code::SUCCESS);
            called += lines;
        }
        assert!(successes > 100 && called > 2000, "{successes} successes, {called} lines");
    });
}
