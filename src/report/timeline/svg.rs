//! The timeline as a picture of its own: an SVG that any viewer draws, without scripts, fonts or variables.

use std::io::{self, BufWriter, Write};
use std::time::Duration;

use crate::event::At;
use crate::model::RaceState;
use crate::report::markup::{Px, Text, cut};
use crate::report::rows::tasks_line;
use crate::report::summary::Summary;
use crate::report::words::{count, seconds};
use crate::text::{width, wrap};

use super::lanes::{Block, Drawn, Row, Sign, Timeline, stretches};
use super::palette::{DARK, LIGHT, Theme, run_colour, write_pattern};
use super::paths::{Axis, write_row, write_strip};
use super::scale::ticks;
use super::{AXIS_WORDS, lane_words, name, provenance, row_height, saved_words, title_words, worker_words};

/// Whether the length of the sequential run stands behind the other runs.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Ghost {
    /// It does.
    #[default]
    Shown,
    /// It doesn't.
    Hidden,
}

/// How the picture of a timeline is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimelineOptions {
    /// How wide it is in pixels of CSS; at least 360 and at most 8,000, whatever is asked for.
    pub width: u32,
    /// On what ground it is drawn.
    pub theme: Theme,
    /// Whether the length of the sequential run stands behind the other runs.
    pub ghost: Ghost,
}

impl Default for TimelineOptions {
    fn default() -> TimelineOptions {
        TimelineOptions { width: 1_200, theme: Theme::Auto, ghost: Ghost::Shown }
    }
}

const PAD: f64 = 28.0;
const GAP: f64 = 2.0;
const TITLE: f64 = 26.0;
const STRIP: f64 = 16.0;
const BETWEEN: f64 = 20.0;

/// How wide a character of the small monospaced type is, and about how wide one of the other is, as shares of
/// the type's size.
const MONO: f64 = 0.61;
const SANS: f64 = 0.56;

/// Writes the timeline of a race as of `now`, which matters only while the race goes on, as one SVG document.
///
/// The picture is bounded however many tasks there are: what can't be drawn one by one is drawn as shares of
/// time, and the picture says so. Foreign text in it is no markup. Writes through a buffer and flushes it.
///
/// # Errors
/// What `out` answers.
pub fn timeline_svg(
    race: &RaceState,
    summary: &Summary,
    now: At,
    options: &TimelineOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let wide = f64::from(options.width.clamp(360, 8_000));
    let gutter = if wide < 640.0 { 40.0 } else { 138.0 };
    let plot = wide - 2.0 * PAD - gutter;
    let timeline = Timeline::of(race, summary, now, plot as usize);
    let axis = Axis { left: PAD + gutter, width: plot, long: timeline.long };
    let mut body = Vec::new();
    let mut picture =
        Picture { race, timeline: &timeline, axis: &axis, options, wide, y: PAD, out: &mut body };
    picture.head(summary)?;
    picture.legend()?;
    picture.blocks()?;
    picture.foot()?;
    let tall = picture.y + PAD - 6.0;

    let mut out = BufWriter::with_capacity(64 * 1024, out);
    write!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img" aria-labelledby="title desc"><title id="title">{}</title><desc id="desc">{}</desc>"#,
        Text(&cut(&format!("Timeline of {}: {}", race.plan().scenario, race.plan().about), 200)),
        Text(&description(&timeline, summary)),
        w = Px(wide),
        h = Px(tall),
    )?;
    write_style(&timeline, options.theme, &mut out)?;
    write!(out, "<defs>")?;
    for phase in &timeline.phases {
        write_pattern(*phase, &mut out)?;
    }
    write!(out, r#"</defs><rect class="f-ground" width="{}" height="{}"/>"#, Px(wide), Px(tall))?;
    out.write_all(&body)?;
    writeln!(out, "</svg>")?;
    out.flush()
}

/// What the picture shows, for who can't see it.
fn description(timeline: &Timeline<'_>, summary: &Summary) -> String {
    let mut said = vec![summary.verdict()];
    for block in &timeline.blocks {
        said.push(format!("{}: {}.", cut(&name(block), 40), title_words(timeline, block).join(", ")));
    }
    said.extend(timeline.caveats());
    said.join(" ")
}

fn write_style(timeline: &Timeline<'_>, theme: Theme, out: &mut dyn Write) -> io::Result<()> {
    write!(
        out,
        "<style>text{{font-family:system-ui,-apple-system,\"Segoe UI\",Roboto,\"DejaVu Sans\",sans-serif;font-size:12px}}\
         .m{{font-family:ui-monospace,\"Cascadia Mono\",Menlo,Consolas,\"DejaVu Sans Mono\",monospace;font-size:10.5px}}\
         .h{{font-size:20px;font-weight:650}}.v{{font-size:14px}}.n{{font-size:14px;font-weight:650}}\
         .e{{text-anchor:end}}.c{{text-anchor:middle}}.k{{fill:none;stroke-width:2;stroke-linecap:round}}\
         .o{{paint-order:stroke;stroke-width:3px;stroke-linejoin:round}}.d{{stroke-dasharray:3 3;fill:none}}"
    )?;
    for phase in &timeline.phases {
        write!(out, ".p{i}{{fill:url(#t{i})}}", i = phase.index())?;
    }
    let palette = if theme == Theme::Dark { DARK } else { LIGHT };
    palette.write_rules(&timeline.phases, out)?;
    if theme == Theme::Auto {
        write!(out, "@media (prefers-color-scheme:dark){{")?;
        DARK.write_rules(&timeline.phases, out)?;
        write!(out, "}}")?;
    }
    write!(out, "</style>")
}

/// The picture as far as it is drawn: everything above `y`.
struct Picture<'a, 'o> {
    race: &'a RaceState,
    timeline: &'a Timeline<'a>,
    axis: &'a Axis,
    options: &'a TimelineOptions,
    wide: f64,
    y: f64,
    out: &'o mut Vec<u8>,
}

impl Picture<'_, '_> {
    fn text(&mut self, class: &str, (x, y): (f64, f64), words: &str) -> io::Result<()> {
        write!(self.out, r#"<text class="{class}" x="{}" y="{}">{}</text>"#, Px(x), Px(y), Text(words))
    }

    /// Lines of text that are as wide as the picture, one below the other.
    fn paragraph(&mut self, class: &str, size: f64, words: &str) -> io::Result<()> {
        let columns = ((self.wide - 2.0 * PAD) / (size * SANS)) as usize;
        for line in wrap(words, columns) {
            self.text(class, (PAD, self.y + size), &cut(&line, columns))?;
            self.y += (size * 1.4).round();
        }
        Ok(())
    }

    fn head(&mut self, summary: &Summary) -> io::Result<()> {
        let plan = self.race.plan();
        self.paragraph("h f-strong", 20.0, &cut(&format!("{}: {}", plan.scenario, plan.about), 300))?;
        self.y += 2.0;
        self.paragraph("v f-text", 14.0, &summary.verdict())?;
        self.y += 2.0;
        let from = format!("{} · {}", cut(&tasks_line(plan), 200), cut(&provenance(self.race), 200));
        self.paragraph("f-dim", 12.0, &from)?;
        self.y += 14.0;
        Ok(())
    }

    fn legend(&mut self) -> io::Result<()> {
        let mut x = PAD;
        let mut row = |picture: &mut Self, words: &str| {
            let long = 30.0 + width(words) as f64 * 12.0 * SANS + 18.0;
            if x + long > picture.wide - PAD && x > PAD {
                x = PAD;
                picture.y += 22.0;
            }
            x += long;
            x - long
        };
        for phase in self.timeline.phases.clone() {
            let x = row(self, phase.name());
            let (i, y) = (phase.index(), self.y);
            write!(
                self.out,
                r#"<rect class="p{i}" x="{}" y="{}" width="24" height="14" rx="2"/>"#,
                Px(x),
                Px(y)
            )?;
            self.text("f-text", (x + 31.0, y + 11.5), phase.name())?;
        }
        for sign in self.timeline.signs() {
            let x = row(self, sign.name());
            self.sign(sign, (x + 12.0, self.y + 7.0), 14.0)?;
            self.text("f-text", (x + 31.0, self.y + 11.5), sign.name())?;
        }
        if !self.timeline.phases.is_empty() {
            let hint = "solid: the worker works; pale: it waits";
            let x = row(self, hint);
            self.text("f-dim", (x + 6.0, self.y + 11.5), hint)?;
        }
        self.y += 36.0;
        Ok(())
    }

    fn blocks(&mut self) -> io::Result<()> {
        let ticks = ticks(self.axis.long, (self.axis.width / 90.0) as usize);
        self.text("m f-dim e", (self.axis.left - 10.0, self.y), "lane")?;
        let right = self.axis.left + self.axis.width;
        for tick in &ticks {
            let x = self.axis.left + self.axis.width * tick.share;
            let long = width(&tick.label) as f64 * 10.5 * MONO;
            let (class, x) = match tick.share {
                share if share == 0.0 => ("m f-dim", x),
                _ if x + long / 2.0 > right => ("m f-dim e", right),
                _ => ("m f-dim c", x),
            };
            self.text(class, (x, self.y), &tick.label)?;
        }
        self.y += 6.0;
        let top = self.y;
        let whole = std::mem::take(self.out);
        for block in &self.timeline.blocks {
            self.block(block)?;
        }
        // The grid's lines reach through all runs and stand behind them.
        let drawn = std::mem::replace(self.out, whole);
        write!(self.out, r#"<path class="s-rule" stroke-width="1" d=""#)?;
        for tick in &ticks {
            let x = (self.axis.left + self.axis.width * tick.share).floor() + 0.5;
            write!(self.out, "M{} {}V{}", Px(x), Px(top), Px(self.y - BETWEEN))?;
        }
        write!(self.out, "\"/>")?;
        self.out.extend_from_slice(&drawn);
        Ok(())
    }

    fn block(&mut self, block: &Block<'_>) -> io::Result<()> {
        let (left, right) = (self.axis.left, self.axis.left + self.axis.width);
        let baseline = y_baseline(self.y);
        // The words stand on the grid's lines.
        write!(
            self.out,
            r#"<rect class="f-ground" x="{}" y="{}" width="{}" height="{}"/><rect class="f-r{}" x="{}" y="{}" width="4" height="15" rx="1"/>"#,
            Px(left - 4.0),
            Px(self.y + 3.0),
            Px(right - left + 8.0),
            Px(TITLE - 5.0),
            run_colour(block.place),
            Px(PAD),
            Px(baseline - 12.0)
        )?;
        let words = title_words(self.timeline, block);
        let room = ((self.wide - 2.0 * PAD) / (12.0 * SANS)) as usize;
        let name = cut(&name(block), room / 3);
        self.text("n f-strong", (PAD + 12.0, baseline), &name)?;
        let words = words.join(" · ");
        // What has no room beside the name has a line of its own.
        if width(&words) + width(&name) + 6 <= room {
            self.text("f-text e", (right, baseline), &words)?;
        } else {
            self.y += 18.0;
            write!(
                self.out,
                r#"<rect class="f-ground" x="{}" y="{}" width="{}" height="18"/>"#,
                Px(left - 4.0),
                Px(self.y + TITLE - 20.0),
                Px(right - left + 8.0)
            )?;
            self.text("f-text", (PAD + 12.0, baseline + 18.0), &cut(&words, room.saturating_sub(3)))?;
        }
        self.y += TITLE;
        let (top, height) = (self.y, row_height(block));
        let step = height + GAP;
        let tall = step * block.rows.len() as f64 - GAP;
        if !block.rows.is_empty() {
            self.ghost(block, top, tall)?;
        }
        let end = self.axis.x(block.long);
        for row in &block.rows {
            let y = self.y;
            write!(
                self.out,
                r#"<rect class="f-lane" x="{}" y="{}" width="{}" height="{}"/>"#,
                Px(left),
                Px(y),
                Px(end - left),
                Px(height)
            )?;
            write_row(self.axis, block, row, (y, height), self.out)?;
            self.lane(block, row, y, height)?;
            self.y += step;
        }
        if block.figures.workers > 1 && !block.strip.is_empty() {
            self.y += 2.0;
            let most = block.figures.peak_concurrency;
            self.text(
                "m f-dim e",
                (left - 10.0, self.y + STRIP - 4.0),
                &if left > 120.0 {
                    format!("{} at once", count(most.into()))
                } else {
                    format!("max {}", count(most.into()))
                },
            )?;
            let fill = format!("f-r{}", run_colour(block.place));
            write_strip(self.axis, block, self.timeline.strip_columns, &fill, (self.y, STRIP), self.out)?;
            self.y += STRIP + GAP;
        }
        self.y += BETWEEN;
        Ok(())
    }

    /// The time that the sequential run took, from where this run was over.
    fn ghost(&mut self, block: &Block<'_>, y: f64, tall: f64) -> io::Result<()> {
        let shown = self.options.ghost == Ghost::Shown && block.figures.speedup.is_some();
        let Some(baseline) = self.timeline.baseline.filter(|_| shown) else { return Ok(()) };
        let (from, to) = (self.axis.x(block.long), self.axis.x(baseline));
        if to <= from + 2.0 {
            return Ok(());
        }
        write!(
            self.out,
            r#"<rect class="f-panel" fill-opacity=".6" x="{x}" y="{y}" width="{w}" height="{h}"/><path class="d s-rule" d="M{x} {y}H{to}V{bottom}H{x}"/>"#,
            x = Px(from),
            y = Px(y + 0.5),
            w = Px(to - from),
            h = Px(tall - 1.0),
            to = Px(to - 0.5),
            bottom = Px(y + tall - 0.5),
        )?;
        let Some(words) = saved_words(block, baseline) else { return Ok(()) };
        if (to - from) > width(&words) as f64 * 12.0 * SANS + 16.0 {
            self.text("f-dim c o s-ground", ((from + to) / 2.0, y + tall / 2.0 + 4.0), &words)?;
        }
        Ok(())
    }

    /// A lane's name, the numbers of its tasks, and its marks.
    fn lane(&mut self, block: &Block<'_>, row: &Row, y: f64, height: f64) -> io::Result<()> {
        let left = self.axis.left;
        let middle = y + height / 2.0 + 3.5;
        let number = lane_words(&row.lanes);
        self.text("m f-text e", (left - 10.0, middle), &number)?;
        let worker = worker_words(block, &row.lanes);
        let room = ((left - PAD - 16.0) / (10.5 * MONO)) as usize;
        if !worker.is_empty() && width(&worker) + width(&number) + 2 <= room {
            self.text("m f-dim", (PAD, middle), &worker)?;
        }
        if let Drawn::Spans(spans) = &row.drawn {
            self.numbers(block, &stretches(spans), y, height)?;
        }
        for mark in &row.marks {
            let x = self.axis.x(mark.at);
            if let Sign::Delivered(_, since) = mark.sign {
                let (from, y) = (self.axis.x(since), y + height - 1.0);
                if x > from + 3.0 {
                    write!(
                        self.out,
                        r#"<path class="s-strong" stroke-width="2" d="M{} {}H{}"/>"#,
                        Px(from),
                        Px(y),
                        Px(x)
                    )?;
                }
            }
            // What ends a task stands inside it, not on the next one.
            let inside = if matches!(mark.sign, Sign::Failed(_) | Sign::Abandoned(_)) { 6.0 } else { 0.0 };
            self.sign(mark.sign, ((x - inside).max(left + 6.0), y + height / 2.0), height)?;
        }
        Ok(())
    }

    /// The numbers of a lane's tasks, each where its stretch begins, unless most have no room; and a line
    /// between two tasks.
    fn numbers(
        &mut self,
        block: &Block<'_>,
        tasks: &[super::lanes::Stretch],
        y: f64,
        height: f64,
    ) -> io::Result<()> {
        let place = |at: At| self.axis.x(at.since(block.start));
        let digits = |number: &str| number.len() as f64 * 10.5 * MONO;
        let fits: Vec<(f64, String)> = tasks
            .iter()
            .map(|task| (place(task.from), place(task.to), (task.task.0 + 1).to_string()))
            .filter(|(from, to, number)| to - from > digits(number) + 6.0)
            .map(|(from, _, number)| (from, number))
            .collect();
        let apart: Vec<f64> = tasks.iter().skip(1).map(|task| place(task.from)).collect();
        if tasks.len() as f64 * 5.0 < self.axis.x(block.long) - self.axis.left && !apart.is_empty() {
            write!(self.out, r#"<path class="s-ground" stroke-width="1" d=""#)?;
            for x in apart {
                write!(self.out, "M{} {}v{}", Px(x), Px(y), Px(height))?;
            }
            write!(self.out, "\"/>")?;
        }
        if fits.len() * 2 > tasks.len() {
            for (x, number) in fits {
                self.text("m f-strong o s-ground", (x + 4.0, y + height / 2.0 + 3.5), &number)?;
            }
        }
        Ok(())
    }

    fn sign(&mut self, sign: Sign, (x, y): (f64, f64), height: f64) -> io::Result<()> {
        let half = (height / 2.0 - 4.0).clamp(2.0, 4.0);
        let (x, y) = (Px(x), Px(y));
        match sign {
            Sign::Failed(_) => write!(
                self.out,
                r#"<circle class="f-ground" cx="{x}" cy="{y}" r="{r}"/><path class="k s-bad" d="M{x} {y}m-{h}-{h}l{d} {d}m0-{d}l-{d} {d}"/>"#,
                r = Px(half + 2.5),
                h = Px(half),
                d = Px(half * 2.0)
            ),
            Sign::Abandoned(_) => write!(
                self.out,
                r#"<path class="k s-warn" stroke-width="3" d="M{x} {y}m-2-{h}v{d}m4 0v-{d}"/>"#,
                h = Px(half + 2.0),
                d = Px(half * 2.0 + 4.0)
            ),
            Sign::Replaced => write!(
                self.out,
                r#"<circle class="f-ground" cx="{x}" cy="{y}" r="{r}"/><circle class="k s-warn" cx="{x}" cy="{y}" r="{h}" stroke-dasharray="{dash} 4"/>"#,
                r = Px(half + 2.0),
                h = Px(half),
                dash = Px(half * 5.0)
            ),
            Sign::Delivered(..) => write!(
                self.out,
                r#"<circle class="f-strong s-ground" cx="{x}" cy="{y}" r="{h}" stroke-width="1.5"/>"#,
                h = Px(half)
            ),
        }
    }

    fn foot(&mut self) -> io::Result<()> {
        let mut said =
            vec![format!("One axis: {AXIS_WORDS}; the last row of a run counts its tasks in progress.")];
        if self.options.ghost == Ghost::Shown
            && let Some(baseline) = self.timeline.baseline.filter(|long| *long > Duration::ZERO)
        {
            said.push(format!("Dashed: the {} that the sequential run took.", seconds(baseline)));
        }
        said.extend(self.timeline.caveats());
        self.paragraph("f-dim", 12.0, &said.join(" "))
    }
}

/// Where the letters of a run's title stand.
fn y_baseline(top: f64) -> f64 {
    top + TITLE - 9.0
}
