//! The program: parse, choose a front, exit code; nothing else.

use std::io::{self, IsTerminal, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use color_eyre::eyre::Report;

use threadrace::claims::{self, CLAIMS, ClaimsError};
use threadrace::cli::{
    self, ClaimsArgs, Cli, Command, DiffArgs, ExportArgs, ImportArgs, Place, RaceArgs, ReplayArgs, ReportArgs,
};
use threadrace::config::{self, Effective, Flags, GlyphChoice, LookFlags, Settings, Sources, is_standard};
use threadrace::executor;
use threadrace::model::RaceState;
use threadrace::origin::OriginError;
use threadrace::plain::{self, Signals};
use threadrace::probe;
use threadrace::race::{self, RaceError};
use threadrace::recording::{self, ReadError, Recording, Speed, TraceError, TraceLimits};
use threadrace::report::diff::{self, Both, Diff};
use threadrace::report::words::Glyphs;
use threadrace::report::{self, Condition, Format, PlaceError, Standing, Target};
use threadrace::text::shown;
use threadrace::tui::{
    self, DashboardError, ExportOptions, Left, Look, NoSweep, Reader, Source, Why, terminal,
};

/// What a shell is told; the command line's help lists the codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    AllDone,
    NotAllDone,
    Usage,
    Output,
    Internal,
    Signal(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::AllDone => 0,
            Exit::NotAllDone => 1,
            Exit::Usage => 2,
            Exit::Output => 3,
            Exit::Internal => 4,
            Exit::Signal(number) => 128 | number,
        })
    }
}

/// Why the program ends without a race to speak of.
struct Failure {
    exit: Exit,
    report: Report,
}

impl Failure {
    fn new(exit: Exit, error: impl std::error::Error + Send + Sync + 'static) -> Failure {
        Failure { exit, report: Report::new(error) }
    }
}

impl From<RaceError> for Failure {
    fn from(error: RaceError) -> Failure {
        let exit = match &error {
            RaceError::Output(_) | RaceError::Unready(_) | RaceError::Recording(_) => Exit::Output,
            RaceError::Cancelled => Exit::NotAllDone,
            RaceError::Url { .. }
            | RaceError::NoOrigin(_)
            | RaceError::Repeats(_)
            | RaceError::Origin(OriginError::Listen { .. }) => Exit::Usage,
            RaceError::Origin(OriginError::Thread(_))
            | RaceError::Tls(_)
            | RaceError::Thread(_)
            | RaceError::Internal(_) => Exit::Internal,
        };
        Failure::new(exit, error)
    }
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return explain(&error),
    };
    let mut hooks = color_eyre::config::HookBuilder::new().display_env_section(false);
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if no_color || !io::stderr().is_terminal() {
        hooks = hooks.theme(color_eyre::config::Theme::new());
    }
    if let Err(error) = hooks.install() {
        eprintln!("threadrace: {error}");
    }
    terminal::install_panic_hook(executor::panic_is_expected);
    match run(cli) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            tell(&failure);
            failure.exit.into()
        }
    }
}

/// Prints the help that was asked for, or what is wrong with the command line, whose words are foreign text.
fn explain(error: &clap::Error) -> ExitCode {
    // Nobody may be reading, and the exit code says the same.
    let _ = if error.use_stderr() {
        let text = error.render().to_string();
        let lines = text.lines().map(|line| format!("{}\n", shown(line)));
        io::stderr().write_all(lines.collect::<String>().as_bytes())
    } else {
        error.print()
    };
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn run(cli: Cli) -> Result<Exit, Failure> {
    match cli.command {
        None => race(cli.race),
        Some(Command::Origin(flags)) => {
            let settings = load(flags.into())?.settings;
            let signal = plain::serve(&settings, &watch_signals()?, &mut io::stdout())?;
            Ok(Exit::Signal(signal))
        }
        Some(Command::Replay(args)) => replay(args),
        Some(Command::Export(args)) => export(*args),
        Some(Command::Import(args)) => import(args),
        Some(Command::Diff(args)) => diff(args),
        Some(Command::Scenarios(config)) => {
            let effective = load(Flags { config, ..Flags::default() })?;
            print(|out| out.write_all(effective.scenario_listing().as_bytes()))
        }
        Some(Command::Sweep(args)) => race(args.sweeping()),
        Some(Command::Claims(args)) => check_claims(*args),
        Some(Command::Config(args)) => {
            let effective = load(args.flags)?;
            print(|out| out.write_all(effective.listing().as_bytes()))
        }
        Some(Command::Completions { shell }) => print(|out| cli::completions(shell, out)),
        Some(Command::Man) => print(|out| cli::man(out)),
        Some(Command::Worker) => {
            executor::work_for_parent().map_err(|error| Failure::new(Exit::Usage, error))?;
            Ok(Exit::AllDone)
        }
    }
}

/// Checks the claims one after the other, with a line on standard error before each race.
fn check_claims(args: ClaimsArgs) -> Result<Exit, Failure> {
    let ClaimsArgs { scenarios, time_scale, repeat, format, output, config } = args;
    let flags = Flags { time_scale: Some(time_scale), output, config, ..Flags::default() };
    let settings = load(flags)?.settings;
    if let Some(unknown) = scenarios.iter().find(|name| !CLAIMS.iter().any(|claim| claim.scenario == **name))
    {
        return Err(Failure::new(Exit::Usage, NoClaim(shown(unknown).into_owned())));
    }
    let wanted: Vec<_> = CLAIMS
        .iter()
        .filter(|claim| scenarios.is_empty() || scenarios.iter().any(|name| name == claim.scenario))
        .collect();
    let signals = watch_signals()?;
    let (mut checked, mut end) = (Vec::new(), Ok(Exit::AllDone));
    // Nobody may be reading.
    let mut tell = |line: &str| drop(writeln!(io::stderr(), "{line}"));
    for &claim in &wanted {
        end = match claims::check(claim, &settings, usize::from(repeat), &signals, &mut tell) {
            Ok(measured) => {
                checked.push((claim, measured));
                continue;
            }
            Err(ClaimsError::Signal(number)) => Ok(Exit::Signal(number)),
            Err(ClaimsError::Race { error, .. }) => Err(error.into()),
            Err(error @ ClaimsError::NotComparable { .. }) => Err(Failure::new(Exit::NotAllDone, error)),
            Err(error) => Err(Failure::new(Exit::Usage, error)),
        };
        break;
    }
    if checked.len() < wanted.len() {
        tell(&format!("{} of {} claims were checked", checked.len(), wanted.len()));
    }
    // What was checked before one that was not is worth the same.
    if !checked.is_empty() {
        print(|out| claims::write(format, &checked, time_scale, out))?;
    }
    end
}

/// There is no claim about a scenario.
#[derive(Debug, thiserror::Error)]
#[error("there is no published claim about '{0}'; `threadrace claims --help` tells more")]
struct NoClaim(String);

fn load(flags: Flags) -> Result<Effective, Failure> {
    let loaded = config::load(Sources::of_process(flags, &mut io::stdin().lock()));
    loaded.map_err(|error| Failure::new(Exit::Usage, error))
}

fn race(args: RaceArgs) -> Result<Exit, Failure> {
    let settings = Settings { record: args.record, ..load(args.flags)?.settings };
    known(&args.report.fail_if, &race::labels(&settings.scenario))?;
    apart(args.report.file.as_deref(), settings.record.as_deref())?;
    has_a_place(&args.report, Some(&settings.output))?;
    let front = if args.plain || !has_screen() {
        in_lines(&settings)?
    } else {
        let look = Look::of(&settings, &variable);
        left(tui::run(settings, look), outcome)?
    };
    finish(front, &args.report)
}

/// Makes sure that the conditions are about runs of a race with these labels.
fn known(conditions: &[Condition], labels: &[String]) -> Result<(), Failure> {
    let known = conditions.iter().try_for_each(|condition| condition.check(labels));
    known.map_err(|error| Failure::new(Exit::Usage, error))
}

/// Makes sure that a report does not take the place of the recording that it is about.
fn apart(report: Option<&Path>, recording: Option<&Path>) -> Result<(), Failure> {
    match report.zip(recording) {
        Some((report, recording)) if place_of(report) == place_of(recording) => {
            Err(Failure::new(Exit::Usage, OneFile::of(report, "the recording", "the report", "--report")))
        }
        _ => Ok(()),
    }
}

/// Makes sure that a report can be written, before a race is run or shown for it. A race may have it in its own
/// folder, which need not be there yet.
fn has_a_place(report: &ReportArgs, output: Option<&Path>) -> Result<(), Failure> {
    let Some(file) = &report.file else { return Ok(()) };
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let inside = output.is_some_and(|output| absolute(file).starts_with(absolute(output)));
    if let Some(folder) = file.parent().filter(|_| inside) {
        // Where it can't be made, the file can't be either, which says why.
        let _ = std::fs::create_dir_all(folder);
    }
    report::try_place(file, standing(report)).map_err(|error| Failure::new(Exit::Output, error))
}

/// What becomes of a file in the report's place.
fn standing(report: &ReportArgs) -> Standing {
    if report.force { Standing::Goes } else { Standing::Stays }
}

/// Where a file is or will be, whatever way leads there.
fn place_of(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let in_folder = || Some(folder.canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(in_folder).unwrap_or_else(|| path.to_owned())
}

/// One file can't be both.
#[derive(Debug, thiserror::Error)]
#[error("{path} is {is}: it can't be {not} as well; name another file with {flag}")]
struct OneFile {
    path: String,
    is: &'static str,
    not: &'static str,
    flag: &'static str,
}

impl OneFile {
    fn of(path: &Path, is: &'static str, not: &'static str, flag: &'static str) -> OneFile {
        OneFile { path: shown(&path.to_string_lossy()).into_owned(), is, not, flag }
    }
}

/// A variable of the environment.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether a dashboard can be drawn on standard output.
fn has_screen() -> bool {
    io::stdout().is_terminal() && variable("TERM").is_none_or(|term| term != "dumb")
}

/// Writes the report of what a front has left.
fn finish(front: Front, report: &ReportArgs) -> Result<Exit, Failure> {
    let ReportArgs { format, file, fail_if, .. } = report;
    let format = *format;
    // Once a signal has come, nobody waits for ever: neither for a file nor for a reader.
    let bound_what_is_left = |patience| match (&front.signals, front.exit) {
        (Some(signals), _) => signals.bound_what_is_left(patience),
        (None, Exit::Signal(number)) => plain::end_within(patience, number),
        (None, _) => {}
    };
    bound_what_is_left(plain::SAVE_WAIT);
    // The file comes first: standard output may be full, closed or stalled.
    let saved = match (&front.race, file) {
        (Some(race), Some(path)) => save(path, format, race, standing(report)),
        _ => Ok(()),
    };
    bound_what_is_left(plain::REPORT_WAIT);
    let printed = match &front.race {
        Some(race) if front.reader == Reader::There => {
            print(|out| report::write(format, race, race.last_moment(), out))
        }
        _ => Ok(Exit::AllDone),
    };
    let asked_to_end = || front.signals.as_ref().and_then(Signals::heard);
    saved?;
    printed?;
    let ended = match (asked_to_end(), front.error) {
        (Some(number), _) => Ok(Exit::Signal(number)),
        (None, Some(error)) => Err(error.into()),
        (None, None) => Ok(held_against(fail_if, front.race.as_ref(), front.exit)),
    };
    // The process is about to end: taking a large race apart would only make its caller wait.
    mem::forget(front.race);
    ended
}

fn replay(args: ReplayArgs) -> Result<Exit, Failure> {
    let recording = read(&args.recording)?;
    known(&args.report.fail_if, &recording.plan.labels())?;
    apart(args.report.file.as_deref(), Some(&args.recording))?;
    has_a_place(&args.report, None)?;
    let flaws: Vec<String> = recording.flaws.iter().map(ToString::to_string).collect();
    let front = if args.plain || !has_screen() {
        note(&flaws);
        Front {
            race: Some(recording.race()),
            exit: Exit::AllDone,
            error: None,
            reader: Reader::There,
            signals: None,
        }
    } else {
        let settings = load(Flags { config: args.config, look: args.look, ..Flags::default() })?.settings;
        let look = Look::of(&settings, &variable);
        let banner = (!flaws.is_empty()).then(|| flaws.join("; "));
        // What failed in a recorded race is no failure of showing it, but for what --fail-if says.
        let tape = recording.tape;
        let speed = args.speed.unwrap_or_else(|| Speed::to_follow(tape.end().since(tape.start())));
        left(tui::replay(tape, speed, banner, settings, look), |_| Exit::AllDone)?
    };
    finish(front, &args.report)
}

fn read(path: &Path) -> Result<Recording, Failure> {
    recording::read_file(path).map_err(|error| match error {
        // It names the file already.
        error @ ReadError::File { .. } => Failure::new(Exit::Usage, error),
        error => {
            Failure::new(Exit::Usage, InFile { path: shown(&path.to_string_lossy()).into_owned(), error })
        }
    })
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {error}")]
struct InFile {
    path: String,
    error: ReadError,
}

/// Says what is wrong with an input that is used all the same.
fn note<T: std::fmt::Display>(flaws: &[T]) {
    for flaw in flaws {
        // Nobody may be reading.
        let _ = writeln!(io::stderr(), "threadrace: {flaw}");
    }
}

/// Makes a recording of a trace, and says what of it is missing or guessed.
fn import(args: ImportArgs) -> Result<Exit, Failure> {
    let (place, piped) = (args.place(), is_standard(&args.trace));
    let ImportArgs { trace, force, .. } = args;
    if let Place::File(path) = &place
        && !piped
        && place_of(path) == place_of(&trace)
    {
        return Err(Failure::new(Exit::Usage, OneFile::of(path, "the trace", "the recording", "-o")));
    }
    let limits = TraceLimits::default();
    let imported = match piped {
        true => recording::read_trace(io::stdin().lock(), "standard input", &limits),
        false => recording::read_trace_file(&trace, &limits),
    };
    let imported = imported.map_err(|error: TraceError| Failure::new(Exit::Usage, error))?;
    let write = |out: &mut dyn Write| recording::write(&imported.plan, &imported.events, out);
    let path = match place {
        Place::Out => {
            note(&imported.notes);
            return print(write);
        }
        Place::File(path) => path,
    };
    placed(&path, force, write)?;
    note(&imported.notes);
    let (path, about) = (path.to_string_lossy(), &imported.plan.about);
    print(|out| writeln!(out, "{}: {}\nWatch it: threadrace replay {0}", shown(&path), shown(about)))
}

fn export(args: ExportArgs) -> Result<Exit, Failure> {
    let target = args.target().map_err(|error| Failure::new(Exit::Usage, error))?;
    let recording = read(&args.recording)?;
    if !Target::of_race(&recording.plan).contains(&target) {
        return Err(Failure::new(Exit::Usage, NoSweep));
    }
    note(&recording.flaws);
    let place = args.place(target, io::stdout().is_terminal());
    let ExportArgs { theme, glyphs, config, size, width, view, at, speed, force, .. } = args;
    let settings =
        load(Flags { config, look: LookFlags { theme: None, glyphs }, ..Flags::default() })?.settings;
    let options = ExportOptions {
        size: size.unwrap_or_default(),
        width: width.unwrap_or(ExportOptions::default().width),
        theme,
        glyphs: match settings.dashboard.glyphs {
            GlyphChoice::Ascii => Glyphs::Ascii,
            // A file is read elsewhere, whatever this terminal can show.
            GlyphChoice::Auto | GlyphChoice::Unicode => Glyphs::Unicode,
        },
        speed,
        view: view.unwrap_or_default(),
        at,
    };
    let program = &recording.header.program;
    let source = Source {
        race: &recording.race(),
        tape: Some(&recording.tape),
        next: &settings,
        raced_with: (program != env!("CARGO_PKG_VERSION")).then_some(program),
    };
    let write = |out: &mut dyn Write| tui::export(target, &source, &options, out);
    let path = match place {
        Place::Out => return print(write),
        Place::File(path) => path,
    };
    if place_of(&path) == place_of(&args.recording) {
        return Err(Failure::new(Exit::Usage, OneFile::of(&path, "the recording", "the export", "-o")));
    }
    placed(&path, force, |file| write(file))?;
    // Nobody may be reading.
    let _ = writeln!(io::stderr(), "wrote {}", shown(&path.display().to_string()));
    Ok(Exit::AllDone)
}

/// Writes a file under its name, in the place of another only with `force`.
fn placed(
    path: &Path,
    force: bool,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    let standing = if force { Standing::Goes } else { Standing::Stays };
    report::place(path, standing, |file| write(file)).map_err(|error| match error {
        PlaceError::Taken(_) => Failure::new(Exit::Usage, error),
        PlaceError::File { .. } => Failure::new(Exit::Output, error),
    })
}

fn diff(args: DiffArgs) -> Result<Exit, Failure> {
    let DiffArgs { a, b, plain, format, look, config } = args;
    let race = |path: &Path| {
        let recording = read(path)?;
        for flaw in &recording.flaws {
            // Nobody may be reading.
            let _ = writeln!(io::stderr(), "threadrace: {}: {flaw}", shown(&path.to_string_lossy()));
        }
        Ok::<RaceState, Failure>(recording.race())
    };
    let (race_a, race_b) = (race(&a)?, race(&b)?);
    let (name_a, name_b) = (a.to_string_lossy(), b.to_string_lossy());
    let (races, names) = (Both { a: &race_a, b: &race_b }, Both { a: &*name_a, b: &*name_b });
    if !plain && format.is_none() && has_screen() {
        let look = Look::of(&load(Flags { config, look, ..Flags::default() })?.settings, &variable);
        let shown = tui::show_diff(races, names, &look);
        let (why, reader) = shown.map_err(|error| Failure::new(Exit::Internal, error))?;
        match why {
            Why::Signal(signal) => return Ok(Exit::Signal(signal.number())),
            Why::Vanished => return Ok(Exit::Signal(terminal::Signal::Hangup.number())),
            Why::Quit if reader == Reader::Gone => return Ok(Exit::AllDone),
            Why::Quit => {}
        }
    }
    let compared = Diff::of(&race_a, &race_b);
    print(|out| diff::write(format.unwrap_or_default(), &compared, races, names, out))
}

/// What the shell is told of a race that must not meet the conditions; says on standard error which it does.
fn held_against(conditions: &[Condition], race: Option<&RaceState>, exit: Exit) -> Exit {
    if matches!(exit, Exit::Signal(_)) {
        return exit;
    }
    let failures = conditions.iter().filter_map(|condition| match race {
        Some(race) => condition.failure(race),
        None => Some(format!("{condition} could not be measured: there was no race")),
    });
    let mut held = exit;
    for failure in failures {
        // Nobody may be reading standard error, and the exit code says the same.
        let _ = writeln!(io::stderr(), "threadrace: {failure}");
        if exit == Exit::AllDone {
            held = Exit::NotAllDone;
        }
    }
    held
}

/// What a front leaves behind.
struct Front {
    /// The race, as far as it came.
    race: Option<RaceState>,
    /// What the shell is told.
    exit: Exit,
    /// What went wrong with the race itself.
    error: Option<RaceError>,
    /// Whether standard output takes a report.
    reader: Reader,
    /// The signals that the front leaves to whoever goes on.
    signals: Option<Signals>,
}

/// Watches the signals that ask the program to end, but for those that it was started to ignore, as `nohup` does.
fn watch_signals() -> Result<Signals, Failure> {
    Ok(Signals::watch(probe::ignored_signals()).map_err(RaceError::Thread)?)
}

fn in_lines(settings: &Settings) -> Result<Front, Failure> {
    let signals = watch_signals()?;
    let raced = plain::run(settings, &signals, io::stderr())?;
    let exit = raced.race.as_ref().map_or(Exit::NotAllDone, outcome);
    Ok(Front { race: raced.race, exit, error: raced.error, reader: Reader::There, signals: Some(signals) })
}

/// What a dashboard leaves behind; `outcome` says what a shell is told of a race that was left with the key.
fn left(left: Result<Left, DashboardError>, outcome: fn(&RaceState) -> Exit) -> Result<Front, Failure> {
    let left = left.map_err(|error| match error {
        DashboardError::Race(error) => error.into(),
        error @ DashboardError::Terminal(_) => Failure::new(Exit::Internal, error),
    })?;
    let exit = match (left.why, &left.race) {
        (Why::Signal(signal), _) => Exit::Signal(signal.number()),
        (Why::Vanished, _) => Exit::Signal(terminal::Signal::Hangup.number()),
        (Why::Quit, Some(race)) => outcome(race),
        (Why::Quit, None) => Exit::AllDone,
    };
    let error = left.refused.filter(|_| left.why == Why::Quit);
    Ok(Front { race: left.race, exit, error, reader: left.reader, signals: None })
}

fn outcome(race: &RaceState) -> Exit {
    if race.met_a_bad_disk() {
        Exit::Output
    } else if race.went_as_meant() {
        Exit::AllDone
    } else {
        Exit::NotAllDone
    }
}

fn save(path: &Path, format: Format, race: &RaceState, standing: Standing) -> Result<(), Failure> {
    let format = Format::of_path(path).unwrap_or(format);
    let saved = report::save(format, race, race.last_moment(), path, standing);
    saved.map_err(|error| Failure::new(Exit::Output, error))
}

/// Writes to standard output. A reader that went away is no failure: it has what it wanted.
fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Exit, Failure> {
    let mut out = io::stdout().lock();
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Output, OutputFault(error)))
        }
        _ => Ok(Exit::AllDone),
    }
}

/// Standard output took not all of it.
#[derive(Debug, thiserror::Error)]
#[error("standard output can't be written ({0}): make room there, or send it elsewhere")]
struct OutputFault(#[source] io::Error);

/// Reports a failure: a fault of this program with all that color-eyre knows, anything else in the
/// error's own words.
fn tell(failure: &Failure) {
    let mut text = String::new();
    if failure.exit == Exit::Internal {
        text = format!("threadrace: {:?}\n", failure.report);
    } else {
        for (index, line) in failure.report.to_string().lines().enumerate() {
            let start = if index == 0 { "threadrace: " } else { "" };
            text += &format!("{start}{}\n", shown(line));
        }
    }
    // Nobody may be reading standard error, and the exit code says the same.
    let _ = io::stderr().write_all(text.as_bytes());
}
