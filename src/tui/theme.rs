//! Colours and glyphs: the one place that knows how things look.

use ratatui::style::{Color, Modifier, Style};

use crate::config::ThemeName;
use crate::event::Phase;
use crate::model::{Hue, Stage};

/// How many colours the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// 24 bits.
    True,
    /// The 256 of xterm.
    Indexed,
    /// The 16 of old.
    Basic,
}

/// How everything looks.
#[derive(Debug, Clone)]
pub struct Theme {
    /// Its name.
    pub name: ThemeName,
    /// The ground of everything.
    pub base: Style,
    /// Text that matters less.
    pub dim: Style,
    /// Text that matters most.
    pub strong: Style,
    /// The title and the view that is open.
    pub accent: Style,
    /// Lines that separate.
    pub rule: Style,
    /// The row that is selected.
    pub selected: Style,
    /// What went well.
    pub good: Style,
    /// What went wrong.
    pub bad: Style,
    /// What wants attention.
    pub warn: Style,
    /// The empty part of a bar.
    pub track: Style,
    /// The cursor of the timeline.
    pub cursor: Style,
    /// The playhead in the timelines, and on its track.
    pub playhead: Style,
    phases: [Color; Phase::ALL.len()],
    ground: Color,
    /// Behind a phase's glyphs, by [`Phase::index`].
    grounds: [Color; Phase::ALL.len()],
    runs: [Color; Hue::COUNT],
    lanes: [Color; LANE_COLOURS],
    /// Text on a lane's colour.
    on_lane: Color,
    coloured: bool,
}

/// The part of a bar that is lost.
pub const LOST: char = '◇';

/// The playhead in a timeline.
pub const PLAYHEAD: char = '┃';
/// The sequential run as a ghost, on a row of its own.
pub const GHOST: char = '╌';

/// Where tasks of the ghost were done.
pub const GHOST_TICK: char = '┊';

/// What is marked on a lane besides the phases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A task computes and waits for a lock by turns that are shorter than a cell.
    Turns,
    /// A result was handed to the main thread.
    Delivered,
    /// A result is there, and its turn to be handed to the main thread has not come.
    Held,
    /// A task was cut off when the main thread ended.
    Abandoned,
    /// Its worker was lost, and another took its place.
    Replaced,
}

impl Mark {
    /// Every mark, in the order of the legend.
    pub const ALL: [Mark; 5] = [Mark::Turns, Mark::Delivered, Mark::Held, Mark::Abandoned, Mark::Replaced];

    /// The mark's name for people.
    pub fn name(self) -> &'static str {
        match self {
            Mark::Turns => "by turns",
            Mark::Delivered => "delivered",
            Mark::Held => "result waits",
            Mark::Abandoned => "abandoned",
            Mark::Replaced => "worker replaced",
        }
    }

    /// The mark as a character; each is different, from the phases' too, and in ASCII.
    pub fn glyph(self) -> char {
        match self {
            Mark::Turns => '▌',
            Mark::Delivered => '●',
            Mark::Held => '▁',
            Mark::Abandoned => '╫',
            Mark::Replaced => '↻',
        }
    }
}

/// A cell that computes for that share of its time, 0 to 1, and waits for a lock for the rest.
pub fn turns_glyph(computing: f64) -> char {
    match computing {
        share if share < 0.375 => '▎',
        share if share < 0.625 => '▌',
        _ => '▊',
    }
}

/// How many lanes are told apart by colour; more start again.
const LANE_COLOURS: usize = 8;

/// The lanes' colours where there are only 16: cyan, yellow, green, magenta, blue, white, and darker ones.
const BASIC_LANES: [Color; LANE_COLOURS] = [
    Color::Indexed(14),
    Color::Indexed(11),
    Color::Indexed(10),
    Color::Indexed(13),
    Color::Indexed(12),
    Color::Indexed(15),
    Color::Indexed(6),
    Color::Indexed(3),
];

/// The runs' colours where there are only 16: grey, magenta, blue, yellow, green, cyan.
const BASIC_RUNS: [Color; Hue::COUNT] = [
    Color::Indexed(7),
    Color::Indexed(13),
    Color::Indexed(12),
    Color::Indexed(11),
    Color::Indexed(10),
    Color::Indexed(14),
];

const fn rgb(hex: u32) -> Color {
    Color::Rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

/// The colours that a theme is made from.
struct Palette {
    ground: Color,
    lane: Color,
    text: Color,
    dim: Color,
    strong: Color,
    rule: Color,
    track: Color,
    selected: Color,
    accent: Color,
    on_accent: Color,
    good: Color,
    bad: Color,
    warn: Color,
    /// By [`Phase::index`]. The hues are those of Okabe and Ito ("Color Universal Design", 2008), which
    /// people with any of the common colour blindnesses can tell apart; glyphs tell them apart as well.
    phases: [Color; Phase::ALL.len()],
    runs: [Color; Hue::COUNT],
    /// Neighbours are far apart in hue and in lightness, and none looks like an error.
    lanes: [Color; LANE_COLOURS],
}

const DARK: Palette = Palette {
    ground: rgb(0x12161c),
    lane: rgb(0x1b222b),
    text: rgb(0xc9d3de),
    dim: rgb(0x8492a3),
    strong: rgb(0xf4f7fa),
    rule: rgb(0x36424f),
    track: rgb(0x2a333f),
    selected: rgb(0x223246),
    accent: rgb(0x56b4e9),
    on_accent: rgb(0x0b1117),
    good: rgb(0x2fc493),
    bad: rgb(0xff5d5d),
    warn: rgb(0xf0c541),
    phases: [
        rgb(0x566473),
        rgb(0xe69f00),
        rgb(0x5aa5d6),
        rgb(0x1fbf8f),
        rgb(0xf0e442),
        rgb(0x4f7dff),
        rgb(0xcc79a7),
        rgb(0x8a94a6),
        rgb(0xe0602a),
    ],
    runs: [rgb(0x9aa7b5), rgb(0xcc79a7), rgb(0x56b4e9), rgb(0xe6b800), rgb(0x3fbf9b), rgb(0x9b8cff)],
    lanes: [
        rgb(0x56b4e9),
        rgb(0xe69f00),
        rgb(0x3fbf7f),
        rgb(0xe58ac2),
        rgb(0xe8dc4f),
        rgb(0xa593ff),
        rgb(0x9be3d0),
        rgb(0xc9a27e),
    ],
};

const LIGHT: Palette = Palette {
    ground: rgb(0xfbfaf7),
    lane: rgb(0xeceae4),
    text: rgb(0x2b3440),
    dim: rgb(0x626d7a),
    strong: rgb(0x0d1319),
    rule: rgb(0xc9c7bf),
    track: rgb(0xdddad2),
    selected: rgb(0xdbe8f3),
    accent: rgb(0x0067a3),
    on_accent: rgb(0xffffff),
    good: rgb(0x00785a),
    bad: rgb(0xc2182b),
    warn: rgb(0x8a6100),
    phases: [
        rgb(0x9aa3ad),
        rgb(0xc27f00),
        rgb(0x5b9fcd),
        rgb(0x00936b),
        rgb(0xa89b00),
        rgb(0x2f55d4),
        rgb(0xa8528a),
        rgb(0x77818d),
        rgb(0xc64a12),
    ],
    runs: [rgb(0x5c6773), rgb(0xa8528a), rgb(0x0072b2), rgb(0x8f6f00), rgb(0x007a5e), rgb(0x5b48c9)],
    lanes: [
        rgb(0x0067a3),
        rgb(0x965500),
        rgb(0x00785a),
        rgb(0xa0407f),
        rgb(0x6f6500),
        rgb(0x5b48c9),
        rgb(0x00707c),
        rgb(0x7a5230),
    ],
};

const HIGH_CONTRAST: Palette = Palette {
    ground: rgb(0x000000),
    lane: rgb(0x000000),
    text: rgb(0xffffff),
    dim: rgb(0xd0d0d0),
    strong: rgb(0xffffff),
    rule: rgb(0xa0a0a0),
    track: rgb(0x4a4a4a),
    selected: rgb(0x00308a),
    accent: rgb(0xffe600),
    on_accent: rgb(0x000000),
    good: rgb(0x3dff9e),
    bad: rgb(0xff6b6b),
    warn: rgb(0xffe600),
    phases: [
        rgb(0x909090),
        rgb(0xffb000),
        rgb(0x5cc8ff),
        rgb(0x3dff9e),
        rgb(0xffff66),
        rgb(0x8fa8ff),
        rgb(0xff9ee0),
        rgb(0xc0c0c0),
        rgb(0xff7a3d),
    ],
    runs: [rgb(0xffffff), rgb(0xff9ee0), rgb(0x5cc8ff), rgb(0xffd84a), rgb(0x3dff9e), rgb(0xb9a8ff)],
    lanes: [
        rgb(0x5cc8ff),
        rgb(0xffb000),
        rgb(0x3dff9e),
        rgb(0xff9ee0),
        rgb(0xffff66),
        rgb(0xb9a8ff),
        rgb(0x7dfff4),
        rgb(0xffc9a0),
    ],
};

impl Theme {
    /// The theme of that name, in colours that the terminal can show.
    pub fn new(name: ThemeName, depth: Depth) -> Theme {
        match name {
            ThemeName::Dark => Theme::coloured(name, &DARK, depth),
            ThemeName::Light => Theme::coloured(name, &LIGHT, depth),
            ThemeName::HighContrast => Theme::coloured(name, &HIGH_CONTRAST, depth),
            ThemeName::Monochrome => Theme::monochrome(),
        }
    }

    /// The theme that comes after this one.
    pub fn next(&self) -> ThemeName {
        match self.name {
            ThemeName::Dark => ThemeName::Light,
            ThemeName::Light => ThemeName::HighContrast,
            ThemeName::HighContrast => ThemeName::Monochrome,
            ThemeName::Monochrome => ThemeName::Dark,
        }
    }

    fn coloured(name: ThemeName, palette: &Palette, depth: Depth) -> Theme {
        let to = |color| depth.nearest(color);
        let base = Style::new().fg(to(palette.text)).bg(to(palette.ground));
        let on_ground = |color| Style::new().fg(to(color)).bg(to(palette.ground));
        Theme {
            name,
            base,
            dim: on_ground(palette.dim),
            strong: on_ground(palette.strong).add_modifier(Modifier::BOLD),
            accent: Style::new()
                .fg(to(palette.on_accent))
                .bg(to(palette.accent))
                .add_modifier(Modifier::BOLD),
            rule: on_ground(palette.rule),
            selected: Style::new().bg(to(palette.selected)),
            good: on_ground(palette.good),
            bad: on_ground(palette.bad),
            warn: on_ground(palette.warn),
            track: Style::new().fg(to(palette.track)).bg(to(palette.ground)),
            cursor: Style::new().fg(to(palette.warn)).add_modifier(Modifier::BOLD),
            playhead: on_ground(palette.accent).add_modifier(Modifier::BOLD),
            phases: palette.phases.map(to),
            ground: to(palette.lane),
            runs: if depth == Depth::Basic { BASIC_RUNS } else { palette.runs.map(to) },
            lanes: if depth == Depth::Basic { BASIC_LANES } else { palette.lanes.map(to) },
            on_lane: to(palette.ground),
            grounds: palette.phases.map(|phase| to(halfway(palette.lane, phase))),
            coloured: true,
        }
    }

    fn monochrome() -> Theme {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        Theme {
            name: ThemeName::Monochrome,
            base: plain,
            dim: plain.add_modifier(Modifier::DIM),
            strong: bold,
            accent: bold.add_modifier(Modifier::REVERSED),
            rule: plain.add_modifier(Modifier::DIM),
            selected: plain.add_modifier(Modifier::UNDERLINED),
            good: bold,
            bad: bold.add_modifier(Modifier::UNDERLINED),
            warn: bold,
            track: plain.add_modifier(Modifier::DIM),
            cursor: plain.add_modifier(Modifier::REVERSED),
            playhead: bold,
            phases: [Color::Reset; Phase::ALL.len()],
            ground: Color::Reset,
            runs: [Color::Reset; Hue::COUNT],
            lanes: [Color::Reset; LANE_COLOURS],
            on_lane: Color::Reset,
            grounds: [Color::Reset; Phase::ALL.len()],
            coloured: false,
        }
    }

    /// What a terminal for this theme looks like where nothing is drawn: text, ground, and its 16 colours with
    /// colons between them, as `#rrggbb`; none for a theme that leaves that to the terminal.
    pub fn terminal(&self) -> Option<[String; 3]> {
        let hex = |color| Some(hex(rgb_of(color)?));
        let palette: Vec<String> = (0..16).map(|index| self::hex(xterm(index))).collect();
        Some([hex(self.base.fg?)?, hex(self.base.bg?)?, palette.join(":")])
    }

    /// How a phase looks on a lane.
    pub fn phase(&self, phase: Phase) -> Style {
        if !self.coloured {
            return match phase {
                Phase::Receiving | Phase::Computing => Style::new().add_modifier(Modifier::BOLD),
                _ => Style::new(),
            };
        }
        Style::new().fg(self.phases[phase.index()]).bg(self.grounds[phase.index()])
    }

    /// How an idle stretch of a lane looks.
    pub fn idle(&self) -> Style {
        if self.coloured { self.track.bg(self.ground) } else { self.track }
    }

    /// The mark of a task that failed, on a lane.
    pub fn failure(&self) -> Style {
        if self.coloured { self.bad.bg(self.ground).add_modifier(Modifier::BOLD) } else { self.bad }
    }

    /// How a mark looks on a lane. What stands behind it stays, where it marks a moment of a worker's.
    pub fn mark(&self, mark: Mark) -> Style {
        if !self.coloured {
            return match mark {
                Mark::Turns => Style::new(),
                Mark::Held => Style::new().add_modifier(Modifier::UNDERLINED),
                _ => Style::new().add_modifier(Modifier::BOLD),
            };
        }
        let bold = Style::new().add_modifier(Modifier::BOLD);
        match mark {
            Mark::Turns => {
                Style::new().fg(self.phases[Phase::Computing.index()]).bg(self.grounds[Phase::Locked.index()])
            }
            Mark::Delivered => bold.fg(self.strong.fg.unwrap_or(Color::White)),
            Mark::Held => Style::new().fg(self.strong.fg.unwrap_or(Color::White)),
            Mark::Abandoned | Mark::Replaced => {
                bold.fg(self.warn.fg.unwrap_or(Color::Yellow)).bg(self.ground)
            }
        }
    }

    /// The line of the ghost: paler than anything that a worker does.
    pub fn ghost(&self) -> Style {
        self.rule
    }

    /// The ghost's ticks.
    pub fn ghost_tick(&self) -> Style {
        self.dim
    }

    /// The text on a lane, such as a task's number.
    pub fn label_on_lane(&self, phase: Phase) -> Style {
        let solid = matches!(phase, Phase::Receiving | Phase::Computing | Phase::Writing);
        if !self.coloured {
            // Text on a ground of its own would look like a solid phase.
            let modifier = if solid { Modifier::REVERSED } else { Modifier::BOLD };
            return Style::new().add_modifier(modifier);
        }
        if solid {
            let text = self.accent.fg.unwrap_or(Color::Black);
            return Style::new().fg(text).bg(self.phases[phase.index()]).add_modifier(Modifier::BOLD);
        }
        self.strong.bg(self.grounds[phase.index()])
    }

    /// The theme's name for people.
    pub fn title(&self) -> &'static str {
        match self.name {
            ThemeName::Dark => "dark",
            ThemeName::Light => "light",
            ThemeName::HighContrast => "high contrast",
            ThemeName::Monochrome => "monochrome",
        }
    }

    /// How the program's own name is written.
    pub fn name_of_program(&self) -> Style {
        match self.accent.bg.filter(|_| self.coloured) {
            Some(colour) => self.strong.fg(colour),
            None => self.strong,
        }
    }

    /// The colour that stands for the runs of that hue.
    pub fn run(&self, hue: Hue) -> Style {
        if self.coloured { self.base.fg(self.runs[hue.index()]) } else { self.base }
    }

    /// The colour that tells what a lane did from what others did.
    pub fn lane(&self, lane: usize) -> Style {
        if self.coloured { self.base.fg(self.lanes[lane % LANE_COLOURS]) } else { self.base }
    }

    /// A lane's number on its colour.
    pub fn lane_badge(&self, lane: usize) -> Style {
        if !self.coloured {
            return self.strong;
        }
        Style::new().fg(self.on_lane).bg(self.lanes[lane % LANE_COLOURS]).add_modifier(Modifier::BOLD)
    }

    /// How a task's stage is written.
    pub fn stage(&self, stage: Stage) -> Style {
        match stage {
            Stage::Planned | Stage::Queued => self.dim,
            Stage::Active(phase) if self.coloured => self.base.fg(self.phases[phase.index()]),
            Stage::Active(_) => self.base,
            Stage::Done => self.good,
            Stage::Failed | Stage::Panicked => self.bad,
            Stage::Cancelled | Stage::Abandoned => self.warn,
        }
    }

    /// The character of a phase on a lane; each is different, in ASCII too.
    pub fn phase_glyph(&self, phase: Phase) -> char {
        match phase {
            Phase::Queued => '·',
            Phase::Connecting => '▒',
            Phase::Waiting => '░',
            Phase::Receiving => '█',
            Phase::Writing => '▓',
            Phase::Computing => '■',
            Phase::Locked => '╳',
            Phase::Sleeping => '~',
            Phase::BackingOff => '╱',
        }
    }
}

/// A character whose height says how much of one there is.
pub fn level_glyph(share: f64) -> char {
    const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    BLOCKS[((share.clamp(0.0, 1.0) * 8.0).ceil() as usize).min(8)]
}

/// A colour four tenths of the way from one to another.
fn halfway(from: Color, to: Color) -> Color {
    match (from, to) {
        (Color::Rgb(r, g, b), Color::Rgb(x, y, z)) => {
            let mix = |a: u8, b: u8| ((u16::from(a) * 6 + u16::from(b) * 4) / 10) as u8;
            Color::Rgb(mix(r, x), mix(g, y), mix(b, z))
        }
        _ => from,
    }
}

impl Depth {
    /// The nearest colour that can be shown.
    fn nearest(self, color: Color) -> Color {
        let Color::Rgb(r, g, b) = color else { return color };
        match self {
            Depth::True => color,
            Depth::Indexed => Color::Indexed(nearest_of(16..=255, [r, g, b])),
            Depth::Basic => Color::Indexed(nearest_of(0..=15, [r, g, b])),
        }
    }
}

/// A colour as red, green and blue, as xterm shows it; none where it is the terminal's own.
pub fn rgb_of(color: Color) -> Option<[u8; 3]> {
    let index = match color {
        Color::Reset => return None,
        Color::Rgb(r, g, b) => return Some([r, g, b]),
        Color::Indexed(index) => index,
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
    };
    Some(xterm(index))
}

/// A colour as `#rrggbb`.
pub fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// The index of the xterm colour with the least squared distance.
fn nearest_of(indices: std::ops::RangeInclusive<u8>, [r, g, b]: [u8; 3]) -> u8 {
    let distance = |index: &u8| {
        let [x, y, z] = xterm(*index);
        let square = |a: u8, b: u8| (i32::from(a) - i32::from(b)).pow(2);
        square(r, x) + square(g, y) + square(b, z)
    };
    indices.min_by_key(distance).unwrap_or(7)
}

/// xterm's default palette: 16 named colours, a cube of 6×6×6, 24 greys.
fn xterm(index: u8) -> [u8; 3] {
    const NAMED: [u32; 16] = [
        0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd, 0x00cdcd, 0xe5e5e5, 0x7f7f7f, 0xff0000,
        0x00ff00, 0xffff00, 0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff,
    ];
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    match index {
        0..=15 => {
            let named = NAMED[usize::from(index)];
            [(named >> 16) as u8, (named >> 8) as u8, named as u8]
        }
        16..=231 => {
            let cube = usize::from(index) - 16;
            [STEPS[cube / 36], STEPS[cube / 6 % 6], STEPS[cube % 6]]
        }
        232..=255 => [8 + 10 * (index - 232); 3],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn text_on_a_lane_does_not_look_like_another_phase_without_colours() {
        let theme = Theme::new(ThemeName::Monochrome, Depth::True);
        let reversed = |phase| theme.label_on_lane(phase).add_modifier.contains(Modifier::REVERSED);
        let phases = Phase::ALL.into_iter().filter(|phase| reversed(*phase)).collect::<Vec<Phase>>();
        assert_eq!(phases, [Phase::Receiving, Phase::Writing, Phase::Computing]);
    }

    #[test]
    fn phases_differ_by_glyph_alone() {
        let theme = Theme::new(ThemeName::Monochrome, Depth::True);
        let drawn = Phase::ALL.map(|phase| theme.phase_glyph(phase));
        assert_eq!(HashSet::from(drawn).len(), Phase::ALL.len());
        assert_eq!(HashSet::from(drawn.map(crate::tui::ascii::ascii)).len(), Phase::ALL.len());
    }

    #[test]
    fn marks_differ_from_phases_and_each_other_by_glyph_alone() {
        let theme = Theme::new(ThemeName::Monochrome, Depth::True);
        let phases = Phase::ALL.map(|phase| theme.phase_glyph(phase));
        let turns = [0.2, 0.8].map(turns_glyph);
        let ghost = [GHOST, GHOST_TICK];
        let marks = Mark::ALL.map(Mark::glyph);
        let drawn: Vec<char> = phases.into_iter().chain(marks).chain(turns).chain(ghost).collect();
        for glyphs in [drawn.clone(), drawn.into_iter().map(crate::tui::ascii::ascii).collect()] {
            assert_eq!(glyphs.iter().collect::<HashSet<_>>().len(), glyphs.len(), "{glyphs:?}");
            assert!(!glyphs.contains(&'?') && !glyphs.contains(&'✗') && !glyphs.contains(&'X'));
        }
    }

    #[test]
    fn colours_fall_back_to_the_nearest() {
        assert_eq!(Depth::Indexed.nearest(rgb(0xffffff)), Color::Indexed(231));
        assert_eq!(Depth::Indexed.nearest(rgb(0x080808)), Color::Indexed(232));
        assert_eq!(Depth::Basic.nearest(rgb(0xfa0505)), Color::Indexed(9));
        assert_eq!(Depth::True.nearest(rgb(0x123456)), rgb(0x123456));
    }

    /// Contrast of WCAG 2.2, section "contrast ratio".
    fn contrast(a: Color, b: Color) -> f64 {
        let luminance = |color| {
            let Color::Rgb(r, g, b) = color else { return 0.0 };
            let linear = |c: u8| {
                let c = f64::from(c) / 255.0;
                if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_is_readable_in_every_theme() {
        for palette in [DARK, LIGHT, HIGH_CONTRAST] {
            for color in [palette.text, palette.dim, palette.strong, palette.good, palette.bad, palette.warn]
            {
                let ratio = contrast(color, palette.ground);
                assert!(ratio >= 4.5, "{color:?} on {:?}: {ratio:.2}", palette.ground);
            }
            assert!(contrast(palette.on_accent, palette.accent) >= 4.5);
            for lane in palette.lanes {
                let ratio = contrast(lane, palette.ground);
                assert!(ratio >= 4.5, "{lane:?} on {:?}: {ratio:.2}", palette.ground);
            }
        }
    }
}
