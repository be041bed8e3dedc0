//! The timeline as a picture of its own: an SVG that any viewer draws, without scripts, fonts or variables.

use std::io::{self, BufWriter, Write};

use crate::event::At;
use crate::model::RaceState;
use crate::report::markup::{Px, Text, cut};
use crate::report::rows::tasks_line;
use crate::report::summary::Summary;
use crate::text::{width, wrap};

use super::lanes::Timeline;
use super::palette::{DARK, LIGHT, Theme, write_pattern};
use super::paths::Axis;
use super::scale::ticks;
use super::{AXIS_WORDS, ghost_words, name, provenance, title_words};

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

pub(super) const PAD: f64 = 28.0;
pub(super) const BETWEEN: f64 = 20.0;

/// How wide a character of the small monospaced type is, and about how wide one of the other is, as shares of
/// the type's size.
pub(super) const MONO: f64 = 0.61;
pub(super) const SANS: f64 = 0.56;

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
pub(super) struct Picture<'a, 'o> {
    pub(super) race: &'a RaceState,
    pub(super) timeline: &'a Timeline<'a>,
    pub(super) axis: &'a Axis,
    pub(super) options: &'a TimelineOptions,
    pub(super) wide: f64,
    pub(super) y: f64,
    pub(super) out: &'o mut Vec<u8>,
}

impl Picture<'_, '_> {
    /// Words at a place.
    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), words: &str) -> io::Result<()> {
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
            let name = phase.called_in(self.race.plan().workload);
            let x = row(self, name);
            let (i, y) = (phase.index(), self.y);
            write!(
                self.out,
                r#"<rect class="p{i}" x="{}" y="{}" width="24" height="14" rx="2"/>"#,
                Px(x),
                Px(y)
            )?;
            self.text("f-text", (x + 31.0, y + 11.5), name)?;
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
                0.0 => ("m f-dim", x),
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

    fn foot(&mut self) -> io::Result<()> {
        let mut said =
            vec![format!("One axis: {AXIS_WORDS}; the last row of a run counts its tasks in progress.")];
        said.extend(ghost_words(self.timeline).filter(|_| self.options.ghost == Ghost::Shown));
        said.extend(self.timeline.caveats());
        self.paragraph("f-dim", 12.0, &said.join(" "))
    }
}
