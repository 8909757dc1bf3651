//! What a setup is going to change, worked out on a copy before anything is touched.

use std::fs;
use std::path::{Path, PathBuf};

use super::file::{self, Change};
use super::stack::{self, First, Scratch};
use super::{authselect, exceptions, marks, sshd};
use crate::doctor::sshd_files::Files;
use crate::failure::Failure;
use crate::tool::Tool;

const PAM_D: &str = "/etc/pam.d";
/// Every service, by what they share.
pub(super) const ALL: &str = "all";
/// Services by which the same program asks as well: `sudo -i`, `su -`.
const TWINS: [(&str, &str); 2] = [("sudo", "sudo-i"), ("su", "su-l")];
/// The profile of the package libpam-otp.
const PROFILE: &str = "/usr/share/pam-configs/otp";

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) service: String,
    /// As it was given; by default the password.
    pub(super) first: Option<First>,
    pub(super) nullok: bool,
    /// Who tries it.
    pub(super) user: Option<String>,
}

/// What comes of it.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) changes: Vec<Change>,
    /// What sshd is to ask for, where it is concerned.
    pub(super) sshd: Option<First>,
    /// The program that takes the changes out where others have edited the files.
    pub(super) otherwise: Option<Vec<String>>,
    /// Programs that make the changes, and those that take them back, in place of `changes`.
    pub(super) authselect: Option<authselect::Switch>,
    /// Some do not come to the code, by sshd's `Match` blocks: a question of its own.
    pub(super) exceptions: bool,
    /// What the person should know.
    pub(super) notes: Vec<String>,
}

impl Request {
    /// As it is typed.
    pub(super) fn words(&self) -> String {
        let mut words = self.service.clone();
        words += match self.first {
            Some(First::Key) => " --first key",
            Some(First::Password) => " --first password",
            None => "",
        };
        words + if self.nullok { " --nullok" } else { "" }
    }

    pub(super) fn first(&self) -> First {
        self.first.unwrap_or(First::Password)
    }

    fn concerns_sshd(&self) -> bool {
        self.service == "sshd" || (self.service == ALL && sshd::is_there())
    }
}

/// Works out the changes; `scratch` is a folder that does not exist yet.
pub(super) fn make(request: &Request, scratch: PathBuf) -> Result<Plan, Failure> {
    let root = Path::new("/");
    if pam_stack::Machine::at(root).module("pam_otp.so").is_none() {
        return Err(Failure::failed(
            "pam_otp.so: this machine does not have the module; install libpam-otp (pam_otp)",
        ));
    }
    let copied = Scratch::copy(root, scratch.clone());
    let scratch = copied.map_err(|error| Failure::write(scratch.display(), &error))?;
    let mut plan = Plan::default();
    if request.concerns_sshd() {
        with_sshd(request, &mut plan)?;
    }
    if request.service == ALL {
        every_service(request, &scratch, &mut plan)?;
    } else {
        one_service(request, &scratch, &mut plan)?;
        twins(request, &scratch, &mut plan)?;
    }
    if [ALL, "login"].contains(&request.service.as_str()) && !plan.is_empty() {
        plan.notes.push(
            "the console asks for a code as well then, also while otpd does not answer; without \
             this, `login` is the way back in"
                .to_owned(),
        );
    }
    Ok(plan)
}

/// Our file among sshd's, unless sshd does all of it already.
fn with_sshd(request: &Request, plan: &mut Plan) -> Result<(), Failure> {
    if !sshd::is_there() {
        return Err(Failure::failed(format!("sshd: no {}; is it installed?", sshd::CONFIGURATION)));
    }
    let effective = sshd::Effective::global()?;
    let asks = effective.get("pamservicename");
    if !["", request.service.as_str()].contains(&asks) && request.service != ALL {
        return Err(Failure::failed(format!(
            "sshd asks PAM as service {asks} (PAMServiceName), not sshd"
        )));
    }
    let files = Files::read(&pam_stack::Machine::at("/"));
    if request.first() == First::Key {
        exceptions::refuse(&files)?;
        plan.sshd = Some(First::Key);
    } else {
        let told = exceptions::told(&files);
        plan.exceptions = !told.is_empty();
        plan.notes.extend(told);
    }
    if sshd::is_set(request.first(), request.user.as_deref())? {
        return Ok(());
    }
    if request.first.is_none() && effective.keys_only() {
        return Err(Failure::usage(
            "sshd takes nobody without a key today; say `--first key` to ask for the code after \
             the key, or `--first password` to let passwords in again",
        ));
    }
    sshd::includes_drop_in()?;
    let path = PathBuf::from(sshd::DROP_IN);
    let before = file::read(&path)?;
    let after = Some(sshd::drop_in(request.first()).into_bytes());
    plan.changes.push(Change { path, before, after });
    plan.sshd = Some(request.first());
    Ok(())
}

/// The line in the service's own file.
fn one_service(request: &Request, scratch: &Scratch, plan: &mut Plan) -> Result<(), Failure> {
    let service = &request.service;
    let machine = scratch.machine();
    let read = machine.service(service);
    let Some(from) = read.file.clone() else {
        let known = machine.services();
        let near = crate::method::meant(service, known.iter().map(String::as_str));
        return Err(Failure::usage(format!("{service}: no such file in {PAM_D}{near}")));
    };
    if read.falls_back(pam_stack::Kind::Auth) {
        return Err(Failure::failed(format!(
            "{}: has no auth line, so libpam takes those of `other`; there is no place for the code",
            from.display()
        )));
    }
    let before = stack::auth(&machine, service)?;
    if let Some((_, line)) = stack::code_line(&before) {
        let place = line.via.first().unwrap_or(&line.place);
        plan.notes.push(format!(
            "{service} asks for a code already: {}:{}",
            place.file.display(),
            place.line
        ));
        return Ok(());
    }
    let first = stack::first_line(&before).filter(|first| first.file == from).ok_or_else(|| {
        Failure::failed(format!(
            "{}: no line asks for a password, so there is no place for the code; put it in by hand",
            from.display()
        ))
    })?;
    let path = Path::new(PAM_D).join(service);
    let text = file::read_text(&from)?.unwrap_or_default();
    let after = fitting(request, scratch, &path, &text, &first, plan)?;
    let before = file::read(&path)?;
    refuse_link_outside(&path)?;
    plan.changes.push(Change { path, before, after: Some(after.into_bytes()) });
    Ok(())
}

/// The same for the other services of the program, where they do not take it from this one.
fn twins(request: &Request, scratch: &Scratch, plan: &mut Plan) -> Result<(), Failure> {
    for (_, twin) in TWINS.iter().filter(|(service, _)| *service == request.service) {
        let machine = scratch.machine();
        let asks = stack::code_line(&stack::auth(&machine, twin)?).is_some();
        if machine.service(twin).file.is_some() && !asks {
            let request = Request { service: (*twin).to_owned(), ..request.clone() };
            one_service(&request, scratch, plan)?;
        }
    }
    Ok(())
}

/// The first of the candidates whose stack is as it is meant to be.
fn fitting(
    request: &Request,
    scratch: &Scratch,
    path: &Path,
    text: &str,
    first: &stack::FirstLine<'_>,
    plan: &mut Plan,
) -> Result<String, Failure> {
    let mut why = "nothing fits".to_owned();
    let candidates = stack::candidates(text, first, request.first(), request.nullok);
    for candidate in candidates {
        scratch.put(path, &candidate.text)?;
        match stack::fault(&stack::auth(&scratch.machine(), &request.service)?, request.first()) {
            None if !candidate.copied => return Ok(candidate.text),
            None => {
                plan.notes.push(format!(
                    "the lines that {}:{} includes are copied, so that a wrong password ends the \
                     login; what changes there later does not reach {}",
                    first.file.display(),
                    first.number,
                    request.service
                ));
                return Ok(candidate.text);
            }
            Some(fault) => why = fault,
        }
    }
    Err(Failure::failed(format!(
        "{}:{}: the code cannot be asked for below this line: {why}; nothing was changed",
        first.file.display(),
        first.number
    )))
}

/// A file that another program manages is not ours to replace.
fn refuse_link_outside(path: &Path) -> Result<(), Failure> {
    match path.canonicalize() {
        Ok(real) if !real.starts_with(PAM_D) => Err(Failure::failed(format!(
            "{}: is a link to {}, which another program manages; nothing was changed",
            path.display(),
            real.display()
        ))),
        _ => Ok(()),
    }
}

/// The profile of pam-auth-update, or the feature of authselect.
fn every_service(request: &Request, scratch: &Scratch, plan: &mut Plan) -> Result<(), Failure> {
    if request.first == Some(First::Key) {
        return Err(Failure::usage("--first key is for sshd alone; `all` asks after the password"));
    }
    refuse_doubled(scratch)?;
    if Tool::find("pam-auth-update", &[]).is_some() {
        return common_auth(request, scratch, plan);
    }
    plan.authselect = authselect::plan(request.nullok)?;
    if plan.authselect.is_none() {
        plan.notes.push("every service asks for a code already, by authselect".to_owned());
    }
    Ok(())
}

/// A service with a line of its own would ask twice.
fn refuse_doubled(scratch: &Scratch) -> Result<(), Failure> {
    let machine = scratch.machine();
    for service in machine.services() {
        let stack = stack::auth(&machine, &service)?;
        if let Some((_, line)) = stack::code_line(&stack)
            && line.place.file == Path::new(PAM_D).join(&service)
        {
            return Err(Failure::failed(format!(
                "{}:{}: {service} asks for a code already and would ask twice; first `otpctl setup \
                 --remove {service}`",
                line.place.file.display(),
                line.place.line
            )));
        }
    }
    Ok(())
}

/// Has pam-auth-update work on the copy, and takes over what it has made of it.
fn common_auth(request: &Request, scratch: &Scratch, plan: &mut Plan) -> Result<(), Failure> {
    if !Path::new(PROFILE).exists() {
        return Err(Failure::failed(format!("{PROFILE}: is not there; install libpam-otp")));
    }
    let root = scratch.path(Path::new("/"));
    let root = root.display().to_string();
    let root = root.trim_end_matches('/');
    let arguments = ["--root", root, "--package", "--enable", "otp"];
    // Its answers to debconf stay in the copy; what is enabled is told by the files.
    let answers = format!("File{{{root}/debconf.dat}}");
    Tool::need("pam-auth-update", &arguments)?.env("DEBCONF_DB_REPLACE", answers).run()?;
    let common = Path::new("/etc/pam.d/common-auth");
    let text = file::read_text(&scratch.path(common))?.unwrap_or_default();
    if !text.contains("pam_otp.so") {
        return Err(Failure::failed(
            "pam-auth-update leaves /etc/pam.d/common-* alone, since they were edited by hand; set \
             up single services, or see pam-auth-update(8)",
        ));
    }
    if request.nullok {
        scratch.put(common, &text.replace("pam_otp.so", "pam_otp.so nullok"))?;
    }
    for service in ["login", "sshd", "sudo"] {
        let machine = scratch.machine();
        if machine.service(service).file.is_some()
            && let Some(fault) = stack::fault(&stack::auth(&machine, service)?, First::Password)
        {
            return Err(Failure::failed(format!("{service}: {fault}; nothing was changed")));
        }
    }
    for folder in ["/var/lib/pam", PAM_D] {
        plan.changes.extend(changed(Path::new(folder), scratch)?);
    }
    plan.otherwise =
        Some(["pam-auth-update", "--package", "--disable", "otp"].map(str::to_owned).to_vec());
    Ok(())
}

/// The files of a folder that differ in the copy.
fn changed(folder: &Path, scratch: &Scratch) -> Result<Vec<Change>, Failure> {
    let copy = scratch.path(folder);
    let failed = |error: std::io::Error| Failure::write(copy.display(), &error);
    let mut changes = Vec::new();
    for entry in fs::read_dir(&copy).map_err(failed)?.flatten() {
        let path = folder.join(entry.file_name());
        // What pam-auth-update had there before it began.
        if path.extension().is_some_and(|end| end == "pam-old") {
            continue;
        }
        let (before, after) = (file::read(&path)?, file::read(&entry.path())?);
        if before != after {
            changes.push(Change { path, before, after });
        }
    }
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(changes)
}

/// The services of which something of ours is in the file, whether or not a record tells of it.
pub(super) fn marked() -> Vec<PathBuf> {
    let entries = fs::read_dir(PAM_D).into_iter().flatten().flatten().map(|entry| entry.path());
    let ours =
        |path: &PathBuf| file::read_text(path).ok().flatten().is_some_and(|text| marks::any(&text));
    let mut paths: Vec<_> = entries.filter(ours).collect();
    paths.sort();
    paths
}
