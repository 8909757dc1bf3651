//! `otpctl import`

use super::{Failure, Site};

pub(super) fn run(_site: &Site) -> Result<(), Failure> {
    Err("is not there yet".into())
}
