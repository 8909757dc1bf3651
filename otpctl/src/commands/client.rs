//! `otpctl client`: the register of clients.

use std::collections::HashMap;

use otp_ipc::{ClientDocument, ClientFilter, ClientOptions, CodeDocument, limits};
use serde_json::json;

use super::{
    code::{self, Place},
    ids,
    token::short,
};
use crate::bus::{Session, failure};
use crate::cli::{Client, ClientAdd, ClientList, Terms};
use crate::failure::{Exit, Failure};
use crate::render::{self, List, printable};
use crate::tty;

const LIST: &str = "client list";

pub(crate) async fn run(session: &Session, command: Client) -> Result<(), Failure> {
    session.same_release("client").await?;
    match command {
        Client::List(args) => list(session, args).await,
        Client::Add(args) => add(session, args).await,
        Client::Enable { id } => set(session, &id, "always").await,
        Client::Disable { id } => set(session, &id, "disabled").await,
        Client::Schedule { id, times } => set(session, &id, &times).await,
        Client::Remove { id, yes } => remove(session, &id, yes).await,
    }
}

async fn list(session: &Session, args: ClientList) -> Result<(), Failure> {
    let filter = ClientFilter {
        user: args.user.clone(),
        id: None,
        search: args.search,
        show_identities: args.show_ids.then_some(true),
        offset: Some(args.offset),
        limit: Some(args.limit),
    };
    let answer = session.manager.list_clients(&filter).await;
    let (clients, total) = answer.map_err(|error| failure(LIST, &error))?;
    let out = &session.out;
    let items = clients.iter().map(render::Client::from).collect();
    // Nobody is asked for a password more than what they typed needs: root is never asked.
    let root = session.own.is_none();
    let pending =
        if root && !out.json { pending(session, args.user).await } else { HashMap::new() };
    out.show(&List { items, total }, || render::clients(&clients, &pending, out))?;
    if !out.terminal || out.json {
        return Ok(());
    }
    out.notice(&showing(args.offset, clients.len(), total))?;
    if !root {
        return Ok(());
    }
    let status = session.manager.status().await.map_err(|error| failure(LIST, &error))?;
    out.print(&render::register(&status))
}

/// The codes that are good, by the client that they enrol; none for whom may not see them.
async fn pending(session: &Session, user: Option<String>) -> HashMap<String, CodeDocument> {
    let codes = code::all(session, user, None).await.unwrap_or_default();
    let open = codes.into_iter().filter(|code| code.state == "open");
    open.filter_map(|code| Some((code.client.clone()?, code))).collect()
}

/// `Showing 1 to 3 of 3 entries`
fn showing(offset: u32, count: usize, total: u64) -> String {
    let first = if count == 0 { 0 } else { u64::from(offset) + 1 };
    let last = if count == 0 { 0 } else { u64::from(offset) + count as u64 };
    let next = if count > 0 && last < total {
        format!("; --offset {last} shows more")
    } else {
        String::new()
    };
    format!("Showing {first} to {last} of {total} entries{next}")
}

async fn add(session: &Session, args: ClientAdd) -> Result<(), Failure> {
    let out = &session.out;
    let place = args.code.then(|| Place::prepare(args.output.as_deref(), out)).transpose()?;
    let options = ClientOptions {
        description: args.description,
        identity: args.identity,
        enabling: args.enable,
        push: args.push.map(|push| push.0),
    };
    let what = format!("add a client of {}", args.user);
    let answer = session.manager.add_client(&args.user, &options).await;
    let id = answer.map_err(|error| failure(&what, &error))?;
    let Some(place) = place else {
        let client = find(session, &id).await?;
        let notice = format!("The {} is registered.", name(&client));
        return out.done(&render::Client::from(&client), &notice);
    };
    let told = code::ask(session, &args.user, Terms::default(), Some(id.clone())).await;
    let told = told.map_err(|failure| {
        failure.and(format!("the client is registered: `otpctl client remove {}`", short(&id)))
    })?;
    place.tell(&told, out)
}

async fn set(session: &Session, id: &str, enabling: &str) -> Result<(), Failure> {
    let client = find(session, id).await?;
    let options = ClientOptions { enabling: Some(enabling.to_owned()), ..ClientOptions::default() };
    let what = format!("change {}", name(&client));
    let answer = session.manager.set_client(&client.id, &options).await;
    answer.map_err(|error| failure(&what, &error))?;
    let now = find(session, &client.id).await?;
    let notice = format!("The {}: {}", name(&now), render::enabled(&now));
    session.out.done(&render::Client::from(&now), &notice)
}

async fn remove(session: &Session, id: &str, yes: bool) -> Result<(), Failure> {
    let client = find(session, id).await?;
    let called = name(&client);
    tty::agree(&format!("Remove {called}"), yes)?;
    let what = format!("remove {called}");
    let answer = session.manager.remove_client(&client.id).await;
    answer.map_err(|error| failure(&what, &error))?;
    let document = json!({ "id": client.id, "user": client.user, "removed": true });
    session.out.done(&document, &format!("Removed {called}."))
}

/// The client that an id, or the beginning of one, stands for.
async fn find(session: &Session, id: &str) -> Result<ClientDocument, Failure> {
    let id = ids::typed(id, "client's entry", LIST)?;
    let names = ("client", "UnknownClient", LIST);
    if let Some(own) = &session.own
        && let Ok(clients) = all(session, Some(own.clone())).await
        && clients.iter().any(|client| client.id.starts_with(&id))
    {
        return ids::only(&id, clients, |client| client.id.as_str(), names, Exit::UnknownUser);
    }
    let clients = all(session, None).await?;
    ids::only(&id, clients, |client| client.id.as_str(), names, Exit::UnknownUser)
}

async fn all(session: &Session, user: Option<String>) -> Result<Vec<ClientDocument>, Failure> {
    let mut filter = ClientFilter { user, limit: Some(limits::PAGE), ..ClientFilter::default() };
    let mut clients = Vec::new();
    loop {
        filter.offset = u32::try_from(clients.len()).ok();
        let answer = session.manager.list_clients(&filter).await;
        let (page, total) = answer.map_err(|error| failure(LIST, &error))?;
        let end = page.is_empty();
        clients.extend(page);
        if end || clients.len() as u64 >= total {
            return Ok(clients);
        }
    }
}

/// How a client is called in a sentence.
fn name(client: &ClientDocument) -> String {
    let text = format!("client {} of {} ({})", short(&client.id), client.user, client.description);
    printable(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t15_the_list_says_which_part_of_it_is_shown() {
        for (offset, count, total, text) in [
            (0, 3, 3, "Showing 1 to 3 of 3 entries"),
            (0, 10, 37, "Showing 1 to 10 of 37 entries; --offset 10 shows more"),
            (30, 7, 37, "Showing 31 to 37 of 37 entries"),
            (0, 0, 0, "Showing 0 to 0 of 0 entries"),
            (40, 0, 37, "Showing 0 to 0 of 37 entries"),
        ] {
            assert_eq!(showing(offset, count, total), text);
        }
    }
}
