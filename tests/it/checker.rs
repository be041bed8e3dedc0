//! A checker of the Chrome Trace Event Format ("Trace Event Format", Google, 2016): what a trace must keep so that
//! viewers show it whole. Stricter than the format where it leaves room that viewers fill differently.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The names of metadata that the format knows.
const METADATA: [&str; 5] =
    ["process_name", "process_labels", "process_sort_index", "thread_name", "thread_sort_index"];

/// The names of colours that `cname` may have: catapult's reserved ones.
const COLOURS: [&str; 24] = [
    "thread_state_uninterruptible",
    "thread_state_iowait",
    "thread_state_running",
    "thread_state_runnable",
    "thread_state_sleeping",
    "thread_state_unknown",
    "background_memory_dump",
    "light_memory_dump",
    "detailed_memory_dump",
    "vsync_highlight_color",
    "generic_work",
    "good",
    "bad",
    "terrible",
    "black",
    "grey",
    "white",
    "yellow",
    "olive",
    "rail_response",
    "rail_animation",
    "rail_idle",
    "rail_load",
    "startup",
];

/// A process and one of its threads.
type Track = (i64, i64);

/// What is known of a trace so far.
#[derive(Default)]
struct Checker {
    faults: Vec<String>,
    /// From when to when, in nanoseconds, in the order of the file.
    slices: BTreeMap<Track, Vec<(i64, i64)>>,
    begun: BTreeMap<Track, Vec<(i64, String)>>,
    operations: BTreeMap<(i64, String, String), Vec<i64>>,
    counters: BTreeMap<(i64, String, String), Vec<(i64, f64)>>,
    named: BTreeMap<(Track, String), usize>,
    places: BTreeMap<i64, Vec<i64>>,
    used: BTreeSet<Track>,
}

/// What is wrong with a trace; empty where nothing is. The counters in `rising` must never fall.
pub fn faults(trace: &str, rising: &[&str]) -> Vec<String> {
    let value: Value = match serde_json::from_str(trace) {
        Ok(value) => value,
        Err(error) => return vec![format!("no JSON: {error}")],
    };
    let mut checker = Checker::default();
    let events = match &value {
        Value::Array(events) => events,
        Value::Object(members) => {
            if let Some(unit) = members.get("displayTimeUnit").filter(|unit| **unit != "ms" && **unit != "ns")
            {
                checker.fault(format!("displayTimeUnit is {unit}"));
            }
            if members.get("otherData").is_some_and(|other| !other.is_object()) {
                checker.fault("otherData is no object".to_owned());
            }
            match members.get("traceEvents") {
                Some(Value::Array(events)) => events,
                _ => return vec!["there is no list traceEvents".to_owned()],
            }
        }
        _ => return vec!["neither a list of events nor an object with one".to_owned()],
    };
    for (place, event) in events.iter().enumerate() {
        if let Err(fault) = checker.event(event) {
            checker.fault(format!("event {place}: {fault}"));
        }
    }
    checker.end(rising);
    checker.faults
}

fn whole(event: &Value, key: &str) -> Result<i64, String> {
    let number = event.get(key).ok_or(format!("no {key}"))?;
    number.as_i64().filter(|number| *number >= 0).ok_or(format!("{key} is {number}"))
}

/// Nanoseconds.
fn time(event: &Value, key: &str) -> Result<i64, String> {
    let number = event.get(key).ok_or(format!("no {key}"))?;
    let micros = number.as_f64().filter(|micros| micros.is_finite() && *micros >= 0.0);
    Ok((micros.ok_or(format!("{key} is {number}"))? * 1e3).round() as i64)
}

fn text<'a>(event: &'a Value, key: &str) -> Result<&'a str, String> {
    event.get(key).and_then(Value::as_str).ok_or(format!("no text {key}"))
}

fn id(event: &Value) -> Result<String, String> {
    let found =
        event.get("id").or_else(|| event.pointer("/id2/local")).or_else(|| event.pointer("/id2/global"));
    found.filter(|id| id.is_string() || id.is_number()).map(Value::to_string).ok_or("no id".to_owned())
}

impl Checker {
    fn fault(&mut self, fault: String) {
        self.faults.push(fault);
    }

    fn event(&mut self, event: &Value) -> Result<(), String> {
        let kind = text(event, "ph")?;
        let track = (whole(event, "pid")?, whole(event, "tid")?);
        if kind != "E" {
            text(event, "name")?;
        }
        if event.get("args").is_some_and(|args| !args.is_object()) {
            return Err("args is no object".to_owned());
        }
        if let Some(colour) = event.get("cname") {
            colour.as_str().filter(|name| COLOURS.contains(name)).ok_or(format!("no colour {colour}"))?;
        }
        match kind {
            "X" => {
                let (from, long) = (time(event, "ts")?, time(event, "dur")?);
                self.slices.entry(track).or_default().push((from, from + long));
                self.used.insert(track);
            }
            "B" => {
                let begun = (time(event, "ts")?, text(event, "name")?.to_owned());
                self.begun.entry(track).or_default().push(begun);
                self.used.insert(track);
            }
            "E" => {
                let to = time(event, "ts")?;
                let (from, name) = self.begun.entry(track).or_default().pop().ok_or("E without B")?;
                if to < from {
                    return Err(format!("{name} ends before it begins"));
                }
                if event.get("name").is_some_and(|end| *end != name) {
                    return Err(format!("{name} is ended by another name"));
                }
                self.slices.entry(track).or_default().push((from, to));
            }
            "b" | "n" | "e" => {
                let (at, key) = (time(event, "ts")?, (track.0, text(event, "cat")?.to_owned(), id(event)?));
                let begun = self.operations.entry(key).or_default();
                match kind {
                    "b" => begun.push(at),
                    "e" => {
                        begun.pop().filter(|from| *from <= at).ok_or("e without b before it")?;
                    }
                    _ => {}
                }
            }
            "i" | "I" => {
                time(event, "ts")?;
                if event.get("s").is_some_and(|scope| !["g", "p", "t"].iter().any(|known| scope == known)) {
                    return Err("the instant reaches nowhere".to_owned());
                }
                self.used.insert(track);
            }
            "C" => self.counter(event, track)?,
            "M" => self.metadata(event, track)?,
            "s" | "t" | "f" => {
                time(event, "ts")?;
                id(event)?;
            }
            other => return Err(format!("no kind {other}")),
        }
        Ok(())
    }

    fn counter(&mut self, event: &Value, track: Track) -> Result<(), String> {
        let (at, name) = (time(event, "ts")?, text(event, "name")?);
        let series = event.get("args").and_then(Value::as_object).filter(|args| !args.is_empty());
        for (unit, value) in series.ok_or("a counter without a value")? {
            let value = value.as_f64().ok_or(format!("{unit} is {value}"))?;
            let key = (track.0, name.to_owned(), unit.clone());
            self.counters.entry(key).or_default().push((at, value));
        }
        Ok(())
    }

    fn metadata(&mut self, event: &Value, track: Track) -> Result<(), String> {
        let name = text(event, "name")?;
        let args = event.get("args").ok_or("no args")?;
        match name {
            "process_name" | "thread_name" => drop(text(args, "name")?),
            "process_labels" => drop(text(args, "labels")?),
            "process_sort_index" => drop(whole(args, "sort_index")?),
            "thread_sort_index" => {
                let place = whole(args, "sort_index")?;
                self.places.entry(track.0).or_default().push(place);
            }
            other if !METADATA.contains(&other) => return Err(format!("no metadata {other}")),
            _ => {}
        }
        let of = if name.starts_with("process") { (track.0, 0) } else { track };
        *self.named.entry((of, name.to_owned())).or_default() += 1;
        Ok(())
    }

    fn end(&mut self, rising: &[&str]) {
        let mut faults = Vec::new();
        for (track, begun) in self.begun.iter().filter(|(_, begun)| !begun.is_empty()) {
            faults.push(format!("{track:?}: {} never end", begun.len()));
        }
        for (key, begun) in self.operations.iter().filter(|(_, begun)| !begun.is_empty()) {
            faults.push(format!("{key:?}: {} never end", begun.len()));
        }
        for (track, slices) in &mut self.slices {
            // Of slices that begin together, the longer one is the outer one.
            slices.sort_by_key(|&(from, to)| (from, std::cmp::Reverse(to)));
            let mut around: Vec<(i64, i64)> = Vec::new();
            for &(from, to) in slices.iter() {
                while around.last().is_some_and(|&(_, end)| end <= from) {
                    around.pop();
                }
                if let Some(&(_, end)) = around.last().filter(|&&(_, end)| end < to) {
                    faults
                        .push(format!("{track:?}: {from}..{to} reaches over the end {end} of what it is in"));
                }
                around.push((from, to));
            }
        }
        for (key, values) in &self.counters {
            if values.windows(2).any(|two| two[0].0 >= two[1].0) {
                faults
                    .push(format!("{key:?}: its samples are not in the order of time, one for each moment"));
            }
            if rising.contains(&key.1.as_str()) && values.windows(2).any(|two| two[0].1 > two[1].1) {
                faults.push(format!("{key:?} falls"));
            }
        }
        for track in &self.used {
            let times = |of: Track, name: &str| self.named.get(&(of, name.to_owned())).copied().unwrap_or(0);
            if times((track.0, 0), "process_name") != 1 || times(*track, "thread_name") != 1 {
                faults.push(format!("{track:?} has not one name, or its process has not"));
            }
        }
        for (pid, places) in &mut self.places {
            places.sort_unstable();
            if places.windows(2).any(|two| two[0] == two[1]) {
                faults.push(format!("two threads of {pid} have the same place"));
            }
        }
        self.faults.append(&mut faults);
    }
}

#[test]
fn every_fault_is_found() {
    let named = r#"{"ph":"M","pid":1,"tid":1,"name":"process_name","args":{"name":"p"}},
        {"ph":"M","pid":1,"tid":1,"name":"thread_name","args":{"name":"t"}}"#;
    let good = r#"{"ph":"X","pid":1,"tid":1,"name":"a","ts":0,"dur":10},{"ph":"X","pid":1,"tid":1,"name":"b","ts":1.5,"dur":8.5}"#;
    assert_eq!(faults(&format!("[{named},{good}]"), &[]), Vec::<String>::new());
    let broken = [
        ("", "no JSON"),
        ("[", "no JSON"),
        ("3", "neither"),
        (r#"{"traceEvents":{}}"#, "no list traceEvents"),
        (r#"{"displayTimeUnit":"s","traceEvents":[]}"#, "displayTimeUnit"),
        (r#"[{"ph":"X"}]"#, "no pid"),
        (r#"[{"ph":"X","pid":"1","tid":1,"name":"a","ts":0,"dur":1}]"#, "pid is"),
        (r#"[{"ph":"X","pid":1,"tid":1,"ts":0,"dur":1}]"#, "no text name"),
        (r#"[{"ph":"X","pid":1,"tid":1,"name":"a","ts":0}]"#, "no dur"),
        (r#"[{"ph":"X","pid":1,"tid":1,"name":"a","ts":0,"dur":-1}]"#, "dur is"),
        (r#"[{"ph":"X","pid":1,"tid":1,"name":"a","ts":"0","dur":1}]"#, "ts is"),
        (r#"[{"ph":"X","pid":1,"tid":1,"name":"a","ts":0,"dur":1,"cname":"pink"}]"#, "no colour"),
        (r#"[{"ph":"X","pid":1,"tid":1,"name":"a","ts":0,"dur":1}]"#, "has not one name"),
        (
            r#"[{"ph":"X","pid":1,"tid":1,"name":"a","ts":0,"dur":5},{"ph":"X","pid":1,"tid":1,"name":"b","ts":3,"dur":5}]"#,
            "reaches over",
        ),
        (r#"[{"ph":"B","pid":1,"tid":1,"name":"a","ts":0}]"#, "never end"),
        (r#"[{"ph":"E","pid":1,"tid":1,"ts":0}]"#, "E without B"),
        (
            r#"[{"ph":"B","pid":1,"tid":1,"name":"a","ts":5},{"ph":"E","pid":1,"tid":1,"ts":4}]"#,
            "ends before",
        ),
        (
            r#"[{"ph":"B","pid":1,"tid":1,"name":"a","ts":5},{"ph":"E","pid":1,"tid":1,"name":"b","ts":6}]"#,
            "another name",
        ),
        (r#"[{"ph":"b","pid":1,"tid":1,"name":"a","cat":"c","ts":0}]"#, "no id"),
        (r#"[{"ph":"b","pid":1,"tid":1,"name":"a","cat":"c","id":1,"ts":0}]"#, "never end"),
        (r#"[{"ph":"e","pid":1,"tid":1,"name":"a","cat":"c","id":1,"ts":0}]"#, "e without b"),
        (r#"[{"ph":"i","pid":1,"tid":1,"name":"a","s":"x","ts":0}]"#, "reaches nowhere"),
        (r#"[{"ph":"C","pid":1,"tid":1,"name":"a","ts":0,"args":{}}]"#, "without a value"),
        (r#"[{"ph":"C","pid":1,"tid":1,"name":"a","ts":0,"args":{"n":"1"}}]"#, "n is"),
        (
            r#"[{"ph":"C","pid":1,"tid":1,"name":"up","ts":0,"args":{"n":2}},{"ph":"C","pid":1,"tid":1,"name":"up","ts":1,"args":{"n":1}}]"#,
            "falls",
        ),
        (
            r#"[{"ph":"C","pid":1,"tid":1,"name":"a","ts":1,"args":{"n":2}},{"ph":"C","pid":1,"tid":1,"name":"a","ts":1,"args":{"n":1}}]"#,
            "order of time",
        ),
        (r#"[{"ph":"M","pid":1,"tid":1,"name":"colour","args":{}}]"#, "no metadata"),
        (
            r#"[{"ph":"M","pid":1,"tid":1,"name":"thread_sort_index","args":{"sort_index":"1"}}]"#,
            "sort_index is",
        ),
        (
            r#"[{"ph":"M","pid":1,"tid":1,"name":"thread_sort_index","args":{"sort_index":1}},{"ph":"M","pid":1,"tid":2,"name":"thread_sort_index","args":{"sort_index":1}}]"#,
            "same place",
        ),
        (r#"[{"ph":"?","pid":1,"tid":1,"name":"a"}]"#, "no kind"),
    ];
    for (trace, fault) in broken {
        let found = faults(trace, &["up"]);
        assert!(found.iter().any(|found| found.contains(fault)), "{trace}: {fault} is not in {found:?}");
    }
}
