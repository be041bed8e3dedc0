//! What views are painted from: bars, lanes, axes, gauges.

mod axis;
mod bar;
mod dots;
mod gauge;
mod lane;
mod plot;

pub use axis::{Axis, Window, axis};
pub use bar::{Weight, bar, bar_with_loss, unknown_bar};
pub use dots::{Dots, Looks, Scale, dots, scale};
pub use gauge::{BEYOND, Gauge, PROCESSORS, gauge};
pub use lane::{LaneRow, density};
pub use plot::{Dash, Plot, curve_sample};
