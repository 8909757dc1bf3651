//! The commands: each asks the daemon and shows what it says.

use clap::CommandFactory;

use crate::bus::Session;
use crate::cli::{Cli, Command, Config, Provider, Token};
use crate::failure::Failure;
use crate::manual;
use crate::render::Output;

mod audit;
mod backup;
mod client;
mod code;
pub(crate) mod config;
mod directory;
mod enrol;
mod export;
mod ids;
mod import;
mod key;
pub(crate) mod login_test;
mod method;
mod policy;
mod provider;
mod recovery;
mod restore;
mod setup;
mod share;
mod status;
pub(crate) mod token;
mod user;

/// Does what the command line asks for.
pub(crate) fn run(cli: Cli) -> Result<(), Failure> {
    let out = Output::new(&cli.global);
    match cli.command {
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "otpctl", &mut script);
            out.print(&String::from_utf8_lossy(&script))
        }
        Command::Man { dir } => manual::write(Cli::command(), &dir)
            .map_err(|error| Failure::write(dir.display(), &error)),
        Command::Config(Config::Check { file, directories }) => {
            config::check(file.as_deref(), directories, &out)
        }
        Command::Config(Config::Show { file }) => config::show(file.as_deref(), &out),
        Command::Backup(args) => backup::run(&args, &out),
        Command::Restore(args) => restore::run(&args, &out),
        Command::Provider(Provider::Import(args)) => provider::import(&args, &out),
        Command::Key(command) => key::run(&command, &out),
        Command::Import(args) => import::run(&args, &out),
        Command::Export(args) => export::run(&args, &out),
        command => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::failed(format!("cannot start: {error}")))?
            .block_on(ask(command, cli.global.bus.as_deref(), out)),
    }
}

/// The commands that the daemon answers.
async fn ask(command: Command, bus: Option<&str>, out: Output) -> Result<(), Failure> {
    // These are about files, and go on without the daemon.
    if let Command::Method(command) = command {
        return method::run(command, bus, &out).await;
    }
    if let Command::Doctor(args) = command {
        return crate::doctor::run(args.service.as_deref(), bus, &out).await;
    }
    if let Command::LoginTest(args) = command {
        return login_test::run(&args, bus, &out).await;
    }
    if let Command::Setup(args) = command {
        return setup::run(args, bus, &out).await;
    }
    let session = Session::open(bus, out).await?;
    match command {
        Command::Status => status::run(&session).await,
        Command::Token(Token::Add(args)) => enrol::add(&session, &args).await,
        Command::Token(command) => token::run(&session, command).await,
        Command::Recovery(command) => recovery::run(&session, command).await,
        Command::User(command) => user::run(&session, command).await,
        Command::Code(command) => code::run(&session, command).await,
        Command::Client(command) => client::run(&session, command).await,
        Command::Provider(command) => provider::run(&session, command).await,
        Command::Policy(command) => policy::run(&session, command).await,
        Command::Directory(command) => directory::run(&session, command).await,
        Command::Config(_) => config::reload(&session).await,
        Command::Audit(args) => audit::run(&session, &args).await,
        Command::Completions { .. }
        | Command::Man { .. }
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Key(_)
        | Command::Import(_)
        | Command::Export(_)
        | Command::Method(_)
        | Command::Doctor(_)
        | Command::LoginTest(_)
        | Command::Setup(_) => Ok(()),
    }
}
