//! What people take home from a race as files: the timeline as a picture, the page, and the spans.

use std::error::Error;
use std::time::Duration;

use threadrace::event::{At, Collect, ExecutorKind};
use threadrace::model::RaceState;
use threadrace::report::{Chart, Ghost, Page, Summary, Theme, TimelineOptions, html, timeline_svg};

use crate::simulate::{Fate, Race};

type Tested = Result<(), Box<dyn Error>>;

const END: At = At(u64::MAX);

fn four(seed: u64) -> Race {
    use ExecutorKind::{Async, Pool, Sequential, Threads};
    Race::new(seed).runs(&[(Sequential, 1), (Threads, 1), (Pool, 5), (Async, 5)])
}

fn troubled() -> Race {
    four(7)
        .fate_in(2, 3, Fate::Failed)
        .fate_in(2, 9, Fate::Panicked)
        .fate_in(3, 4, Fate::Retried)
        .replace(3, 2, Duration::from_millis(700))
        .cancel(1, Duration::from_millis(400))
}

fn svg(race: &RaceState, options: &TimelineOptions) -> Result<String, Box<dyn Error>> {
    let mut out = Vec::new();
    timeline_svg(race, &Summary::of(race, END), END, options, &mut out)?;
    Ok(String::from_utf8(out)?)
}

fn page(race: &RaceState, now: At, page: &Page<'_>) -> Result<String, Box<dyn Error>> {
    let mut out = Vec::new();
    html(race, &Summary::of(race, now), now, page, &mut out)?;
    Ok(String::from_utf8(out)?)
}

/// Writes pictures and pages to look at into the folder that `THREADRACE_LOOK` names.
#[test]
#[ignore = "makes files for people to look at"]
fn files_to_look_at() -> Tested {
    let Some(folder) = std::env::var_os("THREADRACE_LOOK").map(std::path::PathBuf::from) else {
        return Ok(());
    };
    let races = [
        ("ordinary", four(1)),
        ("troubled", troubled()),
        ("counter", Race::new(3).counter()),
        ("submit", Race::new(4).collect(1, Collect::Submit).tasks(12)),
        ("daemon", Race::new(4).leave(1, Duration::from_millis(900))),
        ("thousand", four(5).tasks(1_000)),
        (
            "huge",
            Race::new(5).tasks(100_000).runs(&[(ExecutorKind::Sequential, 1), (ExecutorKind::Async, 500)]),
        ),
    ];
    for (name, race) in races {
        let state = race.state();
        for (theme, options) in [("dark", Theme::Dark), ("light", Theme::Light)] {
            let options = TimelineOptions { theme: options, ..TimelineOptions::default() };
            std::fs::write(folder.join(format!("{name}-{theme}.svg")), svg(&state, &options)?)?;
        }
        let narrow = TimelineOptions { width: 420, theme: Theme::Auto, ghost: Ghost::Shown };
        let chart = svg(&state, &narrow)?;
        std::fs::write(folder.join(format!("{name}-narrow.svg")), &chart)?;
        let chart = Chart { title: "A chart of another report", about: "What it shows.", svg: &chart };
        let charts: &[Chart<'_>] = if name == "submit" { &[chart] } else { &[] };
        std::fs::write(
            folder.join(format!("{name}.html")),
            page(&state, END, &Page { charts, ..Page::default() })?,
        )?;
    }
    let live = page(&four(1).state_at(At(12_000_000_000)), At(12_000_000_000), &Page::default())?;
    std::fs::write(folder.join("live.html"), live)?;
    Ok(())
}
