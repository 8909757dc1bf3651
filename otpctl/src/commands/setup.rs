//! `otpctl setup`

use crate::cli::Setup;
use crate::failure::Failure;
use crate::render::Output;
use crate::setup::{self, Wish};

pub(crate) async fn run(args: Setup, bus: Option<&str>, out: &Output) -> Result<(), Failure> {
    if let (Some(seconds), Some(id)) = (args.undo_after, &args.id) {
        return setup::undo_after(seconds, id);
    }
    if args.keep {
        return setup::keep(out);
    }
    if args.undo {
        return setup::undo(out);
    }
    if args.every_line {
        return setup::every_line(out);
    }
    if args.remove {
        return setup::remove(args.service.as_deref(), out);
    }
    let Some(service) = args.service else { return setup::show(out) };
    if args.first.is_some() && !["sshd", "all"].contains(&service.as_str()) {
        return Err(Failure::usage(format!("{service}: --first is for sshd alone")));
    }
    let wish = Wish {
        service,
        first: args.first,
        nullok: args.nullok,
        user: args.user,
        no_try: args.no_try,
        dry_run: args.dry_run,
        yes: args.yes,
    };
    setup::begin(&wish, bus, out).await
}
