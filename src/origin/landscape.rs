//! Landscapes drawn from a seed: a sky, a sun or moon, ridges that fade with distance, sometimes a lake.
//!
//! Lengths are in heights of the picture, so a picture of any size has the same scene.

mod mood;
mod noise;

use crate::chance::{Rng, mix};
use mood::{Hour, MOODS, Mood, Rgb, add, blend, mood_of};
use noise::{field, lattice, layers, smoothstep};

/// The most ridges that a picture has.
const RIDGES: usize = 6;

/// How strong the grain is: enough that skies show no bands.
const GRAIN: f32 = 5.0;

/// Draws picture `index` of a seed: `width` × `height` pixels (at least one of each), three bytes each, row by row.
pub(super) fn draw(seed: u64, index: usize, width: usize, height: usize) -> Vec<u8> {
    let scene = Scene::compose(seed, index, width, height);
    let mut pixels = vec![0; width * height * 3];
    let mut grain = Grain(mix(seed ^ index as u64) | 1);
    let shore = scene.shore_row();
    let mut colours = vec![[0.0; 3]; width * shore];
    for (y, row) in colours.chunks_exact_mut(width).enumerate() {
        scene.paint_row(y, row);
    }
    let mut line = vec![[0.0; 3]; width];
    for (y, out) in pixels.chunks_exact_mut(width * 3).enumerate() {
        if y < shore {
            line.copy_from_slice(&colours[y * width..][..width]);
        } else {
            scene.paint_water(y, &colours, &mut line);
        }
        scene.paint_bank(y, &mut line);
        for (pixel, colour) in out.chunks_exact_mut(3).zip(&line) {
            let speck = grain.next();
            for (byte, channel) in pixel.iter_mut().zip(colour) {
                *byte = (channel + speck).clamp(0.0, 255.0) as u8;
            }
        }
    }
    pixels
}

/// Triangular noise around zero, from Marsaglia's xorshift64 ("Xorshift RNGs", 2003).
struct Grain(u64);

impl Grain {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let (one, other) = (self.0 >> 32 & 0xffff, self.0 >> 48);
        (one as f32 - other as f32) / 65_536.0 * GRAIN
    }
}

/// The sun or the moon.
struct Lamp {
    x: f32,
    y: f32,
    radius: f32,
}

struct Ridge {
    /// The row where it begins, for each column; trees stand out above.
    top: Vec<f32>,
    /// Its outline without trees and crags, for the haze, which knows neither.
    slope: Vec<f32>,
    /// 0 for the farthest, 1 for the nearest.
    nearness: f32,
    colour: Rgb,
}

struct Scene {
    mood: &'static Mood,
    width: usize,
    height: usize,
    /// Where the sky's gradient ends.
    horizon: f32,
    lamp: Lamp,
    clouds: f32,
    cloud_key: u64,
    /// One star in each cell of a grid, drawn where a hash says so.
    star_key: u64,
    /// From the farthest to the nearest.
    ridges: Vec<Ridge>,
    /// In front of everything, the water included.
    bank: Option<Ridge>,
    /// Where the water begins.
    shore: Option<f32>,
    water_key: u64,
}

impl Scene {
    fn compose(seed: u64, index: usize, width: usize, height: usize) -> Scene {
        let mut rng = Rng::new(seed, index);
        let mood = &MOODS[mood_of(seed, index)];
        let aspect = width as f32 / height as f32;
        let lake = rng.chance(0.45);
        let shore = lake.then(|| rng.between(0.64, 0.74));
        let horizon = shore.unwrap_or_else(|| rng.between(0.56, 0.68));
        let lamp = Lamp {
            x: aspect * rng.between(0.18, 0.82),
            y: match mood.hour {
                Hour::Low => horizon - rng.between(0.20, 0.34),
                Hour::Day => rng.between(0.10, 0.22),
                Hour::Night => rng.between(0.13, 0.28),
            },
            radius: match mood.hour {
                Hour::Low => rng.between(0.045, 0.085),
                Hour::Day => rng.between(0.028, 0.042),
                Hour::Night => rng.between(0.03, 0.06),
            },
        };
        let (ridges, bank) = Scene::ridges(&mut rng, mood, shore, horizon, width, height);
        Scene {
            mood,
            width,
            height,
            horizon,
            lamp,
            clouds: rng.between(0.25, 0.9),
            cloud_key: rng.bits(),
            star_key: rng.bits(),
            ridges,
            bank,
            shore,
            water_key: rng.bits(),
        }
    }

    fn ridges(
        rng: &mut Rng,
        mood: &Mood,
        shore: Option<f32>,
        horizon: f32,
        width: usize,
        height: usize,
    ) -> (Vec<Ridge>, Option<Ridge>) {
        let aspect = width as f32 / height as f32;
        let rugged = smoothstep(0.2, 0.8, rng.between(0.0, 1.0));
        let wooded = rng.chance(0.7);
        let count = 4 + rng.below(RIDGES - 4 + 1);
        let (highest, lowest) = match shore {
            Some(shore) => (horizon - 0.16, shore - 0.012),
            None => (horizon - 0.10, 0.96),
        };
        let mut profile = |nearness: f32, base: f32, trees: f32| {
            let key = rng.bits();
            let rough = rugged * (1.0 - nearness).powf(0.7);
            let swell =
                (0.20 + 0.20 * rough) * (1.0 - 0.3 * nearness) * if shore.is_some() { 0.75 } else { 1.0 };
            let pace = (1.0 + 1.6 * (1.0 - nearness) + rng.between(0.0, 0.7)) * (1.0 - 0.3 * rough);
            let tilt = rng.between(-0.07, 0.07) * if shore.is_some() { 0.4 } else { 1.0 };
            let forest = Forest { key: rng.bits(), height: trees };
            let scale = height as f32;
            let level = |u: f32, rise: f32| (base - swell * rise + tilt * (u - aspect / 2.0)) * scale;
            let crest = |u: f32| {
                let smooth = layers(key, u * pace, 5, false);
                let sharp = layers(key, u * pace, 6, true);
                level(u, (smooth + (sharp - smooth) * rough - 0.45) * (1.35 - 0.35 * rough))
                    - forest.rise(u) * scale
            };
            let across = || (0..width).map(|x| x as f32 / scale);
            let slope = across().map(|u| level(u, (layers(key, u * pace, 2, false) - 0.4) * 0.7)).collect();
            let top = across().map(crest).collect();
            Ridge { top, slope, nearness, colour: blend(mood.far, mood.near, nearness.powf(1.25)) }
        };
        let near = if shore.is_some() { 0.78 } else { 1.0 };
        let ridges = (0..count)
            .map(|ridge| {
                let nearness = ridge as f32 / (count - 1) as f32 * near;
                let base = highest + (lowest - highest) * (nearness / near).powf(1.35);
                let trees = match (wooded, count - 1 - ridge) {
                    (true, 0) if shore.is_none() => 0.085,
                    (true, 0) => 0.022,
                    (true, 1) => 0.03 * near,
                    _ => 0.0,
                };
                profile(nearness, base, trees)
            })
            .collect();
        let bank = shore.map(|_| profile(1.0, 0.975, if wooded { 0.12 } else { 0.01 }));
        (ridges, bank)
    }

    fn shore_row(&self) -> usize {
        self.shore.map_or(self.height, |shore| ((shore * self.height as f32) as usize).max(1))
    }

    /// Paints a row above the water.
    fn paint_row(&self, y: usize, row: &mut [Rgb]) {
        let v = y as f32 / self.height as f32;
        let sky = self.gradient(v);
        for (x, pixel) in row.iter_mut().enumerate() {
            let (mut colour, mut open) = ([0.0; 3], 1.0);
            for ridge in self.ridges.iter().rev() {
                let cover = (y as f32 + 1.0 - ridge.top[x]).clamp(0.0, 1.0) * open;
                if cover > 0.0 {
                    add(&mut colour, self.land(ridge, x, y), cover);
                    open -= cover;
                }
                if open <= 0.0 {
                    break;
                }
            }
            if open > 0.0 {
                add(&mut colour, self.sky(sky, x as f32 / self.height as f32, v), open);
            }
            *pixel = colour;
        }
    }

    fn paint_bank(&self, y: usize, line: &mut [Rgb]) {
        let Some(bank) = &self.bank else { return };
        for (x, pixel) in line.iter_mut().enumerate() {
            let cover = (y as f32 + 1.0 - bank.top[x]).clamp(0.0, 1.0);
            if cover > 0.0 {
                *pixel = blend(*pixel, self.land(bank, x, y), cover);
            }
        }
    }

    /// Paints a row of water: what is above the shore, upside down, drawn out by ripples.
    fn paint_water(&self, y: usize, above: &[Rgb], line: &mut [Rgb]) {
        let shore = self.shore_row();
        let depth = (y - shore) as f32 / self.height as f32;
        let scale = self.height as f32;
        let ripple = self.height as f32 * (0.004 + depth * 0.05);
        let deep = blend(self.mood.sky[0], self.mood.near, 0.5);
        for (x, pixel) in line.iter_mut().enumerate() {
            let u = x as f32 / scale;
            let wave = field(self.water_key, u * 5.0, (1.0 + depth * 22.0).ln() * 60.0) - 0.5;
            let mirrored = (y - shore) as f32 * 1.05 + wave * ripple * 3.0;
            let row = (shore as f32 - 1.0 - mirrored.abs()).clamp(0.0, shore as f32 - 1.0) as usize;
            let column = (x as f32 + wave * ripple).clamp(0.0, self.width as f32 - 1.0) as usize;
            let seen = above[row * self.width + column];
            let mut colour = blend(seen, deep, 0.16 + depth * 0.5);
            let path = (-((u - self.lamp.x) / (0.03 + depth * 0.22)).powi(2)).exp();
            let glint = smoothstep(0.08, 0.34, wave) * path;
            add(&mut colour, self.mood.glow, glint * 0.55);
            *pixel = colour;
        }
    }

    fn gradient(&self, v: f32) -> Rgb {
        let [top, middle, low] = self.mood.sky;
        let t = (v / self.horizon).clamp(0.0, 1.0);
        let high = blend(top, middle, smoothstep(0.0, 0.62, t));
        blend(high, low, smoothstep(0.42, 1.0, t))
    }

    fn sky(&self, base: Rgb, u: f32, v: f32) -> Rgb {
        let mut colour = base;
        let (dx, dy) = (u - self.lamp.x, v - self.lamp.y);
        let distance = (dx * dx + dy * dy).sqrt();
        let night = self.mood.hour == Hour::Night;
        if night {
            let star = self.star(u, v) * smoothstep(self.lamp.radius * 1.2, self.lamp.radius * 5.0, distance);
            add(&mut colour, [255.0, 250.0, 240.0], star);
        }
        let reach = if self.mood.hour == Hour::Low { 0.30 } else { 0.16 };
        let glow = (-distance / reach).exp() * 0.55 + (-distance / (self.lamp.radius * 1.1)).exp() * 0.3;
        colour = blend(colour, self.mood.glow, glow.min(0.9));
        let edge = 1.5 / self.height as f32;
        let disc = 1.0 - smoothstep(self.lamp.radius - edge, self.lamp.radius + edge, distance);
        if disc > 0.0 {
            let mut face = self.mood.light;
            if night {
                let (x, y) = (dx / self.lamp.radius, dy / self.lamp.radius);
                let seas = (field(self.star_key, x * 1.3 + y * 0.9 + 9.0, y * 1.3 - x * 0.9 + 9.0)
                    + field(self.cloud_key, x * 1.9 - y * 1.1 + 9.0, y * 1.9 + x * 1.1 + 9.0))
                    / 2.0;
                face = blend(face, self.mood.glow, smoothstep(0.4, 0.75, seas) * 0.5);
            }
            colour = blend(colour, face, disc);
        }
        let cloud = self.cloud(u, v);
        let lit = blend(self.mood.sky[2], self.mood.light, if night { 0.0 } else { 0.45 });
        blend(colour, lit, cloud * if night { 0.25 } else { 0.6 })
    }

    /// How thick the clouds are: bands that grow thinner towards the horizon.
    fn cloud(&self, u: f32, v: f32) -> f32 {
        let t = (v / self.horizon).clamp(0.0, 1.0);
        let (x, y) = (u * (1.4 + 0.8 * t), t * (4.0 + 9.0 * t));
        let billow = field(self.cloud_key, x, y) * 0.55
            + field(self.cloud_key ^ 1, x * 2.3, y * 2.1) * 0.3
            + field(self.cloud_key ^ 2, x * 5.1, y * 4.3) * 0.15;
        smoothstep(0.78 - 0.28 * self.clouds, 0.95, billow) * (1.0 - smoothstep(0.8, 1.0, t))
    }

    fn star(&self, u: f32, v: f32) -> f32 {
        const CELL: f32 = 1.0 / 46.0;
        let (column, row) = ((u / CELL).floor(), (v / CELL).floor());
        let bits = lattice(self.star_key, column as i64, row as i64);
        if bits & 7 > 2 {
            return 0.0;
        }
        let part = |shift: u32| (bits >> shift & 0xff) as f32 / 255.0;
        let (x, y) = ((column + 0.15 + 0.7 * part(8)) * CELL, (row + 0.15 + 0.7 * part(16)) * CELL);
        let size = 0.0009 + 0.0013 * part(24).powi(4);
        let distance = ((u - x).powi(2) + (v - y).powi(2)).sqrt();
        let fade = 1.0 - smoothstep(0.45, 0.95, v / self.horizon);
        (-(distance / size).powi(2)).exp() * (0.25 + 0.75 * part(32)) * fade
    }

    fn land(&self, ridge: &Ridge, x: usize, y: usize) -> Rgb {
        let below = (y as f32 - ridge.slope[x]).max(0.0) / self.height as f32;
        let distance = 1.0 - ridge.nearness;
        let haze = smoothstep(0.0, 0.24, below) * (0.12 + 0.6 * distance);
        let colour = blend(ridge.colour, self.mood.haze, haze);
        let aside = (x as f32 / self.height as f32 - self.lamp.x) / 0.4;
        blend(colour, self.mood.glow, (-aside * aside).exp() * distance * 0.22)
    }
}

/// Conifers along a ridge.
struct Forest {
    key: u64,
    /// Of the tallest.
    height: f32,
}

impl Forest {
    /// How far the trees stand out above the ground at `u`.
    fn rise(&self, u: f32) -> f32 {
        if self.height <= 0.0 {
            return 0.0;
        }
        let cell = self.height * 0.19;
        let here = (u / cell).floor() as i64;
        let density = layers(self.key, u * 2.2, 2, false);
        (here - 2..=here + 2)
            .map(|column| {
                let bits = lattice(self.key, column, 1);
                let part = |shift: u32| (bits >> shift & 0xff) as f32 / 255.0;
                let grown = smoothstep(0.30, 0.62, density) * (0.35 + 0.65 * part(0));
                let tall = self.height * grown;
                let middle = (column as f32 + 0.2 + 0.6 * part(8)) * cell;
                let half = tall * (0.15 + 0.06 * part(16));
                let aside = (u - middle).abs() / half.max(1e-6);
                if aside >= 1.0 {
                    return 0.0;
                }
                // Branches hang in tiers: the outline steps in and out as it rises.
                let tier = (aside * 5.0).fract() * 0.10;
                tall * (1.0 - aside + tier * (1.0 - aside)).max(0.0)
            })
            .fold(0.0, f32::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How far two pictures are apart: the mean over all channels, 0 to 255.
    fn distance(one: &[u8], other: &[u8]) -> f64 {
        let sum: u64 = one.iter().zip(other).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        sum as f64 / one.len() as f64
    }

    #[test]
    fn any_size_can_be_drawn() {
        for (width, height) in [(1, 1), (16, 16), (1, 300), (300, 1), (17, 31), (200, 16)] {
            for index in 0..8 {
                assert_eq!(draw(3, index, width, height).len(), width * height * 3);
            }
        }
    }

    #[test]
    fn a_seed_always_draws_the_same_and_neighbours_differ() {
        for seed in 1..4 {
            let pictures: Vec<Vec<u8>> = (0..24).map(|index| draw(seed, index, 64, 40)).collect();
            assert_eq!(pictures[5], draw(seed, 5, 64, 40));
            for pair in pictures.windows(2) {
                assert!(distance(&pair[0], &pair[1]) > 6.0, "seed {seed}: {}", distance(&pair[0], &pair[1]));
            }
            assert!(
                distance(&pictures[0], &pictures[MOODS.len()]) > 1.0,
                "a mood that comes again is another scene"
            );
            assert!(distance(&pictures[0], &draw(seed + 1, 0, 64, 40)) > 1.0);
        }
    }
}
