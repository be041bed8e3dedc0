//! What was published: the times and the words of the tutorials that the scenarios are taken from.

/// A time in seconds, or from here to there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seconds {
    /// The least.
    pub least: f64,
    /// The most; the same as the least where one time was published.
    pub most: f64,
}

const fn one(seconds: f64) -> Seconds {
    Seconds { least: seconds, most: seconds }
}

const fn range(least: f64, most: f64) -> Seconds {
    Seconds { least, most }
}

/// What was measured by whoever published it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Published {
    /// Two wall times.
    Walls {
        /// Of the sequential run.
        sequential: Seconds,
        /// Of the other.
        concurrent: Seconds,
    },
    /// The share of the sequential wall time that was saved, in per cent.
    Improvement(f64),
    /// The sequential wall time alone.
    Sequential(f64),
    /// Words alone.
    Nothing,
}

/// A claim about one scenario.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Claim {
    /// The scenario that does the same.
    pub scenario: &'static str,
    /// The executor that the claim is about, as on the command line.
    pub executor: &'static str,
    /// What was measured.
    pub published: Published,
    /// What it was called.
    pub said: &'static [&'static str],
    /// The speedup that those words mean.
    pub said_factor: Option<(f64, f64)>,
    /// What else has to be known to judge it.
    pub remark: Option<&'static str>,
}

/// Every claim, in the order of the scenarios.
pub const CLAIMS: &[Claim] = &[
    Claim {
        scenario: "images-20",
        executor: "pool:5",
        published: Published::Walls { sequential: one(42.70), concurrent: one(17.23) },
        said: &["5x", "500 % faster"],
        said_factor: Some((5.0, 5.0)),
        remark: None,
    },
    Claim {
        scenario: "images-10-threads",
        executor: "threads",
        published: Published::Walls { sequential: one(4.96), concurrent: one(1.21) },
        said: &["x4"],
        said_factor: Some((4.0, 4.0)),
        remark: None,
    },
    Claim {
        scenario: "images-10-pool",
        executor: "pool:5",
        published: Published::Walls { sequential: range(20.0, 30.0), concurrent: range(5.0, 8.0) },
        said: &["3–5x"],
        said_factor: Some((3.0, 5.0)),
        remark: None,
    },
    Claim {
        scenario: "sleep-10",
        executor: "pool:10",
        published: Published::Walls { sequential: one(15.0), concurrent: one(1.5) },
        said: &["10x"],
        said_factor: Some((10.0, 10.0)),
        remark: Some("Its tasks sleep, which costs nothing: real downloads share a link."),
    },
    Claim {
        scenario: "sleep-10x1",
        executor: "pool:10",
        published: Published::Walls { sequential: one(10.0), concurrent: one(1.0) },
        said: &[],
        said_factor: None,
        remark: Some("Its tasks sleep, which costs nothing: real downloads share a link."),
    },
    Claim {
        scenario: "abc",
        executor: "sequential",
        published: Published::Sequential(6.0),
        said: &[],
        said_factor: None,
        remark: None,
    },
    Claim {
        scenario: "csv-5",
        executor: "threads",
        published: Published::Walls { sequential: one(10.0), concurrent: one(4.01) },
        said: &["~20 s to ~4 s"],
        said_factor: Some((5.0, 5.0)),
        remark: Some(
            "Its threaded listing sleeps 4 s a task and its sequential one 2 s: the two times are of \
             different work.",
        ),
    },
    Claim {
        scenario: "posts-5",
        executor: "threads",
        published: Published::Walls { sequential: one(1.99), concurrent: one(0.44) },
        said: &["finishing 3, 1, 5, 2, 4"],
        said_factor: None,
        remark: None,
    },
    Claim {
        scenario: "crud",
        executor: "pool:5",
        published: Published::Improvement(95.6),
        said: &["95.6 % improvement"],
        said_factor: None,
        remark: Some("SQLite lets one connection write at a time, so writers take turns."),
    },
    Claim {
        scenario: "files",
        executor: "pool:5",
        published: Published::Improvement(85.0),
        said: &["85 %"],
        said_factor: None,
        remark: None,
    },
    Claim {
        scenario: "data",
        executor: "pool:4",
        published: Published::Nothing,
        said: &["2x, 4x or more"],
        said_factor: Some((2.0, 4.0)),
        remark: Some("Computing needs processors: no number of workers helps beyond theirs."),
    },
];

impl Claim {
    /// The speedup that the published figures themselves give, from the least to the most that they allow:
    /// `T₁ / Tₚ` of two times, `1 / (1 − improvement)` of an improvement.
    pub fn arithmetic(&self) -> Option<(f64, f64)> {
        match self.published {
            Published::Walls { sequential, concurrent } => {
                Some((sequential.least / concurrent.most, sequential.most / concurrent.least))
            }
            Published::Improvement(percent) => {
                let factor = 1.0 / (1.0 - percent / 100.0);
                Some((factor, factor))
            }
            Published::Sequential(_) | Published::Nothing => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(scenario: &str) -> Option<(f64, f64)> {
        CLAIMS.iter().find(|claim| claim.scenario == scenario)?.arithmetic()
    }

    fn near(found: Option<(f64, f64)>, least: f64, most: f64) -> bool {
        found.is_some_and(|(from, to)| (from - least).abs() < 0.005 && (to - most).abs() < 0.005)
    }

    #[test]
    fn the_published_figures_give_other_factors_than_their_words() {
        assert!(near(of("images-20"), 2.478, 2.478));
        assert!(near(of("images-10-threads"), 4.099, 4.099));
        assert!(near(of("images-10-pool"), 2.5, 6.0));
        assert!(near(of("posts-5"), 4.523, 4.523));
        assert!(near(of("crud"), 22.727, 22.727));
        assert!(near(of("files"), 6.667, 6.667));
        assert_eq!(of("abc"), None);
    }
}
