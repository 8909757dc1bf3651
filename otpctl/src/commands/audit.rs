//! `otpctl audit`

use std::time::Duration;

use otp_ipc::{AuditFilter, AuditRecord, limits};

use crate::bus::{Session, failure};
use crate::cli::Audit;
use crate::failure::Failure;
use crate::render::{self, AuditDocument, List};

/// How often new records are asked for: the daemon sends no signals.
const PAUSE: Duration = Duration::from_secs(1);

pub(crate) async fn run(session: &Session, args: &Audit) -> Result<(), Failure> {
    let out = &session.out;
    let since = args.since.map(|since| since.ago("--since", &out.zone)).transpose()?;
    let mut filter =
        AuditFilter { user: args.user.clone(), since, after: None, limit: Some(args.limit) };
    let records = ask(session, &filter).await?;
    if out.json && !args.follow {
        let total = records.len() as u64;
        let items = records.iter().map(AuditDocument::from).collect();
        return out.print(&render::json(&List { items, total })?);
    }
    let mut last = print(session, &records)?.unwrap_or_default();
    if !args.follow {
        return Ok(());
    }
    filter.limit = Some(limits::PAGE);
    loop {
        tokio::time::sleep(PAUSE).await;
        filter.after = Some(last);
        last = print(session, &ask(session, &filter).await?)?.unwrap_or(last);
    }
}

async fn ask(session: &Session, filter: &AuditFilter) -> Result<Vec<AuditRecord>, Failure> {
    session.manager.audit(filter).await.map_err(|error| failure("audit", &error))
}

/// Prints a line for each record (with `--json` a document) and returns the last one's number.
fn print(session: &Session, records: &[AuditRecord]) -> Result<Option<i64>, Failure> {
    let out = &session.out;
    for record in records {
        let line = if out.json {
            render::json_line(&AuditDocument::from(record))?.to_string()
        } else {
            render::audit_line(record, &out.zone)
        };
        out.print(&line)?;
    }
    Ok(records.last().map(|record| record.id))
}
