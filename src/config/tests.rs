//! The layers together: from files, variables and flags to the settings in force.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use super::keys::{self, NAMES, Section};
use super::*;
use crate::event::{ExecutorKind, Order, TimeScale};
use crate::origin::{Content, Latency};
use crate::scenario::{ExecutorList, Source, Work, WorkerCounts};

type Fallible = Result<(), Box<dyn std::error::Error>>;

/// A folder with a user's file in it, variables, and what they make of flags.
struct Desk {
    folder: tempfile::TempDir,
    variables: Vec<(OsString, OsString)>,
    stdin: Vec<u8>,
}

impl Desk {
    fn with(file: &str) -> io::Result<Desk> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("my.toml"), file)?;
        Ok(Desk { folder, variables: Vec::new(), stdin: Vec::new() })
    }

    fn set(mut self, name: &str, value: &str) -> Desk {
        self.variables.push((name.into(), value.into()));
        self
    }

    fn load(&self, flags: Flags) -> Result<Effective, ConfigError> {
        let mut flags = flags;
        flags.config.path.get_or_insert_with(|| PathBuf::from("my.toml"));
        self.load_exactly(flags)
    }

    fn load_exactly(&self, flags: Flags) -> Result<Effective, ConfigError> {
        load(Sources {
            flags,
            variables: self.variables.clone(),
            folder: self.folder.path().to_owned(),
            home: None,
            stdin: &mut self.stdin.as_slice(),
        })
    }

    fn told(&self, flags: Flags) -> String {
        self.load(flags).err().map(|error| error.to_string()).unwrap_or_default()
    }
}

fn none() -> Flags {
    Flags::default()
}

fn told(file: &str) -> io::Result<String> {
    Ok(Desk::with(file)?.told(none()))
}

fn executors(names: &str) -> Option<ExecutorList> {
    ExecutorList::from_names(names.split(',')).ok()
}

/// Where the listing says that a key's value came from.
fn layer<'a>(effective: &'a Effective, key: &str) -> &'a Layer {
    &effective.entries.iter().find(|entry| entry.key == key).unwrap_or_else(|| panic!("no {key}")).layer
}

#[test]
fn the_built_in_file_alone_is_enough() -> Fallible {
    let effective = Desk::with("")?.load(none())?;
    let settings = &effective.settings;
    assert_eq!(settings.scenario.name, "images-20");
    assert_eq!(settings.scenario.work, settings.scenarios[0].work);
    assert_eq!(settings.output, PathBuf::from("threadrace-output"));
    assert_eq!((settings.seed, settings.order), (1, Order::OneByOne));
    assert_eq!(settings.download.deadline, Duration::from_secs(60));
    assert_eq!(settings.download.max_bytes, 4 << 30);
    assert_eq!(settings.dashboard.frames.interval(), Duration::from_millis(50));
    assert_eq!(settings.dashboard.start, Start::AtOnce);
    assert_eq!(settings.origin.bind.to_string(), "127.0.0.1:0");
    let names: Vec<&str> = settings.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "images-20",
            "images-10-threads",
            "images-10-pool",
            "images-link",
            "sleep-10",
            "sleep-10x1",
            "abc",
            "csv-5",
            "posts-5",
            "pool-3",
            "crud",
            "files",
            "reads",
            "api",
            "cpu",
            "data",
            "counter",
            "daemon",
            "bytes-1000",
            "errors"
        ]
    );
    assert!(effective.entries.iter().all(|entry| entry.layer == Layer::BuiltIn));
    Ok(())
}

#[test]
fn the_built_in_file_has_every_general_key_and_documents_every_bound() -> Fallible {
    let text = include_str!("../../config.toml");
    let table: toml::Table = text.parse()?;
    let ranges = |allowed: &str| allowed.split(", ").find(|part| part.contains(" to ")).map(str::to_owned);
    for ((name, allowed), default) in NAMES.iter().zip(keys::allowed()).zip(keys::defaults()) {
        if name.section == Section::Executor {
            assert!(text.contains(&format!("# {} ", name.key)), "{} is not explained", name.key);
            continue;
        }
        let scenarios_own = matches!(name.section, Section::Scenario | Section::ScenarioOrigin);
        let comment = if scenarios_own {
            let lines: Vec<&str> = text.lines().collect();
            let is_its = |line: &&str| {
                let names = line.strip_prefix("#   ").and_then(|line| line.split("  ").next());
                names.is_some_and(|names| names.split(", ").any(|known| known == name.key))
            };
            let start = lines.iter().position(is_its);
            let start = start.ok_or_else(|| format!("{} is not in the table of scenario keys", name.key))?;
            let more = lines[start + 1..].iter().take_while(|line| line.starts_with("#       "));
            more.fold(lines[start].to_owned(), |all, line| all + line)
        } else {
            let tables = name.section.path("");
            let found = tables.iter().try_fold(&table, |table, part| table.get(*part)?.as_table());
            assert!(found.is_some_and(|table| table.contains_key(name.key)), "{} is missing", name.key);
            let end = text.find(&format!("\n{} = ", name.key)).ok_or("no such line")?;
            let start = text[..end].rfind("\n\n").unwrap_or(0);
            text[start..end].to_owned()
        };
        if let Some(range) = ranges(&allowed) {
            assert!(comment.contains(&range), "{}: '{range}' is not in: {comment}", name.key);
        }
        if let Some(default) = default.filter(|default| !default.starts_with('[')) {
            assert!(comment.contains(&default), "{}: '{default}' is not in: {comment}", name.key);
        }
    }
    Ok(())
}

/// A user's file, variables and flags that say something about each setting which flags know.
fn everything() -> Result<(Desk, Flags), Box<dyn std::error::Error>> {
    let desk = Desk::with(
        "scenario = 'counter'\noutput = 'file'\nseed = 11\ntime_scale = 11\ntogether = true\n\
         repeat = 1\nwarmup = 0\n\
         [download]\ntimeout_seconds = 11\nretries = 11\nmax_bytes = 11\n\
         [origin]\nbind = '127.0.0.1:11'\nhosts = ['file']\n\
         [dashboard]\nautostart = false\ntheme = 'light'\nglyphs = 'unicode'\n\
         [scenarios.counter]\ntasks = 11\nworkers = 11\nexecutors = ['pool:11']\nasync_threads = 11\n\
         pace_seconds = 11\n",
    )?;
    let flags = Flags {
        output: Some("flag".into()),
        seed: Some(33),
        together: true,
        repeat: Some(1),
        warmup: Some(0),
        timeout: Some(Duration::from_secs(33)),
        retries: Some(33),
        max_bytes: Some(33),
        bind: Some("127.0.0.1:33".parse()?),
        hosts: Some(vec!["flag".to_owned()]),
        no_autostart: true,
        look: LookFlags { theme: Some(ThemeName::Monochrome), glyphs: Some(GlyphChoice::Ascii) },
        tasks: Some(33),
        workers: Some(WorkerCounts::one(33)),
        executors: executors("pool:33"),
        async_threads: Some(33),
        time_scale: Some(TimeScale(33_000_000)),
        pace: Some(Duration::from_secs(33)),
        ..none()
    };
    Ok((desk, flags))
}

fn by_variables(desk: Desk) -> Desk {
    [
        ("OUTPUT", "variable"),
        ("SEED", "22"),
        ("TOGETHER", "false"),
        ("REPEAT", "22"),
        ("WARMUP", "22"),
        ("TIMEOUT", "22"),
        ("RETRIES", "22"),
        ("MAX_BYTES", "22"),
        ("BIND", "127.0.0.1:22"),
        ("HOSTS", "variable"),
        ("AUTOSTART", "1"),
        ("THEME", "high-contrast"),
        ("GLYPHS", "auto"),
        ("TASKS", "22"),
        ("WORKERS", "22"),
        ("EXECUTORS", "pool:22"),
        ("ASYNC_THREADS", "22"),
        ("TIME_SCALE", "22"),
        ("PACE", "22"),
    ]
    .into_iter()
    .fold(desk, |desk, (name, value)| desk.set(&format!("THREADRACE_{name}"), value))
}

fn assert_numbers(settings: &Settings, number: usize, name: &str) {
    let scenario = &settings.scenario;
    assert_eq!((scenario.tasks, scenario.workers, scenario.async_threads), (number, number, number));
    assert_eq!(scenario.executors[0].workers, Some(number));
    assert_eq!(settings.seed, number as u64);
    assert_eq!(settings.time_scale, TimeScale(number as u32 * 1_000_000));
    let Work::Counter(counter) = &scenario.work else { panic!("no counter: {:?}", scenario.work) };
    assert_eq!(counter.pace, settings.time_scale.of(Duration::from_secs(number as u64)));
    assert_eq!(settings.download.deadline, Duration::from_secs(number as u64));
    assert_eq!((settings.download.retries, settings.download.max_bytes), (number as u32, number as u64));
    assert_eq!(usize::from(settings.origin.bind.port()), number);
    assert_eq!(settings.origin.hosts, [name]);
    assert_eq!(settings.output, PathBuf::from(name));
}

#[test]
fn flags_beat_variables_and_those_beat_the_file() -> Fallible {
    let (desk, flags) = everything()?;
    let file = desk.load(none())?;
    assert_eq!(file.settings.scenario.name, "counter");
    assert_numbers(&file.settings, 11, "file");
    assert_eq!(file.settings.order, Order::Together);
    assert_eq!(
        (file.settings.dashboard.theme, file.settings.dashboard.start),
        (ThemeName::Light, Start::OnKey)
    );
    let flagged = desk.load(flags.clone())?;
    assert_numbers(&flagged.settings, 33, "flag");

    let desk = by_variables(desk);
    let variables = desk.load(none())?;
    assert_numbers(&variables.settings, 22, "variable");
    assert_eq!(variables.settings.order, Order::OneByOne);
    assert_eq!(variables.settings.repeats, Repeats { counted: 22, warmups: 22 });
    let dashboard = &variables.settings.dashboard;
    assert_eq!((dashboard.theme, dashboard.start), (ThemeName::HighContrast, Start::AtOnce));
    assert_eq!(dashboard.glyphs, GlyphChoice::Auto);

    let all = desk.load(flags)?;
    assert_numbers(&all.settings, 33, "flag");
    assert_eq!(all.settings.order, Order::Together);
    let dashboard = &all.settings.dashboard;
    assert_eq!((dashboard.theme, dashboard.start), (ThemeName::Monochrome, Start::OnKey));
    assert_eq!(dashboard.glyphs, GlyphChoice::Ascii);
    for name in NAMES.iter().filter(|name| name.flag.is_some() && name.key != "scenario") {
        assert_eq!(layer(&file, name.key), &Layer::File("my.toml".into()));
        assert_eq!(Some(layer(&variables, name.key)), name.variable.map(Layer::Variable).as_ref());
        assert_eq!(Some(layer(&all, name.key)), name.flag.map(Layer::Flag).as_ref());
    }
    Ok(())
}

#[test]
fn a_pace_from_outside_leaves_few_additions() -> Fallible {
    let adds = |file: &str, pace: Option<u64>| -> Result<u64, Box<dyn std::error::Error>> {
        let flags =
            Flags { scenario: Some("counter".to_owned()), pace: pace.map(Duration::from_secs), ..none() };
        match Desk::with(file)?.load(flags)?.settings.scenario.work {
            Work::Counter(counter) => Ok(counter.adds),
            other => Err(format!("no counter: {other:?}").into()),
        }
    };
    let few = "[scenarios.counter]\nadds = 3";
    let many = "[scenarios.counter]\nadds = 70\npace_seconds = 0.1";
    assert_eq!((adds("", None)?, adds("", Some(1))?, adds("", Some(0))?), (200_000, 5, 200_000));
    assert_eq!((adds(few, Some(1))?, adds(many, None)?, adds(many, Some(1))?), (3, 70, 5));
    Ok(())
}

#[test]
fn every_variable_reaches_its_setting() -> Fallible {
    for name in NAMES {
        let Some(variable) = name.variable else { continue };
        let told = Desk::with("")?.set(variable, "?\n\u{202e}").told(none());
        if name.key == "output" {
            assert_eq!(told, "", "a folder may be called so");
            continue;
        }
        assert!(told.starts_with(variable), "{variable}: {told}");
        assert!(!told.contains('\u{202e}') && told.lines().count() == 1, "{told:?}");
        assert!(Desk::with("")?.set(variable, "").told(none()).starts_with(variable), "{variable} empty");
    }
    Ok(())
}

#[test]
fn the_scenario_is_chosen_like_any_setting() -> Fallible {
    let desk = Desk::with("scenario = 'csv-5'")?;
    let named = || Flags { scenario: Some("errors".to_owned()), ..none() };
    assert_eq!(desk.load(none())?.settings.scenario.name, "csv-5");
    let desk = desk.set("THREADRACE_SCENARIO", "posts-5");
    assert_eq!(desk.load(none())?.settings.scenario.name, "posts-5");
    let effective = desk.load(named())?;
    assert_eq!(effective.settings.scenario.name, "errors");
    assert_eq!(layer(&effective, "scenario"), &Layer::Flag("SCENARIO"));
    Ok(())
}

#[test]
fn sizes_from_above_touch_the_selected_scenario_alone() -> Fallible {
    let flags =
        Flags { workers: Some(WorkerCounts::one(99)), executors: executors("async,pool:7"), ..none() };
    let settings = Desk::with("")?.set("THREADRACE_TASKS", "7").load(flags)?.settings;
    assert_eq!((settings.scenario.workers, settings.scenario.tasks), (99, 7));
    assert_eq!(settings.scenarios[0], settings.scenario);
    assert_eq!(settings.scenario.executors[1].kind, ExecutorKind::Pool);
    assert!(settings.scenarios[1..].iter().all(|other| other.workers != 99 && other.tasks != 7));
    Ok(())
}

#[test]
fn a_users_file_changes_single_keys_and_adds_scenarios() -> Fallible {
    let settings = Desk::with(
        "[scenarios.images-20]\ntasks = 7\n[scenarios.images-20.origin]\nbandwidth = 0\n\
         [scenarios.zoo]\ncontent = 'bytes'\norigin.failures = 0.5\norigin.concurrent = 3\n\
         [scenarios.ant]\n",
    )?
    .load(none())?
    .settings;
    assert_eq!(settings.scenario.tasks, 7);
    assert_eq!(settings.scenario.workers, 5);
    let Work::Download(Source::Origin { shape, .. }) = &settings.scenario.work else { panic!("no origin") };
    assert_eq!(shape.bandwidth, None);
    assert!(matches!(shape.latency, Latency::Uniform { mean, .. } if mean == Duration::from_millis(250)));
    let own: Vec<&str> = settings.scenarios[20..].iter().map(|scenario| scenario.name.as_str()).collect();
    assert_eq!(own, ["zoo", "ant"]);
    let Work::Download(Source::Origin { content, shape }) = &settings.scenarios[20].work else {
        panic!("no origin")
    };
    assert_eq!(*content, Content::Bytes { size: 10240 });
    assert_eq!((shape.failures, shape.concurrent.map(|most| most.get())), (0.5, Some(3)));
    let ant = &settings.scenarios[21];
    assert_eq!((ant.tasks, ant.workers, ant.async_threads, ant.executors.len()), (20, 5, 1, 4));
    Ok(())
}

#[test]
fn a_wrong_value_is_pointed_at() -> Fallible {
    assert_eq!(
        told("# mine\n[download]\nretries  =  -1  # no\n")?,
        "my.toml:3:13: download.retries must be a whole number, 0 to 100, not -1\n 3 | retries  =  -1  # no\n   |             ^^"
    );
    for (file, start) in [
        ("seed = 'x'", "my.toml:1:8: seed must be a whole number, 0 to 9007199254740991, not 'x'"),
        ("seed = 1.0", "my.toml:1:8: seed must be a whole number"),
        ("output = ''", "my.toml:1:10: output must be the path of a folder, not ''"),
        ("output = 3", "my.toml:1:10: output must be the path of a folder, not 3"),
        ("together = 1", "my.toml:1:12: together must be true or false, not 1"),
        ("repeat = 0", "my.toml:1:10: repeat must be a whole number, 1 to 1000, not 0"),
        ("warmup = 101", "my.toml:1:10: warmup must be a whole number, 0 to 100, not 101"),
        (
            "together = true\nwarmup = 1",
            "my.toml:2:10: warmup: runs that all start at once are a show and can't be repeated",
        ),
        (
            "repeat = 1000\nscenario = 'bytes-1000'",
            "my.toml:1:10: repeat: 3,000 runs with 3,000,000 tasks in all are too many to keep in memory; at most",
        ),
        ("scenario = 'a b'", "my.toml:1:12: scenario must be letters, digits"),
        (
            "scenario = 'errrors'",
            "my.toml:1:12: scenario: there is no scenario 'errrors' (did you mean errors?)",
        ),
        ("format = 3", "my.toml:1:10: format must be threadrace-config-1, not 3"),
        ("format = 'mine'", "my.toml:1:10: this is a file of edition 'mine'"),
        (
            "download.timeout_seconds = nan",
            "my.toml:1:28: download.timeout_seconds must be seconds, 0.001 to 86400, not nan",
        ),
        ("download.timeout_seconds = -inf", "my.toml:1:28: download.timeout_seconds must be seconds"),
        (
            "download.stall_seconds = 0",
            "my.toml:1:26: download.stall_seconds must be seconds, 0.001 to 86400, not 0",
        ),
        (
            "download.max_bytes = 0",
            "my.toml:1:22: download.max_bytes must be a whole number, 1 to 1099511627776, not 0",
        ),
        (
            "[dashboard]\ntheme = 'pink'",
            "my.toml:2:9: dashboard.theme must be dark, light, high-contrast or monochrome",
        ),
        (
            "[dashboard]\nframes_per_second = 61",
            "my.toml:2:21: dashboard.frames_per_second must be a whole number, 1 to 60, not 61",
        ),
        ("[origin]\nbind = 'here'", "my.toml:2:8: origin.bind must be an IP address and a port"),
        ("[origin]\nhosts = ['a', 'b:1']", "my.toml:2:15: origin.hosts: 'b:1' is no host name"),
        (
            "[scenarios.x]\ntasks = 1_000_000_000_000",
            "my.toml:2:9: scenarios.x.tasks must be a whole number, 1 to 1000000, not 1",
        ),
        ("[scenarios.x]\nexecutors = []", "my.toml:2:13: scenarios.x.executors: no executor is named"),
        (
            "[scenarios.x]\nexecutors = [\n 'pool',\n 'sequential:3']",
            "my.toml:4:2: scenarios.x.executors: sequential takes no number",
        ),
        (
            "[scenarios.x]\nexecutors = ['pool', 'pool:5']",
            "my.toml:2:13: scenarios.x.executors: pool with 5 workers is there twice",
        ),
        ("[scenarios.x]\nabout = \"a\\nb\"", "my.toml:2:9: scenarios.x.about must be one line"),
        (
            "[scenarios.x]\ncontent = 'cats'",
            "my.toml:2:11: scenarios.x.content must be pictures, posts, csv, bytes or faults",
        ),
        (
            "[scenarios.x.origin]\nfailures = 1.01",
            "my.toml:2:12: scenarios.x.origin.failures must be a number, 0 to 1, not 1.01",
        ),
        (
            "[scenarios.x.origin]\nlatency_spread_seconds = 1",
            "my.toml:2:26: scenarios.x.origin.latency_spread_seconds: only latency",
        ),
        (
            "[scenarios.images-20.origin]\nlatency_seconds = 0.01",
            "my.toml:2:19: scenarios.images-20.origin.latency_seconds: latency_spread_seconds, 0.05, is more than latency_seconds, 0.01",
        ),
    ] {
        let told = told(file)?;
        assert!(told.starts_with(start), "{file}\n{told}");
    }
    for fine in [
        "download.backoff_seconds = -0.0",
        "[scenarios.images-20.origin]\nlatency = 'fixed'",
        "[scenarios.x.origin]\nlatency = 'uniform'\nlatency_seconds = 1\nlatency_spread_seconds = 1",
        "[scenarios.x]\nexecutors = ['all', 'pool:6']",
    ] {
        assert_eq!(told(fine)?, "", "{fine}");
    }
    Ok(())
}

#[test]
fn a_wrong_value_is_told_even_when_a_layer_above_hides_it() -> Fallible {
    let desk = Desk::with("seed = -1")?.set("THREADRACE_SEED", "2");
    assert!(desk.told(Flags { seed: Some(3), ..none() }).starts_with("my.toml:1:8"));
    let desk = Desk::with("")?.set("THREADRACE_SEED", "-2");
    assert!(
        desk.told(Flags { seed: Some(3), ..none() }).starts_with("THREADRACE_SEED must be a whole number")
    );
    Ok(())
}

#[test]
fn wrong_variables_and_flags_are_told_by_name() -> Fallible {
    let desk = Desk::with("")?;
    let flags = Flags { scenario: Some("orgin".to_owned()), ..none() };
    assert_eq!(
        desk.told(flags),
        "SCENARIO: there is no scenario 'orgin' (did you mean origin?); `threadrace scenarios` lists them"
    );
    let flags = Flags { scenario: Some("origin".to_owned()), ..none() };
    assert!(desk.told(flags).contains("'origin' (the command comes before all flags: threadrace origin);"));
    let flags = Flags { executors: executors("pool,pool:5"), ..none() };
    assert_eq!(desk.told(flags), "--executors: pool with 5 workers is there twice: name each run once");
    let flags =
        Flags { executors: executors("async,threads,async"), workers: Some(WorkerCounts::one(3)), ..none() };
    assert_eq!(desk.told(flags), "--workers: async with 3 workers is there twice: name each run once");
    let desk = Desk::with("[scenarios.images-20]\nexecutors = ['pool', 'pool:6']")?;
    assert_eq!(desk.told(none()), "");
    let desk = desk.set("THREADRACE_WORKERS", "6");
    assert_eq!(
        desk.told(none()),
        "THREADRACE_WORKERS: pool with 6 workers is there twice: name each run once"
    );
    let desk = Desk::with("")?.set("THREADRACE_SCENARIO", "no");
    assert!(desk.told(none()).starts_with("THREADRACE_SCENARIO: there is no scenario 'no';"));
    let desk = Desk::with("")?.set("THREADRACE_WORKRES", "6");
    assert!(desk.told(none()).contains("(did you mean THREADRACE_WORKERS?)"));
    let desk = Desk::with("")?.set("THREADRACE_CONFIG", "");
    let told = desk.load_exactly(none()).map_err(|error| error.to_string());
    assert_eq!(told.err().as_deref(), Some("THREADRACE_CONFIG must be the path of a file, not ''"));
    Ok(())
}

#[test]
fn the_flag_names_the_file_before_the_variable_does() -> Fallible {
    let desk = Desk::with("seed = 5")?.set("THREADRACE_CONFIG", "other.toml");
    fs::write(desk.folder.path().join("other.toml"), "seed = 6")?;
    assert_eq!(desk.load(none())?.settings.seed, 5);
    assert_eq!(desk.load_exactly(none())?.settings.seed, 6);
    Ok(())
}

#[test]
fn a_config_toml_in_the_current_folder_counts_when_it_is_ours() -> Fallible {
    let desk = Desk::with("")?;
    let path = desk.folder.path().join("config.toml");
    fs::write(&path, "seed = 'theirs'")?;
    assert_eq!(desk.load_exactly(none())?.settings.seed, 1);
    fs::write(&path, "seed = 5\nformat = 'threadrace-config-1'")?;
    let effective = desk.load_exactly(none())?;
    assert_eq!(effective.settings.seed, 5);
    assert_eq!(layer(&effective, "seed").to_string(), "file config.toml");
    fs::write(&path, "seed = = 5\nformat = 'threadrace-config-1'")?;
    let told = desk.load_exactly(none()).map_err(|error| error.to_string());
    assert!(told.is_err_and(|told| told.starts_with("config.toml:1:8: this is not TOML")));
    fs::write(&path, "format = 'threadrace-config-7'")?;
    let told = desk.load_exactly(none()).map_err(|error| error.to_string());
    assert!(told.is_err_and(|told| told.starts_with("config.toml:1:10: this is a file of edition")));
    Ok(())
}

fn urls(texts: &[&str]) -> Flags {
    Flags { urls: texts.iter().map(|&text| text.to_owned()).collect(), ..none() }
}

fn parsed(texts: &[&str]) -> Result<std::sync::Arc<[reqwest::Url]>, url::ParseError> {
    texts.iter().map(|text| reqwest::Url::parse(text)).collect()
}

#[test]
fn urls_make_a_scenario() -> Fallible {
    let desk = Desk::with("")?;
    let effective = desk.load(urls(&["http://u:p@example.org/1", "http://example.org/2"]))?;
    let scenario = &effective.settings.scenario;
    assert_eq!((scenario.name.as_str(), scenario.about.as_str()), ("urls", "URLs of your own"));
    assert_eq!((scenario.tasks, scenario.workers, scenario.executors.len()), (2, 5, 4));
    assert_eq!(
        scenario.work,
        Work::Download(Source::Urls(parsed(&["http://u:p@example.org/1", "http://example.org/2"])?))
    );
    assert_eq!(&effective.settings.scenarios[0], scenario);
    assert_eq!(effective.settings.scenarios[1].name, "images-20");
    assert_eq!(effective.settings.scenarios[1].tasks, 20);
    assert_eq!(layer(&effective, "tasks"), &Layer::Flag("--url"));
    assert!(!effective.listing().contains("u:p"));
    let _: toml::Table = effective.listing().parse()?;

    let flags = Flags {
        tasks: Some(1),
        workers: Some(WorkerCounts::one(2)),
        executors: executors("async"),
        ..urls(&["http://a", "http://b"])
    };
    let scenario = desk.load(flags)?.settings.scenario;
    assert_eq!((scenario.tasks, scenario.workers, scenario.executors.len()), (1, 2, 1));
    assert_eq!(scenario.work, Work::Download(Source::Urls(parsed(&["http://a/"])?)));
    let flags = Flags { tasks: Some(9), ..urls(&["http://a"]) };
    assert_eq!(desk.load(flags)?.settings.scenario.tasks, 1);
    Ok(())
}

#[test]
fn lists_of_urls_come_from_files_and_standard_input() -> Fallible {
    let mut desk = Desk::with("")?;
    fs::write(desk.folder.path().join("list.txt"), "http://a/1\r\n\r\n#\r\nhttp://a/2")?;
    fs::write(desk.folder.path().join("wrong.txt"), "http://a/1\nhttp//a")?;
    desk.stdin = b"http://b/1\n".to_vec();
    let list = |name: &str| Flags { url_list: Some(name.into()), ..urls(&["http://c/1"]) };
    let effective = desk.load(list("list.txt"))?;
    assert_eq!(
        effective.settings.scenario.work,
        Work::Download(Source::Urls(parsed(&["http://c/1", "http://a/1", "http://a/2"])?))
    );
    assert_eq!(layer(&effective, "tasks"), &Layer::Flag("--urls"));
    assert_eq!(desk.load(list("-"))?.settings.scenario.tasks, 2);
    assert!(desk.told(list("wrong.txt")).starts_with("wrong.txt:2: http//a: this is no URL"));
    assert!(desk.told(list("no.txt")).starts_with("no.txt: the list of URLs can't be read (No such file"));
    assert!(desk.told(list(".")).starts_with(".: the list of URLs can't be read ("));
    assert!(desk.told(urls(&["ftp://a"])).starts_with("--url: ftp://a: ftp is not supported"));
    let both = Flags { scenario: Some("csv-5".to_owned()), ..urls(&["http://a"]) };
    assert!(desk.told(both).starts_with("a scenario and URLs can't be raced together"));
    let desk = desk.set("THREADRACE_SCENARIO", "csv-5");
    assert_eq!(desk.load(urls(&["http://a"]))?.settings.scenario.name, "urls");
    Ok(())
}

#[test]
fn the_listing_says_what_holds_and_where_it_came_from() -> Fallible {
    let desk = Desk::with("[download]\nretries = 7\n")?.set("THREADRACE_SEED", "9");
    let flags = Flags { workers: Some(WorkerCounts::one(12)), scenario: Some("csv-5".to_owned()), ..none() };
    insta::assert_snapshot!(desk.load(flags)?.listing());
    Ok(())
}

#[test]
fn the_listing_is_a_config_file_that_says_the_same() -> Fallible {
    let (desk, flags) = everything()?;
    fs::write(
        desk.folder.path().join("wide.toml"),
        "scenario = 'löwe'\noutput = \"a\\u001b\\u202e\\\"\\\\\"\n[scenarios.'löwe']\nabout = '界'\ncontent = 'bytes'\n",
    )?;
    let wide = Flags { config: ConfigFlag { path: Some("wide.toml".into()) }, ..none() };
    for flags in [none(), flags, wide] {
        let effective = desk.load(flags)?;
        let listing = effective.listing();
        assert!(!listing.contains(['\u{1b}', '\u{202e}']));
        let again = Desk::with(&listing)?.load(none())?;
        assert_eq!(again.settings.scenario, effective.settings.scenario);
        assert_eq!(again.settings.download, effective.settings.download);
        assert_eq!(again.settings.dashboard, effective.settings.dashboard);
        assert_eq!(again.settings.origin, effective.settings.origin);
        assert_eq!(again.settings.output, effective.settings.output);
        assert_eq!(
            (again.settings.seed, again.settings.order),
            (effective.settings.seed, effective.settings.order)
        );
    }
    Ok(())
}

#[test]
fn scenarios_are_listed_within_80_columns() -> Fallible {
    let desk = Desk::with(&format!(
        "[scenarios.csv-5]\ntasks = 1\n[scenarios.'界界']\nabout = '{}'\nexecutors = ['all', 'pool:10', 'pool:100', 'async:1000']\n",
        "界".repeat(60)
    ))?;
    let listing = desk.load(none())?.scenario_listing();
    assert!(listing.lines().all(|line| line.width() <= 80), "{listing}");
    insta::assert_snapshot!(listing);
    Ok(())
}

#[test]
fn only_a_file_that_says_something_else_changes_a_scenario() -> Fallible {
    let listed =
        |file: &str| Ok::<_, Box<dyn std::error::Error>>(Desk::with(file)?.load(none())?.scenario_listing());
    let built_in = listed("")?;
    assert!(!built_in.contains("by you"), "{built_in}");
    // The repository's own file is in the folder of whoever starts the program there.
    assert_eq!(listed(include_str!("../../config.toml"))?, built_in);
    let changed = |listing: String| listing.matches("(changed by you)").count();
    for other in [
        "tasks = 19",
        "about = 'mine'",
        "executors = ['pool', 'sequential', 'async', 'threads']",
        "origin = { failures = 0.5 }",
    ] {
        assert_eq!(changed(listed(&format!("[scenarios.images-20]\n{other}"))?), 1, "{other}");
    }
    Ok(())
}

#[test]
fn a_foreign_path_is_shown_harmlessly() -> Fallible {
    let desk = Desk::with("")?;
    let name = "a\u{1b}[2J\u{202e}.toml";
    fs::write(desk.folder.path().join(name), "seed = 2")?;
    let flags = || Flags { config: ConfigFlag { path: Some(name.into()) }, ..none() };
    assert!(desk.load(flags())?.listing().contains("# file a\\u{1b}[2J\\u{202e}.toml\n"));
    fs::write(desk.folder.path().join(name), "seed = -2")?;
    assert!(desk.told(flags()).starts_with("a\\u{1b}[2J\\u{202e}.toml:1:8: seed"));
    Ok(())
}

#[test]
fn flags_files_and_folders_of_this_process_are_taken() {
    let mut stdin = io::empty();
    let sources = Sources::of_process(none(), &mut stdin);
    assert!(sources.folder.is_absolute());
    assert!(sources.variables.iter().any(|(name, _)| name == "PATH"));
    assert_ne!(sources.home.as_deref(), Some(Path::new("")));
}

/// Values of every type, right and wrong, for keys of every table.
fn line() -> impl Strategy<Value = String> {
    let keys: Vec<&str> = NAMES.iter().map(|name| name.key).chain(["[download]", "[scenarios.x]"]).collect();
    let value = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:?}")),
        any::<String>().prop_map(|text| rules::quoted(&text)),
        any::<bool>().prop_map(|truth| truth.to_string()),
        Just("['pool:3', 'x']".to_owned()),
        Just("nan".to_owned()),
        Just("1979-05-27".to_owned()),
        Just("{ a = [] }".to_owned()),
    ];
    (proptest::sample::select(keys), value).prop_map(|(key, value)| match key.starts_with('[') {
        true => key.to_owned(),
        false => format!("{key} = {value}"),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_file_upsets_the_layers(lines in proptest::collection::vec(line(), 0..4)) {
        let desk = Desk::with(&lines.join("\n")).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let told = desk.told(none());
        prop_assert!(!told.chars().any(|char| char != '\n' && crate::text::is_unsafe(char)), "{:?}", told);
    }

    #[test]
    fn no_variable_upsets_the_layers(name in proptest::sample::select(NAMES), value in any::<String>()) {
        let desk = Desk::with("").map_err(|error| TestCaseError::fail(error.to_string()))?;
        let told = desk.set(name.variable.unwrap_or("THREADRACE_X"), &value.replace('\0', "")).told(none());
        prop_assert!(!told.chars().any(|char| char != '\n' && crate::text::is_unsafe(char)), "{:?}", told);
    }
}
