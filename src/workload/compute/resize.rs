//! A JPEG picture that is decoded and halved.

use std::f32::consts::{PI, TAU};

use image::{ExtendedColorType, ImageFormat};

use super::{right, wrong};
use crate::chance::Rng;
use crate::event::ErrorKind;
use crate::workload::{TaskContext, TaskFault, TaskResult};

/// The JPEG's quality, as cameras and web sites like it.
const QUALITY: u8 = 85;

/// How far the mean of a channel, 0 to 255, may be from what it must be: what the JPEG's losses and the picture's
/// edges change, and far less than a row or a channel in the wrong place does.
const TOLERANCE: f64 = 3.0;

/// Three bytes each, row by row.
#[derive(Debug, Clone, PartialEq)]
struct Pixels {
    width: usize,
    height: usize,
    bytes: Vec<u8>,
}

/// A picture to halve.
#[derive(Debug)]
pub(super) struct Resize {
    jpeg: Vec<u8>,
    halved: (usize, usize),
    mean: [f64; 3],
}

impl Resize {
    /// Sides are brought to between 2 and 65,535 pixels, which is what can be halved and be a JPEG.
    pub(super) fn prepare(width: u32, height: u32, seed: u64) -> Resize {
        let (width, height) = (width.clamp(2, 65_535), height.clamp(2, 65_535));
        let pixels = paint(seed, width as usize, height as usize);
        let mut jpeg = Vec::with_capacity(pixels.bytes.len() / 8);
        let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, QUALITY);
        let encoded = encoder.encode(&pixels.bytes, width, height, ExtendedColorType::Rgb8);
        debug_assert!(encoded.is_ok(), "a picture of legal size fits into memory: {encoded:?}");
        Resize { jpeg, halved: (pixels.width / 2, pixels.height / 2), mean: pixels.even().mean() }
    }

    pub(super) fn perform(&self, context: &TaskContext) -> Result<TaskResult, TaskFault> {
        context.checkpoint()?;
        let picture = image::load_from_memory_with_format(&self.jpeg, ImageFormat::Jpeg)
            .map_err(|error| {
                let words = format!("the picture can't be decoded: {error}");
                TaskFault::failed(ErrorKind::Wrong, words)
            })?
            .into_rgb8();
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let picture = Pixels { width, height, bytes: picture.into_raw() };
        let halved = picture.halved(|| context.checkpoint())?;
        let said = |(width, height): (usize, usize), mean: [f64; 3]| {
            let [red, green, blue] = mean.map(|channel| channel.round() as u8);
            format!("{width} × {height} pixels, mean colour #{red:02x}{green:02x}{blue:02x}")
        };
        let (size, mean) = ((halved.width, halved.height), halved.mean());
        let near = mean.iter().zip(self.mean).all(|(found, must)| (found - must).abs() <= TOLERANCE);
        if near && size == self.halved {
            Ok(right(0, said(size, mean)))
        } else {
            Err(wrong(&said(size, mean), &said(self.halved, self.mean)))
        }
    }
}

impl Pixels {
    fn mean(&self) -> [f64; 3] {
        let sums = self.bytes.chunks_exact(3).fold([0_u64; 3], |sums, pixel| {
            std::array::from_fn(|channel| sums[channel] + u64::from(pixel[channel]))
        });
        sums.map(|sum| sum as f64 / (self.width * self.height).max(1) as f64)
    }

    /// Without the last row and column where there is an odd number of them: what halving keeps.
    fn even(&self) -> Pixels {
        let (width, height) = (self.width / 2 * 2, self.height / 2 * 2);
        let rows = self.bytes.chunks_exact(self.width * 3).take(height);
        Pixels { width, height, bytes: rows.flat_map(|row| &row[..width * 3]).copied().collect() }
    }

    /// Half as wide and half as high, rounded down. Asks `go_on` before each row.
    fn halved<E>(&self, go_on: impl Fn() -> Result<(), E>) -> Result<Pixels, E> {
        let weights = lanczos_weights();
        let (width, height) = (self.width / 2, self.height / 2);
        let across = self.width * 3;
        let mut bytes = Vec::with_capacity(width * height * 3);
        let mut line = vec![0.0_f32; across];
        for y in 0..height {
            go_on()?;
            line.fill(0.0);
            for (weight, row) in weights.iter().zip(taps(y, self.height)) {
                for (sum, &byte) in line.iter_mut().zip(&self.bytes[row * across..][..across]) {
                    *sum += weight * f32::from(byte);
                }
            }
            for x in 0..width {
                let mut pixel = [0.0; 3];
                for (weight, column) in weights.iter().zip(taps(x, self.width)) {
                    for (sum, value) in pixel.iter_mut().zip(&line[column * 3..]) {
                        *sum += weight * value;
                    }
                }
                bytes.extend(pixel.map(|channel| channel.round().clamp(0.0, 255.0) as u8));
            }
        }
        Ok(Pixels { width, height, bytes })
    }
}

/// How many pixels along one side make one pixel of the halved picture.
const TAPS: usize = 12;

/// Which of `length` pixels make pixel `index` of the halved side; the outermost stand in for what is outside.
fn taps(index: usize, length: usize) -> impl Iterator<Item = usize> {
    (0..TAPS).map(move |tap| (2 * index + tap + 1).saturating_sub(TAPS / 2).min(length - 1))
}

/// The weights of those pixels: Lanczos' filter of three lobes, twice as wide because the picture is halved
/// (K. Turkowski, "Filters for Common Resampling Tasks", Graphics Gems, 1990). They add up to one.
fn lanczos_weights() -> [f32; TAPS] {
    let sinc = |x: f32| (PI * x).sin() / (PI * x);
    let weights: [f32; TAPS] = std::array::from_fn(|tap| {
        let x = (tap as f32 - (TAPS as f32 - 1.0) / 2.0) / 2.0;
        sinc(x) * sinc(x / 3.0)
    });
    let sum: f32 = weights.iter().sum();
    weights.map(|weight| weight / sum)
}

/// A picture with soft colours and some grain, decided by `seed`.
fn paint(seed: u64, width: usize, height: usize) -> Pixels {
    let mut rng = Rng::new(seed, 0);
    let mut wave = |length: usize| -> Vec<[f32; 3]> {
        let waves: [(f32, f32); 3] =
            std::array::from_fn(|_| (rng.between(0.5, 2.0) * TAU, rng.between(0.0, TAU)));
        let along = |i: usize| i as f32 / length as f32;
        (0..length).map(|i| waves.map(|(pace, phase)| (pace * along(i) + phase).sin())).collect()
    };
    let (across, down) = (wave(width), wave(height));
    let mut bytes = Vec::with_capacity(width * height * 3);
    for row in &down {
        for column in &across {
            let grain = rng.between(-8.0, 8.0);
            for (one, other) in row.iter().zip(column) {
                bytes.push((128.0 + 50.0 * one + 45.0 * other + 20.0 * one * other + grain) as u8);
            }
        }
    }
    Pixels { width, height, bytes }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;
    use crate::workload::compute::testing::context;

    fn halved(pixels: &Pixels) -> Pixels {
        let Ok::<_, Infallible>(halved) = pixels.halved(|| Ok(()));
        halved
    }

    #[test]
    fn halving_keeps_one_colour_and_the_middle_of_a_slope() {
        let plain = Pixels { width: 20, height: 10, bytes: [200, 100, 7].repeat(200) };
        assert_eq!(halved(&plain), Pixels { width: 10, height: 5, bytes: [200, 100, 7].repeat(50) });

        let slope = (0..40).flat_map(|_| (0..40).flat_map(|x| [x * 5; 3])).collect();
        let half = halved(&Pixels { width: 40, height: 40, bytes: slope });
        for x in 3..17 {
            let found = f32::from(half.bytes[(10 * 20 + x) * 3]);
            let middle = (x as f32 * 2.0 + 0.5) * 5.0;
            assert!((found - middle).abs() <= 1.0, "{x}: {found} instead of {middle}");
        }
    }

    #[test]
    fn stripes_too_fine_for_half_the_size_become_grey() {
        let stripes = (0..40).flat_map(|_| (0..40).flat_map(|x| [x % 2 * 255; 3])).collect();
        let half = halved(&Pixels { width: 40, height: 40, bytes: stripes });
        let inner = (4..16).flat_map(|y| (4..16).map(move |x| (y * 20 + x) * 3));
        assert!(inner.map(|at| half.bytes[at]).all(|grey| (125..=130).contains(&grey)), "{half:?}");
    }

    #[test]
    fn the_wrong_picture_is_told() {
        let right = Resize::prepare(64, 48, 1);
        let faults = [
            Resize { jpeg: Resize::prepare(64, 46, 1).jpeg, ..Resize::prepare(64, 48, 1) },
            Resize { jpeg: Resize::prepare(64, 48, 2).jpeg, ..Resize::prepare(64, 48, 1) },
            Resize { jpeg: right.jpeg[..right.jpeg.len() / 3].to_vec(), ..Resize::prepare(64, 48, 1) },
            Resize { jpeg: b"no picture".to_vec(), ..Resize::prepare(64, 48, 1) },
        ];
        assert!(right.perform(&context(0, false)).is_ok());
        for (number, wrong) in faults.iter().enumerate() {
            let fault = wrong.perform(&context(0, false));
            assert!(
                matches!(&fault, Err(TaskFault::Failed(error)) if error.kind == ErrorKind::Wrong),
                "{number}: {fault:?}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_picture_halves_to_what_it_must_be(width in 16_u32..140, height in 16_u32..140, seed: u64) {
            let done = Resize::prepare(width, height, seed).perform(&context(0, false));
            prop_assert!(done.is_ok(), "{done:?}");
        }
    }
}
