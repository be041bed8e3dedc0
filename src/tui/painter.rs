//! The painter draws frames on a thread of its own, the latest one only, so that a terminal that stalls
//! holds up nobody else.

use std::thread;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::encode::{encode, mend};
use super::house::{House, Notice, Role};
use super::tty::Written;

/// Room for the bytes of a common frame.
const COMMON_FRAME: usize = 64 * 1024;

/// Draws on `house` until the terminal is left or gone.
pub(super) fn paint(house: &House) {
    let _end = EndOfPainter(house);
    Role::Painter.take_on();
    let mut drawn = Buffer::empty(Rect::ZERO);
    let mut bytes = Vec::with_capacity(COMMON_FRAME);
    while let Some(job) = house.job() {
        bytes.clear();
        if job.entering {
            bytes.extend(house.tty.entering());
        }
        let spent = job.frame.map(|(mut frame, reach)| {
            mend(&mut frame);
            // Writing to a vector does not fail.
            let _ = encode(&mut drawn, &frame, reach, &mut bytes);
            std::mem::replace(&mut drawn, frame)
        });
        let written = house.tty.write(&bytes, || house.is_up());
        house.lay_down_the_pen(written, spent);
        if written == Written::Gone {
            house.tell(Notice::Vanished);
            return;
        }
    }
}

/// Tells the dashboard when the painter's thread ends by a panic, which would else look like a still image.
struct EndOfPainter<'a>(&'a House);

impl Drop for EndOfPainter<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.lay_down_the_pen(Written::Stalled, None);
            self.0.tell(Notice::Vanished);
        }
    }
}
