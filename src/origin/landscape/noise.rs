//! Value noise: heights and clouds out of a hash.

use crate::chance::{mix, unit};

pub(super) fn lattice(key: u64, x: i64, y: i64) -> u64 {
    mix(key ^ (x as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (y as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f))
}

fn height_at(key: u64, x: i64, y: i64) -> f32 {
    unit(lattice(key, x, y)) as f32
}

/// Value noise along a line, 0 to 1, in `octaves` layers, each twice as fine and half as strong; `sharp` folds
/// each layer into crests.
pub(super) fn layers(key: u64, x: f32, octaves: u64, sharp: bool) -> f32 {
    let (mut sum, mut all, mut strength, mut x) = (0.0, 0.0, 1.0, x);
    for octave in 0..octaves {
        let cell = x.floor();
        let (a, b) =
            (height_at(key, cell as i64, octave as i64), height_at(key, cell as i64 + 1, octave as i64));
        let value = a + (b - a) * ease(x - cell);
        sum += strength * if sharp { 1.0 - (2.0 * value - 1.0).abs() } else { value };
        all += strength;
        strength *= 0.5;
        x = x * 2.0 + 17.3;
    }
    sum / all
}

/// Value noise on a plane, 0 to 1.
pub(super) fn field(key: u64, x: f32, y: f32) -> f32 {
    let (column, row) = (x.floor(), y.floor());
    let (tx, ty) = (ease(x - column), ease(y - row));
    let (column, row) = (column as i64, row as i64);
    let along = |row| {
        let (a, b) = (height_at(key, column, row), height_at(key, column + 1, row));
        a + (b - a) * tx
    };
    let (low, high) = (along(row), along(row + 1));
    low + (high - low) * ty
}

/// Perlin's fade curve ("Improving Noise", 2002).
fn ease(t: f32) -> f32 {
    t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
}

pub(super) fn smoothstep(from: f32, to: f32, value: f32) -> f32 {
    let t = ((value - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}
