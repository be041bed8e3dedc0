//! The colours that a landscape can have, chosen by hand.

use crate::chance::Rng;

/// Red, green and blue, 0 to 255.
pub(super) type Rgb = [f32; 3];

/// A time of day and its colours.
pub(super) struct Mood {
    /// At the top, in the middle and at the horizon.
    pub(super) sky: [Rgb; 3],
    /// The sun or moon, and the glow around it.
    pub(super) light: Rgb,
    pub(super) glow: Rgb,
    /// The ridge farthest away and the nearest one.
    pub(super) far: Rgb,
    pub(super) near: Rgb,
    /// What lies in the valleys.
    pub(super) haze: Rgb,
    pub(super) hour: Hour,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hour {
    /// The sun stands low.
    Low,
    /// The sun stands high.
    Day,
    /// The moon shines, and stars.
    Night,
}

const fn rgb(hex: u32) -> Rgb {
    [(hex >> 16 & 255) as f32, (hex >> 8 & 255) as f32, (hex & 255) as f32]
}

const fn mood(hour: Hour, sky: [u32; 3], light: [u32; 2], land: [u32; 3]) -> Mood {
    Mood {
        sky: [rgb(sky[0]), rgb(sky[1]), rgb(sky[2])],
        light: rgb(light[0]),
        glow: rgb(light[1]),
        far: rgb(land[0]),
        near: rgb(land[1]),
        haze: rgb(land[2]),
        hour,
    }
}

/// All of them.
pub(super) const MOODS: [Mood; 12] = [
    // A rose dawn.
    mood(Hour::Low, [0x3b4a7a, 0xb57a92, 0xffd3b8], [0xfff3da, 0xffb48a], [0xb48a9f, 0x241d38, 0xf0c0b4]),
    // A clear noon over green hills.
    mood(Hour::Day, [0x2f74b5, 0x86bce6, 0xe3f2fa], [0xffffff, 0xfff6dc], [0x94b6cb, 0x1d4034, 0xd4e6ec]),
    // A moonlit night in blue.
    mood(Hour::Night, [0x050b1f, 0x12294f, 0x3d6a96], [0xeef4ff, 0x9fc0e8], [0x35587d, 0x050a15, 0x53799f]),
    // The golden hour.
    mood(Hour::Low, [0x46618c, 0xe0a070, 0xffe3ac], [0xfffae2, 0xffc063], [0xc9937a, 0x2a1c2c, 0xf7cf9a]),
    // A teal dusk.
    mood(Hour::Low, [0x0c2a48, 0x33788a, 0xf5dda0], [0xfff4cf, 0xf7c873], [0x6b9b9b, 0x08171f, 0xc9d3ae]),
    // A violet night.
    mood(Hour::Night, [0x0c0b2b, 0x302c66, 0x8a68a4], [0xf8f3e2, 0xc9a8e0], [0x5d5288, 0x0a0a1c, 0x8d74a8]),
    // A green morning in the mist.
    mood(Hour::Day, [0x8fbcc4, 0xcde2d5, 0xf8f4de], [0xfffdf0, 0xfff3c8], [0xaecabb, 0x1c392e, 0xeef0dc]),
    // A crimson sunset.
    mood(Hour::Low, [0x2b1236, 0xa83a4c, 0xf8b84e], [0xfff0b8, 0xff8a3c], [0xa0485a, 0x180914, 0xe98a4c]),
    // A winter's day.
    mood(Hour::Day, [0x5f86ad, 0xb3cde0, 0xf7eae6], [0xffffff, 0xfff0e4], [0xa9c0d4, 0x24364b, 0xe6e8ee]),
    // A desert.
    mood(Hour::Day, [0x4d8ab8, 0xdcc7a4, 0xfde8c8], [0xfffaee, 0xffe3ae], [0xe0a97e, 0x5e2a2a, 0xf6d2a6]),
    // Lavender and peach.
    mood(Hour::Low, [0x6a6aa9, 0xc79dc2, 0xffdccb], [0xfff6ee, 0xffc4b0], [0xa68fbd, 0x2b274a, 0xeac4cc]),
    // A night in the far north.
    mood(Hour::Night, [0x040f1e, 0x0d3b48, 0x3a9483], [0xeafff6, 0x8fe0c4], [0x2a6a6c, 0x03090e, 0x4f9c8e]),
];

/// The mood of a picture: all of them in an order of the seed's, then again, so neighbours differ.
pub(super) fn mood_of(seed: u64, index: usize) -> usize {
    let mut order: [usize; MOODS.len()] = std::array::from_fn(|mood| mood);
    let mut rng = Rng::new(seed, usize::MAX);
    for last in (1..order.len()).rev() {
        order.swap(last, rng.below(last + 1));
    }
    order[index % order.len()]
}

pub(super) fn blend(from: Rgb, to: Rgb, share: f32) -> Rgb {
    std::array::from_fn(|channel| from[channel] + (to[channel] - from[channel]) * share)
}

pub(super) fn add(colour: &mut Rgb, other: Rgb, share: f32) {
    for (channel, more) in colour.iter_mut().zip(other) {
        *channel += more * share;
    }
}
