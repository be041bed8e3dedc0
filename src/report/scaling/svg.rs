//! The chart of a sweep as SVG: one element that needs nothing else, for a file or inside a page.

use std::fmt::{self, Write};

use crate::report::Theme;
use crate::report::markup::{Px, Text};
use crate::report::words::workers;
use crate::stats::scaling::Knee;
use crate::text::wrap;

use super::words::{
    coherency_words, contention_words, knee_words, limit_words, peak_words, residual_words, serial_words,
};
use super::{Curve, Progress, Scale, Scaling};

/// The colours of a theme, and the classes that have them.
const DARK: Palette = Palette {
    ground: "#12161c",
    rule: "#36424f",
    text: "#c9d3de",
    dim: "#8492a3",
    strong: "#f4f7fa",
    amdahl: "#cc79a7",
    usl: "#56b4e9",
    bound: "#e6b800",
    knee: "#3fbf9b",
};

const LIGHT: Palette = Palette {
    ground: "#fbfaf7",
    rule: "#c9c7bf",
    text: "#2b3440",
    dim: "#626d7a",
    strong: "#0d1319",
    amdahl: "#a8528a",
    usl: "#0072b2",
    bound: "#8f6f00",
    knee: "#007a5e",
};

struct Palette {
    ground: &'static str,
    rule: &'static str,
    text: &'static str,
    dim: &'static str,
    strong: &'static str,
    amdahl: &'static str,
    usl: &'static str,
    bound: &'static str,
    knee: &'static str,
}

impl Palette {
    fn rules(&self) -> String {
        let Palette { ground, rule, text, dim, strong, amdahl, usl, bound, knee } = self;
        format!(
            ".trs-g{{fill:{ground}}}.trs-r{{stroke:{rule}}}.trs-t{{fill:{text}}}.trs-d{{fill:{dim}}}.trs-s{{fill:{strong}}}\
             .trs-i{{stroke:{dim}}}.trs-a{{stroke:{amdahl}}}.trs-u{{stroke:{usl}}}.trs-b{{stroke:{bound}}}\
             .trs-k{{stroke:{knee}}}.trs-kt{{fill:{knee}}}.trs-e{{stroke:{strong}}}.trs-o{{fill:{strong};stroke:{ground}}}"
        )
    }
}

/// How a curve is dashed: each is told from the others without its colour, too.
const DASHES: [(&str, &str); 4] = [("trs-i", "1 5"), ("trs-b", "4 4"), ("trs-a", "12 5"), ("trs-u", "")];

/// The chart as an `<svg>` element, `width` pixels wide (320 to 4,000 of them) and as high as it needs to be.
/// Styles are within it, and so are fonts' fallbacks; nothing is fetched, and no script is in it.
pub fn scaling_svg(scaling: &Scaling, theme: Theme, width: u32) -> String {
    let mut out = String::with_capacity(16 * 1024);
    // Writing to a string does not fail.
    let _ = Chart::new(scaling, width).write(theme, &mut out);
    out
}

/// Where things stand.
struct Chart<'a> {
    scaling: &'a Scaling,
    width: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: Scale,
    y: Scale,
}

/// Between two lines of text.
const LINE: f64 = 18.0;

/// Straight pieces of a curve.
const STEPS: u32 = 256;

/// A column of the widest letter, roughly, of the text's font.
const LETTER: f64 = 6.7;

impl Chart<'_> {
    fn new(scaling: &Scaling, width: u32) -> Chart<'_> {
        let width = f64::from(width.clamp(320, 4_000));
        let (left, right, top) = (48.0, width - 20.0, 54.0);
        let bottom = top + ((right - left) * 0.5).clamp(180.0, 720.0);
        let ticks = ((right - left) / 60.0) as usize;
        let rows = ((bottom - top) / 40.0) as usize;
        Chart {
            scaling,
            width,
            left,
            right,
            top,
            bottom,
            x: scaling.workers_axis(ticks.max(2)),
            y: scaling.speedup_axis(rows.max(2)),
        }
    }

    fn at(&self, workers: f64, speedup: f64) -> (f64, f64) {
        let x = self.left + (self.right - self.left) * workers / self.x.most;
        let y = self.bottom - (self.bottom - self.top) * speedup / self.y.most;
        (x, y)
    }

    fn write(&self, theme: Theme, out: &mut String) -> fmt::Result {
        let legend = self.legend();
        let columns = ((self.right - self.left) / LETTER) as usize;
        // Letters of the sentence are bold, and so wider.
        let words: Vec<String> = self.words().iter().flat_map(|words| wrap(words, columns * 4 / 5)).collect();
        let legend_lines: usize = legend.iter().map(|(_, words)| wrap(words, columns - 8).len()).sum();
        let height = self.bottom + 52.0 + LINE * (words.len() + legend_lines) as f64 + 14.0;
        writeln!(
            out,
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}" role="img" aria-label="speedup against workers" font-family="system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif" font-size="13">"#,
            Px(self.width),
            Px(height)
        )?;
        out.push_str("<style>");
        match theme {
            Theme::Dark => out.push_str(&DARK.rules()),
            Theme::Light => out.push_str(&LIGHT.rules()),
            Theme::Auto => {
                out.push_str(&LIGHT.rules());
                write!(out, "@media (prefers-color-scheme:dark){{{}}}", DARK.rules())?;
            }
        }
        out.push_str("</style>\n");
        writeln!(out, r#"<rect class="trs-g" width="{}" height="{}"/>"#, Px(self.width), Px(height))?;
        let title = format!("speedup against workers: {}", self.scaling.executor);
        let size = if self.width < 480.0 { 14 } else { 16 };
        writeln!(
            out,
            r#"<text class="trs-s" x="16" y="24" font-size="{size}" font-weight="600">{}</text>"#,
            Text(&title)
        )?;
        self.axes(out)?;
        self.curves(out)?;
        self.points(out)?;
        self.knee(out)?;
        let mut y = self.bottom + 62.0;
        for line in &words {
            writeln!(
                out,
                r#"<text class="trs-s" x="{}" y="{}" font-weight="600">{}</text>"#,
                Px(self.left),
                Px(y),
                Text(line)
            )?;
            y += LINE;
        }
        y += 6.0;
        for (sample, words) in &legend {
            self.sample(*sample, y, out)?;
            for line in wrap(words, columns - 8) {
                let x = self.left + 44.0;
                writeln!(out, r#"<text class="trs-t" x="{}" y="{}">{}</text>"#, Px(x), Px(y), Text(&line))?;
                y += LINE;
            }
        }
        out.push_str("</svg>\n");
        Ok(())
    }

    fn axes(&self, out: &mut String) -> fmt::Result {
        for tick in self.y.ticks() {
            let (_, y) = self.at(0.0, tick);
            writeln!(
                out,
                r#"<line class="trs-r" x1="{}" x2="{}" y1="{2}" y2="{2}" stroke-width="{3}"/>"#,
                Px(self.left),
                Px(self.right),
                Px(y),
                if tick == 0.0 { 1.5 } else { 0.6 }
            )?;
            writeln!(
                out,
                r#"<text class="trs-d" x="{}" y="{}" text-anchor="end">{}×</text>"#,
                Px(self.left - 6.0),
                Px(y + 4.5),
                Scale::words(tick)
            )?;
        }
        for tick in self.x.ticks().map(|tick| tick.max(1.0)) {
            let (x, _) = self.at(tick, 0.0);
            writeln!(
                out,
                r#"<line class="trs-r" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>"#,
                Px(x),
                Px(self.bottom),
                Px(self.bottom + 5.0)
            )?;
            writeln!(
                out,
                r#"<text class="trs-d" x="{}" y="{}" text-anchor="middle">{tick}</text>"#,
                Px(x),
                Px(self.bottom + 19.0)
            )?;
        }
        writeln!(
            out,
            r#"<text class="trs-d" x="{}" y="{}" text-anchor="end">workers</text>"#,
            Px(self.right),
            Px(self.bottom + 36.0)
        )?;
        writeln!(
            out,
            r#"<text class="trs-d" x="16" y="{}">times as fast as one after the other</text>"#,
            Px(42.0)
        )
    }

    /// The curves, dashed in the order of [`DASHES`].
    fn curves(&self, out: &mut String) -> fmt::Result {
        for (place, law) in self.scaling.curves(self.x.most / f64::from(STEPS)).into_iter().enumerate() {
            let Some(Curve { from: first, law }) = law else { continue };
            if first >= self.x.most {
                continue;
            }
            let (class, dashes) = DASHES[place];
            let mut path = String::new();
            let mut before: Option<(f64, f64)> = None;
            for step in 0..=STEPS {
                let workers = first + (self.x.most - first) * f64::from(step) / f64::from(STEPS);
                let speedup = law(workers);
                if speedup > self.y.most {
                    // The curve leaves through the top: up to where it crosses it.
                    if let Some((from, low)) = before.filter(|(_, low)| *low < self.y.most) {
                        let share = (self.y.most - low) / (speedup - low);
                        let (x, y) = self.at(from + (workers - from) * share, self.y.most);
                        write!(path, "L{} {}", Px(x), Px(y))?;
                    }
                } else {
                    let (x, y) = self.at(workers, speedup);
                    let pen = if path.is_empty() || before.is_some_and(|(_, low)| low > self.y.most) {
                        'M'
                    } else {
                        'L'
                    };
                    write!(path, "{pen}{} {}", Px(x), Px(y))?;
                }
                before = Some((workers, speedup));
            }
            writeln!(
                out,
                r#"<path class="{class}" fill="none" stroke-width="2" stroke-dasharray="{dashes}" d="{path}"/>"#
            )?;
        }
        Ok(())
    }

    fn points(&self, out: &mut String) -> fmt::Result {
        for of in &self.scaling.measured {
            let (x, y) = self.at(f64::from(of.workers), of.speedup.median);
            if of.speedup.most > of.speedup.least {
                let (_, low) = self.at(1.0, of.speedup.least);
                let (_, high) = self.at(1.0, of.speedup.most);
                writeln!(
                    out,
                    r#"<line class="trs-e" x1="{0}" x2="{0}" y1="{1}" y2="{2}" stroke-width="1.5"/>"#,
                    Px(x),
                    Px(low),
                    Px(high)
                )?;
            }
            writeln!(
                out,
                r#"<circle class="trs-o" cx="{}" cy="{}" r="4.5" stroke-width="1.5"><title>{}: {:.2} times as fast</title></circle>"#,
                Px(x),
                Px(y),
                workers(of.workers),
                of.speedup.median
            )?;
        }
        Ok(())
    }

    fn knee(&self, out: &mut String) -> fmt::Result {
        let Some(Knee::At { workers, speedup }) = self.scaling.knee else { return Ok(()) };
        let (x, y) = self.at(f64::from(workers), speedup);
        writeln!(
            out,
            r#"<line class="trs-k" x1="{0}" x2="{0}" y1="{1}" y2="{2}" stroke-width="1.5" stroke-dasharray="2 3"/>"#,
            Px(x),
            Px(y + 6.0),
            Px(self.bottom)
        )?;
        let (anchor, beside) = if x > self.right - 60.0 { ("end", -6.0) } else { ("start", 6.0) };
        writeln!(
            out,
            r#"<text class="trs-kt" x="{}" y="{}" text-anchor="{anchor}" font-weight="600">knee</text>"#,
            Px(x + beside),
            Px(self.bottom - 8.0)
        )
    }

    fn words(&self) -> Vec<String> {
        let scaling = self.scaling;
        match (scaling.sentence(), scaling.progress) {
            (Some(sentence), _) => vec![sentence],
            (None, Progress::UnderWay) => {
                vec![format!(
                    "{} of {} numbers of workers are measured.",
                    scaling.measured.len(),
                    scaling.planned
                )]
            }
            (None, Progress::Over) => vec!["There is no speedup to tell.".to_owned()],
        }
    }

    /// What the lines and marks are, each with its sample: a curve by its place, or the points or the knee.
    fn legend(&self) -> Vec<(Sample, String)> {
        let scaling = self.scaling;
        let mut legend = vec![(Sample::Point, "measured".to_owned()), (Sample::Curve(0), "ideal".to_owned())];
        legend.extend(scaling.bound_words().map(|words| (Sample::Curve(1), format!("bound: {words}"))));
        if let Some(fit) = &scaling.amdahl {
            let words = [serial_words(fit), limit_words(fit), residual_words(fit.residual)];
            legend.push((Sample::Curve(2), format!("Amdahl: {}", words.join(", "))));
        }
        if let Some(fit) = &scaling.usl {
            let peak = peak_words(fit, scaling.most_workers);
            let words = [contention_words(fit), coherency_words(fit), peak, residual_words(fit.residual)];
            legend.push((Sample::Curve(3), format!("Universal Scalability Law: {}", words.join(", "))));
        }
        if let Some(words) = scaling.karp_flatt_words() {
            legend.push((Sample::Nothing, format!("Karp–Flatt serial share: {words}")));
        }
        legend.push((Sample::Knee, format!("knee: {}", knee_words(scaling.knee))));
        legend.extend(scaling.caution().map(|words| (Sample::Nothing, words)));
        legend
    }

    fn sample(&self, sample: Sample, y: f64, out: &mut String) -> fmt::Result {
        let (x, y) = (self.left, y - 4.5);
        match sample {
            Sample::Nothing => Ok(()),
            Sample::Point => {
                writeln!(out, r#"<circle class="trs-o" cx="{}" cy="{}" r="4.5"/>"#, Px(x + 16.0), Px(y))
            }
            Sample::Knee => writeln!(
                out,
                r#"<line class="trs-k" x1="{0}" x2="{0}" y1="{1}" y2="{2}" stroke-width="1.5" stroke-dasharray="2 3"/>"#,
                Px(x + 16.0),
                Px(y - 7.0),
                Px(y + 7.0)
            ),
            Sample::Curve(place) => {
                let (class, dashes) = DASHES[place.min(DASHES.len() - 1)];
                writeln!(
                    out,
                    r#"<line class="{class}" x1="{}" x2="{}" y1="{2}" y2="{2}" stroke-width="2" stroke-dasharray="{dashes}"/>"#,
                    Px(x),
                    Px(x + 34.0),
                    Px(y)
                )
            }
        }
    }
}

/// What stands before a line of the legend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sample {
    Nothing,
    Point,
    Knee,
    /// The curve at that place of [`DASHES`].
    Curve(usize),
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::event::ExecutorKind;
    use crate::stats::Spread;
    use crate::stats::scaling::{Amdahl, Point, ScheduleBound, Usl, knee};

    use super::super::Measured;
    use super::*;

    /// A sweep by a program with a foreign name, whose speedup ends at four workers.
    fn sweep() -> Scaling {
        let points: Vec<Point> = [1, 2, 4, 8, 16]
            .map(|workers: u32| Point { workers, speedup: f64::from(workers.min(4)) * 0.98 })
            .into();
        let measured = points.iter().map(|point| Measured {
            workers: point.workers,
            wall: std::time::Duration::from_secs_f64(8.0 / point.speedup),
            speedup: Spread { median: point.speedup, least: point.speedup * 0.9, most: point.speedup * 1.1 },
            efficiency: None,
            karp_flatt: crate::stats::scaling::karp_flatt(point.speedup, point.workers),
        });
        let tasks = [4].into_iter().chain([1; 46]).map(Duration::from_secs);
        let tasks: Vec<Duration> = tasks.collect();
        Scaling {
            executor: ExecutorKind::External("<script>\u{202e}&\"".into()),
            tasks: 40,
            planned: 5,
            most_workers: 16,
            progress: Progress::Over,
            measured: measured.collect(),
            bound: ScheduleBound::of(&tasks, 16),
            amdahl: Amdahl::fit(&points),
            usl: Usl::fit(&points),
            knee: knee(&points),
            why: None,
        }
    }

    #[test]
    fn foreign_text_is_no_markup_and_nothing_is_fetched() {
        for theme in [Theme::Auto, Theme::Dark, Theme::Light] {
            let svg = scaling_svg(&sweep(), theme, 800);
            assert!(!svg.contains("<script") && !svg.contains('\u{202e}'), "{svg}");
            assert_eq!(svg.matches("http").count(), 1, "only the namespace");
            assert_eq!(svg.contains("prefers-color-scheme"), theme == Theme::Auto);
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }

    #[test]
    fn every_point_and_curve_is_there_at_any_width() {
        for width in [0, 320, 800, 4_000, u32::MAX] {
            let svg = scaling_svg(&sweep(), Theme::Light, width);
            assert_eq!(svg.matches("<circle").count(), 5 + 1, "five points and their sample");
            assert_eq!(svg.matches("<path").count(), 4);
            assert_eq!(svg.matches("<svg").count(), svg.matches("</svg>").count());
            assert!(svg.contains("knee: 4 workers") && svg.contains("More than 4 workers"), "{svg}");
        }
    }

    #[test]
    fn a_sweep_without_points_is_a_chart_without_them() {
        let none =
            Scaling { measured: Vec::new(), bound: None, amdahl: None, usl: None, knee: None, ..sweep() };
        for progress in [Progress::UnderWay, Progress::Over] {
            let svg = scaling_svg(&Scaling { progress, ..none.clone() }, Theme::Dark, 600);
            assert_eq!((svg.matches("<circle").count(), svg.matches("<path").count()), (1, 1), "{svg}");
        }
    }
}
