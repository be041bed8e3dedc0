//! How fast a race is played.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// How fast a race is played: a power of two from 1/64 of its own time to 64 times as fast.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Speed(i8);

/// The exponent of the fastest; the slowest is its inverse.
const MOST: i8 = 6;

impl Speed {
    /// As it happened.
    pub const REAL: Speed = Speed(0);

    /// Twice as fast, up to 64.
    pub fn faster(self) -> Speed {
        Speed((self.0 + 1).min(MOST))
    }

    /// Half as fast, down to 1/64.
    pub fn slower(self) -> Speed {
        Speed((self.0 - 1).max(-MOST))
    }

    /// How much of the race passes in so much time.
    pub fn of(self, time: Duration) -> Duration {
        let factor = 1_u32 << self.0.unsigned_abs();
        if self.0 < 0 { time / factor } else { time.saturating_mul(factor) }
    }

    /// How much time it takes for so much of the race to pass; rounded up, so that no less of it passes.
    pub fn to_play(self, time: Duration) -> Duration {
        let factor = 1_u32 << self.0.unsigned_abs();
        if self.0 < 0 {
            return time.saturating_mul(factor);
        }
        let nanos = time.as_nanos().div_ceil(u128::from(factor));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let factor = 1_u32 << self.0.unsigned_abs();
        if self.0 < 0 { write!(f, "1/{factor}") } else { write!(f, "{factor}") }
    }
}

/// What is wrong with the words for a speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a speed is 1/64, 1/32, 1/16, 1/8, 1/4, 1/2, 1, 2, 4, 8, 16, 32 or 64")]
pub struct NoSpeed;

impl FromStr for Speed {
    type Err = NoSpeed;

    fn from_str(words: &str) -> Result<Speed, NoSpeed> {
        let words = words.trim().trim_start_matches(['x', '×']);
        let named = (-MOST..=MOST).map(Speed).find(|speed| speed.to_string() == words);
        let decimal = || {
            let number: f64 = words.parse().ok()?;
            (-MOST..=MOST).map(Speed).find(|speed| f64::from(speed.0).exp2() == number)
        };
        named.or_else(decimal).ok_or(NoSpeed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_read_as_they_are_written() {
        for exponent in -MOST..=MOST {
            let speed = Speed(exponent);
            assert_eq!(speed.to_string().parse(), Ok(speed));
        }
        assert_eq!("0.25".parse(), Ok(Speed(-2)));
        assert_eq!("×8".parse(), Ok(Speed(3)));
        for wrong in ["", "0", "3", "-1", "nan", "inf", "128", "1/128", "1/0"] {
            assert_eq!(wrong.parse::<Speed>(), Err(NoSpeed), "{wrong}");
        }
    }

    #[test]
    fn what_was_played_has_passed() {
        for exponent in -MOST..=MOST {
            let speed = Speed(exponent);
            for nanos in [0, 1, 63, 64, 65, 1_000_000_007] {
                let time = Duration::from_nanos(nanos);
                let passed = speed.of(speed.to_play(time));
                assert!(passed >= time && passed < time + Duration::from_nanos(64), "{speed}: {time:?}");
            }
        }
    }

    #[test]
    fn speeds_end_at_their_ends() {
        let mut speed = Speed::REAL;
        (0..100).for_each(|_| speed = speed.faster());
        assert_eq!(speed.of(Duration::from_millis(1)), Duration::from_millis(64));
        (0..100).for_each(|_| speed = speed.slower());
        assert_eq!(speed.of(Duration::from_millis(64)), Duration::from_millis(1));
    }
}
