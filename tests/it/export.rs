//! What races are exported as: casts are played in a terminal in memory, pictures are parsed.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::num::NonZeroU16;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use threadrace::config::{self, Flags, Settings, Sources, ThemeName};
use threadrace::event::{At, Event, ExecutorKind, Fact};
use threadrace::recording::Player;
use threadrace::recording::{self, Speed, Tape};
use threadrace::report::words::Glyphs;
use threadrace::report::{ScreenSize, Target, ViewName};
use threadrace::tui::{CastOptions, ExportOptions, Looks, Source, cast, export};

use crate::simulate::{Fate, Race};

type Fallible<T = ()> = Result<T, Box<dyn Error>>;

fn settings() -> Fallible<Settings> {
    let sources = Sources {
        flags: Flags::default(),
        variables: Vec::new(),
        folder: "/nowhere".into(),
        home: None,
        stdin: &mut std::io::empty(),
    };
    Ok(config::load(sources)?.settings)
}

fn race() -> Race {
    Race::new(7).tasks(20).runs(&[(ExecutorKind::Sequential, 1), (ExecutorKind::Pool, 5)])
}

fn tape(race: &Race) -> Tape {
    race.events().into_iter().collect()
}

/// An event of a cast: when, in seconds from the start; what; and its data.
struct Told {
    at: f64,
    code: String,
    data: String,
}

/// A cast, read as its format says.
struct Cast {
    header: Value,
    events: Vec<Told>,
}

impl Cast {
    fn of(tape: &Tape, options: &CastOptions) -> Fallible<Cast> {
        let mut bytes = Vec::new();
        cast(tape, &settings()?, options, &mut bytes)?;
        Cast::read(&String::from_utf8(bytes)?)
    }

    fn read(text: &str) -> Fallible<Cast> {
        let mut lines = text.lines();
        let header = serde_json::from_str(lines.next().ok_or("no header")?)?;
        let (mut events, mut at) = (Vec::new(), 0.0);
        for line in lines {
            let (interval, code, data): (f64, String, String) = serde_json::from_str(line)?;
            assert!(interval >= 0.0 && interval.is_finite(), "{line}");
            assert!(["o", "m", "x"].contains(&code.as_str()), "{line}");
            at += interval;
            events.push(Told { at, code, data });
        }
        Ok(Cast { header, events })
    }

    fn markers(&self) -> Vec<(f64, &str)> {
        let markers = self.events.iter().filter(|told| told.code == "m");
        markers.map(|told| (told.at, told.data.as_str())).collect()
    }

    fn end(&self) -> f64 {
        self.events.last().map_or(0.0, |told| told.at)
    }

    /// What a terminal shows after the events up to a time.
    fn screen_at(&self, at: f64) -> vt100::Parser {
        let size = |name: &str| {
            let length = self.header["term"][name].as_u64().and_then(|length| u16::try_from(length).ok());
            length.and_then(NonZeroU16::new).unwrap_or(NonZeroU16::MIN)
        };
        let mut terminal = vt100::Parser::new(size("rows"), size("cols"), 0);
        for told in self.events.iter().take_while(|told| told.at <= at + 1e-6) {
            if told.code == "o" {
                terminal.process(told.data.as_bytes());
            }
        }
        terminal
    }
}

/// What an export draws of a screen, read back from its SVG: the texts, by the row and column of their first cell.
fn texts(svg: &str) -> BTreeMap<(usize, usize), String> {
    let mut texts = BTreeMap::new();
    for element in svg.lines().filter(|line| line.starts_with("<text ")) {
        let number = |name: &str| {
            let (_, rest) = element.split_once(&format!(" {name}=\""))?;
            rest.split('"').next()?.parse::<usize>().ok()
        };
        let words = element.split_once('>').and_then(|(_, rest)| rest.strip_suffix("</text>"));
        if let (Some(x), Some(y), Some(words)) = (number("x"), number("y"), words) {
            let words = words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
            texts.insert((y / 18, x / 9), words);
        }
    }
    texts
}

fn screen(tape: &Tape, options: &ExportOptions) -> Fallible<String> {
    let mut player = Player::new(tape.plan().ok_or("no race")?.clone());
    player.seek(tape, tape.len());
    let source = Source { race: player.state(), tape: Some(tape), next: &settings()?, raced_with: None };
    let mut bytes = Vec::new();
    export(Target::Screen, &source, options, &mut bytes)?;
    Ok(String::from_utf8(bytes)?)
}

/// Fails unless what opens is closed, in order, and no text holds a bare mark.
fn assert_well_formed(xml: &str) {
    let mut open = Vec::new();
    for part in xml.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap_or((part, "<"));
        assert!(!text.contains(['<', '>']), "{part}");
        for entity in text.split('&').skip(1) {
            assert!(["amp;", "lt;", "gt;"].iter().any(|known| entity.starts_with(known)), "{part}");
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{part}");
        let name = tag.split_whitespace().next().unwrap_or_default();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None if tag.ends_with('/') => {}
            None => open.push(name),
        }
    }
    assert_eq!(open, Vec::<&str>::new());
    assert!(xml.chars().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn a_cast_shows_what_the_dashboard_shows() -> Fallible {
    let race = race();
    let tape = tape(&race);
    for (theme, glyphs, speed) in [
        (ThemeName::Dark, Glyphs::Unicode, "1"),
        (ThemeName::Monochrome, Glyphs::Ascii, "4"),
        (ThemeName::Light, Glyphs::Unicode, "1/2"),
    ] {
        let looks = Looks { size: ScreenSize::near(100, 30), theme, glyphs };
        let speed: Speed = speed.parse()?;
        let cast = Cast::of(&tape, &CastOptions { looks, speed: Some(speed) })?;
        // The frames at which runs start and end, and some of those at every fifteenth of a second.
        let start = tape.get(0).ok_or("empty")?.known;
        let is_turn = |fact: &Fact| matches!(fact, Fact::RunStarted { .. } | Fact::RunFinished { .. });
        let turns = tape.told().iter().filter(|told| is_turn(&told.event.fact));
        let turns = turns.map(|told| speed.to_play(told.known.since(start)));
        let frames = [1_u64, 20, 47].map(|frame| Duration::from_nanos((frame * 1_000_000_000).div_ceil(15)));
        for time in turns.chain(frames) {
            let at = time.as_secs_f64();
            let options = ExportOptions {
                size: looks.size,
                theme: Some(theme),
                glyphs,
                at: Some(speed.of(time)),
                ..ExportOptions::default()
            };
            let terminal = cast.screen_at(at);
            let drawn = texts(&screen(&tape, &options)?);
            assert!(drawn.len() > 60, "{} texts at {at}", drawn.len());
            for ((row, column), words) in drawn {
                let shown: String = terminal
                    .screen()
                    .rows(column as u16, words.chars().count() as u16)
                    .nth(row)
                    .unwrap_or_default();
                assert_eq!(shown, words, "at {at} s, row {row}, column {column}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_cast_is_as_its_format_says() -> Fallible {
    let race = race();
    let cast = Cast::of(&tape(&race), &CastOptions::default())?;
    let header = &cast.header;
    assert_eq!(
        (&header["version"], &header["term"]["cols"], &header["term"]["rows"]),
        (&3.into(), &120.into(), &36.into())
    );
    assert_eq!(header["term"]["type"], "xterm-256color");
    assert_eq!(header["term"]["theme"]["bg"], "#12161c");
    let palette = header["term"]["theme"]["palette"].as_str().ok_or("no palette")?;
    assert!(palette.split(':').count() == 16 && palette.split(':').all(|colour| colour.len() == 7));
    assert!(header["title"].as_str().is_some_and(|title| title.starts_with("threadrace ")));
    let codes: Vec<&str> = cast.events.iter().map(|told| told.code.as_str()).collect();
    assert_eq!((codes.first(), codes.last()), (Some(&"o"), Some(&"x")));
    assert_eq!(codes.iter().filter(|code| **code == "x").count(), 1);
    assert!(!cast.screen_at(f64::MAX).screen().hide_cursor(), "the cursor is back");
    Ok(())
}

#[test]
fn markers_are_where_runs_start_and_end() -> Fallible {
    let race = race();
    let state = race.state();
    let tape = tape(&race);
    let start = tape.get(0).ok_or("empty")?.known;
    for speed in ["1", "8", "1/4"] {
        let speed: Speed = speed.parse()?;
        let cast = Cast::of(&tape, &CastOptions { speed: Some(speed), ..CastOptions::default() })?;
        let mut wanted = Vec::new();
        for run in state.runs() {
            let (started, wall) = (run.started().ok_or("no start")?, run.wall().ok_or("no end")?);
            let name = run.plan().name();
            wanted.push((started, format!("{name} starts")));
            wanted.push((started.plus(wall), format!("{name} ends after ")));
        }
        let markers = cast.markers();
        for ((at, label), (moment, words)) in markers.iter().zip(&wanted) {
            let due = speed.to_play(moment.since(start)).as_secs_f64();
            assert!((at - due).abs() < 2e-6, "{label}: {at}, not {due}");
            assert!(label.starts_with(words), "{label}");
        }
        let closing: Vec<&str> = markers[wanted.len()..].iter().map(|(_, label)| *label).collect();
        assert_eq!(closing, ["Timeline", "Results"]);
        assert!(cast.screen_at(markers[wanted.len()].0).screen().contents().contains("own start"));
        assert!(cast.screen_at(cast.end() - 1.0).screen().contents().contains("what the words mean"));
        let played = speed.to_play(tape.end().since(start)).as_secs_f64();
        assert!((cast.end() - played - 15.0).abs() < 0.001, "{} and {played}", cast.end());
    }
    Ok(())
}

#[test]
fn a_long_race_is_played_fast_and_its_idle_stretches_are_merged() -> Fallible {
    let race = Race::new(3).tasks(4).runs(&[(ExecutorKind::Sequential, 1)]);
    let mut events = race.events();
    let half = events.len() / 2;
    // Somebody stopped the program for a week.
    let week = Duration::from_secs(7 * 24 * 3600);
    for event in &mut events[half..] {
        event.at = event.at.plus(week);
    }
    let before = events[half - 1].at;
    events.insert(half, Event { at: before.plus(week / 2), fact: Fact::Collected });
    let tape: Tape = events.into_iter().collect();
    let cast = Cast::of(&tape, &CastOptions::default())?;
    assert!(cast.events.len() < 500, "{} events", cast.events.len());
    let week_played = week.as_secs_f64() / 64.0;
    assert!((cast.end() - week_played).abs() < 30.0, "{} s", cast.end());
    let longest = cast.events.windows(2).map(|two| two[1].at - two[0].at).fold(0.0, f64::max);
    assert!(longest > 9_000.0 && cast.header["idle_time_limit"] == 10);
    Ok(())
}

#[test]
fn a_cast_of_a_common_race_is_of_moderate_size() -> Fallible {
    let runs = [
        (ExecutorKind::Sequential, 1),
        (ExecutorKind::Threads, 20),
        (ExecutorKind::Pool, 5),
        (ExecutorKind::Async, 5),
    ];
    let tape = tape(&Race::new(7).tasks(20).runs(&runs));
    let mut bytes = Vec::new();
    cast(&tape, &settings()?, &CastOptions::default(), &mut bytes)?;
    assert!(bytes.len() < 2_000_000, "{} bytes for {:?}", bytes.len(), tape.end().since(At::ZERO));
    Ok(())
}

#[test]
fn a_screen_is_a_picture_of_any_view_at_any_moment() -> Fallible {
    let tape = tape(&race());
    for (view, said) in [
        (ViewName::Race, "speedup: how many times as fast as sequential"),
        (ViewName::Timeline, "own start"),
        (ViewName::Tasks, "picture-01.jpg"),
        (ViewName::Results, "what the words mean"),
    ] {
        for (columns, rows) in [(20, 6), (80, 24), (120, 36), (200, 60)] {
            let size = ScreenSize::near(columns, rows);
            let svg = screen(&tape, &ExportOptions { view, size, ..ExportOptions::default() })?;
            assert_well_formed(&svg);
            assert!(columns < 120 || svg.contains(said), "{view:?}");
            assert!(svg.contains(&format!("width=\"{}\"", u32::from(columns) * 9 + 28)));
        }
    }
    let options = ExportOptions { at: Some(Duration::from_millis(900)), ..ExportOptions::default() };
    let svg = screen(&tape, &options)?;
    assert!(svg.contains("run 1 of 2: sequential") && svg.contains("Race after 900 ms</title>"));
    let light = screen(&tape, &ExportOptions { theme: Some(ThemeName::Light), ..ExportOptions::default() })?;
    assert!(light.contains("rx=\"8\" fill=\"#fbfaf7\""));
    Ok(())
}

#[test]
fn a_small_screen_as_svg() -> Fallible {
    let options = ExportOptions {
        size: ScreenSize::near(46, 10),
        at: Some(Duration::from_millis(1_700)),
        ..ExportOptions::default()
    };
    insta::assert_snapshot!("svg_screen", screen(&tape(&race()), &options)?);
    Ok(())
}

#[test]
fn names_are_no_markup() -> Fallible {
    let race =
        Race::new(5).tasks(6).name(0, "<script>alert('&')</script>").name(1, "駅 ]]> \u{202e}x\u{1b}[2J");
    let race = race.fate(2, Fate::Failed);
    let options = ExportOptions { view: ViewName::Tasks, ..ExportOptions::default() };
    let svg = screen(&tape(&race), &options)?;
    assert_well_formed(&svg);
    assert!(svg.contains("&lt;script&gt;alert('&amp;')") && svg.contains("]]&gt;"), "{svg}");
    let cast = Cast::of(&tape(&race), &CastOptions::default())?;
    let shown = cast.screen_at(cast.markers()[0].0 + 0.2);
    assert!(shown.screen().contents().contains("<script>"));
    Ok(())
}

#[test]
fn a_sweep_has_a_chart() -> Fallible {
    let folder = tempfile::tempdir()?;
    recorded(folder.path())?;
    let none = run(folder.path(), &["race.jsonl", "--to", "scaling"])?;
    assert_eq!(none.status.code(), Some(2));
    assert!(String::from_utf8(none.stderr)?.contains("this race is no sweep"));
    let pools = [1, 2, 4, 8].map(|workers| (ExecutorKind::Pool, workers));
    let runs: Vec<_> = std::iter::once((ExecutorKind::Sequential, 1)).chain(pools).collect();
    let race = Race::new(7).tasks(20).runs(&runs);
    recording::write(
        &race.plan(),
        &race.events(),
        &mut fs::File::create(folder.path().join("sweep.jsonl"))?,
    )?;
    let chart = String::from_utf8(run(folder.path(), &["sweep.jsonl", "--to", "scaling"])?.stdout)?;
    assert!(chart.starts_with("<svg ") && chart.contains("speedup against workers"));
    let page = String::from_utf8(run(folder.path(), &["sweep.jsonl", "--to", "html"])?.stdout)?;
    assert!(page.contains("speedup against workers"));
    Ok(())
}

#[test]
fn nothing_is_played_of_no_race() -> Fallible {
    assert!(cast(&Tape::default(), &settings()?, &CastOptions::default(), &mut Vec::new()).is_err());
    Ok(())
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_threadrace");

fn run(folder: &Path, arguments: &[&str]) -> Fallible<Output> {
    let mut command = Command::new(PROGRAM);
    command.arg("export").args(arguments).current_dir(folder).stdin(Stdio::null());
    command.env("HOME", folder).env_remove("XDG_CONFIG_HOME").env("NO_COLOR", "1");
    Ok(command.output()?)
}

fn recorded(folder: &Path) -> Fallible {
    let race = race();
    let mut file = fs::File::create(folder.join("race.jsonl"))?;
    recording::write(&race.plan(), &race.events(), &mut file)?;
    Ok(())
}

#[test]
fn the_program_exports_to_each_target() -> Fallible {
    let folder = tempfile::tempdir()?;
    recorded(folder.path())?;
    for target in Target::ALL.into_iter().filter(|target| *target != Target::Scaling) {
        let printed = run(folder.path(), &["race.jsonl", "--to", target.name()])?;
        assert_eq!((printed.status.code(), printed.stderr.len()), (Some(0), 0), "{}", target.name());
        let name = format!("out.{}", target.extension());
        let written = run(folder.path(), &["race.jsonl", "-o", &name])?;
        assert_eq!(written.status.code(), Some(0));
        assert_eq!(String::from_utf8(written.stderr)?, format!("wrote {name}\n"));
        assert_eq!(fs::read(folder.path().join(name))?, printed.stdout, "{}", target.name());
        let begin: &[u8] = match target {
            Target::Html => b"<!DOCTYPE html>",
            Target::Svg | Target::Scaling | Target::Screen => b"<svg ",
            Target::Cast => b"{\"version\":3,",
            Target::Trace => b"{\"displayTimeUnit\"",
            Target::CsvTasks | Target::CsvSpans => b"run,",
            Target::Json => b"{",
            Target::Markdown => b"#",
            Target::Table => b"",
        };
        assert!(printed.stdout.len() > 500 && printed.stdout.starts_with(begin), "{}", target.name());
    }
    let coloured = fs::read_to_string(folder.path().join("out.cast"))?;
    assert!(coloured.contains("38;2;"), "NO_COLOR is about this terminal");
    Ok(())
}

#[test]
fn a_file_that_is_there_stays() -> Fallible {
    let folder = tempfile::tempdir()?;
    recorded(folder.path())?;
    fs::write(folder.path().join("out.md"), "somebody's")?;
    let refused = run(folder.path(), &["race.jsonl", "-o", "out.md"])?;
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr)?.contains("--force replaces it"));
    assert_eq!(fs::read(folder.path().join("out.md"))?, b"somebody's");
    assert_eq!(run(folder.path(), &["race.jsonl", "-o", "out.md", "--force"])?.status.code(), Some(0));
    assert!(fs::read_to_string(folder.path().join("out.md"))?.starts_with('#'));
    assert_eq!(run(folder.path(), &["race.jsonl", "-o", "no/such/folder.md"])?.status.code(), Some(3));
    assert_eq!(run(folder.path(), &["none.jsonl", "--to", "cast"])?.status.code(), Some(2));
    assert_eq!(run(folder.path(), &["race.jsonl", "--to", "cast", "--view", "race"])?.status.code(), Some(2));
    Ok(())
}

#[test]
fn half_a_recording_is_exported_as_far_as_it_goes() -> Fallible {
    let folder = tempfile::tempdir()?;
    recorded(folder.path())?;
    let whole = fs::read(folder.path().join("race.jsonl"))?;
    fs::write(folder.path().join("half.jsonl"), &whole[..whole.len() / 2])?;
    for target in Target::ALL.into_iter().filter(|target| *target != Target::Scaling) {
        let output = run(folder.path(), &["half.jsonl", "--to", target.name()])?;
        assert_eq!(output.status.code(), Some(0), "{}", target.name());
        assert!(String::from_utf8(output.stderr)?.contains("breaks off"));
        assert!(output.stdout.len() > 500);
    }
    Ok(())
}
