//! Content made of words and numbers: posts and readings.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Serialize;

use crate::chance::Rng;

/// About how long a row of [`readings`] is.
pub(super) const ROW_BYTES: u64 = 44;

/// As many posts as one user has written.
const POSTS_PER_USER: usize = 10;

const TITLES: [&str; 16] = [
    "Waiting is not working",
    "A queue at the ferry",
    "Five kettles, one cook",
    "The second pair of hands",
    "Letters that crossed in the post",
    "How the bakery learned to overlap",
    "One bridge, many carts",
    "What the night porter knows",
    "The tortoise keeps a ledger",
    "A short history of taking turns",
    "Nobody watches the pot",
    "The lighthouse and the fog bell",
    "Ten looms in one mill",
    "While the bread was rising",
    "The slowest mule sets the pace",
    "Asking twice, politely",
];

const SENTENCES: [&str; 20] = [
    "The letter was sent on Monday, and the garden was dug before the answer came.",
    "Two people can carry a table, but not thread the same needle.",
    "Nothing got faster; we only stopped standing still.",
    "The ferry takes an hour whether one person waits for it or forty.",
    "When the road is full, another cart is only a longer queue.",
    "She lit all the stoves first, and only then sat down.",
    "The order in which they left was not the order in which they came home.",
    "Whoever holds the key should not stop for lunch.",
    "It is cheaper to ask again than to wait for ever.",
    "A good clerk never watches the door; the bell will ring.",
    "Half the work was waiting, and nobody had counted it.",
    "The last one home decides when supper is.",
    "Each baker had an oven of their own, and still they shared one bag of flour.",
    "He kept a list, crossed things off, and let the list do the remembering.",
    "A hundred messengers are no help when there is one gate.",
    "The mill turned all night, since nobody had told it that it was night.",
    "They agreed on a signal and went on with their day.",
    "If one boat sinks, the others should reach the harbour.",
    "There is a part of every job that only one pair of hands can do.",
    "Measure it first; the guess was wrong three times out of four.",
];

const STATIONS: [&str; 8] =
    ["harbour", "hilltop", "orchard", "old-mill", "lighthouse", "north-gate", "ferry", "observatory"];

/// A post, with the fields that clients know it by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Post {
    pub(super) id: u64,
    #[serde(rename = "userId")]
    pub(super) user_id: u64,
    pub(super) title: Cow<'static, str>,
    pub(super) body: String,
}

impl Post {
    /// The post as JSON.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The post of a task.
pub(super) fn post(seed: u64, task: usize) -> Post {
    let mut rng = Rng::new(seed, task);
    let first = rng.below(SENTENCES.len());
    // A stride that shares no factor with the number of sentences never repeats one.
    let stride = [3, 7, 9, 11, 13][rng.below(5)];
    let body: Vec<&str> =
        (0..3 + rng.below(3)).map(|i| SENTENCES[(first + i * stride) % SENTENCES.len()]).collect();
    Post {
        id: task as u64 + 1,
        user_id: (task / POSTS_PER_USER) as u64 + 1,
        title: TITLES[rng.below(TITLES.len())].into(),
        body: body.join("\n"),
    }
}

/// A weather station's readings, one every ten minutes, as CSV with a header.
pub(super) fn readings(seed: u64, index: usize, rows: u32) -> String {
    let mut rng = Rng::new(seed, index);
    let station = STATIONS[(index + rng.below(STATIONS.len())) % STATIONS.len()];
    let mut csv = String::with_capacity((u64::from(rows) + 2) as usize * ROW_BYTES as usize);
    csv.push_str("time,station,temperature_c,humidity_pct,pressure_hpa\n");
    let mild = rng.between(8.0, 16.0);
    let (mut drift, mut pressure) = (0.0_f32, rng.between(1005.0, 1025.0));
    for row in 0..rows {
        let minutes = u64::from(row) * 10;
        let (year, month, day) = date(20_148 + minutes / 1440);
        let (hour, minute) = (minutes / 60 % 24, minutes % 60);
        // Coldest at three in the morning, warmest at three in the afternoon.
        let sun = ((hour * 60 + minute) as f32 / 1440.0 - 0.375) * std::f32::consts::TAU;
        drift = drift * 0.995 + rng.between(-0.25, 0.25);
        pressure += (1015.0 - pressure) * 0.002 + rng.between(-0.3, 0.3);
        let warmth = 4.5 * sun.sin() + drift;
        let humidity = (72.0 - 3.2 * warmth + rng.between(-1.5, 1.5)).clamp(20.0, 100.0);
        let temperature = mild + warmth;
        let written = writeln!(
            csv,
            "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}Z,{station},{temperature:.1},{humidity:.0},{pressure:.1}"
        );
        debug_assert!(written.is_ok(), "writing to a string can't fail");
    }
    csv
}

/// The date `days` after 1 January 1970, as year, month and day (Howard Hinnant, "chrono-compatible low-level
/// date algorithms", `civil_from_days`).
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_around_leap_days() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(20_147), (2025, 2, 28));
        assert_eq!(date(20_148), (2025, 3, 1));
        assert_eq!(date(20_453), (2025, 12, 31));
    }

    #[test]
    fn a_post_has_its_own_id_and_no_sentence_twice() -> Result<(), serde_json::Error> {
        for task in 0..200 {
            let post: serde_json::Value = serde_json::from_str(&post(1, task).json())?;
            assert_eq!(post["id"], task + 1);
            assert_eq!(post["userId"], task / 10 + 1);
            let body: Vec<&str> = post["body"].as_str().unwrap_or_default().lines().collect();
            assert!((3..=5).contains(&body.len()), "{body:?}");
            assert!(body.iter().enumerate().all(|(i, line)| !body[..i].contains(line)), "{body:?}");
        }
        Ok(())
    }

    #[test]
    fn readings_are_believable() -> Result<(), csv::Error> {
        for index in 0..8 {
            let text = readings(1, index, 2000);
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let mut rows = 0;
            for row in reader.deserialize::<(String, String, f32, f32, f32)>() {
                let (time, _, temperature, humidity, pressure) = row?;
                assert!(time.starts_with("2025-03-"), "{time}");
                assert!((-15.0..40.0).contains(&temperature), "{temperature}");
                assert!((20.0..=100.0).contains(&humidity), "{humidity}");
                assert!((970.0..1060.0).contains(&pressure), "{pressure}");
                rows += 1;
            }
            assert_eq!(rows, 2000);
        }
        Ok(())
    }
}
