//! `otpctl directory`

use crate::bus::{Session, failure};
use crate::cli::Directory;
use crate::failure::{Exit, Failure};
use crate::render::{self, List, printable};

pub(crate) async fn run(session: &Session, command: Directory) -> Result<(), Failure> {
    match command {
        Directory::List => list(session).await,
        Directory::Test { name, user } => test(session, &name, user.as_deref()).await,
    }
}

async fn list(session: &Session) -> Result<(), Failure> {
    let answer = session.manager.list_directories().await;
    let directories = answer.map_err(|error| failure("directory list", &error))?;
    let out = &session.out;
    let items: Vec<_> = directories.iter().map(render::Directory::from).collect();
    let total = items.len() as u64;
    out.show(&List { items, total }, || render::directories(&directories, out))
}

async fn test(session: &Session, name: &str, user: Option<&str>) -> Result<(), Failure> {
    let answer = session.manager.test_directory(name, user.unwrap_or_default()).await;
    let report = answer.map_err(|error| failure(&format!("test directory {name}"), &error))?;
    if !report.problems.is_empty() {
        let why = format!("{name} cannot be used: {}", report.problems.join("; "));
        return Err(Failure::failed(printable(&why)));
    }
    if let (Some(false), Some(user)) = (report.found, user) {
        let why = format!("{name} can be used and knows no user {user}");
        return Err(Failure::new(Exit::UnknownUser, "UnknownUser", printable(&why)));
    }
    let document = render::DirectoryTest::from(&report);
    session.out.show(&document, || render::directory_test(&report))
}
