//! `otpctl status`

use crate::bus::{Session, failure};
use crate::failure::Failure;
use crate::render;

pub(crate) async fn run(session: &Session) -> Result<(), Failure> {
    let status = session.manager.status().await.map_err(|error| failure("status", &error))?;
    let out = &session.out;
    out.show(&render::Status::from(&status), || render::status(&status, &out.zone))
}
