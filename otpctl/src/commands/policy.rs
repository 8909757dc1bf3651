//! `otpctl policy`

use otp_ipc::ExplainQuery;

use crate::bus::{Session, failure};
use crate::cli::{Explain, Policy};
use crate::failure::Failure;
use crate::render::{self, List};

pub(crate) async fn run(session: &Session, command: Policy) -> Result<(), Failure> {
    match command {
        Policy::List => list(session).await,
        Policy::Explain(args) => explain(session, args).await,
    }
}

async fn list(session: &Session) -> Result<(), Failure> {
    let answer = session.manager.list_policies().await;
    let policies = answer.map_err(|error| failure("policy list", &error))?;
    let out = &session.out;
    let items: Vec<_> = policies.iter().map(render::Policy::from).collect();
    let total = items.len() as u64;
    out.show(&List { items, total }, || render::policies(&policies, out))
}

/// That the user is unknown is part of the answer and no failure.
async fn explain(session: &Session, args: Explain) -> Result<(), Failure> {
    let out = &session.out;
    let time = args.at.map(|at| at.at("--at", &out.zone)).transpose()?;
    let query = ExplainQuery {
        service: Some(args.service),
        source: args.source,
        tty: args.tty,
        client: args.client,
        time,
    };
    let what = format!("policy explain {}", args.user);
    let answer = session.manager.explain(&args.user, &query).await;
    let found = answer.map_err(|error| failure(&what, &error))?;
    out.show(&render::Explanation::from(&found), || render::explanation(&found))
}
