//! `otpd`: holds the secrets and decides.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use clap::{Parser, Subcommand};
use otp_delivery::Dispatcher;
use otpd::{
    clock::{Clock, SystemClock},
    config::{Config, DEFAULT_FILE, Loaded},
    directory::{Directory, composite::Directories},
    engine::{Engine, Facts, Ports},
    journal,
    keys::{Keyring, Role, rotation::Owner},
    maintenance::{self, Task},
    notify, process, service,
    store::sqlite::{self, Initialised, Options, SqliteStore, lock::Lock},
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

/// The daemon of pam_otp: holds the secrets of one-time passwords and decides who may log in.
#[derive(Parser)]
#[command(name = "otpd", version)]
struct Arguments {
    /// The configuration; its drop-ins are the *.toml files of the folder FILE without ".toml"
    /// and with ".d".
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE, global = true)]
    config: PathBuf,
    /// Log to stderr as well.
    #[arg(long, global = true)]
    stderr: bool,
    /// Log more. Never logs a code or a secret.
    #[arg(long, global = true)]
    debug: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Make the key and the store of a new system; changes nothing where both exist
    Init,
    /// Read the configuration, say what is wrong with it, change nothing
    CheckConfig {
        /// Connect to every [directory] as well, and compare its schema with the settings
        #[arg(long)]
        directories: bool,
    },
    /// Print the configuration as it counts, defaults included
    ShowConfig,
    /// For `otpctl import`
    Import,
    /// For `otpctl export`
    Export,
    /// For `otpctl backup`
    Backup,
    /// For `otpctl restore`
    Restore,
    /// For `otpctl key rotate`
    RotateKey,
}

/// What ends the daemon; the text says what to do.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Some(Command::CheckConfig { directories }) => check_config(&arguments, directories),
        Some(Command::ShowConfig) => show_config(&arguments),
        Some(Command::Init) => init(&arguments),
        Some(Command::Import) => maintain(&arguments, Task::Import),
        Some(Command::Export) => maintain(&arguments, Task::Export),
        Some(Command::Backup) => maintain(&arguments, Task::Backup),
        Some(Command::Restore) => maintain(&arguments, Task::Restore),
        Some(Command::RotateKey) => maintain(&arguments, Task::Rotate),
        None => serve(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("daemon: {error}");
            eprintln!("otpd: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "this command's answer")]
fn check_config(arguments: &Arguments, directories: bool) -> Result<(), Failure> {
    let loaded = Config::load(&arguments.config, credentials().as_deref())?;
    let now_ms = SystemClock.now_ms();
    let later = loaded.config.methods.iter().filter_map(|method| method.not_begun(now_ms));
    for warning in loaded.warnings.iter().cloned().chain(later) {
        println!("warning: {warning}");
    }
    for notice in &loaded.notices {
        println!("notice: {notice}");
    }
    if directories {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let checked = runtime.block_on(check_directories(&loaded.config));
        runtime.shutdown_background();
        checked?;
    }
    println!("ok");
    Ok(())
}

/// Connects to every directory and says what is wrong with it.
async fn check_directories(config: &Config) -> Result<(), Failure> {
    let directories = Directories::new(&config.directories, Arc::new(SystemClock))?;
    let mut problems = Vec::new();
    for directory in directories.list() {
        let name = directory.name;
        let tested = directories.test(&name, None).await.unwrap_or_default();
        problems.extend(tested.problems.iter().map(|why| format!("directory {name}: {why}")));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
}

#[expect(clippy::print_stdout, reason = "this command's answer")]
fn show_config(arguments: &Arguments) -> Result<(), Failure> {
    let loaded = Config::load(&arguments.config, credentials().as_deref())?;
    for file in &loaded.files {
        println!("# {}", file.display());
    }
    print!("{}", loaded.config);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this command's answer")]
fn init(arguments: &Arguments) -> Result<(), Failure> {
    process::harden()?;
    let loaded = Config::load(&arguments.config, credentials().as_deref())?;
    let config = &loaded.config;
    let account = process::daemon_account(&config.user)?;
    let owner = Owner { uid: account.uid.as_raw(), gid: account.gid.as_raw() };
    process::make_folder(&config.store.path, &account)?;
    let (store, key) = (&config.store.path, &config.key_file);
    match sqlite::init(store, key, Some(owner), SystemClock.now_ms())? {
        Initialised::Created => {
            println!("made the key {} and the store {}", key.display(), store.display());
            println!("back both up, apart from each other: neither helps without the other");
        }
        Initialised::Existing => {
            println!("nothing to do: {} and {} exist", key.display(), store.display());
        }
    }
    Ok(())
}

fn maintain(arguments: &Arguments, task: Task) -> Result<(), Failure> {
    maintenance::run(task, &arguments.config, credentials())
}

fn serve(arguments: &Arguments) -> Result<(), Failure> {
    process::harden()?;
    process::end_on_panic();
    let level = if arguments.debug { log::LevelFilter::Debug } else { log::LevelFilter::Info };
    journal::init(arguments.stderr, level)?;
    let loaded = Config::load(&arguments.config, credentials().as_deref())?;
    for warning in &loaded.warnings {
        log::warn!("config: {warning}");
    }
    let socket = &loaded.config.bus.login_socket;
    let listener = match notify::login_listener()? {
        Some(listener) => listener,
        None if nix::unistd::geteuid().is_root() => process::bind_login_socket(socket)
            .map_err(|error| format!("the login socket {}: {error}", socket.display()))?,
        None => return Err("no login socket was passed; start otpd.socket, or otpd as root".into()),
    };
    process::drop_privileges(&process::daemon_account(&loaded.config.user)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(run(arguments, loaded, listener));
    // A look-up in a directory that hangs does not keep the daemon from ending.
    runtime.shutdown_background();
    outcome
}

async fn run(
    arguments: &Arguments,
    loaded: Loaded,
    listener: std::os::unix::net::UnixListener,
) -> Result<(), Failure> {
    let owner = nix::unistd::geteuid().as_raw();
    // Not before a rotation has ended: the keys that it began with are not those of its store.
    let settled = Lock::shared(&loaded.config.store.path)?;
    let ring = Keyring::load(credentials().as_deref(), &loaded.config.key_file, owner)?;
    let options = Options { owner, audit_rows: loaded.config.store.audit_rows };
    let store = Arc::new(SqliteStore::open(&loaded.config.store.path, &ring, options)?);
    if ring.get(Role::New).is_some() {
        log::warn!(
            "daemon: a rotation of the key was not finished; finish it with `otpctl key rotate`"
        );
    }
    ring.unusable().iter().for_each(|error| log::warn!("daemon: {error}"));
    drop((ring, settled));
    let facts = Facts {
        key: store.key_source().to_owned(),
        credentials: credentials(),
        host: process::host_name(),
        since_ms: SystemClock.now_ms(),
    };
    let dispatcher = Arc::<Dispatcher>::default();
    dispatcher.configure(loaded.config.providers.clone())?;
    let directories = Directories::new(&loaded.config.directories, Arc::new(SystemClock))?;
    let ports = Ports {
        store: Arc::<SqliteStore>::clone(&store),
        directory: Arc::new(directories),
        clock: Arc::new(SystemClock),
        dispatcher: Arc::clone(&dispatcher),
        recovery_key: store.recovery_key(),
    };
    let address = loaded.config.bus.address.clone();
    let engine = Arc::new(Engine::new(ports, loaded, arguments.config.clone(), facts));

    let signals = Signals::listen()?;
    engine.post_messages_left().await;
    tokio::spawn(Arc::clone(&engine).carry_messages());
    tokio::spawn(Arc::clone(&engine).tend_shares());
    tokio::spawn(Arc::clone(&engine).run_follow_ups());
    let (tried, bus_tried) = oneshot::channel();
    let direct = tokio::spawn(service::serve_direct(Arc::clone(&engine), listener));
    tokio::spawn(service::serve_bus(Arc::clone(&engine), address, tried));
    bus_tried.await?;
    notify::ready(&summary(&engine));
    log::info!("daemon: ready");

    let outcome = tokio::select! {
        () = attend(&engine, signals) => Ok(()),
        served = direct => Err(format!("the login socket is no longer served: {served:?}").into()),
        () = store.closed() => Err("the store has failed for good; see the log above".into()),
    };
    notify::stopping();
    engine.drain(Duration::from_secs(5)).await;
    log::info!("daemon: stopped");
    outcome
}

/// The signals that the daemon answers. Heard before it says that it is ready, because one that
/// comes earlier ends it.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

/// How often the configuration's files are looked at: what has changed counts after twice that.
const LOOK: Duration = Duration::from_secs(2);

/// Signals, the watchdog, the configuration's files and the clock of waiting logins, until the
/// daemon is told to end.
async fn attend(engine: &Arc<Engine>, mut signals: Signals) {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut expiry = tokio::time::interval(Duration::from_secs(30));
    let mut wiping = tokio::time::interval(Duration::from_secs(60));
    let mut watchdog =
        tokio::time::interval(notify::watchdog_interval().unwrap_or(Duration::from_secs(3600)));
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => return,
            _ = signals.interrupt.recv() => return,
            _ = signals.hangup.recv() => reload(engine),
            _ = look.tick() => if engine.configuration_changed() { reload(engine) },
            _ = expiry.tick() => engine.expire_sessions(),
            _ = wiping.tick() => {
                let engine = Arc::clone(engine);
                tokio::spawn(async move { engine.wipe_codes().await });
            }
            _ = watchdog.tick() => notify::alive(),
        }
    }
}

/// A bad configuration is logged and shown by the status; the last good one holds.
fn reload(engine: &Engine) {
    notify::reloading();
    let _ = engine.reload();
    notify::ready(&summary(engine));
}

fn summary(engine: &Engine) -> String {
    match engine.problems().first() {
        Some(problem) => format!("degraded: {problem}"),
        None => "ready".to_owned(),
    }
}

/// Where the service manager put the credentials; the one variable that names a place.
#[expect(clippy::disallowed_methods, reason = "set by the service manager, not by a caller")]
fn credentials() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;

    const MANUAL: &str = include_str!("../../packaging/man/otpd.8");

    #[test]
    fn the_manual_has_every_command_and_option_and_no_other() {
        let mut program = Arguments::command();
        program.build();
        let manual = MANUAL.replace("\\-", "-");
        let words = manual.split([' ', '\n', '"', ',', '=']);
        let options: BTreeSet<_> = words.filter_map(|word| word.strip_prefix("--")).collect();
        let own = program.get_subcommands().flat_map(clap::Command::get_arguments);
        let arguments = program.get_arguments().chain(own);
        assert_eq!(options, arguments.filter_map(clap::Arg::get_long).collect());

        let (_, commands) = manual.split_once(".SH COMMANDS\n").unwrap();
        let (commands, _) = commands.split_once(".SH ").unwrap();
        let commands = commands.replace(".TQ\n", ".TP\n");
        let tags = commands.split(".TP\n.B ").skip(1).filter_map(|entry| entry.lines().next());
        let names = program.get_subcommands().map(clap::Command::get_name);
        assert_eq!(tags.collect::<BTreeSet<_>>(), names.collect());
    }
}
