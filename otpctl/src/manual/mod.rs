//! The manual pages, made of the command line: otpctl(1), and a page for each verb with all that
//! stands below it. They hold no date: the same sources make the same pages.

mod remark;
mod roff;

use std::path::Path;

use clap::{Arg, ArgAction, Command};

use self::remark::{Note, Remarks, Row};
use self::roff::Roff;

/// What the command line does not know of itself.
const FILES: [(&str, &str); 3] = [
    ("/etc/otpd/otpd.toml", "The configuration, see otpd.toml(5)."),
    ("/etc/otpd/otpd.d/*.toml", "Its drop-ins; `method set` puts a new method there."),
    ("/run/dbus/system_bus_socket", "The system bus, on which otpd answers."),
];
const SEE_ALSO: [(&str, u8); 4] =
    [("org.pamotp.Otpd1", 5), ("otpd.toml", 5), ("otpd", 8), ("pam_otp", 8)];

/// Writes a page for `program` and for each of its verbs into the folder.
pub(crate) fn write(program: Command, folder: &Path) -> std::io::Result<()> {
    for (name, text) in pages(program) {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(())
}

/// The pages by the names of their files.
fn pages(program: Command) -> Vec<(String, String)> {
    let mut program = program.disable_help_subcommand(true);
    program.build();
    let pages = verbs(&program).map(|verb| page(&program, verb));
    let named = |(name, text)| (format!("{name}.1"), text);
    std::iter::once(overview(&program)).chain(pages).map(named).collect()
}

/// Of `otpctl` itself.
fn overview(program: &Command) -> (String, String) {
    let name = program.get_name();
    let mut page = heading(name, program);
    page.section("SYNOPSIS").synopsis(name, &usage_of_group(program));
    let Remarks { description, notes, examples, statuses, files } = Remarks::of(program);
    page.section("DESCRIPTION").notes(&description);
    if let Some(first) = verbs(program).find(|verb| verb.has_subcommands()) {
        let first = first.get_name();
        let pages = format!("Each command has a page of its own, such as {name}-{first}(1)");
        page.paragraphs(&[pages]);
    }
    page.section("COMMANDS");
    for verb in verbs(program) {
        let below: Vec<_> = verbs(verb).map(|verb| verb.get_name().to_owned()).collect();
        let about = summary(verb);
        let about = if below.is_empty() { about } else { format!("{about}: {}", below.join(", ")) };
        page.entry(&roff::bold(verb.get_name()), &about);
    }
    page.section("OPTIONS");
    program.get_arguments().filter(|arg| !arg.is_hide_set()).for_each(|arg| option(&mut page, arg));
    if !notes.is_empty() {
        page.section("NOTES").notes(&notes);
    }
    page.rows("EXAMPLES", &examples);
    page.rows("EXIT STATUS", &statuses);
    let known = FILES.iter().map(|(file, what)| Row::new(file, what));
    page.rows("FILES", &known.chain(files).collect::<Vec<_>>());
    let own = verbs(program).map(|verb| (format!("{name}-{}", verb.get_name()), 1));
    page.see_also(&own.chain(others()).collect::<Vec<_>>());
    (name.to_owned(), page.end())
}

/// Of one verb, with what stands below it.
fn page(program: &Command, verb: &Command) -> (String, String) {
    let name = format!("{}-{}", program.get_name(), verb.get_name());
    let mut page = heading(&name, verb);
    let line = format!("{} {}", program.get_name(), verb.get_name());
    page.section("SYNOPSIS");
    for (line, command) in lines(&line, verb) {
        page.synopsis(&line, &usage(command));
    }
    let Remarks { description, notes, mut examples, mut statuses, mut files } = Remarks::of(verb);
    page.section("DESCRIPTION").notes(&description).notes(&notes);
    if verb.has_subcommands() {
        page.section("COMMANDS");
        for (line, command) in lines(&line, verb) {
            let remarks = Remarks::of(command);
            page.subsection(&line).notes(&remarks.description);
            own_arguments(command).for_each(|arg| option(&mut page, arg));
            page.notes(&remarks.notes);
            examples.extend(remarks.examples);
            statuses.extend(remarks.statuses);
            files.extend(remarks.files);
        }
    }
    page.section("OPTIONS");
    if !verb.has_subcommands() {
        own_arguments(verb).for_each(|arg| option(&mut page, arg));
    }
    let global = program.get_arguments().filter(|arg| arg.is_global_set());
    let global: Vec<_> = global.filter_map(Arg::get_long).map(|o| format!("--{o}")).collect();
    let are = if global.len() == 1 { "is an option" } else { "are options" };
    let global =
        format!("{} {are} of every command, see {}(1)", listed(&global), program.get_name());
    page.paragraphs(&[global]);
    let general = Remarks::of(program).examples.into_iter();
    examples.extend(general.filter(|row| is_for(&row.tag, &line)));
    page.rows("EXAMPLES", &examples);
    if statuses.is_empty() {
        let usual = format!("0 where it is done; the others are in {}(1)", program.get_name());
        page.section("EXIT STATUS").paragraphs(&[usual]);
    } else {
        page.rows("EXIT STATUS", &statuses);
    }
    page.rows("FILES", &files);
    let mut see = vec![(program.get_name().to_owned(), 1)];
    let named = |other: &&Command| {
        let code = format!("\\fB{} {}", program.get_name(), other.get_name());
        other.get_name() != verb.get_name() && page.text().replace('\n', " ").contains(&code)
    };
    see.extend(
        verbs(program)
            .filter(named)
            .map(|other| (format!("{}-{}", program.get_name(), other.get_name()), 1)),
    );
    page.see_also(&see.into_iter().chain(others()).collect::<Vec<_>>());
    (name, page.end())
}

/// As a sentence begins, unless with the name of a program of ours.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if !text.starts_with("otp") => first.to_uppercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}

fn others() -> impl Iterator<Item = (String, u8)> {
    SEE_ALSO.iter().map(|(name, section)| ((*name).to_owned(), *section))
}

fn heading(name: &str, command: &Command) -> Roff {
    let mut about = summary(command);
    // The second letter is small in a word, and not in an abbreviation.
    if about.chars().nth(1).is_some_and(char::is_lowercase) {
        about = about
            .chars()
            .take(1)
            .flat_map(char::to_lowercase)
            .chain(about.chars().skip(1))
            .collect();
    }
    Roff::page(name, 1, "User Commands", &about)
}

fn verbs(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|verb| !verb.is_hide_set())
}

/// The command lines at and below a verb, each with its command.
fn lines<'a>(line: &str, verb: &'a Command) -> Vec<(String, &'a Command)> {
    if !verb.has_subcommands() {
        return vec![(line.to_owned(), verb)];
    }
    verbs(verb).flat_map(|below| lines(&format!("{line} {}", below.get_name()), below)).collect()
}

fn is_for(example: &str, line: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        text.split_whitespace().filter(|word| !word.starts_with('-')).map(str::to_owned).collect()
    };
    words(example).starts_with(&words(line))
}

fn summary(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn own_arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| {
        !arg.is_hide_set()
            && !arg.is_global_set()
            && !matches!(
                arg.get_action(),
                ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
            )
    })
}

fn usage(command: &Command) -> Vec<String> {
    let (given, options): (Vec<_>, Vec<_>) =
        own_arguments(command).partition(|a| a.is_positional());
    options.into_iter().chain(given).map(used).collect()
}

fn usage_of_group(command: &Command) -> Vec<String> {
    let global = command.get_arguments().filter(|arg| arg.is_global_set()).map(used);
    let rest = [roff::italic("COMMAND"), format!("[{}]...", roff::italic("ARGUMENT"))];
    global.chain(rest).collect()
}

/// The argument as a synopsis has it.
fn used(arg: &Arg) -> String {
    let dots =
        if arg.get_num_args().is_some_and(|range| range.max_values() > 1) { "..." } else { "" };
    let form = format!("{}{dots}", form(arg, "|").replace(' ', "\\ "));
    if arg.is_required_set() { form } else { format!("[{form}]") }
}

/// The names of an option and what it takes, or the name of an argument.
fn form(arg: &Arg, between: &str) -> String {
    let short = arg.get_short().map(|short| roff::bold(&format!("-{short}")));
    let long = arg.get_long().map(|long| roff::bold(&format!("--{long}")));
    let names: Vec<_> = short.into_iter().chain(long).collect();
    let takes = arg.get_num_args().is_some_and(|range| range.takes_values());
    let value = takes.then(|| roff::italic(&value_of(arg)));
    let parts = [names.join(between), value.unwrap_or_default()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

fn value_of(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default().join(" ");
    if names.is_empty() { arg.get_id().as_str().to_uppercase() } else { names }
}

/// What an argument means, what it takes and what it is without being said.
fn option(page: &mut Roff, arg: &Arg) {
    let help = arg.get_long_help().or_else(|| arg.get_help());
    let mut help = help.map(ToString::to_string).unwrap_or_default();
    let takes = arg.get_num_args().is_some_and(|range| range.takes_values());
    let words: Vec<_> =
        arg.get_possible_values().into_iter().filter(|word| !word.is_hide_set()).collect();
    if takes && !words.is_empty() {
        let words: Vec<_> = words.iter().map(|word| format!("`{}`", word.get_name())).collect();
        help = format!("{help}: {}", words.join(", "));
    }
    let defaults = arg.get_default_values().iter().map(|value| value.to_string_lossy());
    let defaults = defaults.collect::<Vec<_>>().join(", ");
    if takes && !defaults.is_empty() {
        help = format!("{help} [default: {defaults}]");
    }
    page.entry(&form(arg, ", "), &help);
}

/// `a, b and c`
fn listed(words: &[String]) -> String {
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

impl Roff {
    fn notes(&mut self, notes: &[Note]) -> &mut Self {
        for note in notes {
            match note {
                Note::Paragraph(text) => self.paragraphs(std::slice::from_ref(text)),
                Note::Table { title, lines } => {
                    self.paragraphs(std::slice::from_ref(title)).verbatim(lines)
                }
            };
        }
        self
    }

    /// A section with an entry for each row, where there are any.
    fn rows(&mut self, title: &str, rows: &[Row]) {
        if !rows.is_empty() {
            self.section(title);
        }
        for Row { tag, text } in rows {
            self.entry(&roff::bold(tag), &capital(text));
        }
    }
}

#[cfg(test)]
mod tests;
