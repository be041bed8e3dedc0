//! The dashboard playing a race, as an asciicast: the format of asciinema, version 3
//! (docs.asciinema.org, "asciicast v3").
//!
//! A header line, then a line for each event: how many seconds after the one before it, a letter for what it is,
//! and its data. Frames are drawn for the moments of the race that they show, not filmed, so a cast is as exact
//! as its recording and takes less time to make than to watch.

use std::io::{self, BufWriter, Write};
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde::Serialize;

use crate::config::Settings;
use crate::event::{At, Fact, RunEnd, RunId};
use crate::model::{RaceState, SharedPlan};
use crate::recording::{Player, Speed, Tape, Told};
use crate::report::Summary;
use crate::report::words::seconds;
use crate::text::shown;

use super::encode::{encode, mend};
use super::house::Reach;
use super::still::{Looks, Stage, figures};
use super::ui::View;

/// How a cast is made.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct CastOptions {
    /// How its frames look.
    pub looks: Looks,
    /// How fast the race is played; none for as it happened, or as fast as it takes for the race to be over
    /// within two minutes.
    pub speed: Option<Speed>,
}

/// Nobody watches for longer without having asked for it.
pub const LONGEST: Duration = Duration::from_secs(120);

/// Frames a second of played time.
const FRAMES: u32 = 15;

/// Once nothing has been told for so long, the clock on screen moves once a second.
const IDLE: Duration = Duration::from_secs(3);

/// And after so many seconds of that, not at all until something is told.
const TICKS: u32 = 10;

/// Players cut pauses of the picture to this many seconds.
const LONGEST_PAUSE: u32 = 10;

/// What is shown when the race is over, and for how long.
const CLOSING: [(View, Duration); 3] = [
    (View::Race, Duration::from_secs(3)),
    (View::Timeline, Duration::from_secs(6)),
    (View::Results, Duration::from_secs(6)),
];

#[derive(Serialize)]
struct Header {
    version: u8,
    term: Term,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<u64>,
    idle_time_limit: u32,
    title: String,
}

#[derive(Serialize)]
struct Term {
    cols: u16,
    rows: u16,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    theme: Option<Colours>,
}

/// The colours of a terminal without a style of its own.
#[derive(Serialize)]
struct Colours {
    fg: String,
    bg: String,
    palette: String,
}

/// Writes the dashboard playing the race of a tape. `next` are the settings of that dashboard.
///
/// There is a marker where each run starts and where it ends, and one where each of the closing views is
/// opened. Writes through a buffer and flushes it.
///
/// # Errors
/// What `out` answers, and when the tape tells of no race.
pub fn cast(tape: &Tape, next: &Settings, options: &CastOptions, out: &mut dyn Write) -> io::Result<()> {
    let Some(plan) = tape.plan() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no race to play"));
    };
    // A file is no terminal: whether this one wants colours does not matter to those who play the cast.
    ratatui::crossterm::style::force_color_output(true);
    let stage = Stage::new(next, options.looks);
    let size = options.looks.size;
    let header = Header {
        version: 3,
        term: Term {
            cols: size.columns(),
            rows: size.rows(),
            r#type: "xterm-256color",
            theme: stage.theme().terminal().map(|[fg, bg, palette]| Colours { fg, bg, palette }),
        },
        timestamp: Some(plan.zero.unix_nanos / 1_000_000_000).filter(|seconds| *seconds > 0),
        idle_time_limit: LONGEST_PAUSE,
        title: format!("threadrace {}: {}", shown(&plan.scenario), shown(&plan.about)),
    };
    let mut film = Film { out: BufWriter::with_capacity(64 * 1024, out), at: Duration::ZERO, told: 0 };
    film.line(&header)?;
    let mut screen = Screen { drawn: Buffer::empty(Rect::ZERO), bytes: b"\x1b[?25l".to_vec() };
    let mut show = Show::new(tape, plan.clone(), options.speed);
    loop {
        let markers = show.turn();
        film.at = show.time;
        screen.show(stage.frame(show.race(), show.figures.as_ref(), show.moment(), View::Race), &mut film)?;
        for marker in markers {
            film.event('m', &marker)?;
        }
        match show.next() {
            Some(time) => show.time = time,
            None => break,
        }
    }
    for (view, long) in CLOSING {
        screen.show(stage.frame(show.race(), show.figures.as_ref(), show.moment(), view), &mut film)?;
        if view != View::Race {
            film.event('m', view.name())?;
        }
        film.at += long;
    }
    // Whoever plays it in a terminal wants the cursor back, below the last frame.
    let parting = format!("\x1b[{};1H\x1b[?25h", size.rows());
    film.event('o', &parting)?;
    film.event('x', "0")?;
    film.out.flush()
}

/// The file, and where in played time it is.
struct Film<'a> {
    out: BufWriter<&'a mut dyn Write>,
    at: Duration,
    /// The time of the last event, in microseconds. The next one is told relative to this, so that what is
    /// rounded off does not add up.
    told: u64,
}

impl Film<'_> {
    fn line(&mut self, what: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, what)?;
        self.out.write_all(b"\n")
    }

    fn event(&mut self, code: char, data: &str) -> io::Result<()> {
        let micros = u64::try_from(self.at.as_micros()).unwrap_or(u64::MAX);
        let interval = micros.saturating_sub(self.told);
        self.told = micros;
        self.line(&(interval as f64 / 1e6, code, data))
    }
}

/// What the viewer's terminal shows by now.
struct Screen {
    drawn: Buffer,
    /// What to write next.
    bytes: Vec<u8>,
}

impl Screen {
    fn show(&mut self, mut frame: Buffer, film: &mut Film<'_>) -> io::Result<()> {
        mend(&mut frame);
        encode(&mut self.drawn, &frame, Reach::Changes, &mut self.bytes)?;
        self.drawn = frame;
        if !self.bytes.is_empty() {
            film.event('o', &String::from_utf8_lossy(&self.bytes))?;
            self.bytes.clear();
        }
        Ok(())
    }
}

/// The race as it is played.
struct Show<'a> {
    tape: &'a Tape,
    player: Player,
    figures: Option<Summary>,
    speed: Speed,
    /// The moment that is played first.
    start: At,
    /// How long it has been playing.
    time: Duration,
    /// The times at which runs start and end, the last ones first.
    turns: Vec<Duration>,
    /// The place of the first event that tells something and has yet to come.
    ahead: usize,
    /// How often in a row only the clock has moved.
    ticks: u32,
}

impl<'a> Show<'a> {
    fn new(tape: &'a Tape, plan: SharedPlan, speed: Option<Speed>) -> Show<'a> {
        let start = tape.start();
        let fitting = || Speed::lasting(tape.end().since(start), Duration::ZERO..=LONGEST);
        let speed = speed.unwrap_or_else(fitting);
        let is_turn =
            |told: &&Told| matches!(told.event.fact, Fact::RunStarted { .. } | Fact::RunFinished { .. });
        let turns = tape.told().iter().rev().filter(is_turn);
        Show {
            tape,
            player: Player::new(plan),
            figures: None,
            speed,
            start,
            time: Duration::ZERO,
            turns: turns.map(|told| speed.to_play(told.known.since(start))).collect(),
            ahead: 0,
            ticks: 0,
        }
    }

    fn race(&self) -> &RaceState {
        self.player.state()
    }

    /// The moment of the race that is shown.
    fn moment(&self) -> At {
        self.start.plus(self.speed.of(self.time)).min(self.tape.end())
    }

    /// Goes to the time that has come, and says which runs have started and ended.
    fn turn(&mut self) -> Vec<String> {
        let (before, now) = (self.player.applied(), self.tape.known_at(self.moment()));
        self.player.seek(self.tape, now);
        let race = self.player.state();
        let news = &self.tape.told()[before..now.max(before)];
        let of_a_run =
            |told: &Told| matches!(told.event.fact, Fact::RunFinished { .. } | Fact::RunMeasured { .. });
        if news.iter().any(of_a_run) || (race.is_over() && !news.is_empty()) {
            self.figures = figures(race, race.last_moment());
        }
        news.iter().filter_map(|told| marker(race, &told.event.fact)).collect()
    }

    /// The time of the next frame; none after the last.
    fn next(&mut self) -> Option<Duration> {
        let of = |at: At| self.speed.to_play(at.since(self.start));
        let end = of(self.tape.end());
        if self.time >= end {
            return None;
        }
        let moment = self.moment();
        let silent = |told: &&Told| told.known <= moment || told.event.fact == Fact::Collected;
        self.ahead += self.tape.told()[self.ahead..].iter().take_while(silent).count();
        let event = self.tape.get(self.ahead).map_or(end, |told| of(told.known));
        let mut next = grid(self.time);
        if event <= self.time + IDLE {
            self.ticks = 0;
        } else if self.ticks < TICKS {
            self.ticks += 1;
            next = self.time + Duration::from_secs(1);
        } else {
            next = event;
        }
        while self.turns.last().is_some_and(|turn| *turn <= self.time) {
            self.turns.pop();
        }
        let turn = self.turns.last().copied().unwrap_or(end);
        Some(next.min(turn).min(end))
    }
}

/// The time of the first frame after `time` when there are [`FRAMES`] a second.
fn grid(time: Duration) -> Duration {
    let frame = |number: u128| {
        let nanos = (number * 1_000_000_000).div_ceil(u128::from(FRAMES));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    };
    frame(time.as_nanos() * u128::from(FRAMES) / 1_000_000_000 + 1)
}

/// What a marker says about an event, where it has one.
fn marker(race: &RaceState, fact: &Fact) -> Option<String> {
    let run = |run: &RunId| race.runs().get(run.index());
    match fact {
        Fact::RunStarted { run: id } => Some(format!("{} starts", shown(&run(id)?.plan().name()))),
        Fact::RunFinished { run: id, end } => {
            let run = run(id)?;
            let how = match end {
                RunEnd::Completed => "ends",
                RunEnd::Cancelled => "is cancelled",
                RunEnd::Failed { .. } => "fails",
            };
            let after = run.wall().map_or(String::new(), |wall| format!(" after {}", seconds(wall)));
            Some(format!("{} {how}{after}", shown(&run.plan().name())))
        }
        _ => None,
    }
}
