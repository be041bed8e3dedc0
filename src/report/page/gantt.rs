//! The timeline on the page: drawn once for who has no script or prints it, and laid out for the script that
//! draws it again at any zoom.

use std::io::{self, Write};

use crate::model::RaceState;
use crate::report::markup::{Px, Text, cut};
use crate::report::timeline::{
    AXIS_WORDS, Axis, Block, Sign, Timeline, ghost, ghost_words, lane_words, name, row_height, ticks,
    title_words, worker_words, write_row, write_strip,
};
use crate::report::words::count;

use super::PIXELS;

/// Between two rows, and the height of the row that counts tasks in progress. The script reads both from data.
pub(super) const GAP: f64 = 2.0;
pub(super) const STRIP: f64 = 18.0;

pub(super) fn write(race: &RaceState, timeline: &Timeline<'_>, out: &mut dyn Write) -> io::Result<()> {
    if timeline.blocks.is_empty() {
        return Ok(());
    }
    let ghost = ghost_words(timeline).map_or_else(String::new, |words| format!(" {words}"));
    write!(
        out,
        r#"<section id="timeline"><h2>Timeline</h2><p class="hint">A row for each worker, and all runs on one axis: {AXIS_WORDS}.{ghost}</p><ul class="legend">"#
    )?;
    for phase in &timeline.phases {
        let i = phase.index();
        write!(
            out,
            r#"<li><svg width="26" height="14" aria-hidden="true"><rect class="p{i}" width="26" height="14" rx="2"/></svg>{}</li>"#,
            phase.called_in(race.plan().workload)
        )?;
    }
    for sign in timeline.signs() {
        write!(out, r#"<li>{}{}</li>"#, key(sign), sign.name())?;
    }
    if !timeline.phases.is_empty() {
        write!(out, r#"<li class="dim">solid: the worker works; pale: it waits</li>"#)?;
    }
    write!(
        out,
        r#"</ul><div class="tools" hidden><button type="button" data-do="out" aria-label="Zoom out">−</button><button type="button" data-do="in" aria-label="Zoom in">+</button><button type="button" data-do="left" aria-label="Earlier">←</button><button type="button" data-do="right" aria-label="Later">→</button><button type="button" data-do="all">Whole race</button><output aria-live="polite"></output><span class="dim">Ctrl + wheel or pinch zooms, dragging moves; keys + − ← → 0</span></div><div id="gantt" style="--axis:1"><div class="axis"><span class="names">lane</span><div class="ticks">"#
    )?;
    for tick in ticks(timeline.long, PIXELS / 110) {
        let class = if tick.share > 0.95 { r#" class="last""# } else { "" };
        write!(out, r#"<span{class} style="left:{}%">{}</span>"#, Px(tick.share * 100.0), Text(&tick.label))?;
    }
    write!(out, "</div></div>")?;
    for block in &timeline.blocks {
        write_block(timeline, block, out)?;
    }
    write!(out, "</div>")?;
    for caveat in timeline.caveats() {
        write!(out, r#"<p class="hint">{}</p>"#, Text(&caveat))?;
    }
    write!(
        out,
        r#"<p class="hint scripted" hidden>Point at a lane, or tap it, to see its task in every run.</p></section>"#
    )
}

/// What stands for a mark in the legend.
fn key(sign: Sign) -> &'static str {
    match sign {
        Sign::Failed(_) => {
            r#"<svg class="bad" width="14" height="14" aria-hidden="true"><path d="M3 3l8 8M11 3l-8 8"/></svg>"#
        }
        Sign::Abandoned(_) => {
            r#"<svg class="warn" width="14" height="14" aria-hidden="true"><path d="M5 1v12M9 1v12"/></svg>"#
        }
        Sign::Replaced => {
            r#"<svg class="warn" width="14" height="14" aria-hidden="true"><path d="M11.5 7a4.5 4.5 0 1 1-2-3.7"/></svg>"#
        }
        Sign::Delivered(..) => {
            r#"<svg class="taken" width="14" height="14" aria-hidden="true"><circle cx="7" cy="7" r="4"/></svg>"#
        }
    }
}

fn write_block(timeline: &Timeline<'_>, block: &Block<'_>, out: &mut dyn Write) -> io::Result<()> {
    let (row, name) = (row_height(block), cut(&name(block), 40));
    let words = title_words(timeline, block);
    let words: Vec<String> = words.iter().map(|words| cut(words, 120)).collect();
    write!(
        out,
        r#"<figure class="run" data-run="{}"><figcaption><i class="dot" style="background:var(--r{})"></i><b><bdi>{}</bdi></b> <span>{}</span></figcaption>"#,
        block.place,
        block.run.hue().index(),
        Text(&name),
        Text(&words.join(" · "))
    )?;
    if block.rows.is_empty() {
        return write!(out, "</figure>");
    }
    let has_strip = has_strip(block);
    write!(out, r#"<div class="lanes" style="--row:{}px"><ol class="names" aria-hidden="true">"#, Px(row))?;
    for row in &block.rows {
        let (lanes, worker) = (lane_words(&row.lanes), worker_words(block, &row.lanes));
        write!(out, "<li><small>{}</small><span>{lanes}</span></li>", Text(&worker))?;
    }
    if has_strip {
        let most = count(block.figures.peak_concurrency.into());
        write!(out, r#"<li class="strip"><span>{most} at once</span></li>"#)?;
    }
    let tall = (row + GAP) * block.rows.len() as f64 + if has_strip { STRIP + 2.0 } else { 0.0 };
    write!(
        out,
        r#"</ol><div class="plot" style="height:{tall}px"><svg viewBox="0 0 {PIXELS} {tall}" width="100%" height="{tall}" preserveAspectRatio="none" role="img" aria-label="Lanes of {}: {}">"#,
        Text(&name),
        Text(&words.join(", ")),
        tall = Px(tall)
    )?;
    let axis = Axis { left: 0.0, width: PIXELS as f64, long: timeline.long };
    write!(out, r#"<path class="grid" vector-effect="non-scaling-stroke" d=""#)?;
    for tick in ticks(timeline.long, PIXELS / 110) {
        write!(out, "M{} 0V{}", Px(axis.width * tick.share), Px(tall))?;
    }
    write!(out, "\"/>")?;
    let end = axis.x(block.long);
    let lanes_tall = (row + GAP) * block.rows.len() as f64 - GAP;
    let baseline = ghost(timeline, block).map(|long| axis.x(long));
    if let Some(to) = baseline.filter(|to| *to > end + 2.0) {
        write!(
            out,
            r#"<path class="ghost" vector-effect="non-scaling-stroke" d="M{} 1H{}V{}H{}"/>"#,
            Px(end),
            Px(to - 0.5),
            Px(lanes_tall - 1.0),
            Px(end)
        )?;
    }
    let mut y = 0.0;
    for lane in &block.rows {
        write!(out, r#"<rect class="lane" y="{}" width="{}" height="{}"/>"#, Px(y), Px(end), Px(row))?;
        write_row(&axis, block, lane, (y, row), out)?;
        for mark in &lane.marks {
            let class = match mark.sign {
                Sign::Failed(_) => "bad",
                Sign::Abandoned(_) | Sign::Replaced => "warn",
                Sign::Delivered(..) => "taken",
            };
            let x = (axis.x(mark.at) - 1.5).max(0.0);
            write!(
                out,
                r#"<rect class="{class}" x="{}" y="{}" width="3" height="{}"/>"#,
                Px(x),
                Px(y),
                Px(row)
            )?;
        }
        y += row + GAP;
    }
    if let Some(x) = baseline.filter(|x| *x < end) {
        write!(
            out,
            r#"<path class="over" vector-effect="non-scaling-stroke" d="M{} 0V{}"/>"#,
            Px(x),
            Px(lanes_tall)
        )?;
    }
    if has_strip {
        let fill = format!("r{}", block.run.hue().index());
        write!(out, r#"<g style="fill:var(--{fill})">"#)?;
        write_strip(&axis, block, timeline.strip_columns, "strip", (y + 2.0, STRIP), out)?;
        write!(out, "</g>")?;
    }
    write!(out, "</svg></div></div></figure>")
}

/// Whether a row that counts tasks in progress says more than the lanes: one lane is its own count.
pub(super) fn has_strip(block: &Block<'_>) -> bool {
    block.figures.workers > 1 && !block.strip.is_empty()
}
