//! What `threadrace export` was asked for.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};
use thiserror::Error;

use crate::config::{ConfigFlag, GlyphChoice, ThemeName, is_standard};
use crate::recording::Speed;
use crate::report::{ScreenSize, Target, ViewName};

/// Which recording to export, as what and where to.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = PLACES)]
pub struct ExportArgs {
    /// The recording
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub recording: PathBuf,
    /// What to make of it; without this, what the name of the output asks for
    #[arg(long, value_enum, value_name = "TARGET", required_unless_present = "output")]
    pub to: Option<Target>,
    /// The file to write, or the folder to write it in; - is standard output
    #[arg(short, long, value_name = "OUT", value_hint = ValueHint::AnyPath)]
    pub output: Option<PathBuf>,
    /// Replace the file if it is there already
    #[arg(long)]
    pub force: bool,
    /// Size of the screen in characters (for cast and screen) [default: 120x36]
    #[arg(long, value_name = "COLSxROWS")]
    pub size: Option<ScreenSize>,
    /// Colours (for html, svg, scaling, screen and cast; the first three know dark and light, and follow the reader)
    #[arg(long, value_enum, value_name = "NAME")]
    pub theme: Option<ThemeName>,
    /// Characters to draw with (for cast and screen)
    #[arg(long, value_enum, value_name = "SET")]
    pub glyphs: Option<GlyphChoice>,
    /// How fast the race is played, 1/64 to 64 (for cast) [default: 1, or what plays it in two minutes]
    #[arg(long, value_name = "X")]
    pub speed: Option<Speed>,
    /// Width in pixels, 360 to 8000 (for svg and scaling) [default: 1200]
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(360..=8000))]
    pub width: Option<u32>,
    /// What is shown (for screen) [default: race]
    #[arg(long, value_enum, value_name = "VIEW")]
    pub view: Option<ViewName>,
    /// The moment that is shown, in seconds from the race's start (for screen) [default: its end]
    #[arg(long, value_name = "SECONDS", value_parser = moment, allow_negative_numbers = true)]
    pub at: Option<Duration>,
    /// The config file.
    #[command(flatten)]
    pub config: ConfigFlag,
}

const PLACES: &str = "\
Without -o, the export goes to standard output; at a terminal, what is not for reading goes to a file in the
current folder, named after the recording. A file that is there already stays unless --force is given.

Examples:
  threadrace export race.jsonl --to cast             race.cast; asciinema play race.cast
  threadrace export race.jsonl -o race.screen.svg --view timeline --size 160x50 --theme light
  threadrace export race.jsonl --to html             race.html: one page, no network needed
  threadrace export race.jsonl --to json | jq '.runs[] | {label, speedup}'";

/// Where an export goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Standard output.
    Out,
    /// A file.
    File(PathBuf),
}

/// What has colours that can be chosen.
const COLOURED: &[Target] = &[Target::Html, Target::Svg, Target::Scaling, Target::Screen, Target::Cast];

/// Why an export can't be as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExportError {
    /// It was not said what to make.
    #[error("--to says what to make of the recording: {}", names(&Target::ALL))]
    NoTarget,
    /// A flag has no meaning here.
    #[error("{flag} has no meaning for {}; it is for {}", to.name(), names(meant))]
    Misplaced {
        /// The flag.
        flag: &'static str,
        /// What is to be made.
        to: Target,
        /// What the flag is for.
        meant: &'static [Target],
    },
}

fn names(targets: &[Target]) -> String {
    targets.iter().map(|target| target.name()).collect::<Vec<_>>().join(", ")
}

impl ExportArgs {
    /// What is to be made.
    ///
    /// # Errors
    /// When that is not said, or a flag is given that means nothing for it.
    pub fn target(&self) -> Result<Target, ExportError> {
        let by_name = || self.output.as_deref().and_then(Target::of_path);
        let to = self.to.or_else(by_name).ok_or(ExportError::NoTarget)?;
        let given = [
            ("--size", self.size.is_some(), &[Target::Cast, Target::Screen][..]),
            ("--width", self.width.is_some(), &[Target::Svg, Target::Scaling]),
            ("--theme", self.theme.is_some(), COLOURED),
            ("--glyphs", self.glyphs.is_some(), &[Target::Cast, Target::Screen]),
            ("--speed", self.speed.is_some(), &[Target::Cast]),
            ("--view", self.view.is_some(), &[Target::Screen]),
            ("--at", self.at.is_some(), &[Target::Screen]),
        ];
        match given.into_iter().find(|(_, given, meant)| *given && !meant.contains(&to)) {
            Some((flag, _, meant)) => Err(ExportError::Misplaced { flag, to, meant }),
            None => Ok(to),
        }
    }

    /// Where it goes; `is_terminal` says whether standard output is one.
    pub fn place(&self, target: Target, is_terminal: bool) -> Place {
        let name = || {
            let stem = self.recording.file_stem().unwrap_or(self.recording.as_os_str());
            let mut name = stem.to_owned();
            name.push(".");
            name.push(target.extension());
            PathBuf::from(name)
        };
        match &self.output {
            Some(path) if is_standard(path) => Place::Out,
            Some(path) if path.is_dir() => Place::File(path.join(name())),
            Some(path) => Place::File(path.clone()),
            None if !is_terminal || target.is_for_reading() => Place::Out,
            None => Place::File(name()),
        }
    }
}

fn moment(words: &str) -> Result<Duration, String> {
    let seconds: Option<f64> = words.parse().ok().filter(|seconds| (0.0..=31_622_400.0).contains(seconds));
    let moment = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    moment.ok_or_else(|| "must be seconds, 0 to 31622400".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::{Cli, Command};

    use super::*;

    fn parsed(line: &str) -> Result<ExportArgs, String> {
        let words = ["threadrace", "export"].into_iter().chain(line.split_whitespace());
        match Cli::try_parse_from(words).map_err(|error| error.to_string())?.command {
            Some(Command::Export(args)) => Ok(*args),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn the_target_is_said_or_named() -> Result<(), String> {
        assert_eq!(parsed("r.jsonl --to cast")?.target(), Ok(Target::Cast));
        assert_eq!(parsed("r.jsonl -o a/b.SCREEN.svg")?.target(), Ok(Target::Screen));
        assert_eq!(parsed("r.jsonl --to json -o b.txt")?.target(), Ok(Target::Json));
        assert_eq!(parsed("r.jsonl -o b.pdf")?.target(), Err(ExportError::NoTarget));
        assert!(parsed("r.jsonl").is_err_and(|error| error.contains("--to")));
        Ok(())
    }

    #[test]
    fn flags_that_mean_nothing_are_refused() -> Result<(), String> {
        let told = |line: &str| parsed(line).map(|args| args.target().map_err(|error| error.to_string()));
        assert_eq!(
            told("r --to screen --speed 4")?,
            Err("--speed has no meaning for screen; it is for cast".to_owned())
        );
        assert_eq!(
            told("r --to json --size 80x24")?,
            Err("--size has no meaning for json; it is for cast, screen".to_owned())
        );
        assert_eq!(
            told("r --to screen --view tasks --at 1.5 --theme light --glyphs ascii")?,
            Ok(Target::Screen)
        );
        for wrong in ["--at -1", "--at nan", "--at inf", "--size 80", "--speed 0", "--view all"] {
            assert!(parsed(&format!("r --to screen {wrong}")).is_err(), "{wrong}");
        }
        Ok(())
    }

    #[test]
    fn an_export_goes_where_it_was_asked_to() -> Result<(), String> {
        let place = |line: &str, is_terminal| {
            let args = parsed(line)?;
            let target = args.target().map_err(|error| error.to_string())?;
            Ok::<_, String>(args.place(target, is_terminal))
        };
        let file = |name: &str| Place::File(PathBuf::from(name));
        assert_eq!(place("a/race.jsonl --to cast", true)?, file("race.cast"));
        assert_eq!(place("a/race.jsonl --to cast", false)?, Place::Out);
        assert_eq!(place("a/race.jsonl --to table", true)?, Place::Out);
        assert_eq!(place("a/race.jsonl --to table -o t.txt", true)?, file("t.txt"));
        assert_eq!(place("a/race.jsonl --to cast -o -", true)?, Place::Out);
        assert_eq!(place("race --to screen -o /", true)?, file("/race.screen.svg"));
        Ok(())
    }
}
