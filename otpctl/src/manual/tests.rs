use std::collections::BTreeSet;

use clap::CommandFactory;

use super::*;
use crate::cli::Cli;

fn sample() -> Command {
    let json = Arg::new("json").long("json").global(true).action(ArgAction::SetTrue);
    let add = Command::new("add")
        .about("Add one")
        .long_about("Add one\n\nIt's `sub list` that shows it — with --json as a document.")
        .arg(Arg::new("name").required(true).value_name("NAME").help("Its name: \"x\""))
        .arg(
            Arg::new("kind")
                .long("kind")
                .short('k')
                .value_name("KIND")
                .value_parser(["big", "small"])
                .default_value("big")
                .help("Its kind"),
        )
        .after_help(".dots and 'quotes'.\n\nKeys:\n  a=1   one\n  b=2   two");
    let sub = Command::new("sub").about("Things, see `prog look`").subcommand(add);
    let statuses = "Look\n\nExit status: 0 seen, 8 not\nseen.";
    let look = Command::new("look").about("Look").long_about(statuses).after_help(
        "Examples:\n  prog look  first\n             second\n\n\
         Files:\n  /var/lib/x  the thing",
    );
    let secret = Command::new("secret").hide(true);
    let examples = "Examples:\n  prog sub add x\n  prog --json look  see it\n\nTimes are short.";
    Command::new("prog")
        .about("Does things")
        .version("1.2.3")
        .arg(json)
        .subcommands([sub, look, secret])
        .after_help(examples)
}

/// The sample has all that a command line can: what is written for it is known by heart.
#[test]
fn the_pages_of_a_small_program() {
    let pages = pages(sample());
    let names: Vec<_> = pages.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["prog.1", "prog-sub.1", "prog-look.1"]);
    let (_, end) = SEE.split_once(", ").unwrap();
    let end = end.replace(", ", ",\n");
    assert_eq!(pages[1].1, format!("{SUB}{end}"));
    assert_eq!(pages[2].1, format!("{LOOK}{end}"));
    assert!(pages[0].1.contains(".SH NOTES\nTimes are short.\n.SH EXAMPLES\n"), "{}", pages[0].1);
    assert!(pages[0].1.contains("\n\\fBsub\\fR\nThings, see \\fBprog look\\fR: add.\n"));
    assert!(pages[0].1.contains(".SY prog\n[\\fB\\-\\-json\\fR]\n\\fICOMMAND\\fR\n"));
}

const SEE: &str =
    "otpctl, .BR org.pamotp.Otpd1 (5), .BR otpd.toml (5), .BR otpd (8), .BR pam_otp (8)\n";

const SUB: &str = r#".TH PROG\-SUB 1 "" "pam_otp" "User Commands"
.nh
.ad l
.SH NAME
prog\-sub \- things, see \(gaprog look\(ga
.SH SYNOPSIS
.SY "prog sub add"
[\fB\-k\fR|\fB\-\-kind\fR\ \fIKIND\fR]
\fINAME\fR
.YS
.nh
.SH DESCRIPTION
Things, see \fBprog look\fR.
.SH COMMANDS
.SS "prog sub add"
Add one.
.PP
It\(aqs \fBsub list\fR that shows it \[u2014] with \fB\-\-json\fR as a
document.
.TP
\fINAME\fR
Its name: \(dqx\(dq.
.TP
\fB\-k\fR, \fB\-\-kind\fR \fIKIND\fR
Its kind: \fBbig\fR, \fBsmall\fR [default: big].
.PP
\&.dots and \(aqquotes\(aq.
.PP
Keys:
.PP
.nf
a=1   one
b=2   two
.fi
.SH OPTIONS
\fB\-\-json\fR is an option of every command, see \fBprog\fR(1).
.SH EXAMPLES
\fBprog sub add x\fR
.SH "EXIT STATUS"
0 where it is done; the others are in \fBprog\fR(1).
.SH "SEE ALSO"
.BR prog (1),
.BR prog\-look (1),
"#;

const LOOK: &str = r#".TH PROG\-LOOK 1 "" "pam_otp" "User Commands"
.nh
.ad l
.SH NAME
prog\-look \- look
.SH SYNOPSIS
.SY "prog look"
.YS
.nh
.SH DESCRIPTION
Look.
.SH OPTIONS
\fB\-\-json\fR is an option of every command, see \fBprog\fR(1).
.SH EXAMPLES
.TP
\fBprog look\fR
First second.
.TP
\fBprog \-\-json look\fR
See it.
.SH "EXIT STATUS"
.TP
\fB0\fR
Seen.
.TP
\fB8\fR
Not seen.
.SH FILES
.TP
\fB/var/lib/x\fR
The thing.
.SH "SEE ALSO"
.BR prog (1),
"#;

/// Every option of every verb that is shown is on the page of the verb, and every page that is
/// referred to is there.
#[test]
fn the_pages_of_otpctl_are_whole() {
    let pages = pages(Cli::command());
    let known: BTreeSet<_> = pages.iter().map(|(name, _)| name.trim_end_matches(".1")).collect();
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    for verb in verbs(&program) {
        let name = format!("otpctl-{}", verb.get_name());
        let (_, page) = pages.iter().find(|(page, _)| *page == format!("{name}.1")).unwrap();
        for (line, command) in lines(&format!("otpctl {}", verb.get_name()), verb) {
            assert!(page.contains(&format!(".SY \"{}\"\n", roff::escape(&line))), "{line}");
            for arg in own_arguments(command) {
                let entry = format!(".TP\n{}\n", form(arg, ", "));
                let help = arg.get_help().is_some();
                assert!(help && page.contains(&entry), "{line}: {entry}");
            }
        }
    }
    for (name, page) in &pages {
        assert!(page.is_ascii() && page.lines().next().unwrap().contains(" 1 \"\" "), "{name}");
        let (_, see) = page.split_once(".SH \"SEE ALSO\"\n").unwrap();
        for other in see.lines().filter(|line| line.contains("(1)")) {
            let other = other.trim_start_matches(".BR ").replace("\\-", "-");
            let other = other.split(' ').next().unwrap().to_owned();
            assert!(known.contains(other.as_str()), "{name}: {other}");
        }
    }
}
