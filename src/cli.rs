//! The command line: one definition, from which parsing, help, completions and the man page are made.

mod export;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueHint};
pub use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::claims::ClaimsFormat;
use crate::config::{
    ConfigFlag, Flags, LookFlags, OriginFlags, is_standard, time_scale_parser, variables_help,
};
use crate::event::TimeScale;
use crate::recording::Speed;
use crate::report::diff::DiffFormat;
use crate::report::{Condition, Format};

pub use export::{ExportArgs, ExportError, Place};

/// What the program was asked to do.
#[derive(Debug, Clone, PartialEq, Parser)]
#[command(name = "threadrace", version, about = ABOUT, long_about = ABOUT)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = CLOSING, after_long_help = long_closing())]
pub struct Cli {
    /// What to do instead of racing.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The race.
    #[command(flatten)]
    pub race: RaceArgs,
}

/// What can be done instead of racing.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum Command {
    /// Run the origin alone, for other tools to download from
    Origin(OriginFlags),
    /// Play a recording in the dashboard; without a terminal, print its report
    Replay(ReplayArgs),
    /// Make a page, a picture, a cast, a trace or a table of a recording
    Export(Box<ExportArgs>),
    /// Make a recording of a Chrome trace (VizTracer, Perfetto, browsers), to replay it
    Import(ImportArgs),
    /// Compare two races: what got faster, by how much, and whether that is real
    Diff(DiffArgs),
    /// List the scenarios
    Scenarios(ConfigFlag),
    /// Race one executor with more and more workers: what do they buy?
    #[command(mut_arg("workers", |arg| arg.value_name("LIST").help(SWEEP_WORKERS).long_help(SWEEP_WORKERS)))]
    #[command(mut_arg("executors", |arg| arg.value_name("NAME").help(SWEEP_EXECUTOR).long_help(SWEEP_EXECUTOR)))]
    Sweep(Box<RaceArgs>),
    /// Check the published claims about speed on this machine
    Claims(Box<ClaimsArgs>),
    /// Print the settings in force and where each came from
    Config(Box<RaceArgs>),
    /// Print completions for a shell
    Completions {
        /// Shell to complete for
        shell: Shell,
    },
    /// Print the man page
    Man,
    /// Do tasks for another threadrace, which starts this by itself
    #[command(hide = true)]
    Worker,
}

/// A race, and the front that shows it.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct RaceArgs {
    /// The settings.
    #[command(flatten)]
    pub flags: Flags,
    /// Print lines instead of opening the dashboard
    #[arg(long, help_heading = "Report")]
    pub plain: bool,
    /// The report.
    #[command(flatten)]
    pub report: ReportArgs,
    /// Record the race in FILE while it runs, to replay and export it
    ///
    /// Another race from the dashboard is recorded in FILE-2, and so on. A recording of that name gives way; any
    /// other file stays.
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Report",
        value_parser = PathBufValueParser::new().try_map(beside_standard_output)
    )]
    pub record: Option<PathBuf>,
}

/// A file that is written beside standard output, for which `-` stands elsewhere.
fn beside_standard_output(file: PathBuf) -> Result<PathBuf, &'static str> {
    match is_standard(&file) {
        true => Err("standard output has the report already: name a file"),
        false => Ok(file),
    }
}

/// What becomes of the report of a race, run or recorded.
#[derive(Debug, Clone, Default, PartialEq, Args)]
#[command(next_help_heading = "Report")]
pub struct ReportArgs {
    /// Format of the report
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: Format,
    /// Write the report to FILE
    ///
    /// A name that ends in .json, .csv, .md or .txt chooses the format, whatever --format says. A report in JSON or CSV
    /// that is there is replaced; anything else stays.
    #[arg(
        long = "report", value_name = "FILE", value_hint = ValueHint::FilePath,
        value_parser = PathBufValueParser::new().try_map(beside_standard_output)
    )]
    pub file: Option<PathBuf>,
    /// Replace what is in the report's place, whatever it is
    #[arg(long, requires = "file")]
    pub force: bool,
    /// Exit with 1 if EXPR is true, such as pool.speedup<4; can be repeated
    ///
    /// EXPR is RUN.FIGURE, one of < <= > >= == !=, and a number: pool.speedup<4, async.wall>2.5, threads.failed>0,
    /// pool.latency.p95>=0.5. A run has the name that reports give it, and a figure the name that it has in the JSON
    /// report, without its unit. Times are in seconds, memory and bytes in bytes, speedup, efficiency and shares are
    /// ratios: 0.9 is 90 %. A figure that could not be measured fails as well. Where the race repeats, the median
    /// of the rounds counts.
    #[arg(long, value_name = "EXPR")]
    pub fail_if: Vec<Condition>,
}

/// Which recording to play, and how.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct ReplayArgs {
    /// The recording
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub recording: PathBuf,
    /// How fast: 1/64 to 64, by powers of two; without it 1, or so slowly that it takes 4 s
    #[arg(long, value_name = "X")]
    pub speed: Option<Speed>,
    /// Print the report instead of opening the dashboard
    #[arg(long)]
    pub plain: bool,
    /// The report.
    #[command(flatten)]
    pub report: ReportArgs,
    /// How it looks.
    #[command(flatten)]
    pub look: LookFlags,
    /// The config file.
    #[command(flatten)]
    pub config: ConfigFlag,
}

/// Which trace to import, and where to.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct ImportArgs {
    /// The trace, as JSON; - is standard input
    #[arg(value_name = "TRACE", value_hint = ValueHint::FilePath)]
    pub trace: PathBuf,
    /// The recording, - is standard output; without it, TRACE with the extension .jsonl
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Replace a file that is there already
    #[arg(long)]
    pub force: bool,
}

impl ImportArgs {
    /// Where the recording goes.
    pub fn place(&self) -> Place {
        match &self.output {
            Some(path) if is_standard(path) => Place::Out,
            Some(path) => Place::File(path.clone()),
            None if is_standard(&self.trace) => Place::Out,
            None => Place::File(self.trace.with_extension("jsonl")),
        }
    }
}

/// Which races to compare, and how.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct DiffArgs {
    /// Recording or JSON report of the race to compare with
    #[arg(value_name = "A", value_hint = ValueHint::FilePath)]
    pub a: PathBuf,
    /// Recording or JSON report of the other race
    #[arg(value_name = "B", value_hint = ValueHint::FilePath)]
    pub b: PathBuf,
    /// Print the comparison instead of opening the page
    #[arg(long)]
    pub plain: bool,
    /// Print it in this format; a table where there is no terminal
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<DiffFormat>,
    /// How it looks.
    #[command(flatten)]
    pub look: LookFlags,
    /// The config file.
    #[command(flatten)]
    pub config: ConfigFlag,
}

impl RaceArgs {
    /// The same arguments for a sweep, whose workers are several.
    pub fn sweeping(mut self) -> RaceArgs {
        self.flags.sweep = Some(self.flags.workers.take().unwrap_or_default());
        self
    }
}

/// Which claims to check, and how.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct ClaimsArgs {
    /// Scenarios whose claims to check; all of them when none is named
    pub scenarios: Vec<String>,
    /// Multiply every simulated delay
    #[arg(long, value_name = "F", default_value = "0.1", value_parser = time_scale_parser())]
    pub time_scale: TimeScale,
    /// Races for each claim, 1 to 100
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub repeat: u8,
    /// How to write it
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: ClaimsFormat,
    /// Folder for finished files
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
    /// The config file.
    #[command(flatten)]
    pub config: ConfigFlag,
}

const ABOUT: &str = "Race the same tasks sequentially, in threads, in a pool, async and in processes, and watch every worker live";

const SWEEP_WORKERS: &str = "Numbers of workers, with ranges: 1,2,4..8; 1..32 has all up to 8, then 12, 16, 24 and 32 [default: 1..32]";

const SWEEP_EXECUTOR: &str =
    "The one executor that is swept: pool, async, processes, gil or a program's name [default: pool]";

const CLOSING: &str = "\
Examples:
  threadrace                               race 20 pictures under four executors
  threadrace sweep images-link             see what up to 32 workers buy
  threadrace -e sequential,pool --repeat 10  tell a difference from chance
  threadrace --urls list.txt -o downloads  race downloads of your own

Exit codes:
  0      all tasks are done
  1      a task failed or was cancelled, or a --fail-if is true
  2      the usage, the config or the input is wrong
  3      the output folder or the disk refused
  4      threadrace itself failed
  128+n  signal n ended it";

fn long_closing() -> String {
    format!(
        "{CLOSING}\n\nEnvironment (a flag beats its variable, and a variable beats the config file):\n{}",
        variables_help()
    )
}

/// Writes the completions for `shell`.
///
/// # Errors
///
/// `out` could not be written.
pub fn completions(shell: Shell, out: &mut dyn Write) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "threadrace", &mut script);
    out.write_all(&script)
}

/// Writes the man page, as roff. It has the commands in it, for they have no pages of their own.
///
/// # Errors
///
/// `out` could not be written.
pub fn man(out: &mut dyn Write) -> io::Result<()> {
    let mut definition = Cli::command();
    definition.build();
    let mut commands = Roff::new();
    commands.control("SH", ["COMMANDS"]);
    for command in definition.get_subcommands_mut().filter(|it| it.get_name() != "help" && !it.is_hide_set())
    {
        let usage = command.render_usage().to_string();
        commands.control("TP", []);
        commands.text([bold(usage.trim_start_matches("Usage: "))]);
        commands.text([roman(command.get_about().map(ToString::to_string).unwrap_or_default())]);
    }
    let page = Man::new(Cli::command());
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    commands.to_writer(out)?;
    // The examples and tables are laid out already: nf and fi keep their lines as they are.
    Roff::new().control("nf", []).to_writer(out)?;
    page.render_extra_section(out)?;
    Roff::new().control("fi", []).to_writer(out)?;
    page.render_version_section(out)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use clap::ValueEnum;
    use clap::error::ErrorKind;

    use super::*;
    use crate::config::{GlyphChoice, RESERVED, ThemeName, URLS_SCENARIO, setting_flags};

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("threadrace").chain(line.split_whitespace()))
    }

    fn told(line: &str) -> String {
        parse(line).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_reaches_its_setting() -> Result<(), clap::Error> {
        let line = "csv-5 -e pool:3,async -w 7 -n 9 --async-threads 2 --together --repeat 9 --warmup 0 --seed 4 -o out --timeout 1.5 \
                    --retries 0 --max-bytes 10 --theme high-contrast --glyphs ascii --no-autostart \
                    --config my.toml --plain --format json --report r.json";
        let race = parse(line)?.race;
        let flags = race.flags;
        assert_eq!(flags.scenario.as_deref(), Some("csv-5"));
        let executors = flags.executors.map(|list| list.choices().iter().map(ToString::to_string).collect());
        assert_eq!(executors, Some(vec!["pool:3".to_owned(), "async".to_owned()]));
        assert_eq!(flags.workers.and_then(|counts| counts.single()), Some(7));
        assert_eq!((flags.tasks, flags.async_threads), (Some(9), Some(2)));
        assert_eq!((flags.together, flags.seed, flags.no_autostart), (true, Some(4), true));
        assert_eq!((flags.repeat, flags.warmup), (Some(9), Some(0)));
        assert_eq!((flags.timeout, flags.retries), (Some(Duration::from_millis(1500)), Some(0)));
        assert_eq!((flags.output, flags.max_bytes), (Some("out".into()), Some(10)));
        assert_eq!(
            (flags.look.theme, flags.look.glyphs),
            (Some(ThemeName::HighContrast), Some(GlyphChoice::Ascii))
        );
        assert_eq!(flags.config.path, Some("my.toml".into()));
        assert_eq!(
            (race.plain, race.report.format, race.report.file),
            (true, Format::Json, Some("r.json".into()))
        );
        let flags = parse("--url http://a --url http://b --urls -")?.race.flags;
        assert_eq!((flags.urls.len(), flags.url_list), (2, Some("-".into())));
        Ok(())
    }

    #[test]
    fn commands_take_their_own_flags() -> Result<(), clap::Error> {
        let Some(Command::Origin(origin)) =
            parse("origin csv-5 --bind [::1]:80 --host A --host b --seed 3")?.command
        else {
            panic!("not the origin");
        };
        let flags = Flags::from(origin);
        assert_eq!(flags.scenario.as_deref(), Some("csv-5"));
        assert_eq!(flags.bind.map(|bind| bind.to_string()).as_deref(), Some("[::1]:80"));
        assert_eq!((flags.hosts, flags.seed), (Some(vec!["a".to_owned(), "b".to_owned()]), Some(3)));
        let Some(Command::Config(race)) = parse("config csv-5 -w 3 --plain")?.command else {
            panic!("not the config");
        };
        assert_eq!(race.flags.workers.and_then(|counts| counts.single()), Some(3));
        let Some(Command::Sweep(race)) = parse("sweep csv-5 --workers 1,2..4 -e async --plain")?.command
        else {
            panic!("not the sweep");
        };
        let flags = race.sweeping().flags;
        assert_eq!((flags.workers, flags.sweep.map(|it| it.to_string())), (None, Some("1,2,3,4".to_owned())));
        let Some(Command::Sweep(race)) = parse("sweep")?.command else { panic!("not the sweep") };
        let counts = race.sweeping().flags.sweep.map(|it| it.to_string());
        assert_eq!(counts.as_deref(), Some("1,2,3,4,5,6,7,8,12,16,24,32"));
        assert!(
            matches!(parse("scenarios --config x")?.command, Some(Command::Scenarios(flag)) if flag.path.is_some())
        );
        assert!(matches!(
            parse("completions fish")?.command,
            Some(Command::Completions { shell: Shell::Fish })
        ));
        assert!(matches!(parse("man")?.command, Some(Command::Man)));
        Ok(())
    }

    #[test]
    fn wrong_values_are_told_with_what_is_allowed() {
        for (line, allowed) in [
            ("-w 0", "must be a whole number, 1 to 10000"),
            ("--repeat 0", "must be a whole number, 1 to 1000"),
            ("--warmup -1", "must be a whole number, 0 to 100"),
            ("-w -3", "must be a whole number, 1 to 10000"),
            ("sweep -w 8..1", "8..1 ends before it begins"),
            ("sweep -w 1,x", "'x' is no number of workers"),
            ("-n 1000000000000", "must be a whole number, 1 to 1000000"),
            ("--timeout nan", "must be seconds, 0.001 to 86400"),
            ("--timeout -1.5", "must be seconds, 0.001 to 86400"),
            ("--seed 9007199254740992", "must be a whole number, 0 to 9007199254740991"),
            ("-e sequential:3", "sequential takes no number of workers: it always has one"),
            ("-e ,", "there is no executor ''"),
            ("--theme pink", "[possible values: dark, light, high-contrast, monochrome]"),
            ("--glyphs ebcdic", "[possible values: auto, unicode, ascii]"),
            ("--format pdf", "[possible values: table, json, csv, markdown]"),
            ("origin --bind localhost", "must be an IP address and a port"),
            ("origin --host a:80", "'a:80' is no host name"),
        ] {
            let told = told(line);
            assert!(told.contains(allowed), "{line}: {told}");
            assert_eq!(parse(line).map_err(|error| error.exit_code()), Err(2), "{line}");
        }
    }

    #[test]
    fn a_scenario_and_urls_exclude_each_other() {
        for line in ["csv-5 --url http://a", "csv-5 --urls list", "config csv-5 --url http://a"] {
            assert_eq!(parse(line).map_err(|error| error.kind()), Err(ErrorKind::ArgumentConflict), "{line}");
        }
        assert!(parse("--url http://a origin").is_err());
    }

    #[test]
    fn no_scenario_can_take_a_commands_name() {
        let mut command = Cli::command();
        command.build();
        let names: BTreeSet<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        let reserved: BTreeSet<&str> = RESERVED.into_iter().filter(|name| *name != URLS_SCENARIO).collect();
        assert_eq!(names, reserved);
    }

    #[test]
    fn the_table_of_settings_and_the_command_line_agree() {
        let command = Cli::command();
        let arguments =
            command.get_arguments().chain(command.get_subcommands().flat_map(|it| it.get_arguments()));
        let flags: BTreeSet<String> =
            arguments.filter_map(|arg| Some(format!("--{}", arg.get_long()?))).collect();
        let of_races =
            ["--url", "--urls", "--config", "--plain", "--format", "--report", "--record", "--fail-if"];
        let of_recordings = ["--speed", "--to", "--force", "--view", "--size", "--at", "--width"];
        let settings = setting_flags().filter(|flag| *flag != "SCENARIO");
        let others = of_races.into_iter().chain(of_recordings);
        assert_eq!(flags, settings.chain(others).map(str::to_owned).collect());
    }

    #[test]
    fn help_fits_a_terminal() {
        for help in [Cli::command().render_help(), Cli::command().render_long_help()] {
            let help = help.to_string();
            for part in [
                "Examples:",
                "Exit codes:",
                "128+n",
                "Race:",
                "Downloads:",
                "Dashboard:",
                "Report:",
                "Settings:",
            ] {
                assert!(help.contains(part), "{part}\n{help}");
            }
        }
        assert!(CLOSING.lines().all(|line| line.len() <= 80));
    }

    #[test]
    fn completions_and_the_man_page_are_there() -> io::Result<()> {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            completions(*shell, &mut script)?;
            let script = String::from_utf8_lossy(&script);
            for word in ["async-threads", "scenarios", "max-bytes"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
        let mut page = Vec::new();
        man(&mut page)?;
        let page = String::from_utf8_lossy(&page);
        for word in [".TH", "workers", "THREADRACE_WORKERS", "128+n", "threadrace origin"] {
            assert!(page.contains(word), "{word}");
        }
        Ok(())
    }
}
