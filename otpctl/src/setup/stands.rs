//! Whether a setup that is to be kept is still there: as it was made, or so that a code is asked for.

use super::sshd;
use super::stack::{self, First};
use super::state::{Place, Setup};
use super::undo::{Stand, is_shared, stand};
use crate::failure::Failure;

/// Where all services are asked for a code, the doors that count.
const DOORS: [&str; 4] = ["login", "sshd", "sudo", "su"];

/// Refuses a setup that is not there any more, or is so in part only.
pub(super) fn check(setup: &Setup) -> Result<(), Failure> {
    if let Some(switch) = &setup.record.authselect
        && !switch.stands()?
    {
        return Err(gone("authselect", "its feature with-otp is not on"));
    }
    for (n, place) in setup.record.files.iter().enumerate() {
        if stand(setup, n, place)? != Stand::After
            && let Some(why) = fault(setup, place)?
        {
            return Err(gone(&place.path.display().to_string(), &why));
        }
    }
    Ok(())
}

fn gone(what: &str, why: &str) -> Failure {
    Failure::failed(format!(
        "{what}: is not as setup left it, and {why}; nothing is kept: `otpctl setup --undo`, then \
         set it up again"
    ))
}

/// Why what somebody made of a file does not ask for a code; `None` where it does.
fn fault(setup: &Setup, place: &Place) -> Result<Option<String>, Failure> {
    let first = setup.record.sshd.unwrap_or(First::Password);
    if sshd::is_drop_in(&place.path) {
        return Ok(sshd::check(first, None).err().map(|failure| failure.message));
    }
    let machine = pam_stack::Machine::at("/");
    let name = place.path.file_name().unwrap_or_default().to_string_lossy();
    let services = if is_shared(&place.path) { DOORS.to_vec() } else { vec![name.as_ref()] };
    if !is_shared(&place.path) && machine.service(&name).file.is_none() {
        return Ok(Some("it is gone".to_owned()));
    }
    for service in services {
        if machine.service(service).file.is_some()
            && let Some(fault) = stack::fault(&stack::auth(&machine, service)?, first)
        {
            return Ok(Some(format!("{service}: {fault}")));
        }
    }
    Ok(None)
}
