use std::os::unix::fs::{PermissionsExt, chown, symlink};

use super::*;
use crate::stand_in::{folder as of_root, is_root, script};

const LONG: Duration = Duration::from_secs(20);

/// Runs a line of shell, as an administrator's own script would be run.
async fn shell(line: &str, stdin: &[u8], limit: Duration) -> Result<Output, Fault> {
    let arguments = ["-c".as_ref(), line.as_ref()];
    let path = Path::new("/bin/sh");
    let folder = Path::new("/");
    Program { path, arguments: &arguments, environment: &[], folder, limit }.run(stdin).await
}

/// Waits until a process is gone; one that nobody has collected yet counts as gone.
async fn gone(id: &str) {
    loop {
        match fs::read_to_string(format!("/proc/{}/stat", id.trim())) {
            Ok(stat) if !stat.contains(") Z ") => {
                tokio::time::sleep(Duration::from_millis(5)).await
            }
            _ => return,
        }
    }
}

async fn written(file: &Path) -> String {
    loop {
        match fs::read_to_string(file) {
            Ok(text) if text.ends_with('\n') => return text,
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

#[tokio::test]
async fn a_program_gets_its_input_and_its_answer_is_kept() {
    let output = shell("cat; echo no >&2; exit 75", b"482913", LONG).await.unwrap();
    assert_eq!(output.stdout.as_slice(), b"482913");
    assert_eq!(output.stderr.as_slice(), b"no\n");
    assert_eq!(output.status.code(), Some(75));
    let killed = shell("kill -TERM $$", b"", LONG).await.unwrap();
    assert_eq!(killed.status.code(), None);
}

#[tokio::test]
async fn nothing_is_inherited() {
    let environment = shell("cat /proc/$$/environ", b"", LONG).await.unwrap();
    assert_eq!(environment.stdout.as_slice(), b"");
    let (_open, file) = tempfile::NamedTempFile::new().unwrap().into_parts();
    let state = shell("ls -l /proc/$$/fd; pwd -P; cat /proc/$$/stat", b"", LONG).await.unwrap();
    let state = String::from_utf8(state.stdout.to_vec()).unwrap();
    let lines: Vec<_> = state.lines().rev().collect();
    assert!(state.contains("0 -> pipe:") && !state.contains(file.to_str().unwrap()), "{state}");
    assert_eq!(lines[1], "/");
    let stat: Vec<_> = lines[0].split(' ').collect();
    assert_eq!(stat[0], stat[4], "it leads its own process group");
}

#[tokio::test]
async fn the_environment_is_what_the_caller_names() {
    let program = Program {
        path: Path::new("/bin/sh"),
        arguments: &["-c".as_ref(), "cat /proc/$$/environ; pwd -P".as_ref()],
        environment: &[("LC_ALL", "C.UTF-8".as_ref()), ("HOME", "/var/lib".as_ref())],
        folder: Path::new("/usr"),
        limit: LONG,
    };
    let output = program.run(b"").await.unwrap();
    let text = String::from_utf8(output.stdout.to_vec()).unwrap();
    let (environment, folder) = text.rsplit_once('\0').unwrap();
    let mut environment: Vec<_> = environment.split('\0').collect();
    environment.sort_unstable();
    assert_eq!((environment, folder), (vec!["HOME=/var/lib", "LC_ALL=C.UTF-8"], "/usr\n"));
    let nowhere = Program { folder: Path::new("/nonexistent"), ..program };
    let fault = nowhere.run(b"").await.unwrap_err();
    assert!(matches!(&fault, Fault::NotStarted(text) if text.contains("folder /nonexistent")));
}

#[tokio::test]
async fn large_outputs_are_cut_and_the_program_ends() {
    let line = "head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2; echo end";
    let output = shell(line, b"", LONG).await.unwrap();
    assert_eq!((output.stdout.len(), output.stderr.len()), (OUTPUT, OUTPUT));
    assert!(output.status.success());
}

#[tokio::test]
async fn a_program_that_does_not_read_is_judged_by_its_status() {
    let input = vec![b'x'; 1_000_000];
    assert!(shell("exec <&-; exit 0", &input, LONG).await.unwrap().status.success());
    assert!(shell("exit 0", &input, LONG).await.unwrap().status.success());
}

#[tokio::test]
async fn at_the_limit_the_whole_group_dies() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("id");
    let line = format!("(trap '' TERM; sleep 1000 & echo $! > {0}; wait) & wait", file.display());
    let running = tokio::spawn(async move { shell(&line, b"", Duration::from_secs(2)).await });
    let grandchild = written(&file).await;
    let fault = running.await.unwrap().unwrap_err();
    assert_eq!(
        fault,
        Fault::Killed("/bin/sh had not ended after 2000 ms and was killed".to_owned())
    );
    gone(&grandchild).await;
}

#[tokio::test]
async fn a_dropped_future_kills_the_whole_group() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("id");
    let line = format!("(sleep 1000 & echo $! > {0}; wait) & wait", file.display());
    let running = tokio::spawn(async move { shell(&line, b"", LONG).await });
    let grandchild = written(&file).await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    gone(&grandchild).await;
}

#[tokio::test]
async fn what_stays_behind_does_not_keep_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    // The process that stays holds both outputs until the test opens the other end.
    let line = format!("mkfifo {0}; (: < {0}) & echo sent", fifo.display());
    let output = shell(&line, b"", LONG).await.unwrap();
    assert_eq!((output.stdout.as_slice(), output.status.success()), (&b"sent\n"[..], true));
    let free = tokio::task::spawn_blocking(move || fs::write(fifo, "")).await.unwrap();
    free.unwrap();
}

#[tokio::test]
async fn what_does_not_start_says_why() {
    if !is_root() {
        return;
    }
    let folder = of_root();
    for (text, mode, reason) in [
        ("#!/nonexistent/interpreter\n", 0o755, "the interpreter that its first line names"),
        ("#!/etc/passwd\n", 0o755, "its interpreter"),
        ("echo no first line\n", 0o755, "neither a program nor a script"),
        ("#!/bin/sh\n", 0o644, "chmod a+x"),
    ] {
        let path = script(folder.path(), "program", text, mode);
        let program = Program {
            path: &path,
            arguments: &[],
            environment: &[],
            folder: folder.path(),
            limit: LONG,
        };
        let fault = program.run(b"").await.unwrap_err();
        let told = fault.to_string();
        assert!(matches!(fault, Fault::NotStarted(_)), "{told}");
        assert!(told.contains(reason) && told.contains(path.to_str().unwrap()), "{told}");
    }
}

#[test]
fn a_path_must_be_roots_all_the_way() {
    if !is_root() {
        return;
    }
    let folder = of_root();
    let good = script(folder.path(), "good", "#!/bin/sh\n", 0o755);
    let make = |name: &str| script(folder.path(), name, "#!/bin/sh\n", 0o755);
    let (group, others, owned) = (make("group"), make("others"), make("owned"));
    fs::set_permissions(&group, fs::Permissions::from_mode(0o775)).unwrap();
    fs::set_permissions(&others, fs::Permissions::from_mode(0o757)).unwrap();
    chown(&owned, Some(1), None).unwrap();
    let open = folder.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o1777)).unwrap();
    let within = script(&open, "within", "#!/bin/sh\n", 0o755);
    let link = |name: &str, target: &Path| {
        let link = folder.path().join(name);
        symlink(target, &link).unwrap();
        link
    };
    // A link that others could turn elsewhere leads to a program of root's.
    symlink(&good, open.join("turned")).unwrap();
    let relative = link("relative", Path::new("../../../bin/../bin/sh"));
    let direct = link("direct", &good);
    let twice = link("twice", &direct);
    let turned = link("to-turned", &open.join("turned"));
    let circle = link("circle", &folder.path().join("circle"));
    let foreign = link("foreign", &good);
    std::os::unix::fs::lchown(&foreign, Some(1), None).unwrap();
    for path in [&good, &direct, &twice, &relative, Path::new("/bin/sh")] {
        assert_eq!(check(path), Ok(()), "{}", path.display());
    }
    for (path, reason) in [
        (group.as_path(), "can be written by others than root"),
        (&others, "can be written by others than root"),
        (&owned, "does not belong to root"),
        (&within, "can be written by others than root"),
        (&turned, "can be written by others than root"),
        (&foreign, "does not belong to root"),
        (&circle, "too many symbolic links"),
        (folder.path(), "not a file"),
        (Path::new("/etc/passwd"), "chmod a+x"),
        (&folder.path().join("none"), "does not exist"),
        (&good.join("below"), "Not a directory"),
        (Path::new("bin/sh"), "starts with /"),
        (Path::new("sh"), "starts with /"),
    ] {
        let told = check(path).unwrap_err();
        assert!(told.contains(reason) && told.contains(path.to_str().unwrap()), "{told}");
    }
}
