//! How pictures for files look: colours and textures.

use std::fmt;
use std::io::{self, Write};

use crate::event::Phase;
use crate::model::Hue;

/// On what ground a picture or a page is drawn.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Theme {
    /// As the reader's system prefers; light where it says nothing.
    #[default]
    #[value(help = None::<&str>)]
    Auto,
    /// Light on dark.
    #[value(help = None::<&str>)]
    Dark,
    /// Dark on light.
    #[value(help = None::<&str>)]
    Light,
}

/// A colour of sRGB, as `0xrrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) struct Colour(u32);

impl Colour {
    /// The colour that lies that share of the way to another.
    fn toward(self, other: Colour, share: f64) -> Colour {
        let channel = |shift: u32| {
            let of = |colour: Colour| f64::from(colour.0 >> shift & 0xff);
            let mixed = of(self) + (of(other) - of(self)) * share;
            (mixed.round() as u32) << shift
        };
        Colour(channel(16) | channel(8) | channel(0))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:06x}", self.0)
    }
}

/// The colours of a theme.
pub(in crate::report) struct Palette {
    ground: Colour,
    panel: Colour,
    lane: Colour,
    rule: Colour,
    text: Colour,
    dim: Colour,
    strong: Colour,
    accent: Colour,
    good: Colour,
    bad: Colour,
    warn: Colour,
    /// By [`Phase::index`]. The hues are those of Okabe and Ito ("Color Universal Design", 2008), which people
    /// with any of the common colour blindnesses can tell apart; textures tell them apart as well.
    phases: [Colour; Phase::ALL.len()],
    runs: [Colour; Hue::COUNT],
}

pub(in crate::report) const DARK: Palette = Palette {
    ground: Colour(0x12161c),
    panel: Colour(0x181e26),
    lane: Colour(0x202833),
    rule: Colour(0x36424f),
    text: Colour(0xc9d3de),
    dim: Colour(0x94a1b1),
    strong: Colour(0xf4f7fa),
    accent: Colour(0x56b4e9),
    good: Colour(0x2fc493),
    bad: Colour(0xff6b6b),
    warn: Colour(0xf0c541),
    phases: [
        Colour(0x6b7a8a),
        Colour(0xe69f00),
        Colour(0x5aa5d6),
        Colour(0x1fbf8f),
        Colour(0xf0e442),
        Colour(0x5f8aff),
        Colour(0xcc79a7),
        Colour(0x9aa5b8),
        Colour(0xe0602a),
    ],
    runs: [
        Colour(0x9aa7b5),
        Colour(0xcc79a7),
        Colour(0x56b4e9),
        Colour(0xe6b800),
        Colour(0x3fbf9b),
        Colour(0x9b8cff),
    ],
};

pub(in crate::report) const LIGHT: Palette = Palette {
    ground: Colour(0xfbfaf7),
    panel: Colour(0xffffff),
    lane: Colour(0xeeece6),
    rule: Colour(0xd3d0c7),
    text: Colour(0x2b3440),
    dim: Colour(0x5d6875),
    strong: Colour(0x0d1319),
    accent: Colour(0x0067a3),
    good: Colour(0x00785a),
    bad: Colour(0xc2182b),
    warn: Colour(0x8a6100),
    phases: [
        Colour(0x9aa3ad),
        Colour(0xd98f00),
        Colour(0x3f8fc6),
        Colour(0x00936b),
        Colour(0xc9b800),
        Colour(0x2f55d4),
        Colour(0xa8528a),
        Colour(0x77818d),
        Colour(0xc64a12),
    ],
    runs: [
        Colour(0x5c6773),
        Colour(0xa8528a),
        Colour(0x0072b2),
        Colour(0x8f6f00),
        Colour(0x007a5e),
        Colour(0x5b48c9),
    ],
};

/// The lines that tell a phase from the others without colour: a path in a tile of [`TILE`] by [`TILE`].
pub(in crate::report) struct Texture {
    pub(in crate::report) path: &'static str,
    pub(in crate::report) width: f64,
    /// Whether the worker works in this phase, or waits: work is solid with lines in it, a wait is pale.
    works: bool,
}

/// The side of a texture's tile.
pub(in crate::report) const TILE: u32 = 8;

pub(in crate::report) fn texture(phase: Phase) -> Texture {
    let (path, width, works) = match phase {
        Phase::Queued => ("M2 4h.01M6 8h.01M6 0h.01", 1.2, false),
        Phase::Connecting => ("M2 0v8M6 0v8", 1.3, true),
        Phase::Waiting => ("M-2 2L2-2M0 8L8 0M6 10L10 6", 1.2, false),
        Phase::Receiving => ("", 0.0, true),
        Phase::Writing => ("M2 2h.01M6 6h.01", 2.2, true),
        Phase::Computing => ("M0 2H8M0 6H8", 1.2, true),
        Phase::Locked => ("M0 0L8 8M0 8L8 0", 1.3, false),
        Phase::Sleeping => ("M0 4Q2 1 4 4T8 4", 1.0, false),
        Phase::BackingOff => ("M-2 6L2 10M0 0L8 8M6-2L10 2", 1.8, false),
    };
    Texture { path, width, works }
}

impl Palette {
    /// The ground of a phase's texture.
    fn ground_of(&self, phase: Phase) -> Colour {
        let colour = self.phases[phase.index()];
        if texture(phase).works { colour } else { self.lane.toward(colour, 0.32) }
    }

    /// The lines of a phase's texture.
    fn lines_of(&self, phase: Phase) -> Colour {
        let colour = self.phases[phase.index()];
        if texture(phase).works { colour.toward(self.ground, 0.45) } else { colour }
    }

    /// The parts by name, for style sheets.
    fn named(&self) -> [(&'static str, Colour); 11] {
        [
            ("ground", self.ground),
            ("panel", self.panel),
            ("lane", self.lane),
            ("rule", self.rule),
            ("text", self.text),
            ("dim", self.dim),
            ("strong", self.strong),
            ("accent", self.accent),
            ("good", self.good),
            ("bad", self.bad),
            ("warn", self.warn),
        ]
    }

    /// Writes a style sheet's rules for shapes: `f-NAME` fills and `s-NAME` strokes, where a name is that of a
    /// part, `gN` and `lN` of the phase with that index, or `rN` of a run's colour. For viewers that know no
    /// variables in style sheets.
    pub(super) fn write_rules(&self, phases: &[Phase], out: &mut dyn Write) -> io::Result<()> {
        for (name, colour) in self.named() {
            write!(out, ".f-{name}{{fill:{colour}}}.s-{name}{{stroke:{colour}}}")?;
        }
        for &phase in phases {
            let (i, ground, lines) = (phase.index(), self.ground_of(phase), self.lines_of(phase));
            write!(out, ".f-g{i}{{fill:{ground}}}.s-l{i}{{stroke:{lines}}}")?;
        }
        for (i, colour) in self.runs.iter().enumerate() {
            write!(out, ".f-r{i}{{fill:{colour}}}")?;
        }
        Ok(())
    }

    /// Writes the same as variables of a style sheet: `--NAME`.
    pub(in crate::report) fn write_variables(&self, out: &mut dyn Write) -> io::Result<()> {
        for (name, colour) in self.named() {
            write!(out, "--{name}:{colour};")?;
        }
        for phase in Phase::ALL {
            let (i, ground, lines) = (phase.index(), self.ground_of(phase), self.lines_of(phase));
            write!(out, "--g{i}:{ground};--l{i}:{lines};")?;
        }
        for (i, colour) in self.runs.iter().enumerate() {
            write!(out, "--r{i}:{colour};")?;
        }
        Ok(())
    }
}

/// Writes the pattern of a phase's texture, `tN`; its colours are those of the classes `f-gN` and `s-lN`.
pub(in crate::report) fn write_pattern(phase: Phase, out: &mut dyn Write) -> io::Result<()> {
    let (i, Texture { path, width, .. }) = (phase.index(), texture(phase));
    write!(
        out,
        r#"<pattern id="t{i}" width="{TILE}" height="{TILE}" patternUnits="userSpaceOnUse"><rect class="f-g{i}" width="{TILE}" height="{TILE}"/>"#
    )?;
    if !path.is_empty() {
        write!(
            out,
            r#"<path class="s-l{i}" d="{path}" fill="none" stroke-width="{width}" stroke-linecap="round"/>"#
        )?;
    }
    write!(out, "</pattern>")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast of WCAG 2.2, section "contrast ratio".
    fn contrast(a: Colour, b: Colour) -> f64 {
        let luminance = |Colour(rgb): Colour| {
            let linear = |shift: u32| {
                let c = f64::from(rgb >> shift & 0xff) / 255.0;
                if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * linear(16) + 0.7152 * linear(8) + 0.0722 * linear(0)
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_is_readable_on_every_ground() {
        for palette in [DARK, LIGHT] {
            for ground in [palette.ground, palette.panel] {
                let inks = [
                    palette.text,
                    palette.dim,
                    palette.strong,
                    palette.accent,
                    palette.good,
                    palette.bad,
                    palette.warn,
                ];
                for ink in inks {
                    assert!(contrast(ink, ground) >= 4.5, "{ink} on {ground}: {:.2}", contrast(ink, ground));
                }
                // Graphical objects: WCAG 2.2, success criterion 1.4.11.
                for run in palette.runs {
                    assert!(contrast(run, ground) >= 3.0, "{run} on {ground}: {:.2}", contrast(run, ground));
                }
            }
        }
    }

    #[test]
    fn phases_differ_by_texture_alone() {
        let mut paths = Phase::ALL.map(|phase| texture(phase).path);
        paths.sort_unstable();
        assert!(paths.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn colours_mix() {
        assert_eq!(Colour(0x000000).toward(Colour(0xff8040), 0.5), Colour(0x804020));
        assert_eq!(Colour(0x123456).toward(Colour(0xffffff), 0.0).to_string(), "#123456");
    }
}
