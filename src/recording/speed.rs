//! How fast a race is played.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// How fast a playhead goes: a power of two, from 1/64 of the race's own speed to 64 times it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Speed(i8);

impl Speed {
    /// The race's own.
    pub const ONE: Speed = Speed(0);
    /// 1/64.
    pub const SLOWEST: Speed = Speed(-6);
    /// 64.
    pub const FASTEST: Speed = Speed(6);

    /// The speed nearest to the race's own at which so much of a race takes as long as this, as far as there is one.
    pub fn lasting(race: Duration, long: RangeInclusive<Duration>) -> Speed {
        let mut speed = Speed::ONE;
        while speed.to_play(race) > *long.end() && speed < Speed::FASTEST {
            speed = speed.faster();
        }
        while speed.to_play(race) < *long.start() && speed > Speed::SLOWEST {
            speed = speed.slower();
        }
        speed
    }

    /// The race's own speed, or one at which so much of a race goes on for [`LEAST`](Speed::LEAST).
    pub fn to_follow(race: Duration) -> Speed {
        Speed::lasting(race, Speed::LEAST..=Duration::MAX)
    }

    /// What is over sooner is over before anybody has seen where to look.
    pub const LEAST: Duration = Duration::from_secs(4);

    /// Half as fast, unless that is too slow.
    pub fn slower(self) -> Speed {
        Speed(self.0 - 1).max(Speed::SLOWEST)
    }

    /// Twice as fast, unless that is too fast.
    pub fn faster(self) -> Speed {
        Speed(self.0 + 1).min(Speed::FASTEST)
    }

    /// How much time of the race goes by in so much time of whoever watches.
    pub fn of(self, time: Duration) -> Duration {
        match self.0 {
            0.. => time.saturating_mul(1 << self.0),
            _ => time / (1 << -self.0),
        }
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
        match self.0 {
            0.. => write!(f, "×{}", 1_u32 << self.0),
            _ => write!(f, "×1/{}", 1_u32 << -self.0),
        }
    }
}

/// It is no speed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a speed is a number from 1/64 to 64, such as 1/4, 0.5 or 8")]
pub struct NoSpeed;

impl FromStr for Speed {
    type Err = NoSpeed;

    /// Reads `8`, `0.5` or `1/4`; what is no power of two becomes the nearest one.
    fn from_str(text: &str) -> Result<Speed, NoSpeed> {
        let number = |text: &str| text.trim().parse::<f64>().map_err(|_| NoSpeed);
        let factor = match text.trim().trim_start_matches('×').split_once('/') {
            Some((whole, parts)) => number(whole)? / number(parts)?,
            None => number(text.trim().trim_start_matches('×'))?,
        };
        if !(1.0 / 64.0..=64.0).contains(&factor) {
            return Err(NoSpeed);
        }
        Ok(Speed(factor.log2().round() as i8).clamp(Speed::SLOWEST, Speed::FASTEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_race_is_slowed_down_until_it_can_be_followed() {
        let told = [60_000, 4_000, 3_999, 263, 1, 0]
            .map(|millis| Speed::to_follow(Duration::from_millis(millis)).to_string());
        assert_eq!(told, ["×1", "×1", "×1/2", "×1/16", "×1/64", "×1/64"]);
    }

    #[test]
    fn speeds_are_powers_of_two_from_a_64th_to_64() {
        let all: Vec<String> = std::iter::successors(Some(Speed::SLOWEST), |speed| {
            Some(speed.faster()).filter(|next| next != speed)
        })
        .map(|speed| speed.to_string())
        .collect();
        assert_eq!(
            all,
            ["×1/64", "×1/32", "×1/16", "×1/8", "×1/4", "×1/2", "×1", "×2", "×4", "×8", "×16", "×32", "×64"]
        );
        assert_eq!((Speed::SLOWEST.slower(), Speed::FASTEST.faster()), (Speed::SLOWEST, Speed::FASTEST));
        let second = Duration::from_secs(1);
        assert_eq!(
            [Speed(-2), Speed(0), Speed(3)].map(|speed| speed.of(second)),
            [second / 4, second, second * 8]
        );
        let read = |text: &str| text.parse::<Speed>();
        assert_eq!(
            ["1/4", "0.25", " 8 ", "64", "3", "×1/2"].map(read),
            [-2, -2, 3, 6, 2, -1].map(|s| Ok(Speed(s)))
        );
        for none in ["", "0", "-1", "65", "nan", "inf", "1/0", "0/0", "fast", "1/65"] {
            assert_eq!(read(none), Err(NoSpeed), "{none}");
        }
    }

    #[test]
    fn what_was_played_has_passed() {
        for exponent in -6..=6 {
            let speed = Speed(exponent);
            for nanos in [0, 1, 63, 64, 65, 1_000_000_007] {
                let time = Duration::from_nanos(nanos);
                let passed = speed.of(speed.to_play(time));
                assert!(passed >= time && passed < time + Duration::from_nanos(64), "{speed}: {time:?}");
            }
        }
    }
}
