//! The embedded HTTP server: the offline default that every race can fall back on.

use std::time::Duration;

/// What the origin serves, and so what the tasks are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// JPEG pictures.
    Pictures {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// JSON posts.
    Posts,
    /// CSV files.
    Csv {
        /// Rows below the header.
        rows: u32,
    },
    /// Bytes without a meaning.
    Bytes {
        /// How many in one body.
        size: u64,
    },
    /// Pictures among answers that go wrong in every way a task must survive.
    Faults {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
}

/// How long the origin waits before the first byte of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latency {
    /// The same for every request.
    Fixed(Duration),
    /// Evenly spread over `mean ± spread`.
    Uniform {
        /// The middle.
        mean: Duration,
        /// Half the width; at most `mean`.
        spread: Duration,
    },
    /// Exponentially distributed.
    Exponential {
        /// The mean.
        mean: Duration,
    },
}

/// How the origin slows itself down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// Before the first byte.
    pub latency: Latency,
    /// Bytes a second for each connection; none is no limit.
    pub bandwidth: Option<std::num::NonZeroU64>,
    /// Bytes a second for all connections together; none is no limit.
    pub shared_bandwidth: Option<std::num::NonZeroU64>,
    /// Requests served at once; none is no limit.
    pub concurrent: Option<std::num::NonZeroUsize>,
    /// The share of requests that are answered with 503, 0 to 1.
    pub failures: f64,
}
