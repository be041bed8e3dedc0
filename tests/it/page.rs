//! What people take home from a race as files: the timeline as a picture, the page, and the spans.

use std::error::Error;
use std::time::Duration;

use proptest::prelude::*;
use threadrace::event::{At, Collect, ExecutorKind, Phase};
use threadrace::model::RaceState;
use threadrace::report::{
    Chart, Format, Ghost, Page, Summary, Theme, TimelineOptions, csv_spans, csv_tasks, html, timeline_svg,
    write,
};

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

/// A document's markup, taken apart: every element with its attributes, and every text.
#[derive(Debug, Default)]
struct Markup {
    elements: Vec<(String, Vec<(String, String)>)>,
    texts: Vec<String>,
}

/// Takes a document apart, and says what is wrong with it: an element that isn't closed, an attribute without
/// quotes, a character that has to be escaped. Elements without an end are HTML's.
fn markup(document: &str) -> Result<Markup, String> {
    const VOID: [&str; 3] = ["meta", "img", "!DOCTYPE"];
    let (mut rest, mut open, mut found) = (document, Vec::<String>::new(), Markup::default());
    while let Some(start) = rest.find('<') {
        let text = &rest[..start];
        for part in text.split('&').skip(1) {
            let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
            if !known.iter().any(|entity| part.starts_with(entity)) {
                return Err(format!("a bare & in {text:?}"));
            }
        }
        if text.contains('>') {
            return Err(format!("a bare > in {text:?}"));
        }
        found.texts.push(text.to_owned());
        let end = rest[start..].find('>').ok_or("a tag without an end")? + start;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let expected = open.pop();
            if expected.as_deref() != Some(name) {
                return Err(format!("{name} closes {expected:?}"));
            }
            continue;
        }
        let (tag, closed) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, mut inside) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut attributes = Vec::new();
        while name != "!DOCTYPE" && !inside.trim().is_empty() {
            inside = inside.trim_start();
            let key = inside.split([' ', '=']).next().unwrap_or_default();
            inside = &inside[key.len()..];
            let value = match inside.strip_prefix("=\"") {
                Some(quoted) => {
                    let (value, after) = quoted.split_once('"').ok_or("an attribute without an end")?;
                    inside = after;
                    value
                }
                None if inside.is_empty() || inside.starts_with(' ') => "",
                None => return Err(format!("an attribute without quotes: {key}{inside}")),
            };
            if value.contains('<') || attributes.iter().any(|(other, _)| other == key) {
                return Err(format!("{key} of {name} is {value:?}"));
            }
            attributes.push((key.to_owned(), value.to_owned()));
        }
        found.elements.push((name.to_owned(), attributes));
        if ["script", "style"].contains(&name) {
            let end = rest.find(&format!("</{name}>")).ok_or("raw text without an end")?;
            found.texts.push(rest[..end].to_owned());
            rest = &rest[end + name.len() + 3..];
        } else if !closed && !VOID.contains(&name) {
            open.push(name.to_owned());
        }
    }
    if !open.is_empty() || !rest.trim().is_empty() {
        return Err(format!("{open:?} and {rest:?} are left"));
    }
    Ok(found)
}

impl Markup {
    fn values(&self, key: &str) -> Vec<&str> {
        let attributes = self.elements.iter().flat_map(|(_, attributes)| attributes);
        attributes.filter(|(name, _)| name == key).map(|(_, value)| value.as_str()).collect()
    }

    fn count(&self, name: &str) -> usize {
        self.elements.iter().filter(|(other, _)| other == name).count()
    }
}

/// Nothing of the document comes from elsewhere or acts by itself.
fn stands_alone(found: &Markup) -> Result<(), String> {
    for (name, attributes) in &found.elements {
        if ["link", "iframe", "object", "embed", "base", "form", "foreignObject", "image", "use"]
            .contains(&name.as_str())
        {
            return Err(format!("there is a {name}"));
        }
        for (key, value) in attributes {
            let namespace = key == "xmlns" && value == "http://www.w3.org/2000/svg";
            if key.starts_with("on") || key.contains("href") || (value.contains("//") && !namespace) {
                let picture =
                    name == "img" && key == "src" && value.starts_with("data:image/svg+xml;base64,");
                // A label may quote foreign text; only what loads or runs matters.
                if !picture && !["aria-label", "alt", "content"].contains(&key.as_str()) {
                    return Err(format!("{key} of {name} is {value}"));
                }
            }
        }
    }
    Ok(())
}

const HOSTILE: [&str; 8] = [
    "</script><img src=x onerror=alert(1)>",
    "</style><svg onload=alert(1)>",
    "\" onmouseover=\"alert(1)",
    "' style='x",
    "<!--",
    "]]>&lt;&#x3c;script&#x3e;",
    "a\u{202e}gpj.exe\u{0}\u{1b}[2J\u{2028}",
    "javascript:alert(1)//\u{ffff}\\u003cscript>",
];

fn hostile() -> Race {
    let race =
        HOSTILE.iter().enumerate().fold(four(2).tasks(12), |race, (task, name)| race.name(task, *name));
    race.fate(8, Fate::Failed).breakdown(1, Duration::from_millis(500), HOSTILE[0])
}

#[test]
fn foreign_text_is_no_markup_of_a_page() -> Tested {
    let chart = Chart { title: HOSTILE[0], about: HOSTILE[2], svg: HOSTILE[1] };
    let options = Page { raced_with: Some(HOSTILE[0]), charts: &[chart], ..Page::default() };
    let (text, tame) = (
        page(&hostile().state(), END, &options)?,
        page(&four(2).tasks(12).fate(8, Fate::Failed).state(), END, &options)?,
    );
    let (found, tame) = (markup(&text)?, markup(&tame)?);
    stands_alone(&found)?;
    for name in ["script", "style", "img"] {
        assert_eq!(found.count(name), tame.count(name), "{name}");
    }
    assert!(!text.replace('\n', "").contains(threadrace::text::is_unsafe));
    assert!(
        !text.contains("<img src=x")
            && !text.contains("<!--")
            && text.contains("&lt;img src=x onerror=alert(1)&gt;")
    );
    let data = found.texts.iter().find(|text| text.starts_with("{\"long\"")).ok_or("no data")?;
    assert!(!data.contains(['<', '>', '&']), "{data}");
    let data: serde_json::Value = serde_json::from_str(data)?;
    assert_eq!(data["tasks"][0], HOSTILE[0]);
    Ok(())
}

#[test]
fn foreign_text_is_no_markup_of_a_picture() -> Tested {
    let text = svg(&hostile().state(), &TimelineOptions::default())?;
    let found = markup(&text)?;
    stands_alone(&found)?;
    assert_eq!((found.count("script"), found.count("image"), found.count("style")), (0, 0, 1));
    assert!(!text.replace('\n', "").contains(threadrace::text::is_unsafe));
    Ok(())
}

#[test]
fn only_the_pages_own_script_may_run() -> Tested {
    use sha2::{Digest, Sha256};
    let text = page(&four(1).state(), END, &Page::default())?;
    let found = markup(&text)?;
    let policy = found.values("content").into_iter().find(|value| value.starts_with("default-src 'none'"));
    let policy = policy.ok_or("no policy")?;
    let script = found.texts.iter().find(|text| text.contains("requestAnimationFrame")).ok_or("no script")?;
    let digest: String = Sha256::digest(script.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let allowed =
        policy.split("'sha256-").nth(1).and_then(|rest| rest.split('\'').next()).ok_or("no digest")?;
    assert_eq!(decoded(allowed), digest);
    assert!(!script.contains("</") && !script.contains("innerHTML") && !script.contains("<!--"));
    assert!(!script.contains("http") || script.matches("http").count() == 1, "the namespace of SVG alone");
    Ok(())
}

/// Base64 as hexadecimal digits.
fn decoded(text: &str) -> String {
    let value = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let bits =
        text.bytes().filter(|c| *c != b'=').flat_map(|c| (0..6).rev().map(move |bit| value(c) >> bit & 1));
    let bits: Vec<u8> = bits.collect();
    bits.chunks_exact(8)
        .map(|byte| format!("{:02x}", byte.iter().fold(0_u8, |sum, bit| sum << 1 | bit)))
        .collect()
}

#[test]
fn a_page_says_everything_without_its_script() -> Tested {
    let state = troubled().state();
    let text = page(&state, END, &Page { raced_with: Some("0.0.7"), ..Page::default() })?;
    let words = markup(&text)?.texts.join(" ").replace("&#39;", "'");
    let verdict = Summary::of(&state, END).verdict();
    for sentence in verdict.split_inclusive(". ") {
        assert!(words.contains(sentence.trim()), "{sentence}");
    }
    for said in [
        "picture-04.jpg",
        "the server answered 404 Not Found",
        "panicked: index out of bounds",
        "http://127.0.0.1:8080/pictures/4?seed=7",
        "no speedup: cancelled with 5 of 20 tasks done",
        "raced with 0.0.7",
        "wall time of the sequential run ÷ wall time of this run",
        "backing off",
        "worker replaced",
    ] {
        assert!(words.contains(said), "{said}");
    }
    Ok(())
}

#[test]
fn a_theme_is_kept_to() -> Tested {
    let state = four(1).tasks(3).state();
    let dark = "prefers-color-scheme:dark";
    for (theme, asks, ground) in
        [(Theme::Auto, true, "#fbfaf7"), (Theme::Dark, false, "#12161c"), (Theme::Light, false, "#fbfaf7")]
    {
        let picture = svg(&state, &TimelineOptions { theme, ..TimelineOptions::default() })?;
        let page = page(&state, END, &Page { theme, ..Page::default() })?;
        assert_eq!((picture.contains(dark), page.contains(dark)), (asks, asks));
        assert!(picture.contains(&format!(".f-ground{{fill:{ground}}}")), "{theme:?}");
        assert!(page.contains(&format!(":root{{--ground:{ground}")), "{theme:?}");
    }
    Ok(())
}

#[test]
fn the_picture_of_a_small_race() -> Tested {
    use ExecutorKind::{Pool, Sequential};
    let race = Race::new(3).tasks(3).runs(&[(Sequential, 1), (Pool, 2)]).fate(1, Fate::Failed);
    let options = TimelineOptions { width: 700, theme: Theme::Light, ghost: Ghost::Shown };
    let picture = svg(&race.state(), &options)?;
    insta::assert_snapshot!(picture.replace("><", ">\n<"));
    let hidden = svg(&four(1).state(), &TimelineOptions { ghost: Ghost::Hidden, ..options })?;
    assert!(!hidden.contains("saved") && svg(&four(1).state(), &options)?.contains("saved"));
    Ok(())
}

/// The area that each phase's class has in a picture's paths: of rectangles as `MX YHXvHHXz`.
fn areas(found: &Markup) -> Result<[f64; Phase::ALL.len()], Box<dyn Error>> {
    let mut areas = [0.0; Phase::ALL.len()];
    for (_, attributes) in found.elements.iter().filter(|(name, _)| name == "path") {
        let value =
            |key: &str| attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        let phase = value("class").and_then(|class| class.strip_prefix('p')?.parse::<usize>().ok());
        let (Some(phase), Some(shapes)) = (phase, value("d")) else { continue };
        for shape in shapes.split('z').filter(|shape| !shape.is_empty()) {
            let numbers: Vec<f64> = shape
                .split(['M', ' ', 'H', 'v'])
                .filter(|n| !n.is_empty())
                .map(str::parse)
                .collect::<Result<_, _>>()?;
            let &[left, _, right, height, _] = numbers.as_slice() else { return Err(shape.into()) };
            areas[phase] += (right - left) * height;
        }
    }
    Ok(areas)
}

/// What is drawn of each phase is as large as the time that lanes were in it, drawn one by one or as shares.
#[test]
fn areas_are_times() -> Tested {
    use ExecutorKind::{Async, Sequential};
    let cases = [
        (four(1), 18.0),
        (Race::new(2).tasks(3_000).runs(&[(Sequential, 1)]), 18.0),
        (Race::new(2).tasks(2_000).runs(&[(Async, 200)]), 14.0),
    ];
    for (race, row) in cases {
        let state = race.state();
        let options = TimelineOptions { width: 2_000, ..TimelineOptions::default() };
        let found = markup(&svg(&state, &options)?)?;
        let drawn = areas(&found)?;
        let longest = state.runs().iter().filter_map(|run| run.wall()).max().ok_or("no run")?.as_secs_f64();
        let plot = 2_000.0 - 2.0 * 28.0 - 138.0;
        for phase in [Phase::Waiting, Phase::Receiving] {
            let mut expected = 0.0;
            for run in state.runs() {
                // Lanes that share a row share its height.
                let lanes = if run.lanes().len() > 64 { run.lanes().len().div_ceil(32) as f64 } else { 1.0 };
                let time: u64 = run.lanes().iter().map(|lane| lane.total(END).of(phase)).sum();
                expected += time as f64 / 1e9 / longest * plot * row / lanes;
            }
            let error = (drawn[phase.index()] - expected).abs() / expected;
            assert!(error < 0.02, "{}: {} for {expected}", phase.name(), drawn[phase.index()]);
        }
    }
    Ok(())
}

#[test]
fn files_are_bounded_however_many_tasks_there_are() -> Tested {
    use ExecutorKind::{Async, Sequential, Threads};
    let many = vec![(Async, 30); 60];
    let races = [
        Race::new(5).tasks(100_000).runs(&[(Sequential, 1), (Async, 500)]),
        Race::new(5).tasks(20_000).runs(&[(Threads, 1), (Async, 63)]),
        Race::new(5).tasks(300).runs(&many),
    ];
    for race in races {
        let state = race.state();
        let (picture, page) =
            (svg(&state, &TimelineOptions::default())?, page(&state, END, &Page::default())?);
        let (found, _) = (markup(&picture)?, markup(&page)?);
        assert!(picture.len() < 1_500_000 && page.len() < 2_500_000, "{} and {}", picture.len(), page.len());
        let words = found.texts.join(" ");
        assert!(
            words.contains("share of the") && words.contains("lane’s time") || words.contains("more runs")
        );
        assert!(
            page.contains(" more tasks; the JSON and CSV reports have all of them.")
                || state.runs().len() > 24
        );
    }
    Ok(())
}

#[test]
fn an_ordinary_page_is_small() -> Tested {
    let text = page(&four(1).tasks(200).state(), END, &Page::default())?;
    assert!(text.len() < 1_000_000, "{}", text.len());
    Ok(())
}

#[test]
fn races_with_little_to_show_have_pages_too() -> Tested {
    let races = [
        Race::new(1).runs(&[]).state(),
        Race::new(1).tasks(0).state(),
        Race::new(1).state_at(At::ZERO),
        Race::new(1).state_at(At(40_000_000)),
        Race::new(1).state_at(At(900_000_000)),
        Race::new(1).runs(&[(ExecutorKind::Pool, 5)]).state(),
        Race::new(1).together().state(),
        Race::new(1).counter().state(),
    ];
    for state in races {
        let now = state.last_moment();
        stands_alone(&markup(&page(&state, now, &Page::default())?)?)?;
        let mut picture = Vec::new();
        timeline_svg(&state, &Summary::of(&state, now), now, &TimelineOptions::default(), &mut picture)?;
        markup(&String::from_utf8(picture)?)?;
    }
    Ok(())
}

#[test]
fn spans_as_csv_are_those_of_the_json() -> Tested {
    let state = troubled().name(0, "=1+1").state();
    let (mut rows, mut json, mut tasks, mut report) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    csv_spans(&state, END, &mut rows)?;
    csv_tasks(&state, &mut tasks)?;
    write(Format::Json, &state, END, &mut json)?;
    write(Format::Csv, &state, END, &mut report)?;
    assert_eq!(tasks, report);
    let json: serde_json::Value = serde_json::from_slice(&json)?;
    let mut expected = Vec::new();
    for run in json["runs"].as_array().ok_or("no runs")? {
        for lane in run["lanes"].as_array().ok_or("no lanes")? {
            for span in lane["spans"].as_array().ok_or("no spans")? {
                let number = |value: &serde_json::Value| value.as_f64().map(|n| n.to_string());
                expected.push((
                    run["label"].as_str().map(str::to_owned),
                    number(&lane["lane"]),
                    number(&span["task"]),
                    span["phase"].as_str().map(str::to_owned),
                    number(&span["from"]),
                    number(&span["to"]),
                ));
            }
        }
    }
    let text = String::from_utf8(rows)?;
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some(
            "run,executor,workers,lane,worker,pid,thread_id,task,name,phase,from_seconds,to_seconds,open,\
             round,warmup"
        )
    );
    let mut found = Vec::new();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let [run, _, _, lane, _, _, _, task, _, phase, from, to, ..] = cells.as_slice() else {
            return Err(line.into());
        };
        let number = |text: &str| text.parse::<f64>().ok().map(|n| n.to_string());
        found.push((
            Some((*run).to_owned()),
            number(lane),
            number(task),
            Some((*phase).to_owned()),
            number(from),
            number(to),
        ));
    }
    assert_eq!(found, expected);
    assert!(text.contains(",'=1+1,") && text.contains(",pool,,"));
    Ok(())
}

/// Text that might do harm in a document.
fn foreign() -> impl Strategy<Value = String> {
    let harmful =
        ['<', '>', '&', '"', '\'', '\\', '\u{0}', '\u{202e}', '\u{2028}', '\u{ffff}', '\u{301}', '-', ']'];
    let c = prop_oneof![2 => any::<char>(), 1 => prop::sample::select(harmful.to_vec())];
    prop::collection::vec(c, 0..80).prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn documents_of_any_race_are_whole(
        seed in any::<u64>(),
        tasks in 0_usize..12,
        runs in prop::collection::vec((0_usize..6, 1_usize..6), 0..5),
        names in prop::collection::vec((0_usize..12, foreign()), 0..5),
        message in foreign(),
        cut in 0_u64..3_000,
        until in prop_oneof![Just(u64::MAX), 0_u64..12_000_000_000],
        width in 0_u32..10_000,
    ) {
        let runs: Vec<_> = runs.iter().map(|&(kind, workers)| (ExecutorKind::BUILT_IN[kind].clone(), workers)).collect();
        let race = Race::new(seed).tasks(tasks).runs(&runs).breakdown(0, Duration::from_millis(cut), message);
        let race = names.into_iter().fold(race, |race, (task, name)| race.name(task, name));
        let state = race.state_at(At(until));
        let failed = |error: Box<dyn Error>| TestCaseError::fail(error.to_string());
        // Events that came late, or a `now` that makes no sense, break nothing.
        for now in [state.last_moment(), At::ZERO, END] {
            let text = page(&state, now, &Page::default()).map_err(failed)?;
            let found = markup(&text).map_err(TestCaseError::fail)?;
            stands_alone(&found).map_err(TestCaseError::fail)?;
            prop_assert!(!text.replace('\n', "").contains(threadrace::text::is_unsafe));
            let mut picture = Vec::new();
            let options = TimelineOptions { width, ..TimelineOptions::default() };
            timeline_svg(&state, &Summary::of(&state, now), now, &options, &mut picture).map_err(|e| failed(e.into()))?;
            let picture = String::from_utf8(picture).map_err(|e| failed(e.into()))?;
            let found = markup(&picture).map_err(TestCaseError::fail)?;
            stands_alone(&found).map_err(TestCaseError::fail)?;
            prop_assert!(!picture.contains("NaN") && !picture.contains("inf"));
        }
    }
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
