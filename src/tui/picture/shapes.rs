//! The characters that are drawn: block elements, and the box drawings that the dashboard uses
//! (Unicode 16, blocks "Box Drawing" and "Block Elements").

use std::fmt::Write as _;

/// A cell, in pixels.
pub(super) const WIDE: u32 = 9;
/// A cell, in pixels.
pub(super) const HIGH: u32 = 18;

/// Half of a light line, half of a heavy one, and half of the gap within a double one.
const LIGHT: f32 = 0.6;
const HEAVY: f32 = 1.4;
const GAP: f32 = 1.5;

/// The middle of a cell.
const X: f32 = WIDE as f32 / 2.0;
const Y: f32 = HIGH as f32 / 2.0;
const W: f32 = WIDE as f32;
const H: f32 = HIGH as f32;

/// What a character is drawn as.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// Rectangles: left, top, right and bottom in pixels from the cell's corner; all as opaque as that.
    Boxes(Vec<[f32; 4]>, f32),
    /// Closed outlines, each a list of points.
    Outlines(Vec<Vec<[f32; 2]>>),
    /// An outline of lines and curves in SVG's relative commands, from a point.
    Curve([f32; 2], &'static str),
}

impl Shape {
    /// How opaque it is, from 0 to 1.
    pub(super) fn opacity(&self) -> f32 {
        match self {
            Shape::Boxes(_, opacity) => *opacity,
            Shape::Outlines(_) | Shape::Curve(..) => 1.0,
        }
    }

    /// The shape so many times side by side, from a point on, as the data of an SVG path.
    pub(super) fn path(&self, many: u32, x: u32, y: u32) -> String {
        let mut path = String::new();
        let (x, y) = (x as f32, y as f32);
        let lefts = || (0..many).map(|cell| x + (cell * WIDE) as f32);
        match self {
            Shape::Boxes(boxes, _) => {
                for [left, top, right, bottom] in boxes {
                    let (high, through) = (bottom - top, *left == 0.0 && *right == W);
                    let wide = if through { W * many as f32 } else { right - left };
                    for start in lefts().take(if through { 1 } else { many as usize }) {
                        let (left, top) = (Px(start + left), Px(y + top));
                        let (wide, high, back) = (Px(wide), Px(high), Px(-wide));
                        let _ = write!(path, "M{left} {top}h{wide}v{high}h{back}z");
                    }
                }
            }
            Shape::Outlines(outlines) => {
                for start in lefts() {
                    for points in outlines {
                        for (index, [right, down]) in points.iter().enumerate() {
                            let letter = if index == 0 { 'M' } else { 'L' };
                            let _ = write!(path, "{letter}{} {}", Px(start + right), Px(y + down));
                        }
                        path.push('z');
                    }
                }
            }
            Shape::Curve([right, down], commands) => {
                for start in lefts() {
                    let _ = write!(path, "M{} {}{commands}", Px(start + right), Px(y + down));
                }
            }
        }
        path
    }
}

/// Pixels with at most two decimals.
struct Px(f32);

impl std::fmt::Display for Px {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", (self.0 * 100.0).round() / 100.0)
    }
}

/// What a character is drawn as; none where it is left to the font.
pub(super) fn shape(c: char) -> Option<Shape> {
    let eighth = |part: u32| (c as u32 - part) as f32 / 8.0;
    let boxes = match c {
        '▀' => vec![[0.0, 0.0, W, Y]],
        '▁'..='█' => vec![[0.0, H * (1.0 - eighth(0x2580)), W, H]],
        '▉'..='▏' => vec![[0.0, 0.0, W * (1.0 - eighth(0x2588)), H]],
        '▐' => vec![[X, 0.0, W, H]],
        '░'..='▓' => {
            let opacity = (c as u32 - 0x2590) as f32 / 4.0;
            return Some(Shape::Boxes(vec![[0.0, 0.0, W, H]], opacity));
        }
        '▔' => vec![[0.0, 0.0, W, H / 8.0]],
        '▕' => vec![[W * 7.0 / 8.0, 0.0, W, H]],
        '▖'..='▟' => quarters(c),
        '╱' => return Some(Shape::Outlines(vec![rising()])),
        '╲' => return Some(Shape::Outlines(vec![falling()])),
        '╳' => return Some(Shape::Outlines(vec![rising(), falling()])),
        // A quarter of a circle of a half cell's radius, with a straight leg above or below.
        '╭' => {
            return Some(Shape::Curve(
                [W, 8.4],
                "h-1.2a3.9 3.9 0 0 0 -3.9 3.9v5.7h1.2v-5.7a2.7 2.7 0 0 1 2.7 -2.7h1.2z",
            ));
        }
        '╮' => {
            return Some(Shape::Curve(
                [0.0, 8.4],
                "h1.2a3.9 3.9 0 0 1 3.9 3.9v5.7h-1.2v-5.7a2.7 2.7 0 0 0 -2.7 -2.7h-1.2z",
            ));
        }
        '╯' => {
            return Some(Shape::Curve(
                [0.0, 9.6],
                "h1.2a3.9 3.9 0 0 0 3.9 -3.9v-5.7h-1.2v5.7a2.7 2.7 0 0 1 -2.7 2.7h-1.2z",
            ));
        }
        '╰' => {
            return Some(Shape::Curve(
                [W, 9.6],
                "h-1.2a3.9 3.9 0 0 1 -3.9 -3.9v-5.7h1.2v5.7a2.7 2.7 0 0 0 2.7 2.7h1.2z",
            ));
        }
        '┄' | '╌' => dashes(W, if c == '┄' { 3 } else { 2 })
            .map(|[from, to]| [from, Y - LIGHT, to, Y + LIGHT])
            .collect(),
        '┆' | '┊' | '╎' => {
            let many = match c {
                '┆' => 3,
                '┊' => 4,
                _ => 2,
            };
            dashes(H, many).map(|[from, to]| [X - LIGHT, from, X + LIGHT, to]).collect()
        }
        '╫' => {
            let line = |x: f32| [x - LIGHT, 0.0, x + LIGHT, H];
            vec![line(X - GAP), line(X + GAP), [0.0, Y - LIGHT, W, Y + LIGHT]]
        }
        _ => arms(c)?,
    };
    Some(Shape::Boxes(boxes, 1.0))
}

/// The box drawings that are made of lines from the middle to the sides.
fn arms(c: char) -> Option<Vec<[f32; 4]>> {
    const N: f32 = 0.0;
    const L: f32 = LIGHT;
    const B: f32 = HEAVY;
    let [up, right, down, left] = match c {
        '─' => [N, L, N, L],
        '━' => [N, B, N, B],
        '│' => [L, N, L, N],
        '┃' => [B, N, B, N],
        '┌' => [N, L, L, N],
        '┐' => [N, N, L, L],
        '└' => [L, L, N, N],
        '┘' => [L, N, N, L],
        '├' => [L, L, L, N],
        '┤' => [L, N, L, L],
        '┬' => [N, L, L, L],
        '┴' => [L, L, N, L],
        '┼' => [L, L, L, L],
        '╴' => [N, N, N, L],
        '╵' => [L, N, N, N],
        '╶' => [N, L, N, N],
        '╷' => [N, N, L, N],
        '╸' => [N, N, N, B],
        '╹' => [B, N, N, N],
        '╺' => [N, B, N, N],
        '╻' => [N, N, B, N],
        _ => return None,
    };
    let mut boxes = Vec::new();
    // Each line reaches over the middle by half of what crosses it there, so that corners are filled.
    let (across, along) = (up.max(down), left.max(right));
    match (left > N, right > N) {
        (true, true) if left == right => boxes.push([0.0, Y - left, W, Y + left]),
        (has_left, has_right) => {
            boxes.extend(has_left.then_some([0.0, Y - left, X + across, Y + left]));
            boxes.extend(has_right.then_some([X - across, Y - right, W, Y + right]));
        }
    }
    match (up > N, down > N) {
        (true, true) if up == down => boxes.push([X - up, 0.0, X + up, H]),
        (has_up, has_down) => {
            boxes.extend(has_up.then_some([X - up, 0.0, X + up, Y + along]));
            boxes.extend(has_down.then_some([X - down, Y - along, X + down, H]));
        }
    }
    Some(boxes)
}

/// So many dashes over a length, each with its gap half before and half behind it.
fn dashes(length: f32, many: u32) -> impl Iterator<Item = [f32; 2]> {
    let step = length / many as f32;
    (0..many).map(move |dash| [(dash as f32 + 0.2) * step, (dash as f32 + 0.8) * step])
}

/// The quarters of a cell that a character fills.
fn quarters(c: char) -> Vec<[f32; 4]> {
    let [upper_left, upper_right, lower_left, lower_right] =
        [[0.0, 0.0, X, Y], [X, 0.0, W, Y], [0.0, Y, X, H], [X, Y, W, H]];
    match c {
        '▖' => vec![lower_left],
        '▗' => vec![lower_right],
        '▘' => vec![upper_left],
        '▙' => vec![upper_left, [0.0, Y, W, H]],
        '▚' => vec![upper_left, lower_right],
        '▛' => vec![[0.0, 0.0, W, Y], lower_left],
        '▜' => vec![[0.0, 0.0, W, Y], lower_right],
        '▝' => vec![upper_right],
        '▞' => vec![upper_right, lower_left],
        _ => vec![upper_right, [0.0, Y, W, H]],
    }
}

fn rising() -> Vec<[f32; 2]> {
    vec![[0.0, H], [0.0, H - 1.3], [W - 0.65, 0.0], [W, 0.0], [W, 1.3], [0.65, H]]
}

fn falling() -> Vec<[f32; 2]> {
    rising().into_iter().map(|[x, y]| [W - x, y]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxes(c: char) -> Vec<[f32; 4]> {
        match shape(c) {
            Some(Shape::Boxes(boxes, _)) => boxes,
            _ => Vec::new(),
        }
    }

    #[test]
    fn every_shape_stays_in_its_cell() {
        for c in '\u{2500}'..='\u{259f}' {
            for [left, top, right, bottom] in boxes(c) {
                assert!(0.0 <= left && left < right && right <= W, "{c}: {left} to {right}");
                assert!(0.0 <= top && top < bottom && bottom <= H, "{c}: {top} to {bottom}");
            }
        }
        assert!(('\u{2580}'..='\u{259f}').all(|c| shape(c).is_some()));
    }

    #[test]
    fn blocks_fill_what_their_names_say() {
        assert_eq!(boxes('█'), [[0.0, 0.0, W, H]]);
        assert_eq!(boxes('▄'), [[0.0, Y, W, H]]);
        assert_eq!(boxes('▌'), [[0.0, 0.0, X, H]]);
        assert_eq!(boxes('▏'), [[0.0, 0.0, W / 8.0, H]]);
        let shades = ['░', '▒', '▓'].map(|c| shape(c).map(|shape| shape.opacity()));
        assert_eq!(shades, [Some(0.25), Some(0.5), Some(0.75)]);
    }

    #[test]
    fn lines_meet_at_the_cells_edges() {
        for (c, sides) in [('─', "lr"), ('│', "tb"), ('┼', "lrtb"), ('├', "rtb"), ('┐', "lb"), ('╸', "l")]
        {
            let reaches = |side: char| {
                boxes(c).iter().any(|[left, top, right, bottom]| match side {
                    'l' => *left == 0.0,
                    'r' => *right == W,
                    't' => *top == 0.0,
                    _ => *bottom == H,
                })
            };
            assert_eq!("lrtb".chars().filter(|side| reaches(*side)).collect::<String>(), sides, "{c}");
        }
        let shape = shape('─').map(|shape| shape.path(3, 9, 18));
        assert_eq!(shape.as_deref(), Some("M9 26.4h27v1.2h-27z"));
    }
}
