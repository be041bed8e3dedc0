//! The page of two races side by side: each pair of runs on one axis, A over B; the ratio with its interval; and
//! of the pair that is looked at, what can be told, its lanes, the tasks that moved, its figures.

mod detail;
mod pairs;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::event::RunId;
use crate::model::{RaceState, RunState};
use crate::report::diff::{Both, Diff, Pair, Side, Wall, times};
use crate::report::words;
use crate::stats::compare::Difference;
use crate::text;
use crate::tui::canvas::{Canvas, cut_bottom, cut_top};
use crate::tui::theme::Theme;
use crate::tui::ui::{DiffPanel, DiffSight};

use super::name_columns;

/// What the page of a comparison is painted from.
pub struct DiffScene<'a> {
    /// The comparison.
    pub diff: &'a Diff,
    /// The two races.
    pub races: Both<&'a RaceState>,
    /// What they are called; foreign text.
    pub names: Both<&'a str>,
    /// What the keyboard has set.
    pub sight: DiffSight,
    /// What leaves the page, in the footer.
    pub leave: (&'static str, &'static str),
    /// How things look.
    pub theme: &'a Theme,
}

impl DiffScene<'_> {
    /// The place of the pair that is looked at.
    fn at(&self) -> usize {
        self.sight.at.min(self.diff.pairs.len().saturating_sub(1))
    }

    /// The first run of a pair on one side.
    fn run(&self, pair: &Pair, side: Side) -> Option<&RunState> {
        let first: RunId = *pair.runs.of(side).first()?;
        self.races.of(side).runs().get(first.index())
    }
}

/// Paints the page on a whole frame.
pub fn draw_diff(buffer: &mut Buffer, scene: &DiffScene<'_>) {
    let area = buffer.area;
    let mut canvas = Canvas::new(buffer, area);
    canvas.clear(area, scene.theme.base);
    if area.width < 30 || area.height < 4 {
        let words = scene.diff.pairs.get(scene.at()).map_or("no run is in both".to_owned(), |pair| {
            let ratio = pair.wall.ratio().map_or("-".to_owned(), |ratio| times(ratio.value));
            format!("{} {ratio}", pair.label)
        });
        canvas.text(area.x, area.y, area.width, &words, scene.theme.strong);
        return;
    }
    let (mut body, foot) = cut_bottom(area, u16::from(area.height >= 8));
    footer(&mut canvas, foot, scene);
    body = head(&mut canvas, body, scene);
    let pairs = scene.diff.pairs.len();
    if pairs == 0 {
        canvas.text(
            body.x + 2,
            body.y,
            body.width,
            "no run is in both: there is nothing to compare",
            scene.theme.warn,
        );
        return;
    }
    // The pairs have what they need, as long as that leaves a part of the page to the one that is looked at.
    let rows = |pitch: usize| u16::try_from(1 + pairs * pitch).unwrap_or(u16::MAX);
    let most = (body.height * 3 / 5).max(3);
    let pitch = if rows(3) <= most.min(body.height.saturating_sub(26)) { 3 } else { 2 };
    let (overview, detail) = cut_top(body, rows(pitch).min(most));
    pairs::draw(&mut canvas, overview, scene, pitch);
    detail::draw(&mut canvas, detail, scene);
}

/// Title, the two races, and in what they are not the same; returns what is left.
fn head(canvas: &mut Canvas<'_>, area: Rect, scene: &DiffScene<'_>) -> Rect {
    let theme = scene.theme;
    let mut y = area.y;
    let x = canvas.text(area.x, y, area.width, " threadrace diff", theme.name_of_program()) + 2;
    let room = area.right().saturating_sub(x + 1);
    canvas.text(x, y, room, &told(scene.diff), theme.strong);
    y += 1;
    let names = name_columns([scene.names.a, scene.names.b].into_iter(), 1, area.width / 2);
    for (letter, race, name) in [("A", scene.races.a, scene.names.a), ("B", scene.races.b, scene.names.b)] {
        let x = canvas.text(area.x + 1, y, 2, letter, theme.strong) + 1;
        canvas.text(x, y, names, name, theme.base);
        let x = x + names + 2;
        let plan = race.plan();
        let machine = format!("{} {}, {} processors", plan.machine.os, plan.machine.arch, plan.machine.cpus);
        let tasks = words::count(plan.tasks.len() as u64);
        let delays = words::delays(plan.time_scale).map_or_else(String::new, |delays| format!("{delays}, "));
        let about =
            format!("{}, {tasks} {}, {delays}seed {}, {machine}", plan.scenario, plan.noun, plan.seed);
        canvas.text(x, y, area.right().saturating_sub(x + 1), &about, theme.dim);
        y += 1;
    }
    let most = if area.height >= 30 { 5 } else { 2 };
    let unlike = &scene.diff.unlike;
    for (place, reason) in unlike.iter().enumerate() {
        if place + 1 == most && unlike.len() > most {
            let more = format!("and {} more reasons not to compare them; ? has them", unlike.len() - place);
            canvas.text(area.x + 3, y, area.width.saturating_sub(4), &more, theme.warn);
            y += 1;
            break;
        }
        canvas.text(area.x + 1, y, 1, "!", theme.warn);
        canvas.text(area.x + 3, y, area.width.saturating_sub(4), &reason.to_string(), theme.warn);
        y += 1;
    }
    let only: Vec<String> = [("A", &scene.diff.only.a), ("B", &scene.diff.only.b)]
        .into_iter()
        .filter(|(_, labels)| !labels.is_empty())
        .map(|(side, labels)| format!("in {side} alone: {}", labels.join(", ")))
        .collect();
    if !only.is_empty() {
        canvas.text(area.x + 3, y, area.width.saturating_sub(4), &only.join("; "), theme.dim);
        y += 1;
    }
    cut_top(area, y - area.y).1
}

/// In how many runs B was faster, slower, or no difference can be told.
fn told(diff: &Diff) -> String {
    let pairs = |wanted: &dyn Fn(&Wall) -> bool| diff.pairs.iter().filter(|pair| wanted(&pair.wall)).count();
    let of = |wanted: Difference| pairs(&|wall| wall.ratio().is_some_and(|it| it.difference() == wanted));
    if of(Difference::TooFew) == diff.pairs.len() && !diff.pairs.is_empty() {
        let single = diff.pairs.iter().all(|pair| pair.wall.rounds == Both { a: 1, b: 1 });
        let few = if single { "one run of each" } else { "so few rounds" };
        return format!("{few} can't tell luck from truth; race with --repeat 10");
    }
    let runs = |number: usize| words::counted(number as u64, "run", "runs");
    let counted = [
        (of(Difference::Faster), "B was faster in"),
        (of(Difference::Slower), "B was slower in"),
        (of(Difference::NotTold), "no difference can be told in"),
        (of(Difference::TooFew), "too few runs to tell luck from truth in"),
        (pairs(&Wall::is_of_other_work), "not the same work in"),
        (pairs(&|wall| wall.compared.is_err() && !wall.is_of_other_work()), "can't be compared in"),
    ];
    let words: Vec<String> = counted
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{words} {}", runs(count)))
        .collect();
    words.join("; ")
}

fn footer(canvas: &mut Canvas<'_>, row: Rect, scene: &DiffScene<'_>) {
    let theme = scene.theme;
    let help = match scene.sight.panel {
        DiffPanel::Pair => "what the words mean",
        DiffPanel::Words => "back to the runs",
    };
    let mut x = row.x + 1;
    for (keys, does) in [("↑ ↓", "run"), ("PgUp PgDn", "scroll"), ("?", help), ("t", "theme"), scene.leave]
    {
        let width = u16::try_from(text::width(keys) + text::width(does) + 1).unwrap_or(u16::MAX);
        if x.saturating_add(width) <= row.right() {
            x = canvas.text(x, row.y, width, keys, theme.strong) + 1;
            x = canvas.text(x, row.y, width, does, theme.dim) + 2;
        }
    }
}
